//! `receivers`: what listens for OTLP, and how much it takes.
//! Knows keys and defaults; opens no socket.

use serde::Serialize;

use super::address::{ListenAddress, ServerAddress};
use super::auth::AuthConfig;
use super::section::{Advice, Field, Section};
use super::server::{CorsConfig, HttpTimeoutsConfig, ServerKeepaliveConfig, Transport};
use super::server_tls::ServerTlsConfig;
use super::size;
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

impl ProtocolsConfig {
    /// Where each protocol that listens does so.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, &ServerAddress)> {
        let grpc = self.grpc.iter().map(|grpc| ("grpc", &grpc.endpoint));
        grpc.chain(self.http.iter().map(|http| ("http", &http.endpoint)))
    }
}

/// `protocols.grpc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrpcServerConfig {
    /// Where to listen; `localhost:4317`.
    pub endpoint: ServerAddress,
    /// What `endpoint` is; `tcp`.
    pub transport: Transport,
    /// TLS; absent is plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTlsConfig>,
    /// Who may send; absent is everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthConfig>,
    /// Largest request in MiB, before and after inflating; 64, at most 4095.
    pub max_recv_msg_size_mib: u32,
    /// Requests of one connection that may be under way at once; 256.
    pub max_concurrent_streams: u32,
    /// Read as the Collector's and without effect: buffers are as large as what arrives.
    pub read_buffer_size: usize,
    /// The same of what is sent.
    pub write_buffer_size: usize,
    /// How long connections live, and how often they are pinged.
    pub keepalive: ServerKeepaliveConfig,
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
        Self {
            endpoint: ServerAddress::Tcp(ListenAddress::localhost(4317)),
            transport: Transport::Tcp,
            tls: None,
            auth: None,
            max_recv_msg_size_mib: 64,
            max_concurrent_streams: 256,
            read_buffer_size: 512 << 10,
            write_buffer_size: 32 << 10,
            keepalive: ServerKeepaliveConfig::default(),
        }
    }
}

/// `protocols.http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpServerConfig {
    /// Where to listen; `localhost:4318`.
    pub endpoint: ServerAddress,
    /// What `endpoint` is; `tcp`.
    pub transport: Transport,
    /// TLS; absent is plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTlsConfig>,
    /// Who may send; absent is everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthConfig>,
    /// The web pages whose scripts may send; absent is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<CorsConfig>,
    /// How long peers may take.
    #[serde(flatten)]
    pub timeouts: HttpTimeoutsConfig,
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
            endpoint: ServerAddress::Tcp(ListenAddress::localhost(4318)),
            transport: Transport::Tcp,
            tls: None,
            auth: None,
            cors: None,
            timeouts: HttpTimeoutsConfig::default(),
            max_request_body_size: 64 << 20,
            traces_url_path: Signal::Traces.http_path().to_owned(),
            metrics_url_path: Signal::Metrics.http_path().to_owned(),
            logs_url_path: Signal::Logs.http_path().to_owned(),
        }
    }
}

/// Keys of the Collector's OTLP servers that have no counterpart here.
const SERVER_ADVICE: Advice = &[
    ("compression_algorithms", "gzip, zstd and none are always taken; remove it"),
    ("dialer", "is a client's key; remove it"),
    ("middlewares", "there are no middlewares; remove it"),
    ("response_headers", "answers have the headers of OTLP; remove it"),
    ("keep_alives_enabled", "connections are kept for `idle_timeout`; write that, or remove it"),
    ("cors", "browsers speak HTTP; write it below `http`"),
    ("keepalive", "is of gRPC; write `idle_timeout`, or remove it"),
    ("max_concurrent_streams", "is of gRPC; remove it"),
    ("max_request_body_size", "is of HTTP; write `max_recv_msg_size_mib`"),
    ("max_recv_msg_size_mib", "is of gRPC; write `max_request_body_size`"),
    ("read_timeout", "is of HTTP; remove it"),
    ("write_timeout", "is of HTTP; remove it"),
    ("idle_timeout", "is of HTTP; write `keepalive: {server_parameters: {max_connection_idle: ..}}`"),
];

impl OtlpReceiverConfig {
    /// Reads `receivers.otlp[/name]`; `None` where it cannot listen at all, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut protocols = ProtocolsConfig::default();
        let wrong_kind = section.has("protocols");
        let inner = section.section("protocols");
        let unreadable = wrong_kind && inner.is_none();
        if let Some(mut inner) = inner {
            protocols.grpc = inner.present("grpc").and_then(|grpc| GrpcServerConfig::read(&grpc));
            protocols.http = inner.present("http").and_then(|http| HttpServerConfig::read(&http));
            inner.finish(&[("arrow", "OTLP over Arrow is not received; remove it and write `grpc`")]);
        }
        section.finish(&[
            ("grpc", "belongs below `protocols`; write `protocols: {grpc: ...}`"),
            ("http", "belongs below `protocols`; write `protocols: {http: ...}`"),
            ("endpoint", "belongs to a protocol; write `protocols: {grpc: {endpoint: ...}}`"),
        ]);
        let silent = protocols.grpc.is_none() && protocols.http.is_none();
        if silent && !unreadable {
            field.error("no protocol listens; write `protocols: {grpc: , http: }`, or one of them");
        }
        (!silent).then_some(Self { protocols })
    }
}

/// What the servers of both protocols have in common.
struct Common {
    endpoint: ServerAddress,
    transport: Transport,
    tls: Option<ServerTlsConfig>,
    auth: Option<AuthConfig>,
}

impl Common {
    fn read(section: &mut Section<'_>, default: &ServerAddress) -> Self {
        let mut transport = Transport::default();
        section.read("transport", &mut transport, Transport::read);
        let mut endpoint = default.clone();
        if transport == Transport::Unix && !section.has("endpoint") {
            section.error("no path of a socket; write `endpoint: /run/gramtrace/otlp.sock`, or `transport: tcp`");
        }
        section.read("endpoint", &mut endpoint, |field| match transport {
            Transport::Tcp => ListenAddress::parse(field.text()?).map(ServerAddress::Tcp),
            Transport::Unix => ServerAddress::parse_unix(field.text()?),
        });
        if section.get("include_metadata", Field::flag) == Some(true) {
            section.error_in("include_metadata", "headers of requests are not passed on; write `false`, or remove it");
        }
        // What is there but empty was meant to protect.
        let tls = section.present("tls").and_then(|tls| tls.section()).and_then(ServerTlsConfig::read);
        let auth = section.present("auth").and_then(|auth| auth.section()).and_then(AuthConfig::read);
        Self { endpoint, transport, tls, auth }
    }
}

impl GrpcServerConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let default = Self::default();
        let Common { endpoint, transport, tls, auth } = Common::read(&mut section, &default.endpoint);
        let mut config = Self { endpoint, transport, tls, auth, ..default };
        section.read("max_recv_msg_size_mib", &mut config.max_recv_msg_size_mib, |field| field.whole(1, 4095));
        section.read("max_concurrent_streams", &mut config.max_concurrent_streams, |field| {
            field.whole(1, u64::from(u32::MAX))
        });
        section.read("read_buffer_size", &mut config.read_buffer_size, |field| size::parse(field.text()?));
        section.read("write_buffer_size", &mut config.write_buffer_size, |field| size::parse(field.text()?));
        if let Some(keepalive) = section.section("keepalive") {
            config.keepalive = ServerKeepaliveConfig::read(keepalive);
        }
        section.finish(SERVER_ADVICE);
        Some(config)
    }
}

impl HttpServerConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let default = Self::default();
        let Common { endpoint, transport, tls, auth } = Common::read(&mut section, &default.endpoint);
        let mut config = Self { endpoint, transport, tls, auth, ..default };
        config.cors = section.section("cors").and_then(CorsConfig::read);
        config.timeouts = HttpTimeoutsConfig::read(&mut section);
        section.read("max_request_body_size", &mut config.max_request_body_size, |field| size::parse(field.text()?));
        section.read("traces_url_path", &mut config.traces_url_path, url_path);
        section.read("metrics_url_path", &mut config.metrics_url_path, url_path);
        section.read("logs_url_path", &mut config.logs_url_path, url_path);
        let paths = [&config.traces_url_path, &config.metrics_url_path, &config.logs_url_path];
        let keys = ["traces_url_path", "metrics_url_path", "logs_url_path"];
        for later in 1..paths.len() {
            if let Some(earlier) = (0..later).find(|earlier| paths.get(*earlier) == paths.get(later)) {
                let message = format!("`{}` is `{}` too; write another path", paths[later], keys[earlier]);
                section.error_in(keys[later], message);
            }
        }
        section.finish(SERVER_ADVICE);
        Some(config)
    }
}

/// A path; the `/` in front may be left out, as in the Collector.
fn url_path(field: &Field<'_>) -> Result<String, String> {
    let text = field.text()?;
    let allowed = |each: char| each.is_ascii_graphic() && !matches!(each, '?' | '#' | '{' | '}');
    match text.chars().find(|each| !allowed(*each)) {
        Some(bad) => Err(format!("the path has {bad:?} in it; write one such as `/v1/traces`")),
        None if text.starts_with('/') => Ok(text.to_owned()),
        None => Ok(format!("/{text}")),
    }
}
