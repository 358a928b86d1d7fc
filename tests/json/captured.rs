//! Bodies that real JavaScript exporters sent.

use gramtrace::otlp::{Signal, json};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::decode;

macro_rules! captured {
    ($name:literal) => {
        (
            include_bytes!(concat!("../corpus/", $name, ".otlp-http.json")).as_slice(),
            include_bytes!(concat!("../corpus/", $name, ".pb")).as_slice(),
        )
    };
}

const TRACES: [(&[u8], &[u8]); 4] = [
    captured!("vercel-ai-json/001-traces-httpjson"),
    captured!("vercel-ai4/001-traces-httpjson"),
    captured!("vercel-ai7-json/001-traces-httpjson"),
    captured!("vercel-ai7-legacy-json/001-traces-httpjson"),
];
const METRICS: (&[u8], &[u8]) = captured!("vercel-ai7-json/002-metrics-httpjson");

#[test]
fn captured_traces_decode_to_the_protobuf_beside_them() {
    for (body, expected) in TRACES {
        let expected = ExportTraceServiceRequest::decode(expected).unwrap();
        assert!(!expected.resource_spans[0].scope_spans[0].spans.is_empty());
        assert_eq!(decode::<ExportTraceServiceRequest>(Signal::Traces, body), expected);
    }
}

#[test]
fn captured_metrics_decode_to_the_protobuf_beside_them() {
    let (body, expected) = METRICS;
    let expected = ExportMetricsServiceRequest::decode(expected).unwrap();
    assert_eq!(expected.resource_metrics[0].scope_metrics[0].metrics.len(), 1);
    assert_eq!(decode::<ExportMetricsServiceRequest>(Signal::Metrics, body), expected);
}

#[test]
fn a_captured_body_cut_short_anywhere_is_refused_as_incomplete() {
    // Every length of the short body, and a sample of the long one's: all of them take 12 seconds without optimisation.
    for (body, signal, step) in [(METRICS.0, Signal::Metrics, 1), (TRACES[2].0, Signal::Traces, 23)] {
        for len in (0..body.len()).step_by(step) {
            let error = json::decode(signal, &body[..len]).expect_err("a part passed as a whole");
            assert!(error.to_string().ends_with("the body ends too early; send it whole"), "{len}: {error}");
        }
    }
}
