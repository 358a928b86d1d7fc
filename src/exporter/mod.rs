//! Delivering requests to backends. Each exporter owns its transport, sends once and classifies what came back; a
//! delivery is what is made of that: again, or in parts. None knows what is inside a request.

mod answer;
mod backend;
mod build;
mod capture;
mod cause;
mod current_tls;
mod debug;
mod delivery;
mod dial;
mod endpoint;
mod grpc;
mod grpc_answer;
mod headers;
mod http;
mod http_answer;
mod outcome;
mod parts;
mod payload;
mod poster;
mod retry;
mod retry_after;
mod stream;
mod time_limit;
mod tls;
mod too_large;

use std::time::Instant;

use bytes::Bytes;

pub use answer::{PartialSuccess, partial_success};
pub use backend::MAX_REQUEST_BYTES;
pub use build::{ExporterBuildError, Problem};
pub use capture::CaptureExporter;
pub use debug::{DebugExporter, DebugSettings, Verbosity};
pub use delivery::{Delivery, DeliverySettings, Destination};
pub use endpoint::{EndpointError, http as http_endpoint, http_endpoints};
pub use grpc::{GrpcExporter, GrpcExporterSettings, Keepalive};
pub use headers::{HeaderError, Headers};
pub use http::{HttpExporter, HttpExporterSettings};
pub use outcome::Outcome;
pub use payload::DEFAULT_LEVEL;
pub use poster::{Posted, Poster, PosterSettings};
pub use retry::RetrySettings;
pub use tls::{TlsError, TlsSettings};

use crate::otlp::Signal;
use crate::wire::Payload;

/// A backend, by the way it is reached.
#[derive(Debug)]
pub enum Exporter {
    /// OTLP over gRPC.
    Grpc(Box<GrpcExporter>),
    /// OTLP over HTTP, in protobuf.
    Http(Box<HttpExporter>),
    /// Receipts on a console.
    Debug(DebugExporter),
    /// A channel inside this process.
    Capture(CaptureExporter),
    /// Acknowledges everything and sends nothing.
    Discard,
}

impl Exporter {
    /// The exporter's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Grpc(exporter) => exporter.name(),
            Self::Http(exporter) => exporter.name(),
            Self::Debug(exporter) => exporter.name(),
            Self::Capture(exporter) => exporter.name(),
            Self::Discard => "discard",
        }
    }

    /// The largest request that it may be given, in bytes before compression.
    #[must_use]
    pub const fn max_request_bytes(&self) -> usize {
        match self {
            Self::Grpc(_) | Self::Http(_) => MAX_REQUEST_BYTES,
            Self::Debug(_) | Self::Capture(_) | Self::Discard => usize::MAX,
        }
    }

    /// Sends one request, once. Ends at `deadline` or at the exporter's own timeout, whichever is sooner.
    pub async fn send(&self, signal: Signal, body: Bytes, deadline: Option<Instant>) -> Outcome {
        self.pass_on(signal, body.into(), deadline).await
    }

    /// The same with a request that is sent as it came, where it came in the backend's encoding.
    pub(super) async fn pass_on(&self, signal: Signal, body: Payload, deadline: Option<Instant>) -> Outcome {
        match self {
            Self::Grpc(exporter) => exporter.pass_on(signal, body, deadline).await,
            Self::Http(exporter) => exporter.pass_on(signal, body, deadline).await,
            Self::Debug(exporter) => exporter.send(signal, body.bytes()),
            Self::Capture(exporter) => exporter.send(signal, body.into_bytes()).await,
            Self::Discard => Outcome::Delivered { response: Bytes::new() },
        }
    }
}

impl From<GrpcExporter> for Exporter {
    fn from(exporter: GrpcExporter) -> Self {
        Self::Grpc(Box::new(exporter))
    }
}

impl From<HttpExporter> for Exporter {
    fn from(exporter: HttpExporter) -> Self {
        Self::Http(Box::new(exporter))
    }
}
