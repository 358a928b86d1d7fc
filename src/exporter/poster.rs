//! Posting JSON to somebody who is no OTLP backend: over the same connections, TLS and headers as the exporters. No message
//! names a path, since with many services that is the secret.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::build::{ExporterBuildError, Problem};
use super::cause;
use super::dial::Dialer;
use super::endpoint::{self, EndpointError};
use super::headers::{self, Headers};
use super::retry_after::retry_after;
use super::tls::TlsSettings;

/// What is read of an answer, so that its connection can be used again.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// What a poster is built from. Its [`fmt::Debug`] leaves the URL out.
#[derive(Clone, PartialEq, Eq)]
pub struct PosterSettings {
    /// What it is called in messages.
    pub name: String,
    /// The whole URL.
    pub url: String,
    /// TLS, for `https://`.
    pub tls: TlsSettings,
    /// Headers of every request.
    pub headers: Headers,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Posts to one URL, which its [`fmt::Debug`] leaves out.
pub struct Poster {
    name: String,
    uri: Uri,
    client: Client<Dialer, Full<Bytes>>,
    headers: HeaderMap,
    timeout: Duration,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It was taken.
    Taken,
    /// It will never be.
    Refused(String),
    /// Perhaps later: in this time at the soonest, where the other side says so.
    Failed(String, Option<Duration>),
}

impl fmt::Debug for PosterSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PosterSettings").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Poster").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Poster {
    /// Checks everything that can be checked without the other side, and connects to nothing.
    ///
    /// # Errors
    /// [`ExporterBuildError`] for a URL, a header or a TLS file that cannot be used.
    pub fn new(settings: &PosterSettings) -> Result<Self, ExporterBuildError> {
        let build = || -> Result<Self, Problem> {
            let uri = endpoint::http(&settings.url).map_err(|error| EndpointError {
                endpoint: "not shown, its path may be a secret".to_owned(),
                ..error
            })?;
            let needs_tls = uri.scheme() == Some(&Scheme::HTTPS);
            let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(Dialer::http(
                &settings.tls,
                needs_tls,
                settings.timeout,
            )?);
            let mut headers = settings.headers.as_http()?;
            headers.insert(USER_AGENT, headers::user_agent(&headers));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(Self { name: settings.name.clone(), uri, client, headers, timeout: settings.timeout })
        };
        build().map_err(|problem| ExporterBuildError { exporter: settings.name.clone(), problem })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Posts once, with a header more where there is one.
    pub async fn post(&self, body: Bytes, more: Option<(&'static str, String)>) -> Posted {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some((name, value)) = more
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let host = self.uri.authority().map_or("", Authority::as_str);
        let answered = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            // Read for the sake of the connection; an answer that breaks off is one.
            let _ = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            Ok(head)
        };
        let answered: Result<http::response::Parts, hyper_util::client::legacy::Error> =
            match tokio::time::timeout(self.timeout, answered).await {
                Ok(answered) => answered,
                Err(_) => return Posted::Failed(format!("{host} did not answer in {:?}", self.timeout), None),
            };
        match answered {
            Ok(head) if head.status.is_success() => Posted::Taken,
            Ok(head) if is_passing(head.status) => {
                let wait = retry_after(&head.headers, SystemTime::now());
                Posted::Failed(format!("{host} answered HTTP {}", head.status), wait)
            }
            Ok(head) => Posted::Refused(format!("{host} answered HTTP {}", head.status)),
            Err(error) => Posted::Failed(format!("{host}: {}", cause::in_words(&error)), None),
        }
    }
}

/// Whether it is worth trying again.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}
