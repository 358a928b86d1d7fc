//! A backend with moods. It counts the ids of the spans that it took, whether or not its answer arrived.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gramtrace::wire::{Encoding, frame};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::spans::ids;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    /// Takes everything at once.
    Takes,
    /// Takes each request when some more have come.
    Slow,
    /// Asks to come back, with and without saying when.
    Refuses,
    /// Refuses for good.
    Rejects,
    /// Says nothing to what comes.
    Silent,
    /// Resets every connection, with answers under way.
    Resets,
    /// Is gone until the next mood.
    Gone,
    /// Closes its side of every connection and goes on reading.
    HalfCloses,
}

/// How many requests come before a slow backend answers.
const SLOW: u64 = 8;

const LASTING: [Mood; 5] = [Mood::Takes, Mood::Slow, Mood::Refuses, Mood::Rejects, Mood::Silent];

pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    life: AsyncMutex<Life>,
}

/// What listens, while the backend is there.
struct Life {
    /// Cancelled, it ends what listens and every connection.
    end: CancellationToken,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    mood: AtomicU8,
    received: Mutex<HashSet<u64>>,
    spans: AtomicU64,
    /// Requests that came.
    arrived: watch::Sender<u64>,
    half_closed: AtomicU64,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<State>::default());
        let life = AsyncMutex::new(Life::on(listener, &state));
        Self { address, state, life }
    }

    /// Changes the mood; a reset and a half-close are over when this returns, and what follows is good.
    pub(crate) async fn feels(&self, mood: Mood) {
        let lasting = if LASTING.contains(&mood) { mood } else { Mood::Takes };
        self.state.mood.store(lasting as u8, Ordering::Relaxed);
        match mood {
            Mood::Gone => return self.life.lock().await.end().await,
            Mood::Resets => self.life.lock().await.end().await,
            Mood::HalfCloses => drop(self.state.half_closed.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.be_there().await;
    }

    async fn be_there(&self) {
        let mut life = self.life.lock().await;
        while life.listening.is_none() {
            // Meanwhile the port may be the near end of somebody's connection.
            match TcpListener::bind(self.address).await {
                Ok(listener) => *life = Life::on(listener, &self.state),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// The ids of the spans that it took.
    pub(crate) fn received(&self) -> HashSet<u64> {
        self.state.received.lock().unwrap().clone()
    }

    /// Spans that it took, each as often as it did.
    pub(crate) fn spans(&self) -> u64 {
        self.state.spans.load(Ordering::Relaxed)
    }

    /// Spans that it took again.
    pub(crate) fn repeated(&self) -> u64 {
        self.spans() - self.state.received.lock().unwrap().len() as u64
    }
}

impl Life {
    fn on(listener: TcpListener, state: &Arc<State>) -> Self {
        let end = CancellationToken::new();
        let listening = Some(tokio::spawn(serve(listener, Arc::clone(state), end.clone())));
        Self { end, listening }
    }

    /// Ends every connection, and returns when nothing listens any longer.
    async fn end(&mut self) {
        self.end.cancel();
        if let Some(listening) = self.listening.take() {
            listening.await.unwrap();
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, life: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = life.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (state, life) = (Arc::clone(&state), life.clone());
        tokio::spawn(async move {
            let taking = Arc::clone(&state);
            let service = service_fn(move |request| answer(Arc::clone(&taking), request));
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http2().initial_stream_window_size(1 << 20).initial_connection_window_size(4 << 20);
            let stream = Moody { stream, closed_before: state.half_closed.load(Ordering::Relaxed), state };
            tokio::select! {
                _ = builder.serve_connection(TokioIo::new(stream), service) => {}
                () = life.cancelled() => {}
            }
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let encoding = request.headers().get("grpc-encoding").and_then(|value| Encoding::from_name(value.to_str().ok()?));
    let Ok(body) = request.into_body().collect().await else { return Ok(refuses(Code::Unavailable, false)) };
    let Ok(frame) = frame::decode_unary(&body.to_bytes()) else { return Ok(refuses(Code::InvalidArgument, false)) };
    let mood = LASTING.into_iter().find(|mood| *mood as u8 == state.mood.load(Ordering::Relaxed)).unwrap();
    let mut turn = 0;
    state.arrived.send_modify(|arrived| {
        turn = *arrived;
        *arrived += 1;
    });
    match mood {
        Mood::Refuses if turn.is_multiple_of(2) => return Ok(refuses(Code::Unavailable, turn.is_multiple_of(4))),
        Mood::Refuses => return Ok(refuses(Code::ResourceExhausted, true)),
        Mood::Rejects => return Ok(refuses(Code::InvalidArgument, false)),
        Mood::Silent => std::future::pending::<()>().await,
        Mood::Slow => drop(state.arrived.subscribe().wait_for(|arrived| *arrived > turn + SLOW).await),
        _ => {}
    }
    let encoding = if frame.compressed { encoding.unwrap() } else { Encoding::Identity };
    let message = encoding.inflate(frame.message, 256 << 20).unwrap();
    let ids = ids(&message);
    state.spans.fetch_add(ids.len() as u64, Ordering::Relaxed);
    state.received.lock().unwrap().extend(ids);
    Ok(whole(Bytes::from_static(b"\0\0\0\0\0"), HeaderMap::from_iter([grpc_status("0")])))
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn grpc_status(code: &'static str) -> (http::HeaderName, HeaderValue) {
    (http::HeaderName::from_static("grpc-status"), HeaderValue::from_static(code))
}

fn whole(body: Bytes, trailers: HeaderMap) -> Response<Body> {
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync();
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn refuses(code: Code, with_delay: bool) -> Response<Body> {
    let delay = with_delay.then_some(Duration::from_millis(300));
    let status = match delay {
        Some(_) => Status::with_error_details(code, "in a mood", ErrorDetails::with_retry_info(delay)),
        None => Status::new(code, "in a mood"),
    };
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    whole(Bytes::new(), trailers)
}

/// A connection whose writing side closes when the backend half-closes.
struct Moody {
    stream: TcpStream,
    closed_before: u64,
    state: Arc<State>,
}

impl Moody {
    fn is_closed(&self) -> bool {
        self.state.half_closed.load(Ordering::Relaxed) > self.closed_before
    }
}

impl AsyncRead for Moody {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Moody {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_closed() {
            // What it would say is lost; that it closes is seen.
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
