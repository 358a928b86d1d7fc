//! How receivers serve, from what users write to what code passes: sizes, times, connections, TLS and browsers. Knows
//! both sides' names; opens nothing.

use std::time::Duration;

use super::senders::Senders;
use crate::config::{
    self, CorsConfig, EnforcementPolicyConfig, GrpcServerConfig, HttpServerConfig, KeepaliveParametersConfig,
    ServerTlsConfig,
};
use crate::otlp::Signal;
use crate::receiver::{
    BodyLimits, CorsSettings, GrpcSettings, HttpSettings, ListenerSettings, PingPolicy, ServerTlsSettings, TlsVersion,
};

/// The time in which the body of one request over gRPC has to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// `largest`: the largest request in bytes that memory allows.
pub(super) fn grpc(config: &GrpcServerConfig, senders: &Senders<'_>, largest: usize) -> GrpcSettings {
    GrpcSettings {
        limits: BodyLimits { max_bytes: config.max_request_bytes().min(largest), timeout: BODY_TIMEOUT },
        auth: senders.of(config.auth.as_ref()),
    }
}

/// `largest`: the largest request in bytes that memory allows.
pub(super) fn http(config: &HttpServerConfig, senders: &Senders<'_>, largest: usize) -> HttpSettings {
    let limits =
        BodyLimits { max_bytes: config.max_request_body_size.min(largest), timeout: config.timeouts.read_timeout };
    HttpSettings {
        limits,
        paths: Signal::ALL.map(|signal| (signal, config.url_path(signal).to_owned())).into(),
        auth: senders.of(config.auth.as_ref()),
        cors: config.cors.as_ref().map(cors),
    }
}

fn cors(config: &CorsConfig) -> CorsSettings {
    CorsSettings {
        allowed_origins: config.allowed_origins.clone(),
        allowed_headers: config.allowed_headers.clone(),
        exposed_headers: config.exposed_headers.clone(),
        max_age: config.max_age,
    }
}

pub(super) fn grpc_listener(config: &GrpcServerConfig, listener: ListenerSettings) -> ListenerSettings {
    let KeepaliveParametersConfig {
        max_connection_idle,
        max_connection_age,
        max_connection_age_grace,
        time: keepalive_interval,
        timeout: keepalive_timeout,
    } = config.keepalive.server_parameters;
    let EnforcementPolicyConfig { min_time, permit_without_stream } = config.keepalive.enforcement_policy;
    ListenerSettings {
        max_concurrent_streams: config.max_concurrent_streams,
        keepalive_interval,
        keepalive_timeout,
        max_connection_idle: set(max_connection_idle),
        max_connection_age: set(max_connection_age),
        max_connection_age_grace: set(max_connection_age_grace),
        ping_policy: set(min_time).map(|min_time| PingPolicy { min_time, permit_without_stream }),
        ..listener
    }
}

pub(super) fn http_listener(config: &HttpServerConfig, listener: ListenerSettings) -> ListenerSettings {
    ListenerSettings {
        header_timeout: config.timeouts.read_header_timeout,
        write_timeout: Some(config.timeouts.write_timeout),
        max_connection_idle: Some(config.timeouts.idle_timeout),
        ..listener
    }
}

/// 0 is the Collector's word for never.
fn set(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| !time.is_zero())
}

pub(super) fn tls(config: &ServerTlsConfig) -> ServerTlsSettings {
    ServerTlsSettings {
        cert_file: config.cert_file.clone(),
        key_file: config.key_file.clone(),
        client_ca_file: config.client_ca_file.clone(),
        min_version: match config.min_version {
            config::TlsVersion::V1_2 => TlsVersion::V1_2,
            config::TlsVersion::V1_3 => TlsVersion::V1_3,
        },
        reload_interval: config.reload_interval,
    }
}
