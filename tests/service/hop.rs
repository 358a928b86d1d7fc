//! The service between a sender and a backend, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use gramtrace::exporter::{
    GrpcExporter, Headers, HttpExporter, HttpExporterSettings, Outcome, TlsSettings, http_endpoints,
};
use gramtrace::otlp::Signal;
use gramtrace::wire::Encoding;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tonic::Code;

use super::backend::Received;
use super::books::Books;
use super::process::Service;
pub use super::sender::grpc;
use super::{PULL, backend, books, capture, write};

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
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
"
    )
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

/// A service in front of a backend, and ways into it.
struct Hop {
    service: Service,
    grpc: GrpcExporter,
    http: HttpExporter,
    metrics: SocketAddr,
    /// Holds the configuration.
    _folder: tempfile::TempDir,
}

impl Hop {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(&write(&folder, "gramtrace.yaml", config));
        let (grpc, http) = (grpc(service.address("\"grpc\"")), http(service.address("\"http\"")));
        let metrics = service.address("metrics page");
        Self { service, grpc, http, metrics, _folder: folder }
    }

    async fn closed_books(&self, received: &Received) -> Books {
        backend::closed_books(self.metrics, &[("otlp_grpc", &[received])]).await
    }
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
async fn o_38_captures_arrive_enriched_metrics_and_logs_as_they_were() {
    let (address, received) = backend::start("127.0.0.1:0").await;
    let hop = Hop::start(&config(address));
    let (grpc, http) = (&hop.grpc, &hop.http);

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
    let books = hop.closed_books(&received).await;
    assert_eq!(books.accepted("traces"), received.span_ids().len() as u64);
    assert!(books.sent("otlp_grpc", "metrics") > 0 && books.sent("otlp_grpc", "logs") > 0);
    let (code, _) = hop.service.terminate().await;
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn a_backend_that_cannot_be_reached_is_told_and_taken_up_when_it_comes() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let hop = Hop::start(&config(address));
    let sender = &hop.grpc;
    let body = || bytes::Bytes::from(capture("otel-openai-v2/002-traces-grpc.pb"));

    let Outcome::Retry(failure) = sender.send(Signal::Traces, body(), None).await else { panic!("nobody is there") };
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("otlp_grpc") && failure.message.contains(&address.to_string()), "{failure:?}");

    let (_, received) = backend::start(&address.to_string()).await;
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    assert_eq!(received.traces.lock().unwrap().len(), 1);
    let books = hop.closed_books(&received).await;
    assert_eq!(books.failed("otlp_grpc", "traces", "unavailable"), received.span_ids().len() as u64);
}

#[tokio::test]
async fn what_is_no_otlp_is_refused_and_the_next_request_is_served() {
    let (address, received) = backend::start("127.0.0.1:0").await;
    let hop = Hop::start(&config(address));
    let (grpc, http) = (&hop.grpc, &hop.http);
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
    hop.closed_books(&received).await;
}

/// Span ids in a request.
fn ids_in(request: &[u8]) -> Vec<Vec<u8>> {
    let sink = Received::default();
    sink.traces.lock().unwrap().push(Message::decode(request).unwrap());
    sink.span_ids()
}

#[tokio::test]
async fn o_52_a_request_that_outgrows_the_backend_on_the_way_arrives_whole_in_parts() {
    let (address, received) = backend::start("127.0.0.1:0").await;
    let hop = Hop::start(&config(address));
    // The same real calls over and over, up to just below the 4 MiB that the backend takes: with receipts it is more.
    let one = capture("otel-openai-v2/002-traces-grpc.pb");
    let body = one.repeat((4 << 20) / one.len());
    let ids = ids_in(&body);
    assert!(is_delivered(&hop.grpc.send(Signal::Traces, body.into(), None).await));
    assert!(received.traces.lock().unwrap().len() > 1, "it went in one piece");
    assert_eq!(received.span_ids(), ids);
    let books = hop.closed_books(&received).await;
    assert_eq!(books.accepted("traces"), ids.len() as u64);
}

#[tokio::test]
async fn a_backend_for_traces_only_disturbs_none_of_them_and_is_said_once() {
    let (address, received) = backend::start_for_traces().await;
    let hop = Hop::start(&config(address));
    let traces = capture("otel-openai-v2/002-traces-grpc.pb");
    let metrics = capture("otel-openai-v2/003-metrics-grpc.pb");
    let logs = capture("otel-openai-v2/001-logs-grpc.pb");
    for _ in 0..20 {
        for outcome in [
            hop.grpc.send(Signal::Metrics, metrics.clone().into(), None).await,
            hop.http.send(Signal::Logs, logs.clone().into(), None).await,
        ] {
            let Outcome::Refused(failure) = outcome else { panic!("{outcome:?}") };
            assert_eq!(failure.code, Code::Unimplemented, "{failure:?}");
            assert!(failure.message.contains("take the exporter out of the"), "{failure:?}");
        }
        assert!(is_delivered(&hop.grpc.send(Signal::Traces, traces.clone().into(), None).await));
    }
    assert_eq!(received.traces.lock().unwrap().len(), 20);
    let books = hop.closed_books(&received).await;
    assert_eq!(books.sent("otlp_grpc", "metrics") + books.sent("otlp_grpc", "logs"), 0);
    assert!(books.failed("otlp_grpc", "metrics", "unserved") > 0);
    let log = hop.service.terminate_for_log().await;
    assert!(!log.iter().any(|line| line.contains("refused an export request")), "{log:#?}");
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN gramtrace::exporter")).collect();
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    for (warning, signal) in warnings.iter().zip(["metrics", "logs"]) {
        assert!(warning.contains("the backend does not take this signal") && warning.contains(signal), "{warning}");
    }
}

#[tokio::test]
async fn o_29_with_retry_the_sender_hears_nothing_of_a_backend_that_comes_back_in_time() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let retry = "retry_on_failure: {enabled: true, initial_interval: 10ms, max_interval: 10ms}";
    let hop =
        Hop::start(&config(address).replace("tls: {insecure: true}", &format!("tls: {{insecure: true}}, {retry}")));
    let body = bytes::Bytes::from(capture("otel-openai-v2/002-traces-grpc.pb"));
    let sending = hop.grpc.send(Signal::Traces, body, None);
    let returning = async {
        // Not before the first attempts have failed.
        while books::balanced(hop.metrics).await.attempts("otlp_grpc", "traces", "retry") < 2 {
            tokio::task::yield_now().await;
        }
        backend::start(&address.to_string()).await.1
    };
    let (outcome, received) = tokio::join!(sending, returning);
    assert!(is_delivered(&outcome));
    let books = hop.closed_books(&received).await;
    assert_eq!(books.failed("otlp_grpc", "traces", "unavailable"), 0);
}
