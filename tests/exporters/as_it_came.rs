//! Requests that nothing is added to: in the encoding in which they came they leave as the very bytes that came.

use std::sync::Arc;

use gramtrace::exporter::{Exporter, GrpcExporter, HttpExporter};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline};
use gramtrace::telemetry::Metrics;
use gramtrace::wire::{Encoding, Payload, frame};

use crate::support::raw::{Raw, answer, grpc_answer};
use crate::support::{grpc_settings, http_settings, many_spans};

/// Sends a request that came at a level that no exporter here uses.
async fn pass(exporter: impl Into<Exporter>, came_in: Encoding) -> bytes::Bytes {
    let metrics = Metrics::new();
    let pipeline = Pipeline::new(None, vec![Arc::new(exporter.into())], metrics.clone());
    let arrived = came_in.deflate(&many_spans(1000), 9).unwrap();
    let body = Payload::inflated(many_spans(1000), came_in, arrived.clone());
    let origin = metrics.receiver("otlp", "grpc");
    pipeline.export(Export { signal: Signal::Traces, body, deadline: None, origin }).await.unwrap();
    arrived
}

async fn over_grpc(came_in: Encoding) -> (bytes::Bytes, bytes::Bytes) {
    let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
    let mut settings = grpc_settings(raw.address);
    settings.encoding = Encoding::Gzip;
    let arrived = pass(GrpcExporter::new(settings).unwrap(), came_in).await;
    let left = frame::decode_unary(raw.arrival().body()).unwrap();
    assert!(left.compressed);
    (arrived, left.message)
}

#[tokio::test]
async fn a_request_leaves_over_grpc_as_it_came() {
    let (arrived, left) = over_grpc(Encoding::Gzip).await;
    assert_eq!(left, arrived);
}

#[tokio::test]
async fn a_request_leaves_over_http_as_it_came() {
    let raw = Raw::answering(|_| answer(200, &[("content-type", "application/x-protobuf")], "")).await;
    let mut settings = http_settings(&raw.url());
    settings.encoding = Encoding::Zstd;
    let arrived = pass(HttpExporter::new(settings).unwrap(), Encoding::Zstd).await;
    assert_eq!(raw.arrival().body(), &arrived);
}

#[tokio::test]
async fn a_request_that_came_otherwise_leaves_in_the_backends_encoding() {
    let (_, left) = over_grpc(Encoding::Zstd).await;
    assert_eq!(Encoding::Gzip.inflate(left, 1 << 20), Ok(many_spans(1000)));
}
