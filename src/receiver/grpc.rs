//! OTLP over gRPC, with our own framing around the messages: they stay bytes, in whatever encoding they came.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::admission::Place;
use super::auth::Authenticator;
use super::body::{BodyLimits, Framing, Intent, check_announced, collect, hold_whole, unpacked};
use super::http::{Upload, refused_in_kind};
use super::intake::{Booking, Intake};
use super::serving::{self, CHECK, LONGEST_QUESTION, WATCH};
use super::{answer, status};
use crate::otlp::Signal;
use crate::pipeline::Export;
use crate::rejection::{Rejection, excerpt};
use crate::wire::{Encoding, Payload, frame};

const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// What the gRPC transport may be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcSettings {
    /// Bounds on one message.
    pub limits: BodyLimits,
    /// Who may send; `None` is everybody.
    pub auth: Option<Authenticator>,
}

/// The three `Export` methods, for connections that speak HTTP/2; others hear that they are at the wrong port.
#[derive(Debug, Clone)]
pub struct GrpcService {
    intake: Intake,
    limits: BodyLimits,
    auth: Option<Authenticator>,
}

impl GrpcService {
    /// Serves the receiver behind `intake`.
    #[must_use]
    pub fn new(intake: Intake, settings: &GrpcSettings) -> Self {
        Self { intake, limits: settings.limits, auth: settings.auth.clone() }
    }

    async fn respond(self, request: Request<Incoming>) -> Response<GrpcBody> {
        if request.version() < Version::HTTP_2 {
            return self.misdirected(request);
        }
        if let asked @ (CHECK | WATCH) = request.uri().path() {
            let watched = asked == WATCH;
            return self.health(request, watched).await;
        }
        let mut booking = self.intake.begin("grpc", request.extensions());
        let written = request.headers().get(CONTENT_TYPE).cloned();
        let result = booking.journal().over(self.take(request, &mut booking)).await;
        booking.settle(&result);
        match result {
            Ok(response) => delivered(response),
            Err(rejection @ Rejection::UnsupportedMediaType { .. }) => no_grpc(written.as_ref(), &rejection),
            Err(rejection) => refused(&rejection),
        }
    }

    /// The answer to HTTP/1, which no gRPC can be: a status and a sentence.
    fn misdirected(&self, request: Request<Incoming>) -> Response<GrpcBody> {
        let booking = self.intake.begin("grpc", request.extensions());
        let (head, body) = request.into_parts();
        let (rejection, status) = match check_content_type(&head) {
            Err(rejection) => (rejection, StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Ok(()) => {
                let why = "gRPC is spoken over HTTP/2, and this request came over HTTP/1: a proxy before this port must \
                           pass HTTP/2 on";
                (Rejection::Protocol(why.to_owned()), StatusCode::HTTP_VERSION_NOT_SUPPORTED)
            }
        };
        let mut response = refused_in_kind(content_type(&head.headers), &rejection).map(GrpcBody::plain);
        *response.status_mut() = status;
        booking.settle(&Err::<(), _>(rejection));
        Upload { body, begun: false }.discard(&head);
        response
    }

    /// Whether requests are taken: an answer for probes, who have no credentials and are not counted.
    async fn health(&self, request: Request<Incoming>, watched: bool) -> Response<GrpcBody> {
        let (head, body) = request.into_parts();
        if let Err(rejection) = check_call(&head) {
            return refused(&rejection);
        }
        let patience = self.limits.timeout;
        let question = match tokio::time::timeout(patience, Limited::new(body, LONGEST_QUESTION).collect()).await {
            Ok(Ok(question)) => frame::decode_unary(&question.to_bytes()).ok().filter(|frame| !frame.compressed),
            Ok(Err(_)) | Err(_) => None,
        };
        let service = question.as_ref().and_then(|question| serving::service(&question.message));
        let Some(service) = service else {
            return refused(&Rejection::Malformed("request: it is no health question".to_owned()));
        };
        let serving = self.intake.serving();
        match (self.is_served(service), watched) {
            (true, false) => message_and_end(serving.status().framed()),
            (true, true) => watching(serving.status(), serving),
            (false, true) => watching(serving::Status::ServiceUnknown, serving),
            (false, false) => {
                let unknown = format!("no service `{}` here", excerpt(service.as_bytes()));
                trailers_only(status::trailers(&Status::new(Code::NotFound, unknown)))
            }
        }
    }

    /// Whether a service is here; the empty name is all of them.
    fn is_served(&self, service: &str) -> bool {
        let is = |signal: &Signal| {
            let named = signal.grpc_path().strip_prefix('/').and_then(|path| path.strip_suffix("/Export"));
            named == Some(service)
        };
        service.is_empty() || Signal::ALL.iter().find(|it| is(it)).is_some_and(|it| self.intake.pipeline(*it).is_ok())
    }

    async fn take(&self, request: Request<Incoming>, booking: &mut Booking) -> Result<Bytes, Rejection> {
        let arrived = Instant::now();
        let (head, body) = request.into_parts();
        let called = called(&head);
        if let Ok(signal) = called {
            booking.carries(signal);
        }
        if let Some(auth) = &self.auth {
            auth.check(&head.headers).await?;
        }
        let signal = called?;
        let encoding = encoding(&head.headers)?;
        let timeout = timeout(&head.headers)?;
        // Beyond the end of time there is no deadline.
        let deadline = timeout.and_then(|timeout| arrived.checked_add(timeout));
        let export = self.export(signal, encoding, body, deadline);
        match (timeout, deadline) {
            (Some(timeout), Some(deadline)) => {
                tokio::time::timeout_at(deadline, export).await.unwrap_or(Err(Rejection::DeadlineExceeded(timeout)))
            }
            _ => export.await,
        }
    }

    async fn export(
        &self,
        signal: Signal,
        encoding: Encoding,
        mut body: Incoming,
        deadline: Option<Instant>,
    ) -> Result<Bytes, Rejection> {
        let pipeline = self.intake.pipeline(signal)?;
        check_announced(&body, self.limits, Framing::Grpc)?;
        let place = self.intake.admit()?;
        let intent = Intent { limits: self.limits, framing: Framing::Grpc, encoding, place: &place };
        let framed = collect(&mut body, intent).await?;
        let body = message(framed, encoding, self.limits.max_bytes, &place).await?;
        pipeline
            .export(Export {
                signal,
                body,
                deadline: deadline.map(Instant::into_std),
                origin: self.intake.origin("grpc"),
            })
            .await
    }
}

impl Service<Request<Incoming>> for GrpcService {
    type Response = Response<GrpcBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}

/// The one message in a body, inflated to at most `limit` bytes.
async fn message(framed: Bytes, encoding: Encoding, limit: usize, place: &Place) -> Result<Payload, Rejection> {
    let frame = frame::decode_unary(&framed)?;
    drop(framed);
    if !frame.compressed {
        hold_whole(&frame.message, place)?;
        return Ok(frame.message.into());
    }
    if encoding == Encoding::Identity {
        // "MUST fail with INTERNAL status": https://github.com/grpc/grpc/blob/master/doc/compression.md
        let why = "the message is flagged as compressed, but grpc-encoding names no encoding";
        return Err(Rejection::Protocol(why.to_owned()));
    }
    unpacked(encoding, frame.message, limit, place).await
}

/// The signal whose `Export` is called.
fn called(head: &Parts) -> Result<Signal, Rejection> {
    check_call(head)?;
    let path = head.uri.path();
    Signal::ALL
        .into_iter()
        .find(|signal| signal.grpc_path() == path)
        .ok_or_else(|| Rejection::NotFound(excerpt(path.as_bytes())))
}

/// Whether it is a call of gRPC at all.
fn check_call(head: &Parts) -> Result<(), Rejection> {
    check_content_type(head)?;
    if head.method != Method::POST {
        return Err(Rejection::MethodNotAllowed(excerpt(head.method.as_str().as_bytes())));
    }
    Ok(())
}

fn check_content_type(head: &Parts) -> Result<(), Rejection> {
    let content_type = content_type(&head.headers);
    if is_grpc(content_type) {
        return Ok(());
    }
    let expected = "application/grpc to this port; OTLP over HTTP has its own, 4318 by default";
    Err(Rejection::UnsupportedMediaType { found: excerpt(content_type), expected })
}

fn content_type(headers: &HeaderMap) -> &[u8] {
    headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes)
}

/// Whether a content type is `application/grpc` or `application/grpc+proto`, with or without parameters.
pub(super) fn is_grpc(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/grpc") || essence.eq_ignore_ascii_case(b"application/grpc+proto")
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Rejection> {
    let name = headers.get(GRPC_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
    let known = str::from_utf8(name).ok().and_then(Encoding::from_name);
    known.ok_or_else(|| Rejection::UnsupportedEncoding(excerpt(name)))
}

/// How long the sender waits: at most eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Rejection> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let malformed = || Rejection::Malformed(format!("request: grpc-timeout `{}`", excerpt(value.as_bytes())));
    let (digits, unit) =
        value.to_str().ok().and_then(|text| text.split_at_checked(text.len().wrapping_sub(1))).ok_or_else(malformed)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(malformed());
    }
    let number: u64 = digits.parse().map_err(|_| malformed())?;
    match unit {
        "H" => Ok(Some(Duration::from_secs(number * 3600))),
        "M" => Ok(Some(Duration::from_secs(number * 60))),
        "S" => Ok(Some(Duration::from_secs(number))),
        "m" => Ok(Some(Duration::from_millis(number))),
        "u" => Ok(Some(Duration::from_micros(number))),
        "n" => Ok(Some(Duration::from_nanos(number))),
        _ => Err(malformed()),
    }
}

fn delivered(response: Bytes) -> Response<GrpcBody> {
    let Some(message) = frame::encode(&answer::protobuf(response)) else {
        return refused(&Rejection::Internal("the answer is too long for gRPC".to_owned()));
    };
    message_and_end(message)
}

/// One message, and that all is well.
fn message_and_end(message: Bytes) -> Response<GrpcBody> {
    headed(GrpcBody { message: Some(message), trailers: Some(ok()), later: None })
}

/// The status of a service now, and once more when no request is taken any longer.
fn watching(status: serving::Status, serving: serving::Serving) -> Response<GrpcBody> {
    let later = Later { ended: Box::pin(serving.ended()), message: serving::Status::NotServing.framed() };
    headed(GrpcBody { message: Some(status.framed()), trailers: Some(ok()), later: Some(later) })
}

fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

fn headed(body: GrpcBody) -> Response<GrpcBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, status::GRPC_ACCEPT_ENCODING);
    response
}

/// An answer without a message.
fn trailers_only(trailers: HeaderMap) -> Response<GrpcBody> {
    let mut response = headed(GrpcBody { message: None, trailers: None, later: None });
    response.headers_mut().extend(trailers);
    response
}

/// The answer to a gRPC call of something else than OTLP that is not let in; `None` for what is no gRPC call.
#[must_use]
pub fn refused_call(headers: &HeaderMap, rejection: &Rejection) -> Option<Response<GrpcBody>> {
    is_grpc(content_type(headers)).then(|| refused(rejection))
}

/// The same, as headers alone, for a port of OTLP over HTTP.
pub(super) fn refused_in_headers(headers: &HeaderMap, rejection: &Rejection) -> Option<Response<()>> {
    refused_call(headers, rejection).map(|response| response.map(drop))
}

/// An answer of trailers only. A method that gRPC does not know gets an HTTP status that says so, beside the code.
fn refused(rejection: &Rejection) -> Response<GrpcBody> {
    let mut response = trailers_only(status::grpc_trailers(rejection));
    if let Rejection::MethodNotAllowed(_) = rejection {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// The answer to what is no gRPC call: an HTTP status and a body that its sender can read, and the code beside them.
fn no_grpc(content_type: Option<&HeaderValue>, rejection: &Rejection) -> Response<GrpcBody> {
    let written = content_type.map_or(&b""[..], HeaderValue::as_bytes);
    let mut response = refused_in_kind(written, rejection).map(GrpcBody::plain);
    response.headers_mut().extend(status::grpc_trailers(rejection));
    response
}

/// One framed message and the trailers, or nothing at all; of a service that is watched, another message in between.
#[derive(Debug)]
pub struct GrpcBody {
    message: Option<Bytes>,
    later: Option<Later>,
    trailers: Option<HeaderMap>,
}

impl GrpcBody {
    /// The body of an answer to something else than gRPC.
    fn plain(body: Bytes) -> Self {
        Self { message: Some(body), trailers: None, later: None }
    }
}

/// A message whose time has not come.
struct Later {
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    message: Bytes,
}

impl std::fmt::Debug for Later {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Later").finish_non_exhaustive()
    }
}

impl Body for GrpcBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if let Some(later) = &mut self.later {
            ready!(later.ended.as_mut().poll(cx));
            let message = self.later.take().map(|later| later.message);
            return Poll::Ready(message.map(Frame::data).map(Ok));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.later.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.message.as_ref().map_or(0, Bytes::len)).unwrap_or(u64::MAX);
        let mut hint = SizeHint::new();
        match self.later {
            Some(_) => hint.set_lower(left),
            None => hint.set_exact(left),
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout_of(value: &'static str) -> Result<Option<Duration>, Rejection> {
        timeout(&HeaderMap::from_iter([(GRPC_TIMEOUT.parse().unwrap(), HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_timeout_is_read_in_every_unit() {
        for (value, nanos) in [
            ("3H", 10_800_000_000_000),
            ("1M", 60_000_000_000),
            ("42S", 42_000_000_000),
            ("13m", 13_000_000),
            ("2u", 2_000),
            ("99999999n", 99_999_999),
        ] {
            assert_eq!(timeout_of(value), Ok(Some(Duration::from_nanos(nanos))), "{value}");
        }
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn a_timeout_that_is_none_is_refused() {
        for value in ["", "S", "10", "1s", "-1S", "+1S", "1.5S", "123456789n", "1 S"] {
            let malformed = Rejection::Malformed(format!("request: grpc-timeout `{value}`"));
            assert_eq!(timeout_of(value), Err(malformed));
        }
    }

    #[test]
    fn content_types_of_grpc_are_told_from_others() {
        for grpc in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=utf-8"] {
            assert!(is_grpc(grpc.as_bytes()), "{grpc}");
        }
        for other in ["", "application/grpc+json", "application/grpc-web", "application/x-protobuf", "text/plain"] {
            assert!(!is_grpc(other.as_bytes()), "{other}");
        }
    }
}
