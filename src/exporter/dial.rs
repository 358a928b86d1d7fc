//! Opening connections to backends: TCP as both transports want it, TLS by rustls, sockets of this machine, and the
//! one check that gRPC needs on top. Knows addresses and certificates; nothing of requests.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::Uri;
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream, ResolveServerName,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tower::{BoxError, Service, ServiceExt as _};

use super::current_tls::CurrentTls;
use super::endpoint::GrpcTarget;
use super::stream::Stream;
use super::tls::{TlsError, TlsSettings};

/// ALPN names: <https://www.iana.org/assignments/tls-extensiontype-values>.
const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Idle connections are probed after this time, so that a NAT keeps them and a dead one is found.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection whose bytes nobody confirms for this long is dead. Without it a backend that vanished without
/// a word would swallow every request for a quarter of an hour.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Connecting may take this part of `timeout`, so that its failure is told as what it is.
pub(super) fn connect_timeout(timeout: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(10);
    if timeout.is_zero() { MOST } else { (timeout / 5 * 4).min(MOST) }
}

/// Connects to `http://` and `https://` URLs, over TLS with whatever its files say by then.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector,
    tls: CurrentTls,
    /// The name to verify, where it is not the URL's host.
    name: Option<ServerName<'static>>,
}

impl Dialer {
    /// A dialer over TLS with HTTP/2 or HTTP/1.1, or without TLS where no URL needs it.
    pub(super) fn http(tls: &TlsSettings, needs_tls: bool, timeout: Duration) -> Result<Self, TlsError> {
        Self::new(tls, needs_tls, timeout, &[H2, HTTP_1_1])
    }

    fn new(tls: &TlsSettings, needs_tls: bool, timeout: Duration, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let name = tls.server_name()?;
        let tls = if needs_tls { CurrentTls::new(tls, alpn)? } else { CurrentTls::plaintext(tls)? };
        Ok(Self { tcp: tcp(timeout), tls, name })
    }

    fn resolver(&self) -> Arc<dyn ResolveServerName + Send + Sync> {
        match &self.name {
            Some(name) => Arc::new(FixedServerNameResolver::new(name.clone())),
            None => Arc::new(DefaultServerNameResolver::default()),
        }
    }
}

impl Service<Uri> for Dialer {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (dialer, resolver) = (self.clone(), self.resolver());
        Box::pin(async move {
            let config = dialer.tls.at(Instant::now()).await;
            HttpsConnector::new(dialer.tcp, config, false, resolver).oneshot(target).await
        })
    }
}

/// Connects to one gRPC backend, whatever address it is asked for.
#[derive(Debug, Clone)]
pub(super) enum GrpcDialer {
    /// Over TCP, with TLS where the URL says so.
    Network(Box<Dialer>, Uri),
    /// To a socket of this machine, in plaintext.
    Unix(PathBuf),
}

/// The backend completed TLS, but not for HTTP/2.
#[derive(Debug, thiserror::Error)]
#[error(
    "the backend did not agree to HTTP/2 over TLS (ALPN `h2`), which gRPC needs: is it an OTLP/HTTP port? Then use \
     `otlp_http`"
)]
struct NoHttp2;

/// A socket of this machine cannot be connected to. What the system said stands in the words: advice about ports
/// must not be looked up for it.
#[derive(Debug, thiserror::Error)]
#[error("{error}: is the backend running, is the path of `endpoint` right, and may this process use it?")]
struct NoSocket {
    error: io::Error,
}

impl GrpcDialer {
    /// A dialer to `target`, whose scheme decides on TLS.
    pub(super) fn new(target: &GrpcTarget, tls: &TlsSettings, timeout: Duration) -> Result<Self, TlsError> {
        match target {
            GrpcTarget::Network(uri) => {
                let needs_tls = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
                Ok(Self::Network(Box::new(Dialer::new(tls, needs_tls, timeout, &[H2])?), uri.clone()))
            }
            GrpcTarget::Unix(path) => tls.check_plaintext().map(|()| Self::Unix(path.clone())),
        }
    }

    async fn dial(self) -> Result<Stream, BoxError> {
        match self {
            Self::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Stream::Unix(TokioIo::new(stream))),
                Err(error) => Err(NoSocket { error }.into()),
            },
            Self::Network(mut dialer, target) => match dialer.call(target).await? {
                MaybeHttpsStream::Https(tls) if tls.inner().get_ref().1.alpn_protocol() != Some(H2) => {
                    Err(NoHttp2.into())
                }
                stream => Ok(Stream::Network(Box::new(stream))),
            },
        }
    }
}

impl Service<Uri> for GrpcDialer {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

fn tcp(timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout(timeout)));
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
    tcp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connecting_ends_before_the_attempt_does() {
        assert_eq!(connect_timeout(Duration::from_secs(5)), Duration::from_secs(4));
        assert_eq!(connect_timeout(Duration::from_secs(30)), Duration::from_secs(10));
        assert_eq!(connect_timeout(Duration::ZERO), Duration::from_secs(10));
        assert_eq!(connect_timeout(Duration::MAX), Duration::from_secs(10));
    }
}
