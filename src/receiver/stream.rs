//! A connection's bytes: counted, since the listener gives up on peers that connect and stay silent, and with a time
//! limit on writing, since a peer that reads nothing holds everything up. Knows nothing of what the bytes say.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::pings::PingWatch;

/// How many bytes a peer has sent so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that counts what it reads and fails where its peer takes nothing.
#[derive(Debug)]
pub(super) struct Watched<I> {
    stream: I,
    heard: Heard,
    pings: Option<PingWatch>,
    write_timeout: Option<Duration>,
    /// Runs while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<I> Watched<I> {
    pub(super) fn new(stream: I, write_timeout: Option<Duration>) -> (Self, Heard) {
        let heard = Heard::default();
        (Self { stream, heard: heard.clone(), pings: None, write_timeout, stalled: None }, heard)
    }

    /// The same, where what is read is looked at for pings.
    pub(super) fn watching(self, pings: Option<PingWatch>) -> Self {
        Self { pings, ..self }
    }

    /// What became of a write, or that the peer has taken nothing for too long.
    fn progress<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let (Some(patience), Poll::Pending) = (self.write_timeout, &written) else {
            self.stalled = None;
            return written;
        };
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        if let Some(pings) = &mut self.pings {
            pings.see(buf.filled().get(before..).unwrap_or_default());
        }
        self.heard.0.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        done
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.progress(cx, shut)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress(cx, written)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_after_the_time_to_write() {
        let (ours, _peer) = tokio::io::duplex(16);
        let (mut stream, _) = Watched::new(ours, Some(Duration::from_secs(30)));
        let began = Instant::now();
        let error = stream.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_waited_for() {
        use tokio::io::AsyncReadExt;

        let (ours, mut peer) = tokio::io::duplex(1);
        let (mut stream, _) = Watched::new(ours, Some(Duration::from_secs(30)));
        let reading = tokio::spawn(async move {
            let mut every_20_seconds = tokio::time::interval(Duration::from_secs(20));
            for _ in 0..10 {
                every_20_seconds.tick().await;
                peer.read_u8().await.unwrap();
            }
        });
        stream.write_all(&[0; 10]).await.unwrap();
        reading.await.unwrap();
    }
}
