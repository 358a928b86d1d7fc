//! What the HTTP exporter sends, and how it holds its connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gramtrace::exporter::{Exporter, HttpExporter, MAX_REQUEST_BYTES, http_endpoint};
use gramtrace::otlp::Signal;
use gramtrace::wire::Encoding;
use tokio::net::TcpListener;
use tonic::Code;

use crate::support::raw::{Raw, answer};
use crate::support::{delivered, headers, http, http_settings, many_spans, refused, request, retry, too_large};

async fn taking() -> Raw {
    Raw::answering(|_| answer(200, &[("content-type", "application/x-protobuf")], "")).await
}

#[tokio::test]
async fn every_signal_arrives_at_its_path_as_it_was_sent() {
    let raw = taking().await;
    let exporter = Exporter::from(http(&raw.url()));
    for signal in Signal::ALL {
        assert!(delivered(exporter.send(signal, request(signal), None).await).is_empty());
    }
    for (arrival, signal) in raw.arrivals().iter().zip(Signal::ALL) {
        assert_eq!((arrival.method().as_str(), arrival.uri().path()), ("POST", signal.http_path()));
        assert_eq!(arrival.headers()["content-type"], "application/x-protobuf");
        assert_eq!(arrival.headers()["host"], raw.address.to_string());
        assert!(!arrival.headers().contains_key("content-encoding"));
        assert_eq!(arrival.body(), &request(signal));
    }
    assert_eq!((raw.arrivals().len(), raw.connections()), (3, 1));
}

#[tokio::test]
async fn o_30_headers_and_the_user_agent_go_with_every_request() {
    let raw = taking().await;
    let mut settings = http_settings(&raw.url());
    settings.headers = headers(&[("Api-Key", "s3cret"), ("x-tenant", "a")]);
    let exporter = HttpExporter::new(settings).unwrap();
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    let arrival = raw.arrival();
    assert_eq!(
        (&arrival.headers()["api-key"], &arrival.headers()["x-tenant"]),
        (&"s3cret".parse().unwrap(), &"a".parse().unwrap())
    );
    let user_agent = arrival.headers()["user-agent"].to_str().unwrap();
    assert!(user_agent.starts_with(concat!("gramtrace/", env!("CARGO_PKG_VERSION"), " (")), "{user_agent}");
}

#[tokio::test]
async fn a_url_of_its_own_is_used_as_it_is() {
    let raw = taking().await;
    let mut settings = http_settings(&raw.url());
    let url = format!("{}/ingest?dataset=ai", raw.url());
    settings.endpoints.insert(Signal::Logs, http_endpoint(&url).unwrap());
    settings.endpoints.remove(&Signal::Metrics);
    let exporter = HttpExporter::new(settings).unwrap();
    delivered(exporter.send(Signal::Logs, request(Signal::Logs), None).await);
    assert_eq!(raw.arrival().uri().path_and_query().unwrap(), "/ingest?dataset=ai");
    let failure = refused(exporter.send(Signal::Metrics, request(Signal::Metrics), None).await);
    assert_eq!(
        (failure.code, &failure.message[..]),
        (Code::Unimplemented, "exporter `otlp/backend`: no endpoint is configured for metrics")
    );
}

#[tokio::test]
async fn compression_shows_on_the_wire() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let raw = taking().await;
        let mut settings = http_settings(&raw.url());
        settings.encoding = encoding;
        let exporter = HttpExporter::new(settings).unwrap();
        let body = many_spans(1000);
        delivered(exporter.send(Signal::Traces, body.clone(), None).await);
        let arrival = raw.arrival();
        assert_eq!(arrival.headers()["content-encoding"], encoding.name());
        assert_eq!(arrival.headers()["content-length"], arrival.body().len().to_string());
        assert!(arrival.body().len() * 10 < body.len(), "{encoding:?}: {} of {}", arrival.body().len(), body.len());
        assert_eq!(encoding.inflate(arrival.body().clone(), body.len()), Ok(body));
    }
}

#[tokio::test]
async fn o_16_a_request_over_64_mib_is_not_sent() {
    let raw = taking().await;
    let body = Bytes::from(vec![0; MAX_REQUEST_BYTES + 1]);
    let failure = too_large(http(&raw.url()).send(Signal::Traces, body, None).await);
    assert_eq!(failure.code, Code::ResourceExhausted);
    assert_eq!(raw.connections(), 0);
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_wait_for_each_other() {
    let raw = taking().await;
    let exporter = Arc::new(http(&raw.url()));
    let sends = (0..20).map(|_| {
        let exporter = Arc::clone(&exporter);
        tokio::spawn(async move { exporter.send(Signal::Traces, request(Signal::Traces), None).await })
    });
    for send in sends.collect::<Vec<_>>() {
        delivered(send.await.unwrap());
    }
    assert_eq!(raw.arrivals().len(), 20);
}

#[tokio::test]
async fn a_backend_that_retires_its_connections_is_sent_to_over_new_ones() {
    let raw = Raw::retiring(|_| answer(200, &[], "")).await;
    let exporter = http(&raw.url());
    for _ in 0..20 {
        delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
    assert_eq!((raw.arrivals().len(), raw.connections()), (20, 20));
}

#[tokio::test]
async fn a_slow_backend_ends_the_attempt_at_the_exporters_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut settings = http_settings(&url);
    settings.timeout = Duration::from_millis(50);
    let exporter = HttpExporter::new(settings).unwrap();
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(failure.code, Code::DeadlineExceeded);
    assert_eq!(
        failure.message,
        format!("exporter `otlp/backend`: {url}/v1/traces did not answer within the exporter's `timeout` of 50ms")
    );
}

#[tokio::test]
async fn a_slow_backend_ends_the_attempt_at_the_senders_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = http(&format!("http://{}", silent.local_addr().unwrap()));
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(50);
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), Some(deadline)).await);
    assert!(begun.elapsed() < Duration::from_secs(4), "the exporter's timeout is 5 s");
    assert_eq!(failure.code, Code::DeadlineExceeded);
    assert!(failure.message.contains("the sender's deadline passed"), "{}", failure.message);
}

#[test]
fn settings_that_cannot_be_used_are_refused_with_the_exporters_name() {
    let mut settings = http_settings("http://tempo:4318");
    settings.headers = headers(&[("content-encoding", "gzip")]);
    let error = HttpExporter::new(settings.clone()).unwrap_err().to_string();
    assert_eq!(error, "exporter `otlp/backend`: header `content-encoding` is set by gramtrace itself: remove it");
    settings.headers = headers(&[]);
    settings.tls.cert_file = Some("/etc/cert.pem".into());
    let error = HttpExporter::new(settings.clone()).unwrap_err().to_string();
    assert!(error.contains("`tls.cert_file` is set, but the connection is plaintext"), "{error}");
    settings.endpoints.insert(Signal::Logs, http::Uri::from_static("ftp://tempo/logs"));
    let error = HttpExporter::new(settings).unwrap_err().to_string();
    assert!(error.contains("endpoint `ftp://tempo/logs`: write it with http://"), "{error}");
}
