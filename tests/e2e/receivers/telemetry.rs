//! What a receiver says of its requests: one count each, and a limited number of warnings.

use std::collections::BTreeMap;
use std::time::Duration;

use gramtrace::otlp::Signal;
use gramtrace::receiver::BodyLimits;
use gramtrace::telemetry::Metrics;
use http::Request;
use tonic::Code;

use super::logs;
use super::support::{Chunks, JSON, LIMIT, Setup, call, soon};

#[tokio::test]
async fn a_refused_request_is_logged_with_its_reason_and_its_sender() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let peer = client.stream.local_addr().unwrap();
    client.post("/v1/logs", &[JSON, "content-encoding: br"], b"{}").await;
    let refused = logs::with("refused an export request");
    let [line] = &refused[..] else { panic!("one line: {refused:?}") };
    assert!(line.contains("WARN"), "{line}");
    for field in
        ["receiver=\"otlp\"", "transport=\"http\"", "signal=\"logs\"", "reason=\"unsupported_encoding\"", "left_out=0"]
    {
        assert!(line.contains(field), "{field} in {line}");
    }
    assert!(line.contains(&format!("peer={peer}")), "{line}");
    assert!(line.contains("error=unsupported content encoding `br`: send identity, gzip or zstd"), "{line}");
}

#[tokio::test]
async fn a_flood_of_bad_requests_is_one_line_a_reason() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    for _ in 0..50 {
        client.export(&b"\0"[..]).await;
        let unknown = call(Signal::Traces).header("grpc-encoding", "snappy");
        client.send(unknown.body(Chunks::whole(&b"\0"[..])).unwrap()).await;
    }
    assert_eq!(logs::with("reason=\"malformed\"").len(), 1);
    assert_eq!(logs::with("reason=\"unsupported_encoding\"").len(), 1);
}

#[tokio::test]
async fn a_good_request_is_not_logged() {
    let server = Setup::grpc().start().await;
    server.h2().await.export(&b"\0\0\0\0\0"[..]).await;
    assert_eq!(logs::with("WARN"), [""; 0]);
}

#[tokio::test]
async fn a_sender_that_goes_away_ends_its_request_which_is_counted_once_and_logged() {
    let metrics = Metrics::new();
    let grpc = Setup { metrics: metrics.clone(), ..Setup::grpc() }.start().await;
    let http = Setup { metrics: metrics.clone(), ..Setup::http() }.start().await;
    let mut client = grpc.h2().await;
    let stalled = call(Signal::Traces).body(Chunks::stalled(&b"\0\0\0"[..])).unwrap();
    let pending = client.sender.send_request(stalled);
    // A second call is answered, so the first has arrived.
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    drop((pending, client));
    let mut client = http.h1().await;
    client
        .write(format!(
            "POST /v1/logs HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n{JSON}\r\ncontent-length: 2\r\n\r\n"
        ))
        .await;
    assert_eq!(client.answer().await.status.as_u16(), 100);
    drop(client);
    for transport in ["grpc", "http"] {
        let line = format!("transport=\"{transport}\"");
        let gone = || logs::with("reason=\"interrupted\"").iter().any(|logged| logged.contains(&line));
        soon(async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let expected = [("grpc traces interrupted", 1), ("grpc traces ok", 1), ("http logs interrupted", 1)];
    assert_eq!(counted(&metrics), expected.map(|(labels, count)| (labels.to_owned(), count)).into());
}

/// How many requests ended how: `transport signal outcome` and the count.
fn counted(metrics: &Metrics) -> BTreeMap<String, u64> {
    let text = metrics.encode();
    let samples = text.lines().filter_map(|line| line.strip_prefix("gramtrace_receiver_requests_total{"));
    let read = |sample: &str| {
        let (labels, count) = sample.split_once("} ").unwrap();
        let values: Vec<_> = labels.split(',').map(|label| label.split('"').nth(1).unwrap()).collect();
        assert_eq!(values[0], "otlp");
        (values[1..].join(" "), count.parse().unwrap())
    };
    samples.map(read).filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn every_request_is_counted_once_by_how_it_ended() {
    let metrics = Metrics::new();
    let limits = BodyLimits { timeout: Duration::from_millis(50), max_bytes: LIMIT };
    let signals = vec![Signal::Traces, Signal::Logs];
    let grpc = Setup { metrics: metrics.clone(), signals: signals.clone(), limits, ..Setup::grpc() }.start().await;
    let http = Setup { metrics: metrics.clone(), signals, limits, ..Setup::http() }.start().await;

    let mut client = grpc.h2().await;
    let empty = || Chunks::whole(&b"\0\0\0\0\0"[..]);
    client.export(&b"\0\0\0\0\0"[..]).await;
    client.export(&b"\0\0\0\0\0"[..]).await;
    client.export(&b"\0"[..]).await;
    client.export(&b"\x01\0\0\0\x01a"[..]).await;
    client.export(&b"\0\xff\xff\xff\xff"[..]).await;
    client.send(call(Signal::Metrics).body(empty()).unwrap()).await;
    client.send(call(Signal::Logs).header("grpc-encoding", "br").body(empty()).unwrap()).await;
    client.send(call(Signal::Logs).body(Chunks::stalled(&b"\0"[..])).unwrap()).await;
    client.send(Request::post("http://a/b").header("content-type", "application/grpc").body(empty()).unwrap()).await;

    let mut client = http.h1().await;
    client.post("/v1/traces", &[JSON], b"{}").await;
    client.post("/v1/logs", &[JSON, "content-encoding: gzip"], b"{}").await;
    client.post("/v1/logs", &["content-type: text/html"], b"").await;
    client.post("/v1/spans", &[JSON], b"{}").await;
    client.write("GET /v1/traces HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.answer().await;

    let expected = [
        ("grpc traces ok", 2),
        ("grpc traces malformed", 1),
        ("grpc traces protocol", 1),
        ("grpc traces too_large", 1),
        ("grpc metrics no_pipeline", 1),
        ("grpc logs unsupported_encoding", 1),
        ("grpc logs interrupted", 1),
        ("grpc none not_found", 1),
        ("http traces ok", 1),
        ("http logs corrupt", 1),
        ("http logs unsupported_media_type", 1),
        ("http none not_found", 1),
        ("http traces method_not_allowed", 1),
    ];
    assert_eq!(counted(&metrics), expected.map(|(labels, count)| (labels.to_owned(), count)).into());
}
