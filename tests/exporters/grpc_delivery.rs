//! What the gRPC exporter sends, seen by a server that really decodes it, and how it holds its connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::{Exporter, GrpcExporter, MAX_REQUEST_BYTES};
use gramtrace::otlp::Signal;
use gramtrace::wire::{Encoding, frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Code;

use crate::support::collector::{Collector, Setup};
use crate::support::raw::{Raw, grpc_answer, header_map};
use crate::support::{delivered, grpc, grpc_settings, headers, many_spans, request, retry, too_large};

#[tokio::test]
async fn every_signal_arrives_at_its_service_as_it_was_sent() {
    let collector = Collector::start().await;
    let exporter = Exporter::from(grpc(collector.address));
    for signal in Signal::ALL {
        assert!(delivered(exporter.send(signal, request(signal), None).await).is_empty());
    }
    let arrived: Vec<_> = collector.arrivals().into_iter().map(|arrival| (arrival.signal, arrival.body)).collect();
    assert_eq!(arrived, Signal::ALL.map(|signal| (signal, request(signal))));
}

#[tokio::test]
async fn o_30_metadata_and_the_user_agent_go_with_every_request() {
    let collector = Collector::start().await;
    let mut settings = grpc_settings(collector.address);
    settings.headers =
        headers(&[("x-scope-orgid", "shop"), ("token-bin", "\u{1}\u{2}\u{3}"), ("user-agent", "shop/2")]);
    let exporter = GrpcExporter::new(settings).unwrap();
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    let metadata = &collector.arrivals()[0].metadata;
    assert_eq!(metadata.get("x-scope-orgid").unwrap(), "shop");
    assert_eq!(metadata.get_bin("token-bin").unwrap().to_bytes().unwrap(), &[1, 2, 3][..]);
    let user_agent = metadata.get("user-agent").unwrap().to_str().unwrap();
    assert!(user_agent.starts_with(concat!("shop/2 gramtrace/", env!("CARGO_PKG_VERSION"), " (")), "{user_agent}");
}

#[tokio::test]
async fn the_backend_is_told_how_long_it_has() {
    let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
    let exporter = grpc(raw.address);
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), Some(deadline)).await);
    let timeouts: Vec<u64> = raw.arrivals().iter().map(|arrival| millis(&arrival.headers()["grpc-timeout"])).collect();
    assert_eq!(timeouts[0], 5000);
    assert!((1000..=2000).contains(&timeouts[1]), "{timeouts:?}");
}

fn millis(value: &http::HeaderValue) -> u64 {
    value.to_str().unwrap().strip_suffix('m').unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_request_is_grpc_on_the_wire() {
    let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
    delivered(grpc(raw.address).send(Signal::Logs, request(Signal::Logs), None).await);
    let arrival = raw.arrival();
    assert_eq!(arrival.method(), "POST");
    assert_eq!(arrival.version(), http::Version::HTTP_2);
    assert_eq!(arrival.uri().path(), "/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    assert_eq!(arrival.uri().authority().unwrap().as_str(), raw.address.to_string());
    assert_eq!(arrival.headers()["te"], "trailers");
    assert_eq!(arrival.headers()["content-type"], "application/grpc");
    assert_eq!(arrival.headers()["grpc-accept-encoding"], "identity,gzip,zstd");
    assert!(!arrival.headers().contains_key("grpc-encoding"));
    assert_eq!(arrival.body(), &frame::encode(&request(Signal::Logs)).unwrap());
}

#[tokio::test]
async fn what_is_compressed_here_is_read_by_tonic() {
    let collector = Collector::start().await;
    let mut settings = grpc_settings(collector.address);
    settings.encoding = Encoding::Gzip;
    let exporter = GrpcExporter::new(settings).unwrap();
    // The second is compressed off the runtime's threads.
    for body in [many_spans(100), many_spans(30_000)] {
        delivered(exporter.send(Signal::Traces, body, None).await);
    }
    let arrivals = collector.arrivals();
    assert_eq!(arrivals[0].body, many_spans(100));
    assert_eq!(arrivals[1].body, many_spans(30_000));
}

#[tokio::test]
async fn compression_shows_on_the_wire() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
        let mut settings = grpc_settings(raw.address);
        settings.encoding = encoding;
        let exporter = GrpcExporter::new(settings).unwrap();
        let body = many_spans(1000);
        delivered(exporter.send(Signal::Traces, body.clone(), None).await);
        let arrival = raw.arrival();
        assert_eq!(arrival.headers()["grpc-encoding"], encoding.name());
        let sent = frame::decode_unary(arrival.body()).unwrap();
        assert!(sent.compressed);
        assert!(sent.message.len() * 10 < body.len(), "{encoding:?}: {} of {}", sent.message.len(), body.len());
        assert_eq!(encoding.inflate(sent.message, body.len()), Ok(body));
    }
}

#[tokio::test]
async fn o_16_a_request_over_64_mib_is_not_sent() {
    let collector = Collector::start().await;
    let body = Bytes::from(vec![0; MAX_REQUEST_BYTES + 1]);
    let failure = too_large(grpc(collector.address).send(Signal::Traces, body, None).await);
    assert_eq!(failure.code, Code::ResourceExhausted);
    assert_eq!(
        failure.message,
        "exporter `otlp/backend`: the request of 67108865 bytes is over OTLP's limit of 67108864: send smaller batches"
    );
    assert!(collector.arrivals().is_empty());
}

#[tokio::test]
async fn requests_share_one_connection() {
    let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
    let exporter = Arc::new(grpc(raw.address));
    let sends = (0..50).map(|_| {
        let exporter = Arc::clone(&exporter);
        tokio::spawn(async move { exporter.send(Signal::Traces, request(Signal::Traces), None).await })
    });
    for send in sends.collect::<Vec<_>>() {
        delivered(send.await.unwrap());
    }
    assert_eq!((raw.arrivals().len(), raw.connections()), (50, 1));
}

#[tokio::test]
async fn a_backend_that_comes_back_is_reached_again() {
    let collector = Collector::start().await;
    let address = collector.address;
    let exporter = grpc(address);
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    collector.stop().await;
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(failure.code, Code::Unavailable);
    let again = Collector::set_up(Setup { address: Some(address), ..Setup::default() }, || Ok(None));
    delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(again.arrivals().len(), 1);
}

#[tokio::test]
async fn a_backend_that_retires_its_connections_is_sent_to_over_new_ones() {
    let raw = Raw::retiring(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])).await;
    let exporter = grpc(raw.address);
    for _ in 0..20 {
        delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
    assert_eq!(raw.arrivals().len(), 20);
    assert!(raw.connections() > 1);
}

/// Answers the first `refusals` requests of a connection with REFUSED_STREAM, the rest with OK.
async fn refusing(refusals: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if counter.fetch_add(1, Ordering::Relaxed) < refusals {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            } else {
                let mut response = http::Response::new(());
                *response.headers_mut() = header_map(&[("content-type", "application/grpc"), ("grpc-status", "0")]);
                respond.send_response(response, true).unwrap();
            }
        }
    });
    (address, seen)
}

#[tokio::test]
async fn a_request_that_the_backend_did_not_look_at_is_sent_again_at_most_twice() {
    let (address, seen) = refusing(2).await;
    delivered(grpc(address).send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(seen.load(Ordering::Relaxed), 3);

    let (address, seen) = refusing(3).await;
    let failure = retry(grpc(address).send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!((failure.code, seen.load(Ordering::Relaxed)), (Code::Unavailable, 3));
}

#[tokio::test]
async fn a_request_into_a_connection_that_is_being_retired_goes_over_the_next_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = grpc(listener.local_addr().unwrap());
    let retiring = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // SETTINGS; then, once the request is there, GOAWAY: last stream 0, NO_ERROR.
        stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(&request(Signal::Traces)) {
            stream.read_buf(&mut received).await.unwrap();
        }
        stream.write_all(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0").await.unwrap();
        Raw::on(listener, |_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")]))
    };
    let (outcome, raw) = tokio::join!(exporter.send(Signal::Traces, request(Signal::Traces), None), retiring);
    delivered(outcome);
    assert_eq!(raw.arrivals().len(), 1);
}

#[tokio::test]
async fn a_backend_that_starts_late_is_no_error_at_the_start() {
    let address = {
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        unused.local_addr().unwrap()
    };
    let exporter = grpc(address);
    retry(exporter.send(Signal::Metrics, request(Signal::Metrics), None).await);
    let collector = Collector::set_up(Setup { address: Some(address), ..Setup::default() }, || Ok(None));
    delivered(exporter.send(Signal::Metrics, request(Signal::Metrics), None).await);
    assert_eq!(collector.arrivals().len(), 1);
}

#[tokio::test]
async fn a_socket_of_this_machine_is_sent_to_like_any_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("otlp.sock");
    let exporter = grpc(format!("unix://{}", path.display()));
    // Nobody is there yet.
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(failure.code, Code::Unavailable);
    let words = format!(
        "exporter `otlp/backend`: cannot reach unix://{}: No such file or directory (os error 2): is the backend \
         running, is the path of `endpoint` right, and may this process use it?",
        path.display()
    );
    assert_eq!(failure.message, words);
    let arrivals = Raw::on_socket(&path, |_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")]));
    for _ in 0..2 {
        delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals[1].body(), &frame::encode(&request(Signal::Traces)).unwrap());
    assert_eq!(arrivals[1].uri().authority().unwrap().as_str(), "localhost");
}

#[tokio::test]
async fn a_backend_that_answers_no_ping_is_given_up_before_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = grpc_settings(silent.local_addr().unwrap());
    settings.timeout = Duration::from_secs(60);
    settings.keepalive.time = Some(Duration::from_millis(30));
    settings.keepalive.timeout = Duration::from_millis(30);
    let pinging = GrpcExporter::new(settings.clone()).unwrap();
    // Settings, and nothing after.
    let mute = async {
        let (mut stream, _) = silent.accept().await.unwrap();
        stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream
    };
    let (outcome, _stream) = tokio::join!(pinging.send(Signal::Traces, request(Signal::Traces), None), mute);
    let failure = retry(outcome);
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("keep-alive timed out"), "{}", failure.message);
}

#[test]
fn an_exporter_is_built_without_a_runtime() {
    assert_eq!(grpc("localhost:4317").name(), "otlp/backend");
}

#[test]
fn settings_that_cannot_be_used_are_refused_with_the_exporters_name() {
    let mut settings = grpc_settings("tempo");
    let error = GrpcExporter::new(settings.clone()).unwrap_err().to_string();
    assert_eq!(
        error,
        "exporter `otlp/backend`: endpoint `tempo`: the port is missing: write host:port, for OTLP mostly 4317"
    );
    settings.endpoint = "tempo:4317".to_owned();
    settings.headers = headers(&[("te", "gzip")]);
    let error = GrpcExporter::new(settings.clone()).unwrap_err().to_string();
    assert_eq!(error, "exporter `otlp/backend`: header `te` is set by gramtrace itself: remove it");
    settings.headers = headers(&[]);
    settings.tls.ca_file = Some("/etc/ca.pem".into());
    let error = GrpcExporter::new(settings).unwrap_err().to_string();
    assert_eq!(
        error,
        "exporter `otlp/backend`: `tls.ca_file` is set, but the connection is plaintext: write https:// and no \
         `tls.insecure`, or remove it"
    );
}
