//! The admin pages on real sockets: what an orchestrator and a Prometheus server see.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod generated;
mod lookup;
mod openapi;
mod scrape;

use std::net::SocketAddr;
use std::time::SystemTime;

use axum::Router;
use gramtrace::admin::{
    Bodies, HealthSettings, Lookup, LookupSettings, Readiness, health_page, lookup_api, metrics_page,
};
use gramtrace::budget::Budgets;
use gramtrace::otlp::Signal;
use gramtrace::receiver::{Listener, ListenerSettings, Protocol};
use gramtrace::telemetry::Metrics;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Serves a page until the test ends.
async fn serve(page: Router) -> SocketAddr {
    let listener = Listener::bind("127.0.0.1:0", ListenerSettings::new(Protocol::Auto)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listener.serve(TowerToHyperService::new(page), std::future::pending()));
    address
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    ask_for(address, method, path, "*/*").await
}

async fn ask_for(address: SocketAddr, method: &str, path: &str, accept: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

#[tokio::test]
async fn health_follows_the_service_from_start_to_shutdown() {
    let readiness = Readiness::starting();
    let page = serve(health_page(readiness.clone(), &HealthSettings::default())).await;
    let starting = ask(page, "GET", "/").await;
    assert_eq!(starting.status, 503);
    assert_eq!(starting.body, r#"{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}"#);
    readiness.ready(SystemTime::now());
    let ready = ask(page, "GET", "/").await;
    assert_eq!(ready.status, 200);
    assert!(ready.head.contains("content-type: application/json"), "{}", ready.head);
    let health: serde_json::Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(health["status"], "Server available");
    let since = humantime::parse_rfc3339(health["upSince"].as_str().unwrap()).unwrap();
    assert!(since <= SystemTime::now());
    assert!(health["uptime"].as_str().unwrap().ends_with('s'));
    readiness.draining();
    assert_eq!(ask(page, "GET", "/").await.status, 503);
}

#[tokio::test]
async fn a_probe_of_any_path_and_method_is_answered_unless_a_path_is_set() {
    let readiness = Readiness::starting();
    readiness.ready(SystemTime::now());
    let everywhere = serve(health_page(readiness.clone(), &HealthSettings::default())).await;
    for (method, path) in [("GET", "/"), ("GET", "/healthz"), ("POST", "/"), ("HEAD", "/a/b?c=d")] {
        assert_eq!(ask(everywhere, method, path).await.status, 200, "{method} {path}");
    }
    let settings = HealthSettings { path: "/live".to_owned(), bodies: None };
    let page = serve(health_page(readiness.clone(), &settings)).await;
    let found = [("/live", 200), ("/live?probe=1", 200), ("/", 404), ("/live/", 404), ("/liveness", 404)];
    for (path, status) in found {
        assert_eq!(ask(page, "GET", path).await.status, status, "{path}");
    }
    let settings = HealthSettings { path: "/health/".to_owned(), bodies: None };
    let page = serve(health_page(readiness, &settings)).await;
    for (path, status) in [("/health/", 200), ("/health/live", 200), ("/", 404), ("/healthy", 404)] {
        assert_eq!(ask(page, "GET", path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn fixed_bodies_take_the_place_of_the_state() {
    let readiness = Readiness::starting();
    let bodies = Bodies { healthy: "fine".to_owned(), unhealthy: "not yet".to_owned() };
    let settings = HealthSettings { bodies: Some(bodies), ..HealthSettings::default() };
    let page = serve(health_page(readiness.clone(), &settings)).await;
    let answer = ask(page, "GET", "/").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not yet"));
    readiness.ready(SystemTime::now());
    let answer = ask(page, "GET", "/").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "fine"));
}

#[tokio::test]
async fn metrics_are_served_in_the_text_format_and_move_with_the_counters() {
    let metrics = Metrics::new();
    let page = serve(metrics_page(metrics.clone())).await;
    metrics.accepted("otlp", "grpc", Signal::Traces, 42);
    let answer = ask(page, "GET", "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let line = "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 42";
    assert!(answer.body.lines().any(|written| written == line), "{}", answer.body);
    metrics.accepted("otlp", "grpc", Signal::Traces, 1);
    let answer = ask(page, "GET", "/metrics").await;
    assert!(answer.body.contains("transport=\"grpc\"} 43\n"), "{}", answer.body);
}

#[tokio::test]
async fn who_asks_for_open_metrics_gets_it_to_its_end() {
    let metrics = Metrics::new();
    let page = serve(metrics_page(metrics.clone())).await;
    metrics.request("otlp", "grpc", Some(Signal::Traces), "ok");
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
    let answer = ask_for(page, "GET", "/metrics", accept).await;
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    assert!(answer.body.contains("# TYPE otelcol_receiver_accepted_spans unknown\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE gramtrace_receiver_requests counter\n"), "{}", answer.body);
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
}

#[tokio::test]
async fn models_that_nobody_knows_are_listed_with_what_to_add() {
    let metrics = Metrics::new();
    let page =
        serve(lookup_api(Lookup::default(), Budgets::default(), metrics.clone(), LookupSettings::default())).await;
    assert_eq!(ask(page, "GET", "/api/v1/unknown-models").await.body, r#"{"models":[],"unlisted_calls":0}"#);
    metrics.unknown_model("acme-chat-2", Some("acme"));
    metrics.unknown_model("acme-chat-2", Some("acme"));
    let answer = ask(page, "GET", "/api/v1/unknown-models").await;
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
async fn the_metrics_page_has_one_path_and_is_only_read() {
    let page = serve(metrics_page(Metrics::new())).await;
    assert_eq!(ask(page, "GET", "/").await.status, 404);
    assert_eq!(ask(page, "DELETE", "/metrics").await.status, 405);
    assert_eq!(ask(page, "HEAD", "/metrics").await.body, "");
}
