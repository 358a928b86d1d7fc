//! The gRPC message frame: one flag byte, a big-endian length, the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes before the message: the compressed flag and the length.
pub const PREFIX_LEN: usize = 5;

/// One message as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether `message` is in the encoding that `grpc-encoding` names.
    pub compressed: bool,
    /// The message's bytes.
    pub message: Bytes,
}

/// Why a body is not exactly one frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The body ended inside the prefix or the message.
    #[error("the gRPC body ends after {have} bytes of a frame that needs {need}")]
    Truncated {
        /// Bytes that came.
        have: usize,
        /// Bytes that the frame needs; the prefix alone where not even that came.
        need: usize,
    },
    /// The flag byte is neither 0 nor 1.
    #[error("the gRPC frame's compressed flag is {0}, not 0 or 1")]
    Flag(u8),
    /// More bytes follow: `Export` is unary.
    #[error("{0} bytes follow the one gRPC message of a unary call")]
    Trailing(usize),
}

/// Takes the one frame of a unary body apart, without copying.
///
/// # Errors
/// [`FrameError`], for a body that is not exactly one frame.
pub fn decode_unary(body: &Bytes) -> Result<Frame, FrameError> {
    let Some(&[flag, a, b, c, d]) = body.first_chunk::<PREFIX_LEN>() else {
        return Err(FrameError::Truncated { have: body.len(), need: PREFIX_LEN });
    };
    if flag > 1 {
        return Err(FrameError::Flag(flag));
    }
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let need = PREFIX_LEN.saturating_add(len);
    if body.len() < need {
        return Err(FrameError::Truncated { have: body.len(), need });
    }
    if body.len() > need {
        return Err(FrameError::Trailing(body.len() - need));
    }
    Ok(Frame { compressed: flag == 1, message: body.slice(PREFIX_LEN..) })
}

/// The prefix of a message of `len` bytes. gRPC cannot carry more than `u32::MAX` bytes; a longer
/// length gives `None`.
#[must_use]
pub fn prefix(compressed: bool, len: usize) -> Option<[u8; PREFIX_LEN]> {
    let [a, b, c, d] = u32::try_from(len).ok()?.to_be_bytes();
    Some([u8::from(compressed), a, b, c, d])
}

/// One small message with its prefix, for answers.
#[must_use]
pub fn encode(message: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(PREFIX_LEN + message.len());
    out.put_slice(&prefix(false, message.len())?);
    out.put_slice(message);
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_apart_as_it_was_put_together() {
        let framed = encode(b"abc").unwrap();
        assert_eq!(&framed[..], b"\0\0\0\0\x03abc");
        assert_eq!(decode_unary(&framed), Ok(Frame { compressed: false, message: Bytes::from_static(b"abc") }));
    }

    #[test]
    fn what_is_not_one_frame_is_refused() {
        let decode = |bytes: &'static [u8]| decode_unary(&Bytes::from_static(bytes));
        assert_eq!(decode(b""), Err(FrameError::Truncated { have: 0, need: 5 }));
        assert_eq!(decode(b"\0\0\0\0\x03ab"), Err(FrameError::Truncated { have: 7, need: 8 }));
        assert_eq!(decode(b"\0\0\0\0\x01ab"), Err(FrameError::Trailing(1)));
        assert_eq!(decode(b"\x02\0\0\0\0"), Err(FrameError::Flag(2)));
        assert_eq!(decode(b"\0\xff\xff\xff\xff"), Err(FrameError::Truncated { have: 5, need: 4_294_967_300 }));
    }
}
