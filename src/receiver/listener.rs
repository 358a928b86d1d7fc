//! A listening socket: bind, accept, and stop. Whatever goes wrong with one connection, the loop goes on.
//! Serves any HTTP service; knows nothing of OTLP.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connections;
use super::pings::PingPolicy;
use super::socket::{Acceptor, BindError, LocalAddress, is_of_one_connection};
use super::tls::ServerTls;

/// The pauses after an accept that failed for want of file descriptors or memory.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 with prior knowledge: gRPC. A request of HTTP/1 reaches the service as well, so that its sender can be
    /// told so; its connection ends with the answer.
    Http2,
    /// HTTP/1.1 or HTTP/2, by the first bytes.
    Auto,
}

/// What a listener may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// What is spoken.
    pub protocol: Protocol,
    /// How long a peer may take to agree on TLS.
    pub handshake_timeout: Duration,
    /// How long a peer may take for the first bytes and, in HTTP/1, for each request's headers; there it is also how
    /// long a connection may wait for its next request.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of an answer; `None` is for ever.
    pub write_timeout: Option<Duration>,
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
    /// How long a connection may be without a request until it is asked to end; `None` is for ever.
    pub max_connection_idle: Option<Duration>,
    /// The age at which a connection is asked to end, give or take a tenth; `None` is never.
    pub max_connection_age: Option<Duration>,
    /// How long requests in flight may take to end once their connection has its age; `None` is as long as they need.
    pub max_connection_age_grace: Option<Duration>,
    /// How often peers may ping; `None` is as they like. HTTP/2 alone.
    pub ping_policy: Option<PingPolicy>,
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
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(60),
            write_timeout: Some(Duration::from_secs(30)),
            max_frame_bytes: 256 * 1024,
            stream_window_bytes: 2 * 1024 * 1024,
            connection_window_bytes: 8 * 1024 * 1024,
            max_concurrent_streams: 256,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            max_connection_idle: None,
            max_connection_age: None,
            max_connection_age_grace: Some(Duration::from_secs(30)),
            ping_policy: None,
            grace: Duration::from_secs(30),
        }
    }
}

/// The socket of a listener, for as long as some listener has it. Does not keep it open.
#[derive(Debug, Clone)]
pub struct Socket(Weak<Acceptor>);

/// A socket that listens and is not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<Acceptor>,
    local_addr: LocalAddress,
    tls: Option<Arc<ServerTls>>,
    settings: ListenerSettings,
}

impl Listener {
    /// Listens on `address`: `host:port`, or `:port` for every interface; port 0 picks one. Of a name's addresses an
    /// IPv4 one is taken where there is one, as the Collector does: senders that dial `127.0.0.1` must find us. Or
    /// `unix:///path`, a socket of this machine, which goes with its last listener.
    ///
    /// # Errors
    /// [`BindError`] where the name has no address or none of them can be had.
    pub async fn bind(address: &str, settings: ListenerSettings) -> Result<Self, BindError> {
        let (socket, local_addr) = Acceptor::bind(address).await?;
        Ok(Self { socket: Arc::new(socket), local_addr, tls: None, settings })
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
        let local_addr = socket.local_addr()?;
        Some(Self { socket, local_addr, tls: None, settings })
    }

    /// The same listener, which speaks nothing but TLS.
    #[must_use]
    pub fn secured(self, tls: ServerTls) -> Self {
        Self { tls: Some(Arc::new(tls)), ..self }
    }

    /// Where it listens, with the port that was picked.
    #[must_use]
    pub const fn address(&self) -> &LocalAddress {
        &self.local_addr
    }

    /// The same of the network; `None` for a socket of this machine.
    #[must_use]
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr.network()
    }

    /// Serves connections until `shutdown` ends; then closes the socket, lets requests in flight end within the
    /// grace, and returns when every connection is closed.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let _reloads = self.tls.clone().map(|tls| AbortOnDropHandle::new(tokio::spawn(tls.reload_for_ever())));
        let connections = Connections::new(self.settings, self.tls);
        // Whatever becomes of this future, its connections are told to end.
        let _ends = connections.ending().drop_guard();
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
