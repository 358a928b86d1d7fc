//! What each answer of an HTTP backend means, over the wire.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gramtrace::exporter::{Outcome, PartialSuccess, partial_success};
use gramtrace::otlp::Signal;
use gramtrace::rejection::Failure;
use gramtrace::wire::Encoding;
use prost::Message as _;
use tonic::Code;
use tonic_types::pb;

use crate::support::raw::{Raw, answer};
use crate::support::{delivered, http, our_fault, refused, request, retry, too_large};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// `rejected_*`: 3, `error_message`: "no".
const THREE_REJECTED: &[u8] = b"\x0a\x06\x08\x03\x12\x02no";

async fn answered(status: u16, headers: &'static [(&str, &str)], body: impl Into<Bytes>) -> Outcome {
    let body = body.into();
    let raw = Raw::answering(move |_| answer(status, headers, body.clone())).await;
    http(&raw.url()).send(Signal::Traces, request(Signal::Traces), None).await
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Retry(failure) | Outcome::Refused(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn o_26_a_status_of_the_retryable_four_is_retried() {
    for status in [429, 502, 503, 504] {
        let failure = retry(answered(status, &[], "").await);
        assert_eq!((failure.code, failure.retry_after), (Code::Unavailable, None), "{status}");
        assert!(failure.message.contains(&format!("answered HTTP {status} ")), "{}", failure.message);
    }
}

#[tokio::test]
async fn o_26_any_other_status_is_refused_with_a_code_that_says_what_it_said() {
    for (status, code) in [
        (302, Code::Unknown),
        (400, Code::InvalidArgument),
        (404, Code::Unimplemented),
        (405, Code::Unimplemented),
        (408, Code::Unknown),
        (415, Code::Unimplemented),
        (418, Code::Unknown),
        (422, Code::InvalidArgument),
        (500, Code::Internal),
        (501, Code::Unimplemented),
        (505, Code::Internal),
    ] {
        assert_eq!(refused(answered(status, &[], "").await).code, code, "{status}");
    }
}

#[tokio::test]
async fn o_52_413_and_what_a_go_server_says_instead_mean_too_large() {
    let go = answered(400, &[("content-type", "text/plain")], "http: request body too large").await;
    for outcome in [answered(413, &[], "").await, go] {
        let failure = too_large(outcome);
        assert_eq!((failure.code, failure.retry_after), (Code::ResourceExhausted, None));
    }
}

#[tokio::test]
async fn refused_credentials_are_no_fault_of_the_sender() {
    for status in [401, 403] {
        let failure = our_fault(answered(status, &[("content-type", "text/plain")], "bad key").await);
        assert_eq!(failure.code, Code::Unavailable);
        let start =
            "exporter `otlp/backend`: gramtrace's own credentials for this exporter were refused by the backend";
        assert!(failure.message.starts_with(start), "{}", failure.message);
        assert!(failure.message.contains("bad key"), "{}", failure.message);
    }
}

#[tokio::test]
async fn the_message_of_an_error_is_passed_on() {
    let status = pb::Status { code: 3, message: "span without name".to_owned(), details: vec![] };
    let json = r#"{"code":3,"message":"span without name"}"#;
    for outcome in [
        answered(400, &[PROTOBUF], status.encode_to_vec()).await,
        answered(400, &[JSON], json).await,
        answered(400, &[("content-type", "Application/JSON; charset=utf-8")], json).await,
        answered(400, &[("content-type", "text/plain; charset=utf-8")], "span without name\n").await,
        answered(400, &[JSON, ("content-encoding", "gzip")], Encoding::Gzip.deflate(&json.into(), 1).unwrap()).await,
    ] {
        assert_eq!(refused(outcome).message, "exporter `otlp/backend`: HTTP 400: span without name");
    }
}

#[tokio::test]
async fn an_error_that_cannot_be_read_is_told_by_its_status() {
    for outcome in [
        answered(400, &[PROTOBUF], "<html>").await,
        answered(400, &[JSON], "<html>").await,
        answered(400, &[JSON, ("content-encoding", "br")], "{}").await,
        answered(400, &[("content-type", "text/html")], "<html>").await,
        // Over 64 KiB it is not read.
        answered(400, &[("content-type", "text/plain")], vec![b'x'; (64 << 10) + 1]).await,
    ] {
        let message = failure(outcome).message;
        assert!(message.ends_with("/v1/traces answered HTTP 400 Bad Request without a message"), "{message}");
    }
}

#[tokio::test]
async fn a_long_error_in_plain_text_is_cut() {
    let message = failure(answered(500, &[("content-type", "text/plain")], vec![b'x'; 64 << 10]).await).message;
    assert_eq!(message, format!("exporter `otlp/backend`: HTTP 500: {}", "x".repeat(256)));
}

#[tokio::test]
async fn o_27_retry_after_in_seconds_says_when_to_come_back() {
    for status in [429, 502, 503, 504] {
        let failure = retry(answered(status, &[("retry-after", "7")], "").await);
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{status}");
    }
    assert_eq!(retry(answered(503, &[("retry-after", "soon")], "").await).retry_after, None);
    assert_eq!(refused(answered(500, &[("retry-after", "7")], "").await).retry_after, None);
}

#[tokio::test]
async fn o_27_retry_after_as_a_date_says_when_to_come_back() {
    let raw = Raw::answering(|_| {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        answer(503, &[("retry-after", &date)], "")
    });
    let raw = raw.await;
    let failure = retry(http(&raw.url()).send(Signal::Traces, request(Signal::Traces), None).await);
    let after = failure.retry_after.unwrap();
    assert!((3590..=3600).contains(&after.as_secs()), "{after:?}");
}

#[tokio::test]
async fn a_redirection_is_not_followed_and_says_where_it_leads() {
    let elsewhere = Raw::answering(|_| answer(200, &[], "")).await;
    let location = format!("{}/v1/traces?key=s3cret", elsewhere.url());
    let raw = Raw::answering(move |_| answer(307, &[("location", &location)], "")).await;
    let failure = refused(http(&raw.url()).send(Signal::Traces, request(Signal::Traces), None).await);
    assert_eq!(elsewhere.connections(), 0);
    let told = format!("HTTP 307: it redirects to {}/v1/traces, which is not followed", elsewhere.url());
    assert!(failure.message.contains(&told), "{}", failure.message);
}

#[tokio::test]
async fn any_2xx_is_an_acknowledgement() {
    for status in [200, 202, 204] {
        assert!(delivered(answered(status, &[], "").await).is_empty(), "{status}");
    }
}

#[tokio::test]
async fn o_19_a_partial_success_is_handed_through_in_protobuf() {
    let json = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#;
    for outcome in [
        answered(200, &[PROTOBUF], THREE_REJECTED).await,
        answered(200, &[JSON], json).await,
        answered(200, &[JSON, ("content-encoding", "gzip")], Encoding::Gzip.deflate(&json.into(), 1).unwrap()).await,
    ] {
        let response = delivered(outcome);
        assert_eq!(response, THREE_REJECTED);
        let said = PartialSuccess { rejected: 3, message: "no".to_owned() };
        assert_eq!(partial_success(Signal::Traces, &response), Some(said));
    }
}

#[tokio::test]
async fn a_success_that_is_no_otlp_answer_is_a_success() {
    for kind in ["text/html", "text/plain", "application/octet-stream"] {
        let raw = Raw::answering(move |_| answer(200, &[("content-type", kind)], "<html>")).await;
        let outcome = http(&raw.url()).send(Signal::Traces, request(Signal::Traces), None).await;
        assert!(delivered(outcome).is_empty(), "{kind}");
    }
    assert!(delivered(answered(200, &[], "OK").await).is_empty());
}

#[tokio::test]
async fn a_success_that_claims_to_be_an_otlp_answer_and_is_none_is_refused() {
    for outcome in [
        answered(200, &[PROTOBUF], "<html>").await,
        answered(200, &[JSON], "<html>").await,
        answered(200, &[JSON, ("content-encoding", "gzip")], "{}").await,
    ] {
        let failure = refused(outcome);
        assert_eq!(failure.code, Code::Internal);
        assert!(failure.message.contains("the request may have been taken"), "{}", failure.message);
    }
}

#[tokio::test]
async fn o_16_an_answer_over_4_mib_is_refused() {
    const LIMIT: usize = 4 << 20;
    assert!(delivered(answered(200, &[], vec![b'x'; LIMIT]).await).is_empty());
    let large = answered(200, &[], vec![b'x'; LIMIT + 1]).await;
    let bomb = Encoding::Gzip.deflate(&vec![b' '; LIMIT + 1].into(), 1).unwrap();
    let inflated = answered(200, &[JSON, ("content-encoding", "gzip")], bomb).await;
    for outcome in [large, inflated] {
        let failure = refused(outcome);
        assert_eq!(failure.code, Code::ResourceExhausted);
        assert!(failure.message.contains("over 4194304 bytes"), "{}", failure.message);
    }
}
