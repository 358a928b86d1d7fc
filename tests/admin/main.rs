//! The admin pages on real sockets: what an orchestrator and a Prometheus server see.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::SystemTime;

use gramtrace::admin::{Admin, AdminError, AdminSettings, Readiness};
use gramtrace::otlp::Signal;
use gramtrace::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Service {
    health: SocketAddr,
    metrics_page: SocketAddr,
    api: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

async fn start() -> Service {
    let (readiness, metrics) = (Readiness::starting(), Metrics::new());
    let settings = AdminSettings {
        health: Some("127.0.0.1:0".to_owned()),
        metrics: Some("localhost:0".to_owned()),
        api: Some("127.0.0.1:0".to_owned()),
    };
    let admin = Admin::bind(&settings, readiness.clone(), metrics.clone()).await.unwrap();
    let (health, metrics_page) = (admin.health_address().unwrap(), admin.metrics_address().unwrap());
    let api = admin.api_address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(admin.run(async {
        let _ = stopped.await;
    }));
    Service { health, metrics_page, api, readiness, metrics, stop, ended }
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

#[tokio::test]
async fn health_follows_the_service_from_start_to_shutdown() {
    let service = start().await;
    let starting = ask(service.health, "GET", "/").await;
    assert_eq!(starting.status, 503);
    assert_eq!(starting.body, r#"{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}"#);
    service.readiness.ready(SystemTime::now());
    let ready = ask(service.health, "GET", "/").await;
    assert_eq!(ready.status, 200);
    assert!(ready.head.contains("content-type: application/json"), "{}", ready.head);
    let health: serde_json::Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(health["status"], "Server available");
    let since = humantime::parse_rfc3339(health["upSince"].as_str().unwrap()).unwrap();
    assert!(since <= SystemTime::now());
    assert!(health["uptime"].as_str().unwrap().ends_with('s'));
    service.readiness.draining();
    assert_eq!(ask(service.health, "GET", "/").await.status, 503);
}

#[tokio::test]
async fn metrics_are_served_in_the_text_format_and_move_with_the_counters() {
    let service = start().await;
    service.metrics.accepted("otlp", "grpc", Signal::Traces, 42);
    let answer = ask(service.metrics_page, "GET", "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let line = "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 42";
    assert!(answer.body.lines().any(|written| written == line), "{}", answer.body);
    service.metrics.accepted("otlp", "grpc", Signal::Traces, 1);
    let answer = ask(service.metrics_page, "GET", "/metrics").await;
    assert!(answer.body.contains("transport=\"grpc\"} 43\n"), "{}", answer.body);
}

#[tokio::test]
async fn models_that_nobody_knows_are_listed_with_what_to_add() {
    let service = start().await;
    assert_eq!(ask(service.api, "GET", "/api/v1/unknown-models").await.body, r#"{"models":[],"unlisted_calls":0}"#);
    service.metrics.unknown_model("acme-chat-2", Some("acme"));
    service.metrics.unknown_model("acme-chat-2", Some("acme"));
    let answer = ask(service.api, "GET", "/api/v1/unknown-models").await;
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let list: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let model = &list["models"][0];
    assert_eq!(
        (&model["name"], &model["provider"], &model["calls"]),
        (&"acme-chat-2".into(), &"acme".into(), &2.into())
    );
    assert!(model["stub"].as_str().unwrap().contains("acme/acme-chat-2"), "{model}");
}

#[tokio::test]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let service = start().await;
    assert_eq!(ask(service.health, "GET", "/metrics").await.status, 404);
    assert_eq!(ask(service.metrics_page, "GET", "/").await.status, 404);
    assert_eq!(ask(service.health, "POST", "/").await.status, 405);
    assert_eq!(ask(service.metrics_page, "DELETE", "/metrics").await.status, 405);
    assert_eq!(ask(service.metrics_page, "HEAD", "/metrics").await.body, "");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_and_says_which() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = taken.local_addr().unwrap().to_string();
    let settings = AdminSettings { metrics: Some(endpoint.clone()), ..AdminSettings::default() };
    let error = Admin::bind(&settings, Readiness::starting(), Metrics::new()).await.unwrap_err();
    let kind = std::io::ErrorKind::AddrInUse;
    assert_eq!(error, AdminError { page: "metrics", endpoint: endpoint.clone(), kind });
    assert_eq!(
        error.to_string(),
        format!(
            "metrics: cannot listen on {endpoint}: the port is taken: stop who has it or choose another (0 picks one)"
        )
    );
}

#[tokio::test]
async fn what_is_absent_does_not_listen_and_the_end_is_still_waited_for() {
    let admin = Admin::bind(&AdminSettings::default(), Readiness::starting(), Metrics::new()).await.unwrap();
    assert_eq!((admin.health_address(), admin.metrics_address()), (None, None));
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(admin.run(async {
        let _ = stopped.await;
    }));
    tokio::task::yield_now().await;
    assert!(!ended.is_finished());
    stop.send(()).unwrap();
    ended.await.unwrap();
}

#[tokio::test]
async fn the_end_closes_the_listeners_even_while_a_client_dawdles() {
    let service = start().await;
    let mut dawdler = TcpStream::connect(service.health).await.unwrap();
    dawdler.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(ask(service.health, "GET", "/").await.status, 503);
    service.stop.send(()).unwrap();
    service.ended.await.unwrap();
    assert!(TcpStream::connect(service.health).await.is_err());
    assert!(TcpStream::connect(service.metrics_page).await.is_err());
}
