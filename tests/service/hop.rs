//! The service between a sender and a backend, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use gramtrace::exporter::{
    GrpcExporter, GrpcExporterSettings, Headers, HttpExporter, HttpExporterSettings, Keepalive, Outcome, TlsSettings,
    http_endpoints,
};
use gramtrace::otlp::Signal;
use gramtrace::wire::Encoding;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tonic::Code;

use super::process::Service;
use super::{backend, capture, write};

fn config(backend: SocketAddr) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: }}
exporters: {{otlp_grpc: {{endpoint: '{backend}', tls: {{insecure: true}}}}}}
extensions: {{health_check: {{endpoint: '127.0.0.1:0'}}}}
service:
  extensions: [health_check]
  pipelines:
    traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc]}}
    logs: {{receivers: [otlp], exporters: [otlp_grpc]}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}}}
"
    )
}

pub fn grpc(address: SocketAddr) -> GrpcExporter {
    GrpcExporter::new(GrpcExporterSettings {
        name: "sender".to_owned(),
        endpoint: format!("http://{address}"),
        tls: TlsSettings::default(),
        encoding: Encoding::Gzip,
        level: 1,
        headers: Headers::default(),
        timeout: Duration::from_secs(60),
        keepalive: Keepalive::default(),
    })
    .unwrap()
}

pub fn http(address: SocketAddr) -> HttpExporter {
    HttpExporter::new(HttpExporterSettings {
        name: "sender".to_owned(),
        endpoints: http_endpoints(&format!("http://{address}")).unwrap(),
        tls: TlsSettings::default(),
        encoding: Encoding::Zstd,
        level: 1,
        headers: Headers::default(),
        timeout: Duration::from_secs(60),
    })
    .unwrap()
}

pub fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. })
}

/// Sum of an integer attribute over every span.
fn sum(requests: &[ExportTraceServiceRequest], key: &str) -> i64 {
    let spans = requests.iter().flat_map(|r| &r.resource_spans).flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    spans
        .flat_map(|span| &span.attributes)
        .filter(|pair| pair.key == key)
        .map(|pair| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::IntValue(int)) => *int,
            other => panic!("{key} is {other:?}"),
        })
        .sum()
}

#[tokio::test]
async fn captures_arrive_enriched_metrics_and_logs_as_they_were() {
    let (address, received) = backend::start("127.0.0.1:0").await;
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config(address)));
    let (grpc, http) = (grpc(service.address("\"grpc\"")), http(service.address("\"http\"")));

    let traces = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc.send(Signal::Traces, traces.into(), None).await));
    let more = capture("pydantic-ai-1/001-traces-httpproto.pb");
    assert!(is_delivered(&http.send(Signal::Traces, more.into(), None).await));
    let metrics = capture("otel-openai-v2/003-metrics-grpc.pb");
    assert!(is_delivered(&grpc.send(Signal::Metrics, metrics.clone().into(), None).await));
    let logs = capture("otel-openai-v2/001-logs-grpc.pb");
    assert!(is_delivered(&http.send(Signal::Logs, logs.clone().into(), None).await));

    {
        let traces = received.traces.lock().unwrap();
        // expected_totals.csv: 5,689 and 2,051 in, 1,314 and 439 out.
        assert_eq!(sum(&traces, "gramtrace.tokens.input"), 5689 + 2051);
        assert_eq!(sum(&traces, "gramtrace.tokens.output"), 1314 + 439);
        assert_eq!(received.metrics.lock().unwrap()[..], [Message::decode(&metrics[..]).unwrap()]);
        assert_eq!(received.logs.lock().unwrap()[..], [Message::decode(&logs[..]).unwrap()]);
    }
    let (code, _) = service.terminate().await;
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn a_backend_that_cannot_be_reached_is_told_and_taken_up_when_it_comes() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config(address)));
    let sender = grpc(service.address("\"grpc\""));
    let body = || bytes::Bytes::from(capture("otel-openai-v2/002-traces-grpc.pb"));

    let Outcome::Retry(failure) = sender.send(Signal::Traces, body(), None).await else { panic!("nobody is there") };
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("otlp_grpc") && failure.message.contains(&address.to_string()), "{failure:?}");

    let (_, received) = backend::start(&address.to_string()).await;
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    assert_eq!(received.traces.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_otlp_is_refused_and_the_next_request_is_served() {
    let (address, received) = backend::start("127.0.0.1:0").await;
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config(address)));
    let (grpc, http) = (grpc(service.address("\"grpc\"")), http(service.address("\"http\"")));
    let good = capture("otel-openai-v2/002-traces-grpc.pb");
    let truncated = good[..good.len() - 7].to_vec();
    for (count, bad) in (1..).zip([truncated, b"no protobuf at all".to_vec(), vec![0xff; 1000]]) {
        for outcome in [
            grpc.send(Signal::Traces, bad.clone().into(), None).await,
            http.send(Signal::Traces, bad.clone().into(), None).await,
        ] {
            let Outcome::Refused(failure) = outcome else { panic!("{outcome:?}") };
            assert_eq!(failure.code, Code::InvalidArgument, "{failure:?}");
        }
        assert!(is_delivered(&grpc.send(Signal::Traces, good.clone().into(), None).await));
        assert_eq!(received.traces.lock().unwrap().len(), count);
    }
}
