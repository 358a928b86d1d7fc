//! Protobuf's wire format, written behind what is already there.
//! <https://protobuf.dev/programming-guides/encoding/>. Knows nothing of JSON or of OTLP's messages.
//!
//! A length stands before its message, but is known after it. One byte is kept free for it, and a message of 128 bytes
//! or more moves up when it ends. That needs no buffer a message and no second pass. A byte moves once for each long
//! message around it: three to six times in real requests, and never more often than the depth allows.

/// How a field's value is delimited: the low three bits of its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Len = 2,
    Fixed32 = 5,
}

/// Where a length is still to be written.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct OpenLength {
    at: usize,
}

/// The message so far.
pub(super) struct Output {
    bytes: Vec<u8>,
}

impl Output {
    /// Nothing yet, with room for `capacity` bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes back everything behind the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// The end of the message, for writers that append to a `Vec`.
    pub(super) const fn end_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn tag(&mut self, number: u32, wire_type: WireType) {
        self.varint(u64::from(number) << 3 | wire_type as u64);
    }

    pub(super) fn varint(&mut self, value: u64) {
        let (bytes, len) = varint(value);
        self.bytes.extend_from_slice(&bytes[..len]);
    }

    /// The low `N` bytes of `bits`, little-endian.
    pub(super) fn fixed<const N: usize>(&mut self, bits: u64) {
        self.bytes.extend(bits.to_le_bytes().into_iter().take(N));
    }

    /// Begins something whose length precedes it.
    pub(super) fn open_length(&mut self) -> OpenLength {
        self.bytes.push(0);
        OpenLength { at: self.bytes.len() - 1 }
    }

    /// Writes the length of all that came since `open_length`.
    pub(super) fn close_length(&mut self, open: OpenLength) {
        let start = open.at + 1;
        let end = self.bytes.len();
        let (length, len) = varint((end - start) as u64);
        if len > 1 {
            self.bytes.resize(end + len - 1, 0);
            self.bytes.copy_within(start..end, open.at + len);
        }
        self.bytes[open.at..open.at + len].copy_from_slice(&length[..len]);
    }

    pub(super) fn into_bytes(self) -> bytes::Bytes {
        self.bytes.into()
    }
}

/// A varint: its bytes and how many of them count.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut len = 0;
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        bytes[len] = if value == 0 { low } else { low | 0x80 };
        len += 1;
        if value == 0 {
            return (bytes, len);
        }
    }
}
