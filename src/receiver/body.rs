//! Collecting a request's body under a cap and a time, and work on it that must not hold up the runtime.
//! What a body announces is believed only where it is a reason to refuse; memory grows with what has come, and is
//! reserved before it does.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use super::admission::Place;
use crate::rejection::Rejection;
use crate::wire::frame::PREFIX_LEN;
use crate::wire::{Encoding, Payload};

/// Work on more bytes than this leaves the runtime's threads: up to here even a bomb costs some ten milliseconds.
const INLINE_BYTES: usize = 16 * 1024;

/// A compressed body that says to hold at most this many bytes is inflated on the runtime's threads: it takes half a
/// millisecond, and less where it is a lie.
const INLINE_INFLATED: usize = 1 << 20;

/// Memory is set aside for an announced length up to this; a longer body grows by doubling.
const TRUSTED_LENGTH: usize = 4 * 1024 * 1024;

/// Bytes of memory for each byte of a request that is whole: itself, what is made of it, and what an exporter makes of
/// that to send it.
pub const PLAIN_COST: usize = 3;
/// The same for each compressed byte: it may be copied as its buffer grows.
const COMPRESSED_COST: usize = 2;
/// The same for each byte of the buffer that is inflated into: the window of zstd is as large at most.
const INFLATING_COST: usize = 2;
/// The same for each byte of JSON while it is read: a number of two bytes may become one of eight.
const JSON_COST: usize = 6;

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

/// How a body is read: how much of it, in what form, and where its memory is reserved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intent<'a> {
    pub(super) limits: BodyLimits,
    pub(super) framing: Framing,
    pub(super) encoding: Encoding,
    pub(super) place: &'a Place,
}

impl Intent<'_> {
    /// What `bytes` on the wire cost.
    const fn cost(&self, bytes: usize) -> usize {
        bytes.saturating_mul(match self.encoding {
            Encoding::Identity => PLAIN_COST,
            Encoding::Gzip | Encoding::Zstd => COMPRESSED_COST,
        })
    }

    /// The longest body.
    const fn most(&self) -> usize {
        self.limits.max_bytes.saturating_add(self.framing.overhead())
    }

    /// Refuses a message that announces too much, once `len` bytes of it are there.
    fn check_announced(&self, message: usize, len: usize) -> Result<(), Rejection> {
        if message > self.limits.max_bytes {
            return Err(self.too_large());
        }
        self.place.expect(self.cost(message.saturating_sub(len)))
    }

    const fn too_large(&self) -> Rejection {
        Rejection::TooLarge { limit: self.limits.max_bytes }
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

/// Collects `body`. Stops reading as soon as it is clear that it is too large, or that there is no memory for it.
pub(super) async fn collect<B>(body: &mut B, intent: Intent<'_>) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    intent.place.expect(intent.cost(announced))?;
    let patience = intent.limits.timeout;
    tokio::time::timeout(patience, gather(body, intent))
        .await
        .unwrap_or_else(|_| Err(Rejection::Interrupted(format!("it was not whole after {patience:?}"))))
}

async fn gather<B>(body: &mut B, intent: Intent<'_>) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let mut gathered = Gathered::default();
    let mut announced = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        let len = gathered.bytes().len().saturating_add(data.len());
        if len > intent.most() {
            return Err(intent.too_large());
        }
        intent.place.hold(intent.cost(len))?;
        gathered.push(data, intent.most(), intent.framing);
        if announced.is_none() {
            announced = intent.framing.announced(gathered.bytes());
            if let Some(message) = announced {
                intent.check_announced(message, len)?;
            }
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
pub(super) async fn off_thread<T, F>(size: usize, place: &Place, work: F) -> Result<T, Rejection>
where
    T: Send + 'static,
    F: FnOnce(&Place) -> Result<T, Rejection> + Send + 'static,
{
    if size <= INLINE_BYTES {
        return work(place);
    }
    let place = place.clone();
    let done = tokio::task::spawn_blocking(move || work(&place));
    done.await.unwrap_or_else(|error| Err(Rejection::Internal(error.to_string())))
}

/// The message in a compressed body, of at most `limit` bytes: here where it says to be short, else on a thread that may
/// be held up.
pub(super) async fn unpacked(
    encoding: Encoding,
    body: Bytes,
    limit: usize,
    place: &Place,
) -> Result<Payload, Rejection> {
    let short = limit.min(INLINE_INFLATED);
    if encoding.announced(&body).is_some_and(|announced| announced <= short) {
        return match at_once(encoding, &body, short, place) {
            Some(payload) => Ok(payload),
            None => off_thread(body.len(), place, move |place| in_pieces(encoding, body, limit, place)).await,
        };
    }
    off_thread(body.len(), place, move |place| inflate(encoding, body, limit, place)).await
}

/// Inflates `body` to at most `limit` bytes, as far as there is memory for it.
pub(super) fn inflate(encoding: Encoding, body: Bytes, limit: usize, place: &Place) -> Result<Payload, Rejection> {
    match at_once(encoding, &body, limit, place) {
        Some(payload) => Ok(payload),
        None => in_pieces(encoding, body, limit, place),
    }
}

/// The same, whatever the body says to hold.
fn in_pieces(encoding: Encoding, body: Bytes, limit: usize, place: &Place) -> Result<Payload, Rejection> {
    let compressed = body.len().saturating_mul(COMPRESSED_COST);
    let body = encoding.inflate_within(body, limit, |capacity| {
        place.hold(compressed.saturating_add(capacity.saturating_mul(INFLATING_COST)))
    })?;
    hold_whole(&body, place)?;
    Ok(body.into())
}

/// Believes what a body says to hold, as far as there is memory for it. `None` where that is of no use.
fn at_once(encoding: Encoding, body: &Bytes, limit: usize, place: &Place) -> Option<Payload> {
    let announced = encoding.announced(body).filter(|announced| *announced <= limit)?;
    let compressed = body.len().saturating_mul(COMPRESSED_COST);
    // What came takes the place of what an exporter would make of it.
    place.hold(compressed.saturating_add(announced.saturating_mul(PLAIN_COST))).ok()?;
    let inflated = encoding.inflate_at_once(body, announced)?;
    place.hold(inflated.len().saturating_mul(PLAIN_COST)).ok()?;
    Some(Payload::inflated(inflated, encoding, body.clone()))
}

/// Reserves what a request that is whole and bare takes on its way.
pub(super) fn hold_whole(body: &Bytes, place: &Place) -> Result<(), Rejection> {
    place.hold(body.len().saturating_mul(PLAIN_COST))
}

/// Reserves what it takes to read JSON.
pub(super) fn hold_json(body: &Bytes, place: &Place) -> Result<(), Rejection> {
    place.hold(body.len().saturating_mul(JSON_COST))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;
    use crate::receiver::{Admission, Budget, BudgetSettings};

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

    fn place() -> Place {
        Admission::default().admit().unwrap()
    }

    async fn collect(body: &mut Chunks, limits: BodyLimits, framing: Framing) -> Result<Bytes, Rejection> {
        super::collect(body, Intent { limits, framing, encoding: Encoding::Identity, place: &place() }).await
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

    /// A place in a budget of 100 bytes, 60 of them for what begins.
    fn narrow() -> Place {
        let budget = Budget::default();
        budget.set(BudgetSettings { hard_bytes: 100, soft_bytes: 60 });
        Admission::default().within(budget).admit().unwrap()
    }

    const MANY: BodyLimits = BodyLimits { max_bytes: 1000, timeout: Duration::from_secs(30) };
    const FULL: Rejection = Rejection::MemoryLimit { retry_after: Duration::from_secs(1) };

    #[tokio::test]
    async fn memory_is_reserved_as_bytes_come_and_reading_stops_where_there_is_none() {
        let place = narrow();
        let intent = |framing| Intent { limits: MANY, framing, encoding: Encoding::Identity, place: &place };
        let mut body = chunks(&[&[0; 33], b"a", b"never asked for"]);
        assert_eq!(super::collect(&mut body, intent(Framing::Bare)).await, Err(FULL));
        assert_eq!(body.left.len(), 1);
    }

    #[tokio::test]
    async fn an_announced_message_that_does_not_fit_is_refused_before_it_comes() {
        let place = narrow();
        let intent = Intent { limits: MANY, framing: Framing::Grpc, encoding: Encoding::Identity, place: &place };
        let mut body = chunks(&[b"\0\0\0\0\x15", b"never asked for"]);
        assert_eq!(super::collect(&mut body, intent).await, Err(FULL));
        assert_eq!(body.left.len(), 1);
    }

    #[test]
    fn what_comes_out_of_a_small_body_takes_memory_as_it_comes_out() {
        let body = Bytes::from(vec![0; 4096]);
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let deflated = encoding.deflate(&body, 1).unwrap();
            assert_eq!(inflate(encoding, deflated.clone(), 4096, &narrow()), Err(FULL));
            assert_eq!(
                inflate(encoding, deflated, 4096, &place()).map(|whole| whole.bytes().clone()),
                Ok(body.clone())
            );
        }
    }

    #[test]
    fn a_body_of_one_member_is_kept_as_it_came_and_one_of_two_is_not() {
        let body = Bytes::from(vec![0; 4096]);
        let member = Encoding::Gzip.deflate(&body, 1).unwrap();
        let whole = inflate(Encoding::Gzip, member.clone(), 8192, &place()).unwrap();
        assert_eq!(whole.arrived_in(Encoding::Gzip), Some(&member));
        let two = inflate(Encoding::Gzip, [&member[..], &member[..]].concat().into(), 8192, &place()).unwrap();
        assert_eq!((two.bytes().len(), two.arrived_in(Encoding::Gzip)), (8192, None), "not every backend reads both");
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
