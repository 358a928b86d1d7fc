//! Going over to another configuration while requests come in: nobody is turned away, and a bad file changes nothing.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gramtrace::otlp::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::backend::{self, Received};
use super::hop::{grpc, http, is_delivered};
use super::process::Service;
use super::{PULL, capture, page, write};

/// What differs from one configuration to the next.
struct Written {
    grpc: String,
    http: String,
    max_mib: u32,
    detail: &'static str,
    backend: SocketAddr,
}

impl Written {
    fn to(backend: SocketAddr) -> Self {
        let any = || "127.0.0.1:0".to_owned();
        Self { grpc: any(), http: any(), max_mib: 64, detail: "standard", backend }
    }

    fn text(&self) -> String {
        let Self { grpc, http, max_mib, detail, backend } = self;
        format!(
            "receivers:
  otlp:
    protocols: {{grpc: {{endpoint: '{grpc}', max_recv_msg_size_mib: {max_mib}}}, http: {{endpoint: '{http}'}}}}
processors: {{gramtrace: {{detail: {detail}}}}}
exporters: {{otlp_grpc: {{endpoint: '{backend}', tls: {{insecure: true}}}}}}
service:
  drain_timeout: 5s
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
"
        )
    }
}

struct Setup {
    service: Service,
    grpc: SocketAddr,
    http: SocketAddr,
    metrics: SocketAddr,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Setup {
    fn start(written: &Written) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = write(&folder, "gramtrace.yaml", &written.text());
        let service = Service::start(&file);
        let (grpc, http) = (service.address("\"grpc\""), service.address("\"http\""));
        let metrics = service.address("metrics page");
        Self { service, grpc, http, metrics, file, _folder: folder }
    }

    /// Writes a file and waits for what the log says about it.
    fn reload(&self, text: &str, said: &str) -> String {
        std::fs::write(&self.file, text).unwrap();
        self.service.signal("HUP");
        self.service.line(said)
    }

    /// The books of every configuration there was: balanced, nothing inside, and every span that is said to be sent is
    /// at one of the backends, once.
    async fn closed_books(&self, received: &[&Received]) {
        let books = backend::closed_books(self.metrics, &[("otlp_grpc", received)]).await;
        assert_eq!(books.accepted("traces"), books.sent("otlp_grpc", "traces"));
    }

    async fn metric(&self, sample: &str) -> f64 {
        let (_, text) = page::get(self.metrics, "/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample} in {text}")).parse().unwrap()
    }
}

fn body() -> bytes::Bytes {
    capture("otel-openai-v2/002-traces-grpc.pb").into()
}

fn arrived(received: &Received) -> usize {
    received.traces.lock().unwrap().len()
}

/// Senders that send without a pause until they are told to stop, and then say how much was acknowledged. Anything
/// else than an acknowledgement ends the test.
struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    senders: JoinSet<()>,
}

impl Traffic {
    fn start(setup: &Setup) -> Self {
        let mut traffic = Self { stop: Arc::default(), sent: Arc::default(), senders: JoinSet::new() };
        for _ in 0..2 {
            let (stop, sent, sender) = (Arc::clone(&traffic.stop), Arc::clone(&traffic.sent), grpc(setup.grpc));
            traffic.senders.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let outcome = sender.send(Signal::Traces, body(), None).await;
                    assert!(is_delivered(&outcome), "{outcome:?}");
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (stop, sent, sender) = (Arc::clone(&traffic.stop), Arc::clone(&traffic.sent), http(setup.http));
        traffic.senders.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let outcome = sender.send(Signal::Traces, body(), None).await;
                assert!(is_delivered(&outcome), "{outcome:?}");
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        traffic
    }

    /// Waits until a few more requests have been acknowledged.
    async fn flows(&self) {
        let wanted = self.sent.load(Ordering::Relaxed) + 5;
        while self.sent.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    }

    async fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        self.sent.load(Ordering::Relaxed)
    }
}

/// A request on a connection that is used again and again, and so must not have been closed.
async fn post(stream: &mut TcpStream) -> String {
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    stream.write_all(format!("{head}\r\n{{}}").as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer).await.unwrap();
    String::from_utf8(answer[..len].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_are_swapped_under_traffic_and_connections_stay() {
    let (first, at_first) = backend::start("127.0.0.1:0").await;
    let (second, at_second) = backend::start("127.0.0.1:0").await;
    let setup = Setup::start(&Written::to(first));
    let mut connection = TcpStream::connect(setup.http).await.unwrap();
    let traffic = Traffic::start(&setup);
    for round in 0..6 {
        let (backend, detail) = if round % 2 == 0 { (second, "full") } else { (first, "headline") };
        traffic.flows().await;
        setup.reload(&Written { detail, ..Written::to(backend) }.text(), "configuration reloaded");
        assert!(post(&mut connection).await.starts_with("HTTP/1.1 200 "), "round {round}");
    }
    traffic.flows().await;
    let sent = traffic.stop().await;
    assert!(arrived(&at_first) > 5 && arrived(&at_second) > 5);
    // The requests by hand carry nothing and are sent on, too.
    assert_eq!(arrived(&at_first) + arrived(&at_second), sent + 6);
    assert_eq!(setup.metric("gramtrace_config_reloads_total{outcome=\"success\"}").await, 6.0);
    assert_eq!(setup.metric("gramtrace_config_last_reload_successful").await, 1.0);
    setup.closed_books(&[&at_first, &at_second]).await;
    assert_eq!(setup.service.terminate().await.0, Some(0));
}

#[tokio::test]
async fn a_bad_file_keeps_the_configuration_in_force_and_says_why() {
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let setup = Setup::start(&Written::to(backend));
    let sender = grpc(setup.grpc);
    let since = setup.metric("gramtrace_config_last_reload_success_timestamp_seconds").await;
    assert!(since > 1.7e9, "{since}");

    let mistyped = Written::to(backend).text().replace("exporters: {otlp_grpc", "exporters: {otlp_grcp");
    let said = setup.reload(&mistyped, "configuration not reloaded");
    assert!(said.contains("gramtrace.yaml:5: exporters::otlp_grcp: "), "{said}");
    setup.service.line("exporters::0: the exporter `otlp_grpc` is not defined");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));

    // A good file that cannot be had: the port belongs to somebody else.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = setup.reload(&Written { http: address.clone(), ..Written::to(backend) }.text(), "not reloaded");
    let expected =
        format!("receivers::otlp::protocols::http: cannot listen on {address}: another process listens there");
    assert!(said.contains(&expected), "{said}");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    assert!(is_delivered(&http(setup.http).send(Signal::Traces, body(), None).await));
    assert_eq!(arrived(&received), 3);

    std::fs::remove_file(&setup.file).unwrap();
    setup.service.signal("HUP");
    setup.service.line("cannot be opened");
    assert_eq!(setup.metric("gramtrace_config_reloads_total{outcome=\"failure\"}").await, 3.0);
    assert_eq!(setup.metric("gramtrace_config_last_reload_successful").await, 0.0);
    assert_eq!(setup.metric("gramtrace_config_last_reload_success_timestamp_seconds").await, since);

    setup.reload(&Written::to(backend).text(), "configuration reloaded");
    assert_eq!(setup.metric("gramtrace_config_last_reload_successful").await, 1.0);
    setup.closed_books(&[&received]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_with_other_settings_takes_its_socket_over_and_turns_nobody_away() {
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let setup = Setup::start(&Written::to(backend));
    let traffic = Traffic::start(&setup);
    for max_mib in 1..=5 {
        traffic.flows().await;
        setup.reload(&Written { max_mib, ..Written::to(backend) }.text(), "configuration reloaded");
    }
    traffic.flows().await;
    let sent = traffic.stop().await;
    assert_eq!(arrived(&received), sent);
    setup.closed_books(&[&received]).await;
    assert_eq!(setup.service.terminate().await.0, Some(0));
}

#[tokio::test]
async fn a_listener_moves_to_another_port_and_two_change_places() {
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let [first, second, third] = [port(), port(), port()];
    let start = Written { grpc: first.clone(), http: second.clone(), ..Written::to(backend) };
    let setup = Setup::start(&start);
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body(), None).await));

    setup.reload(&Written { grpc: second.clone(), http: first.clone(), ..Written::to(backend) }.text(), "reloaded");
    assert!(is_delivered(&grpc(setup.http).send(Signal::Traces, body(), None).await));
    assert!(is_delivered(&http(setup.grpc).send(Signal::Traces, body(), None).await));

    let everywhere = first.replace("127.0.0.1", "0.0.0.0");
    let said =
        setup.reload(&Written { grpc: third.clone(), http: everywhere, ..Written::to(backend) }.text(), "not re");
    assert!(said.contains("this process has the port under another address"), "{said}");

    setup.reload(&Written { grpc: third.clone(), http: first.clone(), ..Written::to(backend) }.text(), "reloaded");
    assert!(is_delivered(&grpc(third.parse().unwrap()).send(Signal::Traces, body(), None).await));
    while TcpStream::connect(&second).await.is_ok() {
        tokio::task::yield_now().await;
    }
    setup.closed_books(&[&received]).await;
}

#[tokio::test]
async fn a_call_that_is_reported_before_and_after_a_reload_counts_once() {
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let setup = Setup::start(&Written::to(backend));
    let sender = grpc(setup.grpc);
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    let ok = setup.metric("gramtrace_spans_total{status=\"ok\"}").await;
    assert!(ok > 0.0);
    setup.reload(&Written { detail: "full", ..Written::to(backend) }.text(), "configuration reloaded");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    assert_eq!(setup.metric("gramtrace_spans_total{status=\"ok\"}").await, ok);
    setup.closed_books(&[&received]).await;
}
