//! Content encodings: names on the wire, compressing, and inflating under a cap.
//! Inflated output never exceeds the cap, whatever a body claims (gzip and zstd bombs).

use std::io::Read;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder};

/// A content encoding that is spoken in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Bytes as they are (`identity` in gRPC, no header or `none` elsewhere).
    Identity,
    /// RFC 1952, possibly of several members.
    Gzip,
    /// RFC 8878, possibly of several frames.
    Zstd,
}

/// Why a compressed body could not be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The compressed stream is broken or ends early.
    #[error("the {encoding} body is corrupt: {reason}")]
    Corrupt {
        /// The encoding that was announced.
        encoding: &'static str,
        /// The decompressor's own words.
        reason: String,
    },
    /// More than `limit` bytes would come out.
    #[error("the body inflates to more than {limit} bytes")]
    TooLarge {
        /// The cap in bytes.
        limit: usize,
    },
}

impl Encoding {
    /// Reads a `content-encoding` or `grpc-encoding` value; `None` where it is not spoken.
    /// An empty value, `identity` and `none` are the same; case does not matter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.is_empty() || name.eq_ignore_ascii_case("identity") || name.eq_ignore_ascii_case("none") {
            Some(Self::Identity)
        } else if name.eq_ignore_ascii_case("gzip") {
            Some(Self::Gzip)
        } else if name.eq_ignore_ascii_case("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Inflates `body` to at most `limit` bytes. Memory stays below twice the limit.
    ///
    /// # Errors
    /// [`InflateError::Corrupt`] for a broken stream, [`InflateError::TooLarge`] beyond the limit; an
    /// uncompressed body is measured against the limit too.
    pub fn inflate(self, body: Bytes, limit: usize) -> Result<Bytes, InflateError> {
        match self {
            Self::Identity if body.len() > limit => Err(InflateError::TooLarge { limit }),
            Self::Identity => Ok(body),
            Self::Gzip => self.read_capped(MultiGzDecoder::new(&body[..]), body.len(), limit),
            Self::Zstd => {
                let decoder =
                    zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(|error| self.corrupt(&error))?;
                self.read_capped(decoder, body.len(), limit)
            }
        }
    }

    /// Compresses `body` at `level` (gzip 1 to 9, zstd 1 to 22; out of range is clamped by the codec).
    ///
    /// # Errors
    /// Whatever the compressor reports; compressing in memory does not fail in practice.
    pub fn deflate(self, body: &Bytes, level: u32) -> std::io::Result<Bytes> {
        match self {
            Self::Identity => Ok(body.clone()),
            Self::Gzip => {
                let mut out = Vec::with_capacity(body.len() / 4 + 64);
                GzEncoder::new(&body[..], Compression::new(level.min(9))).read_to_end(&mut out)?;
                Ok(out.into())
            }
            Self::Zstd => {
                let level = i32::try_from(level).unwrap_or(i32::MAX);
                Ok(zstd::stream::encode_all(&body[..], level)?.into())
            }
        }
    }

    fn read_capped(self, decoder: impl Read, compressed: usize, limit: usize) -> Result<Bytes, InflateError> {
        let guess = compressed.saturating_mul(4).min(limit);
        let mut out = Vec::with_capacity(guess);
        let cap = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        decoder.take(cap).read_to_end(&mut out).map_err(|error| self.corrupt(&error))?;
        if out.len() > limit {
            return Err(InflateError::TooLarge { limit });
        }
        Ok(out.into())
    }

    fn corrupt(self, error: &std::io::Error) -> InflateError {
        InflateError::Corrupt { encoding: self.name(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deflated_inflates_to_the_same() {
        let body = Bytes::from("grams per trace ".repeat(1000));
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let deflated = encoding.deflate(&body, 1).unwrap();
            assert_eq!(encoding.inflate(deflated, body.len()), Ok(body.clone()), "{encoding:?}");
        }
    }

    #[test]
    fn one_byte_over_the_limit_is_refused() {
        let body = Bytes::from(vec![0u8; 1 << 20]);
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let deflated = encoding.deflate(&body, 1).unwrap();
            let limit = body.len() - 1;
            assert_eq!(encoding.inflate(deflated, limit), Err(InflateError::TooLarge { limit }), "{encoding:?}");
        }
    }

    #[test]
    fn a_truncated_stream_is_corrupt() {
        let body = Bytes::from("grams per trace ".repeat(1000));
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let deflated = encoding.deflate(&body, 1).unwrap();
            let cut = deflated.slice(..deflated.len() - 3);
            assert!(matches!(encoding.inflate(cut, 1 << 20), Err(InflateError::Corrupt { .. })), "{encoding:?}");
        }
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Encoding::from_name("GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::from_name(""), Some(Encoding::Identity));
        assert_eq!(Encoding::from_name("br"), None);
    }
}
