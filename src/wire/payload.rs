//! A message on its way, and how it came: compressed bytes are kept for as long as they say the same, so that a message
//! that nothing is added to leaves as it came. Knows bytes and encodings alone.

use bytes::Bytes;

use super::Encoding;

/// A message, and the same compressed where it came so. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    arrived: Option<(Encoding, Bytes)>,
}

impl Payload {
    /// The message `bytes`, which came as `compressed`: exactly one member or frame of `encoding`. Compressed bytes that
    /// are more than the message's own are not kept.
    #[must_use]
    pub fn inflated(bytes: Bytes, encoding: Encoding, compressed: Bytes) -> Self {
        let arrived = Some((encoding, compressed)).filter(|(_, compressed)| compressed.len() <= bytes.len());
        Self { bytes, arrived }
    }

    /// The message.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The message alone.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The same message on with `bytes`: as it came only where they are the very bytes that it has.
    #[must_use]
    pub fn with_bytes(self, bytes: Bytes) -> Self {
        let is_same = bytes.as_ptr() == self.bytes.as_ptr() && bytes.len() == self.bytes.len();
        if is_same { self } else { Self::from(bytes) }
    }

    /// What came in `encoding`, where the message did.
    #[must_use]
    pub fn arrived_in(&self, encoding: Encoding) -> Option<&Bytes> {
        self.arrived.as_ref().filter(|(arrived, _)| *arrived == encoding).map(|(_, compressed)| compressed)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, arrived: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_kept_until_the_message_changes() {
        let (message, compressed) = (Bytes::from(vec![7; 100]), Bytes::from_static(b"as it came"));
        let payload = Payload::inflated(message.clone(), Encoding::Gzip, compressed.clone());
        assert_eq!(payload.arrived_in(Encoding::Gzip), Some(&compressed));
        assert_eq!(payload.arrived_in(Encoding::Zstd), None);
        let same = payload.clone().with_bytes(message.clone());
        assert_eq!(same.arrived_in(Encoding::Gzip), Some(&compressed));
        for other in [message.slice(..99), message.slice(1..), Bytes::from(vec![7; 100])] {
            let changed = payload.clone().with_bytes(other.clone());
            assert_eq!((changed.bytes(), changed.arrived_in(Encoding::Gzip)), (&other, None));
        }
    }

    #[test]
    fn a_message_that_is_smaller_by_itself_forgets_how_it_came() {
        let payload = Payload::inflated(Bytes::from_static(b"ab"), Encoding::Gzip, Bytes::from_static(b"abc"));
        assert_eq!(payload.arrived_in(Encoding::Gzip), None);
    }
}
