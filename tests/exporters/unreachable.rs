//! Backends that cannot be reached: always a retry for the sender, and words that a person can act on.

use std::net::SocketAddr;
use std::time::Duration;

use gramtrace::exporter::{GrpcExporter, HttpExporter, TlsSettings};
use gramtrace::otlp::Signal;
use gramtrace::rejection::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic::Code;

use crate::support::collector::Collector;
use crate::support::pki::Authority;
use crate::support::raw::{Raw, answer};
use crate::support::{grpc, grpc_settings, http, http_settings, request, retry};

async fn over_grpc(exporter: GrpcExporter) -> Failure {
    retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await)
}

async fn over_http(exporter: HttpExporter) -> Failure {
    retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await)
}

/// An address where nothing listens.
async fn unused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A server that reads one time, answers `said` and closes.
async fn saying(said: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(stream.read(&mut [0; 4096]).await);
            drop(stream.write_all(said).await);
        }
    });
    address
}

fn tls_to(address: SocketAddr) -> (GrpcExporter, HttpExporter) {
    let authority = Authority::new("authority");
    let tls = TlsSettings { ca_file: Some(authority.ca_file()), ..TlsSettings::default() };
    let mut settings = grpc_settings(address);
    settings.tls = tls.clone();
    let grpc = GrpcExporter::new(settings).unwrap();
    let mut settings = http_settings(&format!("https://{address}"));
    settings.tls = tls;
    (grpc, HttpExporter::new(settings).unwrap())
}

#[tokio::test]
async fn o_26_a_refused_connection_names_the_exporter_the_endpoint_and_the_cause() {
    let address = unused().await;
    let causes = "tcp connect error: Connection refused (os error 111): nothing listens there: is the backend \
                  running, and is the port of `endpoint` right?";
    let failure = over_grpc(grpc(address)).await;
    assert_eq!(failure.code, Code::Unavailable);
    assert_eq!(failure.message, format!("exporter `otlp/backend`: cannot reach http://{address}: {causes}"));
    let failure = over_http(http(&format!("http://{address}"))).await;
    assert_eq!(failure.code, Code::Unavailable);
    assert_eq!(failure.message, format!("exporter `otlp/backend`: cannot reach http://{address}/v1/traces: {causes}"));
}

#[tokio::test]
async fn a_host_that_does_not_pick_up_is_told_as_that() {
    // A listener whose queue is full drops what comes next, as a firewall does.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
    }
    let mut settings = grpc_settings(address);
    settings.timeout = Duration::from_millis(400);
    let failure = over_grpc(GrpcExporter::new(settings).unwrap()).await;
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("connecting took too long"), "{}", failure.message);
    let mut settings = http_settings(&format!("http://{address}"));
    settings.timeout = Duration::from_millis(400);
    let failure = over_http(HttpExporter::new(settings).unwrap()).await;
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("connecting took too long"), "{}", failure.message);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_that() {
    // RFC 6761: .invalid never resolves.
    for failure in [over_grpc(grpc("backend.invalid:4317")).await, over_http(http("http://backend.invalid:4318")).await]
    {
        assert_eq!(failure.code, Code::Unavailable);
        assert!(failure.message.contains("cannot reach http://backend.invalid:43"), "{}", failure.message);
        assert!(failure.message.contains("the name does not resolve"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_plaintext_backend_that_is_asked_for_tls_is_told_with_the_cure() {
    let collector = Collector::start().await;
    let raw = Raw::answering(|_| answer(200, &[], "")).await;
    let silent = saying(b"").await;
    for address in [collector.address, raw.address, silent] {
        let (grpc, http) = tls_to(address);
        let failure = over_grpc(grpc).await;
        assert!(failure.message.ends_with("for plaintext set `tls.insecure: true`"), "{}", failure.message);
        let failure = over_http(http).await;
        assert!(failure.message.ends_with("for plaintext write `http://` in `endpoint`"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_tls_backend_that_is_asked_for_plaintext_is_told_with_the_cure() {
    let authority = Authority::new("authority");
    let acceptor = authority.issue("localhost").acceptor(&[b"h2"], None);
    let raw = Raw::over(Some(acceptor), |_| answer(200, &[], "")).await;
    let failure = over_grpc(grpc(raw.address)).await;
    assert!(failure.message.contains("does it expect TLS?"), "{}", failure.message);
    let failure = over_http(http(&raw.url())).await;
    assert!(failure.message.contains("does it expect TLS?"), "{}", failure.message);
}

#[tokio::test]
async fn an_http_1_backend_that_is_asked_for_grpc_is_told_with_the_cure() {
    let address = saying(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let failure = over_grpc(grpc(address)).await;
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("is it an OTLP/HTTP port?"), "{}", failure.message);
}

#[tokio::test]
async fn a_backend_that_hangs_up_is_no_refusal() {
    let address = saying(b"").await;
    assert_eq!(over_grpc(grpc(address)).await.code, Code::Unavailable);
    assert_eq!(over_http(http(&format!("http://{address}"))).await.code, Code::Unavailable);
}

#[tokio::test]
async fn no_header_value_stands_in_any_message() {
    let mut settings = grpc_settings(unused().await);
    settings.headers = crate::support::headers(&[("authorization", "Bearer s3cret")]);
    assert!(!format!("{settings:?}").contains("s3cret"));
    let exporter = GrpcExporter::new(settings).unwrap();
    assert!(!format!("{exporter:?}").contains("s3cret"));
    assert!(!over_grpc(exporter).await.message.contains("s3cret"));
}
