//! Collecting a request's body under a cap and a time, and work on it that must not hold up the runtime.
//! What a body announces is believed only where it is a reason to refuse; memory grows with what has come.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use super::admission::Permit;
use crate::rejection::Rejection;
use crate::wire::frame::PREFIX_LEN;

/// Work on more bytes than this leaves the runtime's threads: up to here even a bomb costs some ten milliseconds.
const INLINE_BYTES: usize = 16 * 1024;

/// Memory is set aside for an announced length up to this; a longer body grows by doubling.
const TRUSTED_LENGTH: usize = 4 * 1024 * 1024;

/// Bounds on one request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// The largest message in bytes, before and after inflating.
    pub max_bytes: usize,
    /// The time in which the whole body has to arrive.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    /// 64 MiB in 30 s.
    fn default() -> Self {
        Self { max_bytes: 64 * 1024 * 1024, timeout: Duration::from_secs(30) }
    }
}

/// What stands around the message in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body is the message.
    Bare,
    /// The message has a gRPC prefix.
    Grpc,
}

impl Framing {
    const fn overhead(self) -> usize {
        match self {
            Self::Bare => 0,
            Self::Grpc => PREFIX_LEN,
        }
    }

    /// The length of the message that begins with `head`, where it says so.
    fn announced(self, head: &[u8]) -> Option<usize> {
        match (self, head) {
            (Self::Grpc, &[_, a, b, c, d, ..]) => {
                Some(usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX))
            }
            _ => None,
        }
    }
}

/// Refuses a body whose headers already announce too much, before any of it is asked for.
pub(super) fn check_announced(body: &impl Body, limits: BodyLimits, framing: Framing) -> Result<(), Rejection> {
    let most = limits.max_bytes.saturating_add(framing.overhead());
    if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= most) {
        Ok(())
    } else {
        Err(Rejection::TooLarge { limit: limits.max_bytes })
    }
}

/// Collects `body`. Stops reading as soon as it is clear that it is too large.
pub(super) async fn collect<B>(body: &mut B, limits: BodyLimits, framing: Framing) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    tokio::time::timeout(limits.timeout, gather(body, limits.max_bytes, framing))
        .await
        .unwrap_or_else(|_| Err(Rejection::Interrupted(format!("it was not whole after {:?}", limits.timeout))))
}

async fn gather<B>(body: &mut B, limit: usize, framing: Framing) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let mut gathered = Gathered::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        gathered.push(data, limit.saturating_add(framing.overhead()), framing);
        let announced = framing.announced(gathered.bytes());
        if announced.is_some_and(|len| len > limit) || gathered.bytes().len() > limit.saturating_add(framing.overhead())
        {
            return Err(Rejection::TooLarge { limit });
        }
    }
    Ok(gathered.into_bytes())
}

/// The only chunk as it came, or the chunks so far in one piece. Small chunks are copied at once: kept as they are,
/// each would hold on to far more than its bytes.
#[derive(Debug, Default)]
struct Gathered {
    only: Bytes,
    joined: BytesMut,
}

impl Gathered {
    fn push(&mut self, data: Bytes, most: usize, framing: Framing) {
        if self.joined.is_empty() {
            if self.only.is_empty() {
                self.only = data;
                return;
            }
            let announced = framing.announced(&self.only).unwrap_or(0).saturating_add(framing.overhead());
            self.joined.reserve(announced.min(most).min(TRUSTED_LENGTH).max(self.only.len() + data.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.only));
        }
        self.joined.extend_from_slice(&data);
    }

    fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() { &self.only } else { &self.joined }
    }

    fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.only } else { self.joined.freeze() }
    }
}

/// A body that broke off, or one whose chunks are no HTTP.
fn broken(error: &(dyn Error + 'static)) -> Rejection {
    let mut cause = Some(error);
    while let Some(at) = cause {
        if let Some(io) = at.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        {
            return Rejection::Malformed(format!("HTTP body: {io}"));
        }
        cause = at.source();
    }
    Rejection::Interrupted(error.to_string())
}

/// Runs `work` on `size` bytes: here where they are few, else on a thread that may be held up. The request's place
/// stays taken until the work is done, even if its sender has gone.
pub(super) async fn off_thread<T, F>(size: usize, permit: &Permit, work: F) -> Result<T, Rejection>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Rejection> + Send + 'static,
{
    if size <= INLINE_BYTES {
        return work();
    }
    let place = Permit::clone(permit);
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(place);
        result
    });
    done.await.unwrap_or_else(|error| Err(Rejection::Internal(error.to_string())))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// Chunks that are there at once, then the end or silence.
    struct Chunks {
        left: VecDeque<Bytes>,
        stalls: bool,
    }

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.left.pop_front() {
                Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
                None if self.stalls => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn chunks(left: &[&'static [u8]]) -> Chunks {
        Chunks { left: left.iter().copied().map(Bytes::from_static).collect(), stalls: false }
    }

    const LIMITS: BodyLimits = BodyLimits { max_bytes: 4, timeout: Duration::from_secs(30) };

    #[tokio::test]
    async fn chunks_are_joined_in_their_order() {
        let splits: [&[&[u8]]; 3] = [&[b"abcd"], &[b"ab", b"cd"], &[b"", b"a", b"", b"bc", b"d"]];
        for split in splits {
            assert_eq!(collect(&mut chunks(split), LIMITS, Framing::Bare).await, Ok(Bytes::from_static(b"abcd")));
        }
        assert_eq!(collect(&mut chunks(&[]), LIMITS, Framing::Bare).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn reading_stops_at_the_first_byte_over_the_limit() {
        let mut body = chunks(&[b"ab", b"cd", b"e", b"never asked for"]);
        assert_eq!(collect(&mut body, LIMITS, Framing::Bare).await, Err(Rejection::TooLarge { limit: 4 }));
        assert_eq!(body.left.len(), 1);
    }

    #[tokio::test]
    async fn a_grpc_message_is_refused_by_the_length_that_it_announces() {
        let mut body = chunks(&[b"\0\0\0", b"\0\x05", b"never asked for"]);
        assert_eq!(collect(&mut body, LIMITS, Framing::Grpc).await, Err(Rejection::TooLarge { limit: 4 }));
        assert_eq!(body.left.len(), 1);
        let mut body = chunks(&[b"\0\0\0\0\x04", b"abcd"]);
        assert_eq!(collect(&mut body, LIMITS, Framing::Grpc).await, Ok(Bytes::from_static(b"\0\0\0\0\x04abcd")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up_after_its_time() {
        let mut body = chunks(&[b"ab"]);
        body.stalls = true;
        let started = tokio::time::Instant::now();
        let result = collect(&mut body, LIMITS, Framing::Bare).await;
        assert_eq!(result, Err(Rejection::Interrupted("it was not whole after 30s".to_owned())));
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[test]
    fn an_announced_length_takes_no_memory_before_the_bytes_are_there() {
        let mut gathered = Gathered::default();
        gathered.push(Bytes::from_static(b"\0\x03\xff\xff\xff"), 64 << 20, Framing::Grpc);
        gathered.push(Bytes::from_static(b"a"), 64 << 20, Framing::Grpc);
        assert!(gathered.joined.capacity() <= TRUSTED_LENGTH);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("error reading a body")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn a_chunk_that_is_no_http_is_the_senders_fault_and_a_lost_connection_is_not() {
        let wrapped = |kind| Wrapped(io::Error::new(kind, "why"));
        assert!(matches!(broken(&wrapped(io::ErrorKind::InvalidInput)), Rejection::Malformed(_)));
        assert!(matches!(broken(&wrapped(io::ErrorKind::UnexpectedEof)), Rejection::Interrupted(_)));
    }
}
