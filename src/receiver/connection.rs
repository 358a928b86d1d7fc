//! The connections of one listener, from their first byte to their last: TLS where it is configured, HTTP/1.1 or
//! HTTP/2, and an end that cuts no request off. Serves any HTTP service; knows nothing of OTLP.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::idle::Idleness;
use super::listener::{ListenerSettings, Protocol};
use super::pings::{PingWatch, TooMany};
use super::socket::{Peer, Raw};
use super::stream::{Heard, Watched};
use super::tls::ServerTls;

/// Fewer bytes than the preface of HTTP/2, and than any HTTP/1 request that matters, are silence.
const PREFACE_BYTES: u64 = 24;

/// A connection on which HTTP is spoken.
type Line = Either<Raw, Box<TlsStream<Raw>>>;

/// The open connections of one listener.
pub(super) struct Connections {
    settings: Arc<ListenerSettings>,
    tls: Option<Arc<ServerTls>>,
    builder: Arc<auto::Builder<Tracked>>,
    tasks: TaskTracker,
    end: CancellationToken,
    jitter: RandomState,
}

/// Runs the tasks of HTTP/2 streams where they are waited for.
#[derive(Debug, Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

impl Connections {
    pub(super) fn new(settings: ListenerSettings, tls: Option<Arc<ServerTls>>) -> Self {
        let tasks = TaskTracker::new();
        let builder = builder(&settings, Tracked(tasks.clone()));
        Self {
            settings: Arc::new(settings),
            tls,
            builder: Arc::new(builder),
            tasks,
            end: CancellationToken::new(),
            jitter: RandomState::new(),
        }
    }

    /// Cancelled, or dropped, it asks every connection to end.
    pub(super) fn ending(&self) -> CancellationToken {
        self.end.clone()
    }

    pub(super) fn open<S, B>(&self, stream: Raw, peer: Option<SocketAddr>, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let builder = Arc::clone(&self.builder);
        let tls = self.tls.clone();
        let settings = Arc::clone(&self.settings);
        let age = settings.max_connection_age.map(|age| self.about(age));
        let end = self.end.clone();
        self.tasks.spawn(async move {
            let Some(stream) = secure(stream, peer, tls.as_deref(), &settings, &end).await else { return };
            let lifetime = Lifetime { settings, age, end };
            if let Err(error) = converse(&builder, stream, peer, service, lifetime).await {
                let peer = peer.map(tracing::field::display);
                tracing::debug!(peer, error = %error.to_string().escape_debug(), "a connection ended with an error");
            }
        });
    }

    /// `age` give or take a tenth, so that connections that began together do not end together.
    fn about(&self, age: Duration) -> Duration {
        let percent = u32::try_from(self.jitter.hash_one(Instant::now()) % 21).unwrap_or(10) + 90;
        (age / 100).saturating_mul(percent)
    }

    /// Asks every connection to end and waits until all have.
    pub(super) async fn end(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn builder(settings: &ListenerSettings, executor: Tracked) -> auto::Builder<Tracked> {
    let mut builder = auto::Builder::new(executor);
    // Where HTTP/1 is not what is spoken, it gets an answer, and no second one.
    let keep_alive = settings.protocol == Protocol::Auto;
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).keep_alive(keep_alive);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_frame_size(settings.max_frame_bytes)
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout);
    builder
}

/// The connection as HTTP is spoken on it; `None` where it came to no agreement on TLS.
async fn secure(
    stream: Raw,
    peer: Option<SocketAddr>,
    tls: Option<&ServerTls>,
    settings: &ListenerSettings,
    end: &CancellationToken,
) -> Option<Line> {
    let Some(tls) = tls else { return Some(Either::Left(stream)) };
    tokio::select! {
        secured = tls.accept(stream, peer, settings.handshake_timeout) => secured.map(Box::new).map(Either::Right),
        () = end.cancelled() => None,
    }
}

/// When a connection is to end.
struct Lifetime {
    settings: Arc<ListenerSettings>,
    age: Option<Duration>,
    end: CancellationToken,
}

/// Serves one connection until its peer, its age, its idleness or the listener ends it.
async fn converse<I, S, B>(
    builder: &auto::Builder<Tracked>,
    stream: I,
    peer: Option<SocketAddr>,
    service: S,
    lifetime: Lifetime,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Lifetime { settings, age, end } = lifetime;
    let (stream, heard) = Watched::new(stream, settings.write_timeout);
    let idleness = Idleness::default();
    let (pings, too_many) = settings.ping_policy.map(|policy| PingWatch::new(policy, idleness.clone())).unzip();
    let stream = stream.watching(pings);
    let service = OfConnection { service, peer, idleness: idleness.clone() };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let grace = tokio::select! {
        ended = connection.as_mut() => return ended,
        () = silence(&heard, settings.header_timeout) => return Err("the peer stayed silent".into()),
        () = end.cancelled() => Some(settings.grace),
        () = after(age) => settings.max_connection_age_grace,
        () = idleness.lasts(settings.max_connection_idle) => Some(settings.grace),
        () = flood(too_many.as_ref()) => Some(settings.grace),
    };
    connection.as_mut().graceful_shutdown();
    let too_late = async {
        tokio::select! {
            () = after(grace) => {}
            () = async { end.cancelled().await; after(Some(settings.grace)).await } => {}
        }
    };
    tokio::select! {
        ended = connection => ended,
        () = too_late => Err("requests were still in flight when the grace was over".into()),
    }
}

async fn flood(too_many: Option<&TooMany>) {
    match too_many {
        Some(too_many) => too_many.pings().await,
        None => std::future::pending().await,
    }
}

/// Ends when a peer has said next to nothing in `patience`; never, where it has.
async fn silence(heard: &Heard, patience: Duration) {
    tokio::time::sleep(patience).await;
    if heard.bytes() >= PREFACE_BYTES {
        std::future::pending::<()>().await;
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// A service of one connection, whose requests know their peer and keep it from being idle.
#[derive(Debug, Clone)]
struct OfConnection<S> {
    service: S,
    peer: Option<SocketAddr>,
    idleness: Idleness,
}

impl<S> Service<Request<Incoming>> for OfConnection<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        Box::pin(self.idleness.while_busy(self.service.call(request)))
    }
}
