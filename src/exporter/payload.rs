//! Compressing a request on its way out.
//! Knows bytes; nothing of the request inside or of the transport.

use std::io;

use bytes::Bytes;

use crate::wire::{Encoding, Payload};

/// Above this many bytes compressing takes milliseconds, which would hold up everything else on the thread.
const INLINE_BYTES: usize = 1 << 20;

/// The level unless another is configured: compressing is most of what sending a request costs.
pub const DEFAULT_LEVEL: u32 = 1;

/// What goes over the wire in `encoding`: what came in it, else the message at `level` (gzip 1 to 9, zstd 1 to 22); large
/// messages on the blocking pool.
pub(super) async fn encoded(encoding: Encoding, payload: Payload, level: u32) -> io::Result<Bytes> {
    if let Some(arrived) = payload.arrived_in(encoding) {
        return Ok(arrived.clone());
    }
    let body = payload.into_bytes();
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
                let deflated = encoded(encoding, body.clone().into(), DEFAULT_LEVEL).await.unwrap();
                assert_eq!(encoding.inflate(deflated, len), Ok(body.clone()), "{encoding:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_came_in_the_backends_encoding_leaves_as_it_came() {
        let body = Bytes::from("grams per trace ".repeat(100));
        let arrived = Encoding::Gzip.deflate(&body, 9).unwrap();
        let payload = Payload::inflated(body, Encoding::Gzip, arrived.clone());
        let gzip = encoded(Encoding::Gzip, payload.clone(), DEFAULT_LEVEL).await.unwrap();
        assert_eq!((gzip.as_ptr(), gzip.len()), (arrived.as_ptr(), arrived.len()), "the very same bytes");
        let zstd = encoded(Encoding::Zstd, payload.clone(), DEFAULT_LEVEL).await.unwrap();
        assert_eq!(&zstd[..4], [0x28, 0xb5, 0x2f, 0xfd], "RFC 8878, 3.1.1");
        assert_eq!(encoded(Encoding::Identity, payload.clone(), DEFAULT_LEVEL).await.unwrap(), payload.bytes());
    }
}
