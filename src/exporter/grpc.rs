//! The OTLP/gRPC exporter: one unary call a request over a shared HTTP/2 connection that is opened at the first
//! request and again whenever it is lost. Framing and compression are ours; HTTP/2 is tonic's `Channel`.

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use http::uri::Scheme;
use http::{Method, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use tonic::transport::{Channel, Endpoint};
use tower::{Service as _, ServiceExt as _};

use super::backend::{Backend, MAX_REQUEST_BYTES};
use super::build::{ExporterBuildError, Problem};
use super::cause::{self, Transport};
use super::dial::{self, GrpcDialer};
use super::headers::{self, Headers};
use super::outcome::Outcome;
use super::time_limit::TimeLimit;
use super::tls::TlsSettings;
use super::{endpoint, grpc_answer, payload};
use crate::otlp::Signal;
use crate::wire::{Encoding, Payload, frame};

/// How much a backend may send before it must wait for us. Answers are small: this never slows one down.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// How often a call is made again that the backend did not look at.
const MAX_REPETITIONS: usize = 2;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What an OTLP/gRPC exporter is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcExporterSettings {
    /// The exporter's id as configured, `type[/name]`: it stands in every message.
    pub name: String,
    /// `host:port`, `http://host:port` (plaintext), `https://host:port` (TLS) or `unix:///path` (plaintext).
    pub endpoint: String,
    /// TLS towards the backend.
    pub tls: TlsSettings,
    /// The encoding of requests.
    pub encoding: Encoding,
    /// The compressor's level: gzip 1 to 9, zstd 1 to 22.
    pub level: u32,
    /// Metadata of every request.
    pub headers: Headers,
    /// How long one attempt may take; zero: no limit but the sender's deadline.
    pub timeout: Duration,
    /// HTTP/2 pings.
    pub keepalive: Keepalive,
}

/// HTTP/2 pings that find a dead connection. The defaults ping only while an answer is outstanding and nothing
/// has come for 20 s, since servers close connections that ping more than they allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence after which a ping goes out; `None`: no pings.
    pub time: Option<Duration>,
    /// How long the backend may take to answer a ping.
    pub timeout: Duration,
    /// Whether to ping while no request is open.
    pub permit_without_stream: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { time: Some(Duration::from_secs(20)), timeout: Duration::from_secs(10), permit_without_stream: false }
    }
}

/// Sends to one OTLP/gRPC backend.
#[derive(Debug)]
pub struct GrpcExporter {
    backend: Backend,
    endpoint: Endpoint,
    dialer: GrpcDialer,
    /// Opened at the first request: the channel's task needs a runtime, building an exporter does not.
    channel: OnceLock<Channel>,
    headers: HeaderMap,
    encoding: Encoding,
    level: u32,
    timeout: Duration,
}

impl GrpcExporter {
    /// Checks everything that can be checked without the backend, and connects to nothing.
    ///
    /// # Errors
    /// [`ExporterBuildError`] for an endpoint, a header or a TLS file that cannot be used.
    pub fn new(settings: GrpcExporterSettings) -> Result<Self, ExporterBuildError> {
        let exporter = settings.name.clone();
        Self::build(settings).map_err(|problem| ExporterBuildError { exporter, problem })
    }

    fn build(settings: GrpcExporterSettings) -> Result<Self, Problem> {
        let GrpcExporterSettings { name, endpoint, tls, encoding, level, headers, timeout, keepalive } = settings;
        let target = endpoint::grpc(&endpoint, &tls)?;
        let backend = Backend::new(&name, target.shown(), Transport::Grpc);
        let dialer = GrpcDialer::new(&target, &tls, timeout)?;
        let headers = request_headers(headers.as_metadata()?, encoding);
        let endpoint = tuned(target.origin(), timeout, keepalive);
        Ok(Self { backend, endpoint, dialer, channel: OnceLock::new(), headers, encoding, level, timeout })
    }

    /// The exporter's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.backend.exporter
    }

    /// Sends one request, once. Ends at `deadline` or at the exporter's timeout, whichever is sooner.
    pub async fn send(&self, signal: Signal, body: Bytes, deadline: Option<Instant>) -> Outcome {
        self.pass_on(signal, body.into(), deadline).await
    }

    /// The same with a request that is sent as it came, where it came in the backend's encoding.
    pub(super) async fn pass_on(&self, signal: Signal, body: Payload, deadline: Option<Instant>) -> Outcome {
        let limit = TimeLimit::new(self.timeout, deadline, Instant::now());
        match limit.within(self.attempt(signal, body, limit)).await {
            Ok(outcome) => outcome,
            Err(_) => self.backend.late(&limit),
        }
    }

    async fn attempt(&self, signal: Signal, body: Payload, limit: TimeLimit) -> Outcome {
        if body.bytes().len() > MAX_REQUEST_BYTES {
            return self.backend.request_too_large(body.bytes().len());
        }
        let message = match payload::encoded(self.encoding, body, self.level).await {
            Ok(message) => message,
            Err(error) => return self.backend.unsendable(&error),
        };
        match self.call(signal, message, limit).await {
            Ok(response) => {
                self.backend.has_answered();
                grpc_answer::read(&self.backend, signal, response).await
            }
            Err(error) if cause::chain(&error).any(|link| link.is::<tonic::TimeoutExpired>()) => {
                self.backend.late(&limit)
            }
            Err(error) => self.backend.unreachable(&error),
        }
    }

    /// One call, made again where the backend did not look at it, as happens when it retires a connection.
    async fn call(
        &self,
        signal: Signal,
        message: Bytes,
        limit: TimeLimit,
    ) -> Result<Response<tonic::body::Body>, tonic::transport::Error> {
        let mut channel = self.channel().clone();
        let mut repetitions = 0;
        loop {
            match channel.ready().await?.call(self.request(signal, message.clone(), limit)).await {
                Err(error) if repetitions < MAX_REPETITIONS && cause::is_unprocessed(&error) => repetitions += 1,
                answered => return answered,
            }
        }
    }

    fn channel(&self) -> &Channel {
        self.channel.get_or_init(|| self.endpoint.connect_with_connector_lazy(self.dialer.clone()))
    }

    fn request(&self, signal: Signal, message: Bytes, limit: TimeLimit) -> Request<tonic::body::Body> {
        let mut request = Request::new(tonic::body::Body::new(FramedMessage::new(self.encoding, message)));
        *request.method_mut() = Method::POST;
        // The channel puts its own scheme and authority in front of the path.
        *request.uri_mut() = Uri::from_static(signal.grpc_path());
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        if let Some(timeout) = limit.grpc_timeout().and_then(|timeout| HeaderValue::from_str(&timeout).ok()) {
            request.headers_mut().insert(GRPC_TIMEOUT, timeout);
        }
        request
    }
}

fn request_headers(configured: HeaderMap, encoding: Encoding) -> HeaderMap {
    let user_agent = headers::user_agent(&configured);
    let mut headers = configured;
    headers.insert(USER_AGENT, user_agent);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(grpc_answer::ACCEPTED));
    if encoding != Encoding::Identity {
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    headers
}

/// tonic asks for TLS of its own where it sees `https`, so it is given the plaintext URL and the real one as
/// the origin, which is what goes over the wire; the dialer knows better.
fn tuned(target: Uri, timeout: Duration, keepalive: Keepalive) -> Endpoint {
    let mut seen = target.clone().into_parts();
    seen.scheme = Some(Scheme::HTTP);
    let endpoint = Endpoint::from(Uri::from_parts(seen).unwrap_or_else(|_| target.clone()))
        .origin(target)
        .connect_timeout(dial::connect_timeout(timeout))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_timeout(keepalive.timeout)
        .keep_alive_while_idle(keepalive.permit_without_stream);
    match keepalive.time {
        Some(time) => endpoint.http2_keep_alive_interval(time),
        None => endpoint,
    }
}

/// The prefix and the message as two frames of the body, so that the message is not copied behind its prefix.
struct FramedMessage {
    prefix: Option<Bytes>,
    message: Option<Bytes>,
}

impl FramedMessage {
    fn new(encoding: Encoding, message: Bytes) -> Self {
        // A message that a prefix cannot express is over every limit long before it gets here.
        let prefix = frame::prefix(encoding != Encoding::Identity, message.len()).unwrap_or_default();
        Self { prefix: Some(Bytes::copy_from_slice(&prefix)), message: Some(message).filter(|m| !m.is_empty()) }
    }
}

impl Body for FramedMessage {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = self.prefix.take().or_else(|| self.message.take());
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_none() && self.message.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = [&self.prefix, &self.message].into_iter().flatten().map(|bytes| bytes.len() as u64).sum();
        SizeHint::with_exact(left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_message_goes_behind_its_prefix_without_being_copied() {
        let message = Bytes::from_static(b"abc");
        let mut body = FramedMessage::new(Encoding::Gzip, message.clone());
        assert_eq!(body.size_hint().exact(), Some(8));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), &b"\x01\0\0\0\x03"[..]);
        assert!(!body.is_end_stream());
        let sent = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(sent.as_ptr(), message.as_ptr());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn an_empty_message_is_a_prefix_alone() {
        let framed = FramedMessage::new(Encoding::Identity, Bytes::new()).collect().await.unwrap().to_bytes();
        assert_eq!(framed, &b"\0\0\0\0\0"[..]);
    }
}
