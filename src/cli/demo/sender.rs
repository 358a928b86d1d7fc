//! Sends captures as their instrumentations did: over gRPC, or over HTTP in protobuf or JSON, through real clients.
//! Knows addresses and bodies; nothing of what the service makes of them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::captures::{Capture, Transport};
use crate::exporter::{
    DEFAULT_LEVEL, ExporterBuildError, GrpcExporter, GrpcExporterSettings, Headers, HttpExporter, HttpExporterSettings,
    Keepalive, Outcome, TlsSettings, http_endpoints,
};
use crate::wire::Encoding;

/// Plenty on a loopback interface.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a capture was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A client could not be built.
    #[error("the demo's client: {0}")]
    Build(#[from] ExporterBuildError),
    /// The service refused, or could not be reached.
    #[error("the service did not take the {signal} of {instrumentation}: {reason}")]
    Refused {
        /// What was sent.
        signal: &'static str,
        /// Whose capture it is.
        instrumentation: &'static str,
        /// The service's words.
        reason: String,
    },
}

/// The clients.
#[derive(Debug)]
pub(super) struct Sender {
    grpc: GrpcExporter,
    http: HttpExporter,
    json: Client<HttpConnector, Full<Bytes>>,
    http_address: SocketAddr,
}

impl Sender {
    pub(super) fn new(grpc: SocketAddr, http: SocketAddr) -> Result<Self, SendError> {
        let endpoints = http_endpoints(&format!("http://{http}"))
            .map_err(|error| ExporterBuildError { exporter: "demo".to_owned(), problem: error.into() })?;
        Ok(Self {
            grpc: GrpcExporter::new(GrpcExporterSettings {
                name: "demo".to_owned(),
                endpoint: format!("http://{grpc}"),
                tls: TlsSettings::default(),
                encoding: Encoding::Gzip,
                level: DEFAULT_LEVEL,
                headers: Headers::default(),
                timeout: TIMEOUT,
                keepalive: Keepalive::default(),
            })?,
            http: HttpExporter::new(HttpExporterSettings {
                name: "demo".to_owned(),
                endpoints,
                tls: TlsSettings::default(),
                encoding: Encoding::Gzip,
                level: DEFAULT_LEVEL,
                headers: Headers::default(),
                timeout: TIMEOUT,
            })?,
            json: Client::builder(TokioExecutor::new()).build_http(),
            http_address: http,
        })
    }

    /// Sends one capture and waits until it is acknowledged.
    pub(super) async fn send(&self, capture: &Capture) -> Result<(), SendError> {
        let body = Bytes::from_static(capture.body);
        let result = match capture.transport {
            Transport::Grpc => acknowledged(self.grpc.send(capture.signal, body, None).await),
            Transport::HttpProtobuf => acknowledged(self.http.send(capture.signal, body, None).await),
            Transport::HttpJson => self.send_json(capture, body).await,
        };
        result.map_err(|reason| SendError::Refused {
            signal: capture.signal.name(),
            instrumentation: capture.instrumentation,
            reason,
        })
    }

    async fn send_json(&self, capture: &Capture, body: Bytes) -> Result<(), String> {
        let request = Request::post(format!("http://{}{}", self.http_address, capture.signal.http_path()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let response = self.json.request(request).await.map_err(|error| error.to_string())?;
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)))
    }
}

fn acknowledged(outcome: Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Delivered { .. } => Ok(()),
        Outcome::Retry(failure) | Outcome::OurFault(failure) => Err(failure.message),
        Outcome::Refused(failure) | Outcome::TooLarge(failure) => Err(failure.message),
    }
}
