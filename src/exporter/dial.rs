//! Opening connections to backends: TCP as both transports want it, TLS by rustls, and the one check that
//! gRPC needs on top. Knows addresses and certificates; nothing of requests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::{BoxError, Service};

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

/// Connects to `http://` and `https://` URLs, over TLS with HTTP/2 or HTTP/1.1.
pub(super) fn http_connector(
    tls: &TlsSettings,
    needs_tls: bool,
    timeout: Duration,
) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    connector(tls, needs_tls, timeout, &[H2, HTTP_1_1])
}

/// Connects to one gRPC backend, whatever address it is asked for.
#[derive(Debug, Clone)]
pub(super) struct GrpcDialer {
    connector: HttpsConnector<HttpConnector>,
    target: Uri,
}

/// The backend completed TLS, but not for HTTP/2.
#[derive(Debug, thiserror::Error)]
#[error(
    "the backend did not agree to HTTP/2 over TLS (ALPN `h2`), which gRPC needs: is it an OTLP/HTTP port? Then use \
     `otlp_http`"
)]
struct NoHttp2;

impl GrpcDialer {
    /// A dialer to `target`, whose scheme decides on TLS.
    pub(super) fn new(target: Uri, tls: &TlsSettings, timeout: Duration) -> Result<Self, TlsError> {
        let needs_tls = target.scheme() == Some(&http::uri::Scheme::HTTPS);
        Ok(Self { connector: connector(tls, needs_tls, timeout, &[H2])?, target })
    }
}

impl Service<Uri> for GrpcDialer {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connecting = self.connector.call(self.target.clone());
        Box::pin(async move {
            let stream = connecting.await?;
            if let MaybeHttpsStream::Https(tls) = &stream
                && tls.inner().get_ref().1.alpn_protocol() != Some(H2)
            {
                return Err(NoHttp2.into());
            }
            Ok(stream)
        })
    }
}

fn connector(
    tls: &TlsSettings,
    needs_tls: bool,
    timeout: Duration,
    alpn: &[&[u8]],
) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let name = tls.server_name()?;
    let mut config = if needs_tls { tls.client_config()? } else { without_roots(tls)? };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let config = Arc::new(config);
    Ok(match name {
        Some(name) => HttpsConnector::new(tcp(timeout), config, false, Arc::new(FixedServerNameResolver::new(name))),
        None => HttpsConnector::new(tcp(timeout), config, false, Arc::new(DefaultServerNameResolver::default())),
    })
}

/// Plaintext only: the system's certificates are not even looked for.
fn without_roots(tls: &TlsSettings) -> Result<ClientConfig, TlsError> {
    tls.check_plaintext()?;
    TlsSettings::trusting_nobody()
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
