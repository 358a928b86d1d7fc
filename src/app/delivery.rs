//! How exporters deliver, from what users write to what code passes: again, in parts, and over which connections.
//! Knows both sides' names; nothing of what is delivered.

use crate::config::{ClientKeepaliveConfig, ExporterConfig, RetryConfig};
use crate::exporter::{DeliverySettings, Keepalive, RetrySettings};

/// How the requests of an exporter are delivered; only OTLP has a network and its limits in front of it.
pub(super) fn settings(config: &ExporterConfig) -> DeliverySettings {
    match config {
        ExporterConfig::OtlpGrpc(grpc) => of(&grpc.retry_on_failure, grpc.max_request_body_size),
        ExporterConfig::OtlpHttp(http) => of(&http.retry_on_failure, http.max_request_body_size),
        ExporterConfig::Debug(_) => DeliverySettings { retry: None, max_request_bytes: usize::MAX },
    }
}

fn of(retry: &RetryConfig, max_request_bytes: usize) -> DeliverySettings {
    let settings = RetrySettings {
        initial_interval: retry.initial_interval,
        randomization_factor: retry.randomization_factor,
        multiplier: retry.multiplier,
        max_interval: retry.max_interval,
        max_elapsed_time: retry.max_elapsed_time,
    };
    DeliverySettings { retry: retry.enabled.then_some(settings), max_request_bytes }
}

pub(super) fn keepalive(config: &ClientKeepaliveConfig) -> Keepalive {
    Keepalive {
        time: Some(config.time).filter(|time| !time.is_zero()),
        timeout: config.timeout,
        permit_without_stream: config.permit_without_stream,
    }
}
