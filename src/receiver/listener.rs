//! A listening socket and its connections: accept, speak HTTP/1.1 or HTTP/2, and end without cutting a request off.
//! Serves any HTTP service; knows nothing of OTLP. Whatever goes wrong with one connection, the loop goes on.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stream::{Counted, Heard};

/// Fewer bytes than the preface of HTTP/2, and than any HTTP/1 request that matters, are silence.
const PREFACE_BYTES: u64 = 24;

/// The pauses after an accept that failed for want of file descriptors or memory.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 with prior knowledge: gRPC.
    Http2,
    /// HTTP/1.1 or HTTP/2, by the first bytes.
    Auto,
}

/// What a listener may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// What is spoken.
    pub protocol: Protocol,
    /// How long a peer may take for the first bytes and, in HTTP/1, for each request's headers.
    pub header_timeout: Duration,
    /// The largest HTTP/2 frame that is taken, in bytes: 16,384 to 16,777,215.
    pub max_frame_bytes: u32,
    /// Bytes of one HTTP/2 stream that may be under way.
    pub stream_window_bytes: u32,
    /// Bytes of one HTTP/2 connection that may be under way.
    pub connection_window_bytes: u32,
    /// HTTP/2 streams of one connection that may be open at once.
    pub max_concurrent_streams: u32,
    /// Time between two HTTP/2 pings.
    pub keepalive_interval: Duration,
    /// How long a ping may stay unanswered.
    pub keepalive_timeout: Duration,
    /// The age at which a connection is asked to end, give or take a tenth; `None` is never.
    pub max_connection_age: Option<Duration>,
    /// How long requests in flight may take to end once a connection or the listener is to end.
    pub grace: Duration,
}

impl ListenerSettings {
    /// The defaults for `protocol`: frames of 256 KiB, windows that hold several of them, a minute for headers and
    /// between pings, and half a minute to end.
    #[must_use]
    pub const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            header_timeout: Duration::from_secs(60),
            max_frame_bytes: 256 * 1024,
            stream_window_bytes: 2 * 1024 * 1024,
            connection_window_bytes: 8 * 1024 * 1024,
            max_concurrent_streams: 256,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            max_connection_age: None,
            grace: Duration::from_secs(30),
        }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address as it was configured.
    pub address: String,
    /// What the system says, and what to do about it where that is known.
    pub reason: String,
}

/// The other end of the connection that a request came on, in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The socket of a listener, for as long as some listener has it. Does not keep it open.
#[derive(Debug, Clone)]
pub struct Socket(Weak<TcpListener>);

/// A socket that listens and is not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<TcpListener>,
    local_addr: SocketAddr,
    settings: ListenerSettings,
}

impl Listener {
    /// Listens on `address`: `host:port`, or `:port` for every interface; port 0 picks one. Of a name's addresses an
    /// IPv4 one is taken where there is one, as the Collector does: senders that dial `127.0.0.1` must find us.
    ///
    /// # Errors
    /// [`BindError`] where the name has no address or none of them can be had.
    pub async fn bind(address: &str, settings: ListenerSettings) -> Result<Self, BindError> {
        let failed = |error: io::Error| BindError { address: address.to_owned(), reason: reason(&error) };
        let socket = bind_any(address).await.map_err(failed)?;
        let local_addr = socket.local_addr().map_err(failed)?;
        Ok(Self { socket: Arc::new(socket), local_addr, settings })
    }

    /// A hold on the socket, by which another listener can take it over while this one is served.
    #[must_use]
    pub fn socket(&self) -> Socket {
        Socket(Arc::downgrade(&self.socket))
    }

    /// Goes on listening on a socket whose listener is served, and may end from now on: nobody who connects meanwhile
    /// is turned away. `None` where that listener has ended.
    #[must_use]
    pub fn take_over(socket: &Socket, settings: ListenerSettings) -> Option<Self> {
        let socket = socket.0.upgrade()?;
        let local_addr = socket.local_addr().ok()?;
        Some(Self { socket, local_addr, settings })
    }

    /// The address that is listened on, with the port that was picked.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves connections until `shutdown` ends; then closes the socket, lets requests in flight end within the
    /// grace, and returns when every connection is closed.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let connections = Connections::new(self.settings);
        // Whatever becomes of this future, its connections are told to end.
        let _ends = connections.end.clone().drop_guard();
        let mut shutdown = pin!(shutdown);
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    connections.open(stream, peer, service.clone());
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(listener = %self.local_addr, %error, ?pause, "cannot accept connections for now");
                    tokio::select! {
                        biased;
                        () = &mut shutdown => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        drop(self.socket);
        connections.end().await;
    }
}

async fn bind_any(address: &str) -> io::Result<TcpListener> {
    if let Some(port) = address.strip_prefix(':') {
        // One socket for both families, where the host has both.
        return match TcpListener::bind(format!("[::]:{port}")).await {
            Ok(socket) => Ok(socket),
            Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
        };
    }
    let mut found: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for at in found {
        match TcpListener::bind(at).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it or configure another endpoint".to_owned(),
        io::ErrorKind::PermissionDenied => format!("{error}: ports below 1024 need a privilege"),
        _ => error.to_string(),
    }
}

/// Errors of a connection that ended before it was accepted; the next one is not affected.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// The open connections of one listener.
struct Connections {
    settings: Arc<ListenerSettings>,
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
    fn new(settings: ListenerSettings) -> Self {
        let tasks = TaskTracker::new();
        let builder = builder(&settings, Tracked(tasks.clone()));
        Self {
            settings: Arc::new(settings),
            builder: Arc::new(builder),
            tasks,
            end: CancellationToken::new(),
            jitter: RandomState::new(),
        }
    }

    fn open<S, B>(&self, stream: TcpStream, peer: SocketAddr, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // A connection that has gone already fails where it is read.
        let _ = stream.set_nodelay(true);
        let builder = Arc::clone(&self.builder);
        let lifetime = Lifetime {
            header_timeout: self.settings.header_timeout,
            age: self.settings.max_connection_age.map(|age| self.about(age, peer)),
            grace: self.settings.grace,
            end: self.end.clone(),
        };
        self.tasks.spawn(async move {
            let service = WithPeer { service, peer };
            if let Err(error) = converse(&builder, stream, service, lifetime).await {
                tracing::debug!(%peer, error = %error.to_string().escape_debug(), "a connection ended with an error");
            }
        });
    }

    /// `age` give or take a tenth, so that connections that began together do not end together.
    fn about(&self, age: Duration, peer: SocketAddr) -> Duration {
        let percent = u32::try_from(self.jitter.hash_one(peer) % 21).unwrap_or(10) + 90;
        (age / 100).saturating_mul(percent)
    }

    async fn end(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn builder(settings: &ListenerSettings, executor: Tracked) -> auto::Builder<Tracked> {
    let mut builder = match settings.protocol {
        Protocol::Http2 => auto::Builder::new(executor).http2_only(),
        Protocol::Auto => auto::Builder::new(executor),
    };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.header_timeout);
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

/// When a connection is to end.
struct Lifetime {
    header_timeout: Duration,
    age: Option<Duration>,
    grace: Duration,
    end: CancellationToken,
}

/// Serves one connection over any stream (a TLS stream is one) until its peer, its age or the listener ends it.
async fn converse<I, S, B>(
    builder: &auto::Builder<Tracked>,
    stream: I,
    service: S,
    lifetime: Lifetime,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (stream, heard) = Counted::new(stream);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = silence(&heard, lifetime.header_timeout) => return Err("the peer stayed silent".into()),
        () = lifetime.end.cancelled() => {}
        () = old_age(lifetime.age) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(lifetime.grace, connection)
        .await
        .unwrap_or_else(|_| Err("requests were still in flight when the grace was over".into()))
}

/// Ends when a peer has said next to nothing in `patience`; never, where it has.
async fn silence(heard: &Heard, patience: Duration) {
    tokio::time::sleep(patience).await;
    if heard.bytes() >= PREFACE_BYTES {
        std::future::pending::<()>().await;
    }
}

async fn old_age(age: Option<Duration>) {
    match age {
        Some(age) => tokio::time::sleep(age).await,
        None => std::future::pending().await,
    }
}

/// A service of one connection, whose requests know their peer.
#[derive(Debug, Clone)]
struct WithPeer<S> {
    service: S,
    peer: SocketAddr,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(Peer(self.peer));
        self.service.call(request)
    }
}
