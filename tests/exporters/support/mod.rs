//! Backends, requests and settings that the tests share.

pub(crate) mod collector;
#[path = "../../support/pki.rs"]
pub(crate) mod pki;
pub(crate) mod raw;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::{
    DEFAULT_LEVEL, Delivery, DeliverySettings, Destination, Exporter, GrpcExporter, GrpcExporterSettings, Headers,
    HttpExporter, HttpExporterSettings, Keepalive, Outcome, RetrySettings, TlsSettings, http_endpoints,
};
use gramtrace::otlp::Signal;
use gramtrace::rejection::Failure;
use gramtrace::telemetry::Metrics;
use gramtrace::wire::Encoding;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

/// The id under which the tests' exporters are configured.
pub(crate) const NAME: &str = "otlp/backend";

/// An export request of one item.
pub(crate) fn request(signal: Signal) -> Bytes {
    let encoded = match signal {
        Signal::Traces => {
            let spans =
                vec![Span { trace_id: vec![7; 16], span_id: vec![8; 8], name: "chat".into(), ..Span::default() }];
            let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        }
        Signal::Metrics => {
            let metrics = vec![Metric { name: "requests".into(), ..Metric::default() }];
            let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
            let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
            ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
        }
        Signal::Logs => {
            let log_records = vec![LogRecord { severity_text: "INFO".into(), ..LogRecord::default() }];
            let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
            let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
            ExportLogsServiceRequest { resource_logs }.encode_to_vec()
        }
    };
    encoded.into()
}

/// A traces request of `spans` spans with the same name.
pub(crate) fn many_spans(spans: usize) -> Bytes {
    let span = Span { trace_id: vec![7; 16], span_id: vec![8; 8], name: "chat gpt-4o".into(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span; spans], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// A traces request of one span for each of `names`, under one resource, each with a span id of its own.
pub(crate) fn named_spans<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let span = |(at, name): (u64, &str)| Span {
        trace_id: vec![7; 16],
        span_id: (at + 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        ..Span::default()
    };
    let spans = (0..).zip(names).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// The ids of the spans in traces requests, in order, as numbers.
pub(crate) fn span_ids(requests: impl IntoIterator<Item = Bytes>) -> Vec<u64> {
    let decoded = requests.into_iter().map(|body| ExportTraceServiceRequest::decode(body).unwrap());
    let scopes = decoded.flat_map(|it| it.resource_spans).flat_map(|it| it.scope_spans);
    scopes.flat_map(|scope| scope.spans).map(|span| u64::from_be_bytes(span.span_id.try_into().unwrap())).collect()
}

/// A delivery by `exporter`, and the counters that it books in.
pub(crate) fn delivery(exporter: impl Into<Exporter>, settings: DeliverySettings) -> (Delivery, Metrics) {
    let metrics = Metrics::new();
    let destination = Destination { exporter: Arc::new(exporter.into()), delivery: settings };
    (Delivery::new(destination, &metrics), metrics)
}

/// Again after a millisecond or so, for a quarter of a minute.
pub(crate) fn impatient() -> DeliverySettings {
    let retry = RetrySettings {
        initial_interval: Duration::from_millis(1),
        max_interval: Duration::from_millis(2),
        max_elapsed_time: Duration::from_secs(15),
        ..RetrySettings::default()
    };
    DeliverySettings { retry: Some(retry), ..DeliverySettings::default() }
}

/// Plaintext, uncompressed, five seconds.
pub(crate) fn grpc_settings(endpoint: impl ToString) -> GrpcExporterSettings {
    GrpcExporterSettings {
        name: NAME.to_owned(),
        endpoint: endpoint.to_string(),
        tls: TlsSettings { insecure: true, ..TlsSettings::default() },
        encoding: Encoding::Identity,
        level: DEFAULT_LEVEL,
        headers: Headers::default(),
        timeout: Duration::from_secs(5),
        keepalive: Keepalive::default(),
    }
}

/// A gRPC exporter under [`grpc_settings`].
pub(crate) fn grpc(endpoint: impl ToString) -> GrpcExporter {
    GrpcExporter::new(grpc_settings(endpoint)).unwrap()
}

/// Uncompressed, five seconds.
pub(crate) fn http_settings(base: &str) -> HttpExporterSettings {
    HttpExporterSettings {
        name: NAME.to_owned(),
        endpoints: http_endpoints(base).unwrap(),
        tls: TlsSettings::default(),
        encoding: Encoding::Identity,
        level: DEFAULT_LEVEL,
        headers: Headers::default(),
        timeout: Duration::from_secs(5),
    }
}

/// An HTTP exporter under [`http_settings`].
pub(crate) fn http(base: &str) -> HttpExporter {
    HttpExporter::new(http_settings(base)).unwrap()
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn delivered(outcome: Outcome) -> Bytes {
    match outcome {
        Outcome::Delivered { response } => response,
        other => panic!("not delivered: {other:?}"),
    }
}

pub(crate) fn retry(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Retry(failure) => failure,
        other => panic!("not retryable: {other:?}"),
    }
}

pub(crate) fn our_fault(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::OurFault(failure) => failure,
        other => panic!("not our fault: {other:?}"),
    }
}

pub(crate) fn too_large(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::TooLarge(failure) => failure,
        other => panic!("not too large: {other:?}"),
    }
}

pub(crate) fn refused(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Refused(failure) => failure,
        other => panic!("not refused: {other:?}"),
    }
}
