//! Compressing a request on its way out.
//! Knows bytes; nothing of the request inside or of the transport.

use std::io;

use bytes::Bytes;

use crate::wire::Encoding;

/// Above this many bytes compressing takes milliseconds, which would hold up everything else on the thread.
const INLINE_BYTES: usize = 1 << 20;

/// The level unless another is configured: compressing is most of what sending a request costs.
pub const DEFAULT_LEVEL: u32 = 1;

/// `body` in `encoding` at `level` (gzip 1 to 9, zstd 1 to 22); large bodies on the blocking pool.
pub(super) async fn deflate(encoding: Encoding, body: Bytes, level: u32) -> io::Result<Bytes> {
    if encoding == Encoding::Identity || body.len() <= INLINE_BYTES {
        return encoding.deflate(&body, level);
    }
    tokio::task::spawn_blocking(move || encoding.deflate(&body, level)).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_body_comes_out_as_a_small_one_does() {
        for len in [10, INLINE_BYTES + 1] {
            let body = Bytes::from(vec![7; len]);
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
                let deflated = deflate(encoding, body.clone(), DEFAULT_LEVEL).await.unwrap();
                assert_eq!(encoding.inflate(deflated, len), Ok(body.clone()), "{encoding:?}");
            }
        }
    }
}
