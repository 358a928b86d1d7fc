//! How the service ends: what is in flight, who is let in, and who can hold it up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gramtrace::exporter::Outcome;
use gramtrace::otlp::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::gate::Gate;
use super::hop::{grpc, is_delivered};
use super::process::Service;
use super::{PULL, backend, books, capture, page, write};

struct Setup {
    gate: Gate,
    service: Service,
    otlp: SocketAddr,
    health: SocketAddr,
    metrics: SocketAddr,
    _folder: tempfile::TempDir,
}

async fn setup(drain_timeout: &str) -> Setup {
    let gate = Gate::start().await;
    let config = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters: {{otlp_http: {{endpoint: 'http://{}', timeout: 60s}}}}
extensions: {{health_check: {{endpoint: '127.0.0.1:0'}}}}
service:
  drain_timeout: {drain_timeout}
  extensions: [health_check]
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
",
        gate.address
    );
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config));
    let (otlp, health) = (service.address("\"grpc\""), service.address("health page"));
    let metrics = service.address("metrics page");
    Setup { gate, service, otlp, health, metrics, _folder: folder }
}

impl Setup {
    /// A request that is at the backend and not yet answered.
    async fn in_flight(&self) -> JoinHandle<Outcome> {
        let sender = grpc(self.otlp);
        let body = capture("otel-openai-v2/002-traces-grpc.pb");
        let spans = backend::spans_in(&body);
        let sent = tokio::spawn(async move { sender.send(Signal::Traces, body.into(), None).await });
        self.gate.arrival().await;
        let books = books::balanced(self.metrics).await;
        assert_eq!(books.sum("gramtrace_exporter_in_flight_items", &[("exporter", "otlp_http")]), spans);
        sent
    }
}

/// Waits until an address takes no connection any more.
async fn closed(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_answered_and_the_health_page_says_so_first() {
    let setup = setup("30s").await;
    assert_eq!(page::get(setup.health, "/").await.0, 200);
    let sent = setup.in_flight().await;
    setup.service.signal("TERM");
    closed(setup.otlp).await;
    let (status, body) = page::get(setup.health, "/").await;
    assert_eq!((status, body.contains("Server not available")), (503, true), "{body}");
    setup.gate.answer();
    assert!(is_delivered(&sent.await.unwrap()));
    assert_eq!(setup.service.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_service_at_once() {
    for (first, second, code) in [("TERM", "INT", 130), ("INT", "TERM", 143)] {
        let setup = setup("30s").await;
        let sent = setup.in_flight().await;
        setup.service.signal(first);
        setup.service.line("requests in flight are finished");
        setup.service.signal(second);
        assert!(setup.service.line(&format!("a second SIG{second}")).contains("at once"));
        assert_eq!(setup.service.ended().await.0, Some(code));
        assert!(matches!(sent.await.unwrap(), Outcome::Retry(_)), "the sender still has it");
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_holds_the_end_up_for_the_drain_timeout_only() {
    let setup = setup("100ms").await;
    let sent = setup.in_flight().await;
    setup.service.signal("TERM");
    let said = setup.service.line("drain_timeout");
    assert!(said.contains("1 requests in flight"), "{said}");
    assert_eq!(setup.service.ended().await.0, Some(1));
    assert!(matches!(sent.await.unwrap(), Outcome::Retry(_)), "the sender still has it");
}

#[tokio::test]
async fn a_peer_that_ignores_the_goodbye_does_not_hold_the_end_up() {
    let setup = setup("5m").await;
    let mut deaf = TcpStream::connect(setup.otlp).await.unwrap();
    // The preface of HTTP/2 and empty settings; then nothing, not even an answer to a ping.
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // Its settings say that the connection is open.
    deaf.read_exact(&mut [0; 9]).await.unwrap();
    let began = Instant::now();
    setup.service.signal("TERM");
    assert_eq!(setup.service.ended().await.0, Some(0), "nothing was in flight");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
