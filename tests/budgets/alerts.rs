//! Who is told when a budget is exceeded, and what spans say by then: a webhook that is away at first, and an Alertmanager's
//! interface. A real Alertmanager is told by `tests/neighbours`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use gramtrace::exporter::Outcome;
use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::page;
use crate::process::Service;
use crate::senders::grpc;
use crate::sink::Sink;
use crate::spans;

type Told = (&'static str, HeaderMap, Bytes);

#[derive(Clone)]
struct Listening(mpsc::UnboundedSender<Told>, Arc<AtomicU64>);

/// Refuses the first of each, then hands on what it is told.
async fn hook(State(listening): State<Listening>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if listening.1.fetch_add(1, Ordering::Relaxed) == 0 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let _ = listening.0.send(("hook", headers, body));
    StatusCode::NO_CONTENT
}

async fn alerts(State(listening): State<Listening>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let _ = listening.0.send(("alerts", headers, body));
    StatusCode::OK
}

#[tokio::test]
async fn an_exceeded_budget_is_told_signed_and_stands_on_spans() {
    let (sender, mut told) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let routes = Router::new().route("/hooks/T0", post(hook)).route("/am/api/v2/alerts", post(alerts));
    let routes = routes.with_state(Listening(sender, Arc::default()));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let (sink, folder) = (Sink::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("gramtrace.yaml");
    let config = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors:
  gramtrace:
    budgets:
      - {{name: all, limit: 1t, mark_spans: true}}
      - {{name: shop, match: {{service.name: sh*}}, limit: 1mg, thresholds: [100], burn_rates: false, mark_spans: true}}
      - {{name: quiet, limit: 1mg, thresholds: [], burn_rates: false}}
exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}}}
extensions:
  gramtrace_budgets:
    link: https://gramtrace.example/
    alertmanagers: [{{endpoint: 'http://{target}/am/', headers: {{x-scope-orgid: t0}}, labels: {{cluster: eu}}}}]
    webhooks: [{{endpoint: 'http://{target}/hooks/T0', secret: s3cr3t}}]
service:
  extensions: [gramtrace_budgets]
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}}}
",
        sink.address
    );
    std::fs::write(&file, config).unwrap();
    let service = Service::start(&file);
    let (sender, metrics) = (grpc(service.address("\"grpc\"")), service.address("metrics page"));
    let send = |ids| sender.send(Signal::Traces, spans::request(ids), None);
    assert!(matches!(send(0..3).await, Outcome::Delivered { .. }));
    assert_eq!(spans::attribute(&sink.last().unwrap(), "gramtrace.budget"), None, "not yet");

    let (mut hooked, mut alerted) = (None, None);
    while hooked.is_none() || alerted.is_none() {
        match told.recv().await.unwrap() {
            ("hook", headers, body) => hooked = Some((headers, body)),
            (_, headers, body) => alerted = Some((headers, body)),
        }
    }
    let ((headers, body), (of_alert, alert)) = (hooked.unwrap(), alerted.unwrap());
    let signature = headers["x-gramtrace-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap()).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cr3t");
    assert!(hmac::verify(&key, &body, &bytes).is_ok(), "{signature}");
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&event["budget"], &event["state"], &event["threshold_percent"]),
        (&"shop".into(), &"firing".into(), &100.0.into())
    );
    assert_eq!(
        (&headers["content-type"], &event["severity"]),
        (&"application/json".parse().unwrap(), &"critical".into())
    );
    let alert: Value = serde_json::from_slice(&alert).unwrap();
    assert_eq!((&alert[0]["labels"]["budget"], &alert[0]["labels"]["cluster"]), (&"shop".into(), &"eu".into()));
    assert_eq!(alert[0]["generatorURL"], "https://gramtrace.example/budgets");
    assert_eq!((of_alert["x-scope-orgid"].to_str().unwrap(), alert.as_array().unwrap().len()), ("t0", 1));

    assert!(matches!(send(3..6).await, Outcome::Delivered { .. }));
    let marked = sink.last().unwrap();
    let said = spans::attribute(&marked, "gramtrace.budget");
    assert_eq!(said, Some(&Attribute::StringValue("shop".to_owned())), "only what is exceeded and is to be said");
    let name = "gramtrace_budget_notifications_total{target=\"extensions::gramtrace_budgets::webhooks::0\",outcome=";
    assert_eq!(page::sample(metrics, &format!("{name}\"failed\"}}")).await, Some(1.0));
    assert_eq!(page::sample(metrics, &format!("{name}\"delivered\"}}")).await, Some(1.0));
    assert_eq!(service.terminate().await.0, Some(0));
}
