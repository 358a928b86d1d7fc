//! The OTLP/HTTP exporter: one POST a request over pooled connections, HTTP/2 where TLS agrees on it, else
//! HTTP/1.1. Redirects are not followed: a request with credentials goes where it was configured to go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::backend::{Backend, MAX_REQUEST_BYTES};
use super::build::{ExporterBuildError, Problem};
use super::cause::Transport;
use super::dial::Dialer;
use super::headers::{self, Headers};
use super::outcome::Outcome;
use super::time_limit::TimeLimit;
use super::tls::TlsSettings;
use super::{endpoint, http_answer, payload};
use crate::otlp::Signal;
use crate::wire::{Encoding, Payload};

/// Unused connections are closed after this time, before most servers close them.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// What an OTLP/HTTP exporter is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpExporterSettings {
    /// The exporter's id as configured, `type[/name]`: it stands in every message.
    pub name: String,
    /// The whole URL of each signal: see [`super::http_endpoints`]. A signal without one is refused.
    pub endpoints: BTreeMap<Signal, Uri>,
    /// TLS towards the backend, for `https://` URLs.
    pub tls: TlsSettings,
    /// The encoding of requests.
    pub encoding: Encoding,
    /// The compressor's level: gzip 1 to 9, zstd 1 to 22.
    pub level: u32,
    /// Headers of every request.
    pub headers: Headers,
    /// How long one attempt may take; zero: no limit but the sender's deadline.
    pub timeout: Duration,
}

/// Sends to one OTLP/HTTP backend.
#[derive(Debug)]
pub struct HttpExporter {
    name: String,
    targets: BTreeMap<Signal, Target>,
    client: Client<Dialer, Full<Bytes>>,
    headers: HeaderMap,
    encoding: Encoding,
    level: u32,
    timeout: Duration,
}

/// Where one signal goes.
#[derive(Debug)]
struct Target {
    uri: Uri,
    backend: Backend,
}

impl HttpExporter {
    /// Checks everything that can be checked without the backend, and connects to nothing.
    ///
    /// # Errors
    /// [`ExporterBuildError`] for an endpoint, a header or a TLS file that cannot be used.
    pub fn new(settings: HttpExporterSettings) -> Result<Self, ExporterBuildError> {
        let exporter = settings.name.clone();
        Self::build(settings).map_err(|problem| ExporterBuildError { exporter, problem })
    }

    fn build(settings: HttpExporterSettings) -> Result<Self, Problem> {
        let HttpExporterSettings { name, endpoints, tls, encoding, level, headers, timeout } = settings;
        let mut targets = BTreeMap::new();
        for (signal, uri) in endpoints {
            let uri = endpoint::http(&uri.to_string())?;
            let backend = Backend::new(&name, endpoint::shown(&uri), Transport::Http);
            targets.insert(signal, Target { uri, backend });
        }
        let needs_tls = targets.values().any(|target| target.uri.scheme() == Some(&Scheme::HTTPS));
        let connector = Dialer::http(&tls, needs_tls, timeout)?;
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        let headers = request_headers(headers.as_http()?, encoding);
        Ok(Self { name, targets, client, headers, encoding, level, timeout })
    }

    /// The exporter's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends one request, once. Ends at `deadline` or at the exporter's timeout, whichever is sooner.
    pub async fn send(&self, signal: Signal, body: Bytes, deadline: Option<Instant>) -> Outcome {
        self.pass_on(signal, body.into(), deadline).await
    }

    /// The same with a request that is sent as it came, where it came in the backend's encoding.
    pub(super) async fn pass_on(&self, signal: Signal, body: Payload, deadline: Option<Instant>) -> Outcome {
        let Some(target) = self.targets.get(&signal) else {
            return Backend::new(&self.name, String::new(), Transport::Http).not_served(signal.name());
        };
        let limit = TimeLimit::new(self.timeout, deadline, Instant::now());
        match limit.within(self.attempt(target, signal, body)).await {
            Ok(outcome) => outcome,
            Err(_) => target.backend.late(&limit),
        }
    }

    async fn attempt(&self, target: &Target, signal: Signal, body: Payload) -> Outcome {
        if body.bytes().len() > MAX_REQUEST_BYTES {
            return target.backend.request_too_large(body.bytes().len());
        }
        let payload = match payload::encoded(self.encoding, body, self.level).await {
            Ok(payload) => payload,
            Err(error) => return target.backend.unsendable(&error),
        };
        let mut request = Request::new(Full::new(payload));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.uri.clone();
        *request.headers_mut() = self.headers.clone();
        match self.client.request(request).await {
            Ok(response) => {
                target.backend.has_answered();
                http_answer::read(&target.backend, signal, response).await
            }
            Err(error) => target.backend.unreachable(&error),
        }
    }
}

fn request_headers(configured: HeaderMap, encoding: Encoding) -> HeaderMap {
    let user_agent = headers::user_agent(&configured);
    let mut headers = configured;
    headers.insert(USER_AGENT, user_agent);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if encoding != Encoding::Identity {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    headers
}
