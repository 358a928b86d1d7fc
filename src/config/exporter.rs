//! `exporters`: the backends and how each is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::address::{Endpoint, Scheme};
use super::secret::Secret;
use crate::otlp::Signal;

/// One entry of `exporters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExporterConfig {
    /// `otlp_grpc[/name]`, also written `otlp[/name]`.
    OtlpGrpc(OtlpGrpcExporterConfig),
    /// `otlp_http[/name]`, also written `otlphttp[/name]`.
    OtlpHttp(OtlpHttpExporterConfig),
    /// `debug[/name]`.
    Debug(DebugExporterConfig),
}

/// `exporters.otlp_grpc[/name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtlpGrpcExporterConfig {
    /// `host:port`, `http://host:port` or `https://host:port`.
    pub endpoint: Endpoint,
    /// How the connection is secured.
    pub tls: ClientTlsConfig,
    /// How requests are compressed; `gzip`.
    pub compression: Compression,
    /// How hard they are compressed.
    pub compression_params: CompressionParamsConfig,
    /// Sent with every request; names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take; 5 s, above 0.
    #[serde(serialize_with = "super::duration::serialize")]
    pub timeout: Duration,
    /// Off: the sender retries.
    pub retry_on_failure: SwitchedOff,
    /// Off: the backend's answer is the sender's.
    pub sending_queue: SwitchedOff,
}

impl OtlpGrpcExporterConfig {
    /// What is sent to `endpoint` where nothing else is said.
    #[must_use]
    pub fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: ClientTlsConfig::default(),
            compression: Compression::default(),
            compression_params: CompressionParamsConfig::default(),
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(5),
            retry_on_failure: SwitchedOff::default(),
            sending_queue: SwitchedOff::default(),
        }
    }

    /// Whether the connection is plain text or TLS: the endpoint's scheme, else `tls.insecure`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self.endpoint.scheme {
            Some(scheme) => scheme,
            None if self.tls.insecure => Scheme::Http,
            None => Scheme::Https,
        }
    }

    /// `http://host:port` or `https://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme().name(), self.endpoint.authority())
    }
}

/// `exporters.otlp_http[/name]`. Has at least one of the endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtlpHttpExporterConfig {
    /// The base, to which `/v1/traces` and so on is appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// The whole URL for traces; goes before `endpoint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_endpoint: Option<Endpoint>,
    /// The whole URL for metrics; goes before `endpoint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_endpoint: Option<Endpoint>,
    /// The whole URL for logs; goes before `endpoint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_endpoint: Option<Endpoint>,
    /// How the connection is secured; the endpoint's scheme decides whether it is.
    pub tls: ClientTlsConfig,
    /// How requests are compressed; `gzip`.
    pub compression: Compression,
    /// How hard they are compressed.
    pub compression_params: CompressionParamsConfig,
    /// Sent with every request; names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take; 30 s, above 0.
    #[serde(serialize_with = "super::duration::serialize")]
    pub timeout: Duration,
    /// How bodies are written; `proto`.
    pub encoding: BodyEncoding,
    /// Off: the sender retries.
    pub retry_on_failure: SwitchedOff,
    /// Off: the backend's answer is the sender's.
    pub sending_queue: SwitchedOff,
}

impl Default for OtlpHttpExporterConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            traces_endpoint: None,
            metrics_endpoint: None,
            logs_endpoint: None,
            tls: ClientTlsConfig::default(),
            compression: Compression::default(),
            compression_params: CompressionParamsConfig::default(),
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(30),
            encoding: BodyEncoding::default(),
            retry_on_failure: SwitchedOff::default(),
            sending_queue: SwitchedOff::default(),
        }
    }
}

impl OtlpHttpExporterConfig {
    /// The endpoint that requests of `signal` go to, and whether its path is whole or a base.
    fn endpoint_of(&self, signal: Signal) -> Option<(&Endpoint, bool)> {
        let own = match signal {
            Signal::Traces => &self.traces_endpoint,
            Signal::Metrics => &self.metrics_endpoint,
            Signal::Logs => &self.logs_endpoint,
        };
        let whole = own.as_ref().map(|endpoint| (endpoint, true));
        whole.or(self.endpoint.as_ref().map(|endpoint| (endpoint, false)))
    }

    /// The whole URL that requests of `signal` are posted to; `None` where this exporter has none for them.
    #[must_use]
    pub fn url(&self, signal: Signal) -> Option<String> {
        let (endpoint, whole) = self.endpoint_of(signal)?;
        let scheme = endpoint.scheme.unwrap_or(Scheme::Http).name();
        let authority = endpoint.authority();
        Some(match (whole, endpoint.path.as_str()) {
            (true, "") => format!("{scheme}://{authority}/"),
            (true, path) => format!("{scheme}://{authority}{path}"),
            (false, base) => {
                format!("{scheme}://{authority}{}{}", base.trim_end_matches('/'), signal.http_path())
            }
        })
    }

    /// The endpoint behind [`Self::url`].
    #[must_use]
    pub fn endpoint(&self, signal: Signal) -> Option<&Endpoint> {
        self.endpoint_of(signal).map(|(endpoint, _)| endpoint)
    }
}

/// `exporters.debug[/name]`: receipts on the console.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DebugExporterConfig {
    /// How much is printed; `normal`.
    pub verbosity: Verbosity,
}

/// How much the debug exporter prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verbosity {
    /// A line a request.
    Basic,
    /// A line an item that matters.
    #[default]
    Normal,
    /// Everything.
    Detailed,
}

/// `tls` of an exporter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ClientTlsConfig {
    /// Plain text where the endpoint has no scheme; false.
    pub insecure: bool,
    /// PEM file of the authorities to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show; comes with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// PEM file of its private key; comes with `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must bear, where it is not the endpoint's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name_override: Option<String>,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// RFC 1952.
    #[default]
    Gzip,
    /// RFC 8878.
    Zstd,
    /// As they are.
    None,
}

/// `compression_params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CompressionParamsConfig {
    /// gzip 1 to 9, zstd 1 to 22; 1, the cheapest.
    pub level: u32,
}

impl Default for CompressionParamsConfig {
    fn default() -> Self {
        Self { level: 1 }
    }
}

/// How the bodies of OTLP/HTTP are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEncoding {
    /// Protobuf.
    #[default]
    Proto,
}

/// A feature of the Collector that is written off: `{enabled: false}` is all it can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SwitchedOff {
    enabled: bool,
}
