//! `exporters`: the backends and how each is reached.
//! Knows keys and defaults; opens no connection and reads no certificate.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::address::{Endpoint, Scheme};
use super::advice;
use super::client::{self, ClientTlsConfig, Compression, CompressionParamsConfig, SwitchedOff};
use super::delivery::{self, ClientKeepaliveConfig, MAX_REQUEST_BYTES, RetryConfig};
use super::secret::Secret;
use super::section::{Advice, Field};
use crate::otlp::Signal;

/// One entry of `exporters`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ExporterConfig {
    /// `otlp_grpc[/name]`, also written `otlp[/name]`.
    OtlpGrpc(Box<OtlpGrpcExporterConfig>),
    /// `otlp_http[/name]`, also written `otlphttp[/name]`.
    OtlpHttp(Box<OtlpHttpExporterConfig>),
    /// `debug[/name]`.
    Debug(DebugExporterConfig),
}

/// `exporters.otlp_grpc[/name]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtlpGrpcExporterConfig {
    /// `host:port`, `http://host:port`, `https://host:port` or `unix:///path`.
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
    /// Pings that find a dead connection.
    pub keepalive: ClientKeepaliveConfig,
    /// Larger requests are sent in parts; bytes before compression, 64 MiB at most and by default.
    pub max_request_body_size: usize,
    /// Whether, when and how often the same is sent again; off: the sender retries.
    pub retry_on_failure: RetryConfig,
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
            keepalive: ClientKeepaliveConfig::default(),
            max_request_body_size: MAX_REQUEST_BYTES,
            retry_on_failure: RetryConfig::default(),
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

    /// `http://host:port`, `https://host:port` or `unix:///path`.
    #[must_use]
    pub fn url(&self) -> String {
        if self.scheme() == Scheme::Unix {
            return format!("unix://{}", self.endpoint.path);
        }
        format!("{}://{}", self.scheme().name(), self.endpoint.authority())
    }
}

/// `exporters.otlp_http[/name]`. Has at least one of the endpoints.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Larger requests are sent in parts; bytes before compression, 64 MiB at most and by default.
    pub max_request_body_size: usize,
    /// Whether, when and how often the same is sent again; off: the sender retries.
    pub retry_on_failure: RetryConfig,
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
            max_request_body_size: MAX_REQUEST_BYTES,
            retry_on_failure: RetryConfig::default(),
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

/// How the bodies of OTLP/HTTP are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEncoding {
    /// Protobuf.
    #[default]
    Proto,
}

/// Keys of the Collector's gRPC exporter that have no counterpart here.
const GRPC_ADVICE: Advice = &[
    AUTH,
    BATCHER,
    PROXY,
    INSECURE,
    CA_FILE,
    CERT_FILE,
    KEY_FILE,
    ("max_send_msg_size_mib", "write `max_request_body_size`: larger requests are sent in parts"),
    ("balancer_name", "load is not balanced here; remove it"),
    ("wait_for_ready", "connections are made when they are needed; remove it"),
    ("authority", "the authority is the endpoint's; remove it"),
    ("read_buffer_size", "buffers are not configurable; remove it"),
    ("write_buffer_size", "buffers are not configurable; remove it"),
];

/// Keys of the Collector's HTTP exporter that have no counterpart here.
const HTTP_ADVICE: Advice = &[
    AUTH,
    BATCHER,
    PROXY,
    INSECURE,
    CA_FILE,
    CERT_FILE,
    KEY_FILE,
    ("keepalive", "pings are for `otlp_grpc`; remove it: idle connections are closed after 30s"),
    ("read_buffer_size", "buffers are not configurable; remove it"),
    ("write_buffer_size", "buffers are not configurable; remove it"),
    ("max_idle_conns", "the pool is not configurable; remove it"),
    ("max_idle_conns_per_host", "the pool is not configurable; remove it"),
    ("max_conns_per_host", "the pool is not configurable; remove it"),
    ("idle_conn_timeout", "idle connections are closed after 30s; remove it"),
    ("disable_keep_alives", "connections are used again; remove it"),
    ("http2_read_idle_timeout", "HTTP/2 is not configurable here; remove it"),
    ("http2_ping_timeout", "HTTP/2 is not configurable here; remove it"),
    ("cookies", "cookies are not kept; remove it"),
];

const AUTH: (&str, &str) = ("auth", "authenticators are not available; write `headers: {authorization: ...}`");
const BATCHER: (&str, &str) = (
    "batcher",
    "requests are never regrouped; remove it, and to send large ones in parts write `max_request_body_size`",
);
const PROXY: (&str, &str) =
    ("proxy_url", "the backend is connected to directly, also where `HTTP_PROXY` is set; remove it");
const INSECURE: (&str, &str) = ("insecure", "belongs below `tls`; write `tls: {insecure: ...}`");
const CA_FILE: (&str, &str) = ("ca_file", "belongs below `tls`; write `tls: {ca_file: ...}`");
const CERT_FILE: (&str, &str) = ("cert_file", "belongs below `tls`; write `tls: {cert_file: ...}`");
const KEY_FILE: (&str, &str) = ("key_file", "belongs below `tls`; write `tls: {key_file: ...}`");

impl OtlpGrpcExporterConfig {
    /// Reads `exporters.otlp_grpc[/name]`; `None` where it has no endpoint, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let named = section.has("endpoint");
        let endpoint = section.get("endpoint", |field| Endpoint::parse_grpc(field.text()?));
        if !named {
            section.error("no `endpoint`; write `endpoint: host:4317`");
        }
        let stand_in = Endpoint::parse_grpc("localhost:4317").ok()?;
        let mut config = Self::to(endpoint.clone().unwrap_or(stand_in));
        if let Some(tls) = section.section("tls") {
            config.tls = ClientTlsConfig::read(tls, endpoint.as_ref());
        }
        client::read_compression(&mut section, &mut config.compression, &mut config.compression_params);
        client::read_headers(&mut section, &mut config.headers);
        section.read("timeout", &mut config.timeout, client::timeout);
        config.keepalive = ClientKeepaliveConfig::read(&mut section);
        config.max_request_body_size = delivery::max_request_body_size(&mut section);
        config.retry_on_failure = RetryConfig::read(&mut section);
        SwitchedOff::read(&mut section, "sending_queue", advice::QUEUE);
        section.finish(GRPC_ADVICE);
        endpoint.map(|_| config)
    }
}

impl OtlpHttpExporterConfig {
    /// Reads `exporters.otlp_http[/name]`; `None` where it has no endpoint, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let url = |field: &Field<'_>| Endpoint::parse_http(field.text()?).map(Some);
        let named =
            ["endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint"].iter().any(|key| section.has(key));
        if !named {
            section.error("no `endpoint`; write `endpoint: http://host:4318`");
        }
        let mut config = Self::default();
        section.read("endpoint", &mut config.endpoint, url);
        section.read("traces_endpoint", &mut config.traces_endpoint, url);
        section.read("metrics_endpoint", &mut config.metrics_endpoint, url);
        section.read("logs_endpoint", &mut config.logs_endpoint, url);
        if let Some(tls) = section.section("tls") {
            let endpoints =
                [&config.endpoint, &config.traces_endpoint, &config.metrics_endpoint, &config.logs_endpoint];
            let plain = endpoints.into_iter().flatten().find(|endpoint| endpoint.scheme == Some(Scheme::Http));
            let any = endpoints.into_iter().flatten().next();
            config.tls = ClientTlsConfig::read(tls, plain.or(any));
        }
        client::read_compression(&mut section, &mut config.compression, &mut config.compression_params);
        client::read_headers(&mut section, &mut config.headers);
        section.read("timeout", &mut config.timeout, client::timeout);
        section.read("encoding", &mut config.encoding, |field| match field.text()? {
            "json" => Err("JSON is received and not sent; write `proto`".to_owned()),
            _ => field.word(&[("proto", BodyEncoding::Proto)]),
        });
        config.max_request_body_size = delivery::max_request_body_size(&mut section);
        config.retry_on_failure = RetryConfig::read(&mut section);
        SwitchedOff::read(&mut section, "sending_queue", advice::QUEUE);
        section.finish(HTTP_ADVICE);
        let usable = Signal::ALL.iter().any(|signal| config.endpoint(*signal).is_some());
        usable.then_some(config)
    }
}

impl DebugExporterConfig {
    /// Reads `exporters.debug[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("verbosity", &mut config.verbosity, |field| {
            field.word(&[("basic", Verbosity::Basic), ("normal", Verbosity::Normal), ("detailed", Verbosity::Detailed)])
        });
        section.finish(&[
            ("loglevel", "`loglevel` has been renamed; write `verbosity: basic`, `normal` or `detailed`"),
            ("sampling_initial", "every request is printed; remove it"),
            ("sampling_thereafter", "every request is printed; remove it"),
            ("use_internal_logger", "it always prints to standard output; remove it"),
            ("output_paths", "it always prints to standard output; remove it"),
            ("sending_queue", "nothing is queued in front of the console; remove it"),
        ]);
        Some(config)
    }
}
