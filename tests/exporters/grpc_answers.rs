//! What each answer of a gRPC backend means, over the wire.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gramtrace::exporter::{PartialSuccess, partial_success};
use gramtrace::otlp::Signal;
use gramtrace::wire::{Encoding, frame};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::collector::{Collector, Setup};
use crate::support::raw::{Raw, answer, grpc_answer};
use crate::support::{delivered, grpc, grpc_settings, our_fault, refused, request, retry};
use gramtrace::exporter::{GrpcExporter, Outcome};

const MIB: usize = 1 << 20;

async fn send(address: std::net::SocketAddr) -> Outcome {
    grpc(address).send(Signal::Traces, request(Signal::Traces), None).await
}

async fn answered(status: Status) -> Outcome {
    let collector = Collector::answering(move || Err(status.clone())).await;
    send(collector.address).await
}

fn with_retry_info(code: Code, delay: Option<Duration>) -> Status {
    Status::with_error_details(code, "busy", ErrorDetails::with_retry_info(delay))
}

#[tokio::test]
async fn o_25_a_passing_condition_is_retried_with_the_backends_code_and_message() {
    for code in
        [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss]
    {
        let failure = retry(answered(Status::new(code, "50% für später")).await);
        assert_eq!(failure.code, code);
        assert_eq!(failure.message, "exporter `otlp/backend`: 50% für später");
        assert_eq!(failure.retry_after, None);
    }
}

#[tokio::test]
async fn o_25_everything_else_is_refused_with_the_backends_code_and_message() {
    for code in [
        Code::Unknown,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Unimplemented,
        Code::Internal,
    ] {
        let failure = refused(answered(Status::new(code, "no")).await);
        assert_eq!((failure.code, &failure.message[..]), (code, "exporter `otlp/backend`: no"));
    }
}

#[tokio::test]
async fn o_25_retry_info_makes_exhaustion_a_passing_condition() {
    let second = Some(Duration::from_secs(1));
    let failure = retry(answered(with_retry_info(Code::ResourceExhausted, second)).await);
    assert_eq!((failure.code, failure.retry_after), (Code::ResourceExhausted, second));
    // Without a delay it still says that the condition passes.
    let failure = retry(answered(with_retry_info(Code::ResourceExhausted, None)).await);
    assert_eq!((failure.code, failure.retry_after), (Code::ResourceExhausted, Some(Duration::ZERO)));
}

#[tokio::test]
async fn o_28_retry_info_says_when_to_come_back() {
    let delay = Some(Duration::from_millis(2500));
    let failure = retry(answered(with_retry_info(Code::Unavailable, delay)).await);
    assert_eq!(failure.retry_after, delay);
}

#[tokio::test]
async fn refused_credentials_are_no_fault_of_the_sender() {
    for code in [Code::Unauthenticated, Code::PermissionDenied] {
        let failure = our_fault(answered(Status::new(code, "bad token")).await);
        assert_eq!(failure.code, Code::Unavailable);
        let start =
            "exporter `otlp/backend`: gramtrace's own credentials for this exporter were refused by the backend";
        assert!(failure.message.starts_with(start), "{}", failure.message);
        assert!(failure.message.contains("bad token"), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_error_without_a_message_is_told_by_its_code() {
    let collector = Collector::answering(|| Err(Status::internal(""))).await;
    let failure = refused(send(collector.address).await);
    assert_eq!(
        failure.message,
        format!("exporter `otlp/backend`: http://{} answered INTERNAL without a message", collector.address)
    );
}

#[tokio::test]
async fn o_19_a_partial_success_is_handed_through() {
    for compress_answers in [false, true] {
        let setup = Setup { compress_answers, ..Setup::default() };
        let collector = Collector::set_up(setup, || Ok(Some((3, "too old".to_owned()))));
        let exporter = grpc(collector.address);
        for signal in Signal::ALL {
            let response = delivered(exporter.send(signal, request(signal), None).await);
            let said = PartialSuccess { rejected: 3, message: "too old".to_owned() };
            assert_eq!(partial_success(signal, &response), Some(said), "{signal:?}");
        }
    }
}

#[tokio::test]
async fn fields_of_an_answer_that_are_not_known_here_are_handed_through() {
    // Field 15, a string, is in no version of the message.
    let message = Bytes::from_static(b"\x7a\x03new");
    let framed = frame::encode(&message).unwrap();
    let raw = Raw::answering(move |_| grpc_answer(&[], framed.clone(), &[("grpc-status", "0")])).await;
    assert_eq!(delivered(send(raw.address).await), message);
}

/// An `ExportTraceServiceResponse` of exactly `len` bytes.
fn answer_of(len: usize) -> Vec<u8> {
    let of = |text: usize| {
        let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "x".repeat(text) };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    let around = of(len).len() - len;
    of(len - around)
}

#[tokio::test]
async fn o_16_an_answer_of_4_mib_is_read_and_one_byte_more_is_refused() {
    let sized = |len: usize| async move {
        let framed = frame::encode(&answer_of(len)).unwrap();
        assert_eq!(framed.len(), len + frame::PREFIX_LEN);
        let raw = Raw::answering(move |_| grpc_answer(&[], framed.clone(), &[("grpc-status", "0")])).await;
        send(raw.address).await
    };
    assert_eq!(delivered(sized(4 * MIB).await).len(), 4 * MIB);
    let failure = refused(sized(4 * MIB + 1).await);
    assert_eq!(failure.code, Code::ResourceExhausted);
    assert!(failure.message.contains("over 4194304 bytes"), "{}", failure.message);
}

#[tokio::test]
async fn o_16_an_answer_that_inflates_beyond_4_mib_is_refused() {
    let bomb = Encoding::Gzip.deflate(&answer_of(5 * MIB).into(), 1).unwrap();
    let mut framed = frame::prefix(true, bomb.len()).unwrap().to_vec();
    framed.extend_from_slice(&bomb);
    let raw =
        Raw::answering(move |_| grpc_answer(&[("grpc-encoding", "gzip")], framed.clone(), &[("grpc-status", "0")]));
    let failure = refused(send(raw.await.address).await);
    assert_eq!(failure.code, Code::ResourceExhausted);
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_refused_and_says_so() {
    let ok: &[(&str, &str)] = &[("grpc-status", "0")];
    let html = frame::encode(b"<html>").unwrap();
    let compressed = [&frame::prefix(true, 3).unwrap()[..], b"abc"].concat();
    for (encoding, body) in [
        ("identity", html),
        ("identity", compressed.clone().into()),
        ("br", compressed.clone().into()),
        ("gzip", compressed.into()),
        ("identity", Bytes::from_static(b"\0\0")),
    ] {
        let raw = Raw::answering(move |_| grpc_answer(&[("grpc-encoding", encoding)], body.clone(), ok)).await;
        let failure = refused(send(raw.address).await);
        assert_eq!(failure.code, Code::Internal);
        assert!(failure.message.contains("the request may have been taken"), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_ok_without_a_message_is_an_acknowledgement() {
    let headers = [("content-type", "application/grpc"), ("grpc-status", "0")];
    let raw = Raw::answering(move |_| answer(200, &headers, "")).await;
    assert!(delivered(send(raw.address).await).is_empty());
    let raw = Raw::answering(move |_| grpc_answer(&[], "", &[("grpc-status", "0")])).await;
    assert!(delivered(send(raw.address).await).is_empty());
}

#[tokio::test]
async fn an_answer_without_a_status_is_no_refusal() {
    let raw = Raw::answering(|_| grpc_answer(&[], frame::encode(b"").unwrap(), &[])).await;
    let failure = retry(send(raw.address).await);
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains("broke off"), "{}", failure.message);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_refusal() {
    let raw = Raw::answering(|_| {
        let frames = Broken::default();
        let mut response = http::Response::new(frames.boxed_unsync());
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
        response
    });
    let failure = retry(send(raw.await.address).await);
    assert_eq!(failure.code, Code::Unavailable);
}

/// A body that fails after its first bytes: the server resets the stream.
#[derive(Default)]
struct Broken {
    begun: bool,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let begun = std::mem::replace(&mut self.begun, true);
        std::task::Poll::Ready(Some(if begun {
            Err(std::io::Error::other("gone"))
        } else {
            Ok(http_body::Frame::data(Bytes::from_static(b"\0\0\0")))
        }))
    }
}

#[tokio::test]
async fn what_a_proxy_says_instead_is_judged_by_its_http_status() {
    for (status, code, retried) in [
        (200, Code::Unknown, false),
        (302, Code::Unknown, false),
        (400, Code::Internal, false),
        (404, Code::Unimplemented, false),
        (429, Code::Unavailable, true),
        (500, Code::Unknown, false),
        (502, Code::Unavailable, true),
        (503, Code::Unavailable, true),
        (504, Code::Unavailable, true),
    ] {
        let raw = Raw::answering(move |_| answer(status, &[("content-type", "text/html")], "<html>")).await;
        let outcome = send(raw.address).await;
        let failure = if retried { retry(outcome) } else { refused(outcome) };
        assert_eq!(failure.code, code, "{status}");
        assert!(failure.message.contains(&format!("HTTP {status}")), "{}", failure.message);
        assert!(failure.message.contains("text/html instead of gRPC"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_our_credentials_is_no_fault_of_the_sender() {
    for status in [401, 403] {
        let raw = Raw::answering(move |_| answer(status, &[], "")).await;
        let failure = our_fault(send(raw.address).await);
        assert_eq!(failure.code, Code::Unavailable);
        assert!(failure.message.contains("gramtrace's own credentials"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_grpc_status_counts_more_than_the_http_status_around_it() {
    let headers = [("content-type", "application/grpc"), ("grpc-status", "3"), ("grpc-message", "no%20name")];
    let raw = Raw::answering(move |_| answer(503, &headers, "")).await;
    let failure = refused(send(raw.address).await);
    assert_eq!((failure.code, &failure.message[..]), (Code::InvalidArgument, "exporter `otlp/backend`: no name"));
}

#[tokio::test]
async fn details_that_are_no_base64_do_no_harm() {
    let trailers = [("grpc-status", "14"), ("grpc-status-details-bin", "%%%")];
    let raw = Raw::answering(move |_| grpc_answer(&[], "", &trailers)).await;
    assert_eq!(retry(send(raw.address).await).retry_after, None);
}

/// A server that takes connections and never says a word.
async fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_slow_backend_ends_the_attempt_at_the_exporters_timeout() {
    let silent = silent().await;
    let address = silent.local_addr().unwrap();
    let mut settings = grpc_settings(address);
    settings.timeout = Duration::from_millis(50);
    let exporter = GrpcExporter::new(settings).unwrap();
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(failure.code, Code::DeadlineExceeded);
    assert_eq!(
        failure.message,
        format!("exporter `otlp/backend`: http://{address} did not answer within the exporter's `timeout` of 50ms")
    );
}

#[tokio::test]
async fn a_slow_backend_ends_the_attempt_at_the_senders_deadline() {
    let silent = silent().await;
    let exporter = grpc(silent.local_addr().unwrap());
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(50);
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), Some(deadline)).await);
    assert!(begun.elapsed() < Duration::from_secs(4), "the exporter's timeout is 5 s");
    assert_eq!(failure.code, Code::DeadlineExceeded);
    assert!(failure.message.contains("the sender's deadline passed"), "{}", failure.message);
}

#[tokio::test]
async fn after_the_senders_deadline_nothing_is_sent() {
    let collector = Collector::start().await;
    let exporter = grpc(collector.address);
    let failure = retry(exporter.send(Signal::Traces, request(Signal::Traces), Some(Instant::now())).await);
    assert_eq!(failure.code, Code::DeadlineExceeded);
    assert!(collector.arrivals().is_empty());
}
