//! Content encodings: names on the wire, compressing, and inflating under a cap.
//! Inflated output never exceeds the cap, whatever a body claims (gzip and zstd bombs).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use zstd::zstd_safe;

use super::gzip;

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
    /// A zstd frame whose window no receiver has to hold: <https://www.rfc-editor.org/rfc/rfc9659>.
    #[error("the zstd body asks for a window of more than 8 MiB: compress with a smaller one")]
    WindowTooLarge,
}

/// The largest zstd window, as a power of two in bytes: 8 MiB. <https://www.rfc-editor.org/rfc/rfc9659>
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// The highest zstd level that asks for no larger window by itself.
const ZSTD_LEVEL_WITHIN_WINDOW: i32 = 19;
/// The least that is set aside for what comes out.
const LEAST_CAPACITY: usize = 1024;

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
    /// [`InflateError::Corrupt`] for a broken stream, [`InflateError::TooLarge`] beyond the limit,
    /// [`InflateError::WindowTooLarge`] for a zstd frame that wants more memory than any should; an uncompressed body is
    /// measured against the limit too.
    pub fn inflate(self, body: Bytes, limit: usize) -> Result<Bytes, InflateError> {
        self.inflate_within(body, limit, |_| Ok(()))
    }

    /// The same, and asks `room` before memory for what comes out grows to so many bytes.
    ///
    /// # Errors
    /// Those of [`Encoding::inflate`], and what `room` objects to.
    pub fn inflate_within<E: From<InflateError>>(
        self,
        body: Bytes,
        limit: usize,
        room: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        match self {
            Self::Identity if body.len() > limit => Err(InflateError::TooLarge { limit }.into()),
            Self::Identity => Ok(body),
            Self::Gzip => self.read_capped(MultiGzDecoder::new(&body[..]), body.len(), limit, room),
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(|error| self.corrupt(&error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| self.corrupt(&error))?;
                self.read_capped(decoder, body.len(), limit, room)
            }
        }
    }

    /// How many bytes a compressed body says to hold, where it says so and can be right. It may be a lie.
    #[must_use]
    pub fn announced(self, body: &[u8]) -> Option<usize> {
        match self {
            Self::Identity => None,
            Self::Gzip => gzip::announced(body),
            Self::Zstd => usize::try_from(zstd_safe::get_frame_content_size(body).ok()??).ok(),
        }
    }

    /// Inflates `body` into a buffer of exactly `len` bytes, several times as fast as piece by piece. `None` where it is
    /// anything but one member or frame of this length: [`Encoding::inflate`] says what it is.
    #[must_use]
    pub fn inflate_at_once(self, body: &[u8], len: usize) -> Option<Bytes> {
        match self {
            Self::Identity => None,
            Self::Gzip => gzip::inflate(body, len),
            Self::Zstd => {
                let is_one_frame = zstd_safe::find_frame_compressed_size(body).is_ok_and(|frame| frame == body.len());
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body).ok().filter(|_| is_one_frame)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).ok()?;
                let mut out = vec![0; len];
                decoder.read_exact(&mut out).ok()?;
                (decoder.read(&mut [0]).ok()? == 0).then(|| out.into())
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
            Self::Gzip => gzip::deflate(body, level),
            Self::Zstd => {
                let level = i32::try_from(level).unwrap_or(i32::MAX);
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                if level > ZSTD_LEVEL_WITHIN_WINDOW {
                    encoder.window_log(ZSTD_WINDOW_LOG_MAX)?;
                }
                encoder.write_all(body)?;
                Ok(encoder.finish()?.into())
            }
        }
    }

    fn read_capped<E: From<InflateError>>(
        self,
        mut decoder: impl Read,
        compressed: usize,
        limit: usize,
        mut room: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let mut out = Vec::new();
        let mut capacity = compressed.saturating_mul(4).max(LEAST_CAPACITY).min(limit);
        loop {
            room(capacity)?;
            let wanted = capacity - out.len();
            out.reserve_exact(wanted);
            let mut piece = decoder.by_ref().take(u64::try_from(wanted).unwrap_or(u64::MAX));
            let read = piece.read_to_end(&mut out).map_err(|error| self.corrupt(&error))?;
            if read < wanted {
                return Ok(out.into());
            }
            if capacity == limit {
                let more = decoder.read(&mut [0]).map_err(|error| self.corrupt(&error))?;
                return if more == 0 { Ok(out.into()) } else { Err(InflateError::TooLarge { limit }.into()) };
            }
            capacity = capacity.saturating_mul(2).min(limit);
        }
    }

    fn corrupt(self, error: &std::io::Error) -> InflateError {
        // The library says it in words alone; a test holds them.
        if self == Self::Zstd && error.to_string().contains("requires too much memory") {
            return InflateError::WindowTooLarge;
        }
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

    /// A zstd frame of one empty raw block (RFC 8878, 3.1.1) whose header asks for a window of 2^`log` bytes.
    fn zstd_frame(log: u8) -> Bytes {
        Bytes::from(vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3, 0x01, 0x00, 0x00])
    }

    #[test]
    fn a_zstd_frame_may_ask_for_a_window_of_8_mib_and_no_more() {
        assert_eq!(Encoding::Zstd.inflate(zstd_frame(23), 1 << 20), Ok(Bytes::new()));
        for log in [24, 27, 31, 41] {
            assert_eq!(Encoding::Zstd.inflate(zstd_frame(log), 1 << 20), Err(InflateError::WindowTooLarge), "{log}");
        }
    }

    #[test]
    fn no_level_asks_a_receiver_for_a_larger_window() {
        let body = Bytes::from("grams per trace ".repeat(1000));
        for level in [1, 19, 20, 22] {
            let deflated = Encoding::Zstd.deflate(&body, level).unwrap();
            assert_eq!(Encoding::Zstd.inflate(deflated, body.len()), Ok(body.clone()), "{level}");
        }
    }

    #[test]
    fn memory_for_what_comes_out_is_asked_for_before_it_grows() {
        let body = Bytes::from(vec![0u8; 1 << 20]);
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let deflated = encoding.deflate(&body, 1).unwrap();
            let mut asked = Vec::new();
            let within = |bytes| {
                asked.push(bytes);
                if bytes > 100_000 { Err(InflateError::TooLarge { limit: 100_000 }) } else { Ok(()) }
            };
            let refused = encoding.inflate_within(deflated, 2 << 20, within);
            assert_eq!(refused, Err(InflateError::TooLarge { limit: 100_000 }), "{encoding:?}");
            let (last, granted) = asked.split_last().unwrap();
            assert!(granted.iter().all(|bytes| *bytes <= 100_000), "{granted:?}");
            assert!(*last > 100_000 && *last <= 200_000, "{last}");
        }
    }

    #[test]
    fn a_body_that_says_how_much_it_holds_inflates_at_once() {
        let body = Bytes::from("grams per trace ".repeat(1000));
        let gzip = Encoding::Gzip.deflate(&body, 1).unwrap();
        let zstd = Bytes::from(zstd::bulk::compress(&body, 1).unwrap());
        let other = Bytes::from("spans per gram, ".repeat(1000));
        let other_gzip = Encoding::Gzip.deflate(&other, 1).unwrap();
        let other_zstd = Bytes::from(zstd::bulk::compress(&other, 1).unwrap());
        for (encoding, deflated, other) in [(Encoding::Gzip, gzip, other_gzip), (Encoding::Zstd, zstd, other_zstd)] {
            let both = [&deflated[..], &other].concat();
            assert_eq!(encoding.inflate_at_once(&both, 16_000), None, "{encoding:?}, two of one length");
            assert_eq!(encoding.announced(&deflated), Some(16_000), "{encoding:?}");
            assert_eq!(encoding.inflate_at_once(&deflated, 16_000), Some(body.clone()), "{encoding:?}");
            for (len, wrong) in [(15_999, deflated.clone()), (16_001, deflated.clone()), (16_000, deflated.slice(1..))]
            {
                assert_eq!(encoding.inflate_at_once(&wrong, len), None, "{encoding:?}, {len}");
            }
            let twice = [&deflated[..], &deflated[..]].concat();
            assert_eq!(encoding.inflate_at_once(&twice, 16_000), None, "{encoding:?}, two in a row");
            assert_eq!(encoding.inflate(twice.into(), 32_000).map(|all| all.len()), Ok(32_000), "{encoding:?}");
        }
        assert_eq!(Encoding::Zstd.inflate_at_once(&zstd_frame(24), 0), None, "its window is too large");
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Encoding::from_name("GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::from_name(""), Some(Encoding::Identity));
        assert_eq!(Encoding::from_name("br"), None);
    }
}
