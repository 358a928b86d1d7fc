//! OTLP over HTTP: protobuf or JSON by content type, on the paths of the signals; answers in the request's type.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::Service;

use super::admission::Place;
use super::auth::Authenticator;
use super::body::{
    BodyLimits, Framing, Intent, check_announced, collect, hold_json, hold_whole, inflate, off_thread, unpacked,
};
use super::cors::CorsSettings;
use super::intake::{Booking, Intake};
use super::{answer, grpc, status};
use crate::otlp::{Signal, json};
use crate::pipeline::Export;
use crate::rejection::{Rejection, excerpt};
use crate::wire::{Encoding, Payload};

/// How long the rest of a refused body is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// How many slips of the pen there may be in a path that is told which was meant, and how long one may be, in bytes.
const SLIPS: usize = 2;
const LONGEST_SLIP: usize = 128;

/// What the HTTP transport may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Bounds on one body.
    pub limits: BodyLimits,
    /// The path of each signal: absolute, all different.
    pub paths: Vec<(Signal, String)>,
    /// Who may send; `None` is everybody.
    pub auth: Option<Authenticator>,
    /// The web pages whose scripts may send; `None` is none.
    pub cors: Option<CorsSettings>,
}

impl Default for HttpSettings {
    /// `/v1/traces`, `/v1/metrics`, `/v1/logs`; bodies of at most 64 MiB.
    fn default() -> Self {
        let paths = Signal::ALL.map(|signal| (signal, signal.http_path().to_owned()));
        Self { limits: BodyLimits::default(), paths: paths.into(), auth: None, cors: None }
    }
}

/// The signals' paths, for connections of HTTP/1.1 and HTTP/2.
#[derive(Debug, Clone)]
pub struct HttpService {
    intake: Intake,
    limits: BodyLimits,
    paths: Arc<[(Signal, String)]>,
    auth: Option<Authenticator>,
    cors: Option<Arc<CorsSettings>>,
}

/// How a body is written, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn of(content_type: &[u8]) -> Option<Self> {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/x-protobuf") {
            Some(Self::Protobuf)
        } else if essence.eq_ignore_ascii_case(b"application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Self::Json => HeaderValue::from_static("application/json"),
        }
    }
}

impl HttpService {
    /// Serves the receiver behind `intake`.
    #[must_use]
    pub fn new(intake: Intake, settings: HttpSettings) -> Self {
        let HttpSettings { limits, paths, auth, cors } = settings;
        Self { intake, limits, paths: paths.into(), auth, cors: cors.map(Arc::new) }
    }

    async fn respond(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Some(cors) = self.cors.clone() else { return self.answer(&head, body).await };
        if let Some(headers) = cors.preflight(&head) {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            *response.headers_mut() = headers;
            return response;
        }
        let mut response = self.answer(&head, body).await;
        cors.mark(head.headers.get(ORIGIN), response.headers_mut());
        response
    }

    async fn answer(&self, head: &Parts, body: Incoming) -> Response<Full<Bytes>> {
        let mut booking = self.intake.begin("http", &head.extensions);
        let mut upload = Upload { body, begun: false };
        let result = booking.journal().over(self.take(head, &mut upload, &mut booking)).await;
        booking.settle(&result);
        match result {
            Ok((format, response)) => with_body(format, response).map(Full::new),
            Err(rejection) => {
                upload.discard(head);
                if head.version >= Version::HTTP_2
                    && let Some(refused) = grpc::refused_in_headers(&head.headers, &rejection)
                {
                    return refused.map(|()| Full::default());
                }
                refused_in_kind(content_type(&head.headers), &rejection).map(Full::new)
            }
        }
    }

    async fn take(
        &self,
        head: &Parts,
        upload: &mut Upload,
        booking: &mut Booking,
    ) -> Result<(Format, Bytes), Rejection> {
        let path = head.uri.path();
        let at = self.paths.iter().find(|(_, served)| served == path);
        if let Some((signal, _)) = at {
            booking.carries(*signal);
        }
        if let Some(auth) = &self.auth {
            auth.check(&head.headers).await?;
        }
        let signal = at.map(|(signal, _)| *signal).ok_or_else(|| self.nowhere(head))?;
        let pipeline = self.intake.pipeline(signal)?;
        let form = Form::of(head)?;
        check_announced(&upload.body, self.limits, Framing::Bare)?;
        let place = self.intake.admit()?;
        upload.begun = true;
        let intent = Intent { limits: self.limits, framing: Framing::Bare, encoding: form.encoding, place: &place };
        let body = collect(&mut upload.body, intent).await?;
        let body = form.unpack(signal, body, self.limits.max_bytes, &place).await?;
        let response =
            pipeline.export(Export { signal, body, deadline: None, origin: self.intake.origin("http") }).await?;
        match form.format {
            Format::Protobuf => Ok((Format::Protobuf, answer::protobuf(response))),
            Format::Json => Ok((Format::Json, answer::json(signal, &response))),
        }
    }

    /// What is said of a path that is not served; to a sender of gRPC, where it belongs.
    fn nowhere(&self, head: &Parts) -> Rejection {
        let mut path = excerpt(head.uri.path().as_bytes());
        if grpc::is_grpc(content_type(&head.headers)) {
            path += ": this port takes OTLP over HTTP; OTLP over gRPC has its own, 4317 by default";
        } else {
            path += &self.hint(head.uri.path());
        }
        Rejection::NotFound(path)
    }

    /// Which path was probably meant: by one with a slip in it, one that stands behind another, as where a base has the
    /// signal's path already, or one that is not whole.
    fn hint(&self, path: &str) -> String {
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            let paths: Vec<_> = self.paths.iter().map(|(_, served)| format!("`{served}`")).collect();
            return format!("; write one of {}", paths.join(", "));
        }
        let is_near = |(_, served): &&(Signal, String)| {
            path.ends_with(served)
                || served.ends_with(path)
                || path.len() <= LONGEST_SLIP && strsim::osa_distance(path, served) <= SLIPS
        };
        self.paths.iter().find(is_near).map_or_else(String::new, |(_, meant)| format!("; did you mean `{meant}`?"))
    }
}

impl Service<Request<Incoming>> for HttpService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}

/// How a request is written.
#[derive(Debug, Clone, Copy)]
struct Form {
    format: Format,
    encoding: Encoding,
}

impl Form {
    fn of(head: &Parts) -> Result<Self, Rejection> {
        if head.method != Method::POST {
            return Err(Rejection::MethodNotAllowed(excerpt(head.method.as_str().as_bytes())));
        }
        let format = Format::of(content_type(&head.headers)).ok_or_else(|| Rejection::UnsupportedMediaType {
            found: excerpt(content_type(&head.headers)),
            expected: "application/x-protobuf or application/json",
        })?;
        let name = head.headers.get(CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
        let known = str::from_utf8(name).ok().and_then(Encoding::from_name);
        let encoding = known.ok_or_else(|| Rejection::UnsupportedEncoding(excerpt(name)))?;
        Ok(Self { format, encoding })
    }

    /// The body as bare protobuf of at most `limit` bytes.
    async fn unpack(self, signal: Signal, body: Bytes, limit: usize, place: &Place) -> Result<Payload, Rejection> {
        let Self { format, encoding } = self;
        match (format, encoding) {
            (Format::Protobuf, Encoding::Identity) => Ok(body.into()),
            (Format::Protobuf, _) => unpacked(encoding, body, limit, place).await,
            (Format::Json, _) => {
                off_thread(body.len(), place, move |place| {
                    let body = inflate(encoding, body, limit, place)?.into_bytes();
                    from_json(signal, &body, limit, place)
                })
                .await
            }
        }
    }
}

fn from_json(signal: Signal, body: &Bytes, limit: usize, place: &Place) -> Result<Payload, Rejection> {
    hold_json(body, place)?;
    let body = json::decode(signal, body)
        .map_err(|error| Rejection::Malformed(format!("{} request in JSON: {error}", signal.name())))?;
    // Numbers may be longer in protobuf.
    if body.len() > limit {
        return Err(Rejection::TooLarge { limit });
    }
    hold_whole(&body, place)?;
    Ok(body.into())
}

/// A request's body, and whether any of it has been asked for.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) body: Incoming,
    pub(super) begun: bool,
}

impl Upload {
    /// Reads what is left of a refused HTTP/1 body and throws it away. Closing the connection on it would reset it,
    /// and a sender that is still writing would see a lost connection, which it retries, in place of the answer.
    pub(super) fn discard(mut self, head: &Parts) {
        // HTTP/2 has a reset of the one stream that keeps the answer. A sender that waits for `100 Continue` has
        // nothing under way, and must not be asked for it now.
        let waits = head.headers.contains_key(EXPECT) && !self.begun;
        if head.version >= Version::HTTP_2 || waits || self.body.is_end_stream() {
            return;
        }
        tokio::spawn(tokio::time::timeout(LINGER, async move { while let Some(Ok(_)) = self.body.frame().await {} }));
    }
}

fn content_type(headers: &HeaderMap) -> &[u8] {
    headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes)
}

fn with_body(format: Format, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    response
}

/// The answer to a request for something else than OTLP that is not let in: a `google.rpc.Status` as JSON.
#[must_use]
pub fn refused_as_json(rejection: &Rejection) -> Response<Full<Bytes>> {
    refused(Format::Json, rejection).map(Full::new)
}

/// The answer to a refused request of this content type.
pub(super) fn refused_in_kind(content_type: &[u8], rejection: &Rejection) -> Response<Bytes> {
    // A sender of another type is most likely a person with a tool: JSON can be read.
    refused(Format::of(content_type).unwrap_or(Format::Json), rejection)
}

/// Every refusal is a `google.rpc.Status` in the request's type.
fn refused(format: Format, rejection: &Rejection) -> Response<Bytes> {
    let body = match format {
        Format::Protobuf => status::protobuf_body(rejection),
        Format::Json => status::json_body(rejection),
    };
    let mut response = with_body(format, body);
    *response.status_mut() = status::http_status(rejection);
    let headers = response.headers_mut();
    if let Some(seconds) = status::retry_after_seconds(rejection) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    match rejection {
        Rejection::MethodNotAllowed(_) => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Rejection::Unauthenticated { challenge, .. } => {
            // A scheme that no header can hold was refused with the configuration.
            headers.extend(HeaderValue::try_from(challenge).map(|challenge| (WWW_AUTHENTICATE, challenge)));
        }
        // https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
        Rejection::UnsupportedEncoding(_) => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
        }
        _ => {}
    }
    response
}
