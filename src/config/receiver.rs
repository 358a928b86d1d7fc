//! `receivers`: what listens for OTLP, and how much it takes.

use serde::Serialize;

use super::address::ListenAddress;
use crate::otlp::Signal;

/// `receivers.otlp[/name]`: a protocol that is absent does not listen. At least one is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtlpReceiverConfig {
    /// The protocols that listen.
    pub protocols: ProtocolsConfig,
}

/// `protocols`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProtocolsConfig {
    /// OTLP over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcServerConfig>,
    /// OTLP over HTTP, protobuf and JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpServerConfig>,
}

/// `protocols.grpc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrpcServerConfig {
    /// Where to listen; `localhost:4317`.
    pub endpoint: ListenAddress,
    /// Largest request in MiB, before and after inflating; 64, at most 4095.
    pub max_recv_msg_size_mib: u32,
}

impl GrpcServerConfig {
    /// The largest request in bytes.
    #[must_use]
    pub fn max_request_bytes(&self) -> usize {
        usize::try_from(u64::from(self.max_recv_msg_size_mib) << 20).unwrap_or(usize::MAX)
    }
}

impl Default for GrpcServerConfig {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(4317), max_recv_msg_size_mib: 64 }
    }
}

/// `protocols.http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpServerConfig {
    /// Where to listen; `localhost:4318`.
    pub endpoint: ListenAddress,
    /// Largest body in bytes, before and after inflating; 64 MiB, at most 4 GiB - 1.
    pub max_request_body_size: usize,
    /// Where traces are posted; `/v1/traces`. The three paths differ.
    pub traces_url_path: String,
    /// Where metrics are posted; `/v1/metrics`.
    pub metrics_url_path: String,
    /// Where logs are posted; `/v1/logs`.
    pub logs_url_path: String,
}

impl HttpServerConfig {
    /// Where requests of `signal` are posted; begins with `/`.
    #[must_use]
    pub fn url_path(&self, signal: Signal) -> &str {
        match signal {
            Signal::Traces => &self.traces_url_path,
            Signal::Metrics => &self.metrics_url_path,
            Signal::Logs => &self.logs_url_path,
        }
    }
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(4318),
            max_request_body_size: 64 << 20,
            traces_url_path: Signal::Traces.http_path().to_owned(),
            metrics_url_path: Signal::Metrics.http_path().to_owned(),
            logs_url_path: Signal::Logs.http_path().to_owned(),
        }
    }
}
