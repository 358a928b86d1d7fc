//! Spans that sum traces up, from a running service: each comes out where its root went, whatever else the same
//! processor does, and a root is not forgotten with the configuration that it came in by.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::backend::{self, Received};
use super::hop::{grpc, is_delivered};
use super::process::Service;
use super::{PULL, books, write};

/// Two pipelines with one processor, each with a receiver and a backend of its own; in the next configuration the second
/// has another backend.
fn config(detail: &str, [first, second]: [SocketAddr; 2]) -> String {
    format!(
        "receivers:
  otlp/first: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}
  otlp/second: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}
processors: {{gramtrace: {{detail: {detail}, trace: {{summary_span: true, quiet: 40ms}}}}}}
exporters:
  otlp_grpc/first: {{endpoint: '{first}', tls: {{insecure: true}}}}
  otlp_grpc/second: {{endpoint: '{second}', tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
  pipelines:
    traces/first: {{receivers: [otlp/first], processors: [gramtrace], exporters: [otlp_grpc/first]}}
    traces/second: {{receivers: [otlp/second], processors: [gramtrace], exporters: [otlp_grpc/second]}}
"
    )
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A root, or a model call under it.
fn span(trace: u8, is_root: bool) -> Span {
    let text = |key, text: &str| attribute(key, Value::StringValue(text.to_owned()));
    let tokens = |key, tokens| attribute(key, Value::IntValue(tokens));
    let call = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "gpt-4o"),
        tokens("gen_ai.usage.input_tokens", 100),
        tokens("gen_ai.usage.output_tokens", 10),
    ];
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![if is_root { 1 } else { 2 }; 8],
        parent_span_id: if is_root { Vec::new() } else { vec![1; 8] },
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_001_000_000_000,
        attributes: if is_root { Vec::new() } else { call },
        ..Span::default()
    }
}

async fn send(to: SocketAddr, spans: Vec<Span>) {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let body: Bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
    assert!(is_delivered(&grpc(to).send(Signal::Traces, body, None).await));
}

/// The first bytes of the traces that a backend was sent summaries of, in their order.
fn summed_up(received: &Received) -> Vec<u8> {
    let traces = received.traces.lock().unwrap();
    let spans = traces.iter().flat_map(|it| &it.resource_spans).flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans);
    spans.filter(|span| span.name == "gramtrace.trace").map(|span| span.trace_id[0]).collect()
}

/// Waits until a backend has so many summaries.
async fn awaited(received: &Arc<Received>, summaries: usize) -> Vec<u8> {
    loop {
        let got = summed_up(received);
        if got.len() >= summaries {
            return got;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_goes_where_its_root_went_and_a_root_is_known_after_a_reload() {
    let (first, at_first) = backend::start("127.0.0.1:0").await;
    let (second, at_second) = backend::start("127.0.0.1:0").await;
    let (third, at_third) = backend::start("127.0.0.1:0").await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", &config("standard", [first, second]));
    let service = Service::start(&file);
    let (to_first, to_second) = (service.address("otlp/first"), service.address("otlp/second"));
    let metrics = service.address("metrics page");

    // Those of both are quiet at the same time, and whoever looks first must not take the other's.
    for trace in 1..=6 {
        let to = if trace % 2 == 0 { to_second } else { to_first };
        send(to, vec![span(trace, false), span(trace, true)]).await;
    }
    let (mut of_first, mut of_second) = (awaited(&at_first, 3).await, awaited(&at_second, 3).await);
    of_first.sort_unstable();
    of_second.sort_unstable();
    assert_eq!((of_first, of_second), (vec![1, 3, 5], vec![2, 4, 6]));

    // Roots before the reload, their calls after it, by the other pipeline's receiver in one case.
    send(to_first, vec![span(7, true)]).await;
    send(to_second, vec![span(8, true)]).await;
    std::fs::write(&file, config("full", [first, third])).unwrap();
    service.signal("HUP");
    service.line("configuration reloaded");
    send(to_first, vec![span(7, false)]).await;
    send(to_first, vec![span(8, false)]).await;
    assert_eq!(awaited(&at_first, 4).await[3..], [7]);
    assert_eq!(awaited(&at_third, 1).await, [8], "by the pipeline as it is now");
    assert_eq!((summed_up(&at_first).len(), summed_up(&at_second).len()), (4, 3));
    let backends: [(&str, &[&Received]); 2] =
        [("otlp_grpc/first", &[&at_first]), ("otlp_grpc/second", &[&at_second, &at_third])];
    // Nobody waits for the answers to summaries: the last may still be on its way into the books.
    while books::balanced(metrics).await.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    backend::closed_books(metrics, &backends).await;
    service.terminate().await;
}
