//! The HTTP transport, spoken by hand.

use std::time::Duration;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::Admission;
use gramtrace::wire::Encoding;
use http::{Request, StatusCode};
use prost::Message;
use tonic_types::pb;

use super::support::{Chunks, H1, JSON, LIMIT, PROTOBUF, Setup};

fn gzip(body: &[u8]) -> Bytes {
    Encoding::Gzip.deflate(&Bytes::copy_from_slice(body), 1).unwrap()
}

#[tokio::test]
async fn o_03_o_04_o_17_o_18_every_signal_is_taken_in_both_types_on_one_kept_connection() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for signal in Signal::ALL {
        let answer = client.post(signal.http_path(), &[PROTOBUF], b"").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b""[..]));
        assert_eq!(answer.header("content-type"), "application/x-protobuf");
        let answer = client.post(signal.http_path(), &[JSON], b"{}").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"{}"[..]));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn o_04_parameters_and_case_of_a_content_type_do_not_matter() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for (header, body) in [
        ("content-type: application/json; charset=utf-8", &b"{}"[..]),
        ("Content-Type: Application/JSON;charset=UTF-8", b"{}"),
        ("content-type: application/x-protobuf ; q=1", b""),
    ] {
        assert_eq!(client.post("/v1/traces", &[header], body).await.status, StatusCode::OK, "{header}");
    }
}

#[tokio::test]
async fn o_05_http_2_without_tls_is_spoken_on_the_same_port() {
    let server = Setup::http().start().await;
    let request = Request::post("http://localhost/v1/logs").header("content-type", "application/json");
    let answer = server.h2().await.send(request.body(Chunks::whole(&b"{}"[..])).unwrap()).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"{}"[..]));
    assert_eq!(server.h1().await.post("/v1/logs", &[JSON], b"{}").await.status, StatusCode::OK);
}

#[tokio::test]
async fn o_10_every_encoding_is_taken() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for (name, encoding) in [
        ("identity", Encoding::Identity),
        ("none", Encoding::Identity),
        ("gzip", Encoding::Gzip),
        ("GZIP", Encoding::Gzip),
        ("zstd", Encoding::Zstd),
    ] {
        let body = encoding.deflate(&Bytes::from_static(b"{}"), 1).unwrap();
        let answer = client.post("/v1/traces", &[JSON, &format!("content-encoding: {name}")], &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn o_06_what_is_no_post_is_405_and_says_what_is_allowed() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        client.write(format!("{method} /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method}");
    }
}

#[tokio::test]
async fn o_03_o_07_an_unknown_path_is_404_and_paths_are_what_the_settings_say() {
    let paths = vec![(Signal::Traces, "/otlp/spans".to_owned())];
    let server = Setup { paths, ..Setup::http() }.start().await;
    let mut client = server.h1().await;
    assert_eq!(client.post("/otlp/spans", &[JSON], b"{}").await.status, StatusCode::OK);
    assert_eq!(client.post("/otlp/spans?from=here", &[JSON], b"{}").await.status, StatusCode::OK);
    for path in ["/v1/traces", "/otlp/spans/", "/", "//otlp/spans"] {
        let answer = client.post(path, &[JSON], b"{}").await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (404, Some(12)), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_is_nearly_right_is_told_which_was_meant() {
    let server = Setup::http().start().await;
    for (path, meant) in [
        ("/v1/trace", "; did you mean `/v1/traces`?"),
        ("/v1/Traces/", "; did you mean `/v1/traces`?"),
        ("/v1/metric", "; did you mean `/v1/metrics`?"),
        ("/logs", "; did you mean `/v1/logs`?"),
        ("/v1/traces/v1/traces", "; did you mean `/v1/traces`?"),
        ("/", "; write one of `/v1/traces`, `/v1/metrics`, `/v1/logs`"),
        ("/v1/spans", ""),
        ("/v1", ""),
    ] {
        let answer = server.h1().await.post(path, &[JSON], b"{}").await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        assert_eq!(answer.json()["message"], format!("no OTLP service at {path}{meant}"));
    }
}

#[tokio::test]
async fn a_signal_without_a_pipeline_is_404_and_the_message_says_what_to_configure() {
    let server = Setup { signals: vec![Signal::Logs], ..Setup::http() }.start().await;
    let answer = server.h1().await.post("/v1/traces", &[JSON], b"{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer.json()["message"],
        "receiver `otlp` feeds no traces pipeline: list it under `service::pipelines::traces::receivers`"
    );
}

#[tokio::test]
async fn o_06_another_or_no_content_type_is_415() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for headers in [&["content-type: text/plain"][..], &["content-type: application/grpc"], &["content-type:"], &[]] {
        let answer = client.post("/v1/traces", headers, b"{}").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (415, "application/json"), "{headers:?}");
    }
}

#[tokio::test]
async fn o_11_an_unknown_encoding_is_415_and_the_answer_names_those_that_are_spoken() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    for encoding in ["br", "gzip, gzip", "deflate"] {
        let answer = client.post("/v1/traces", &[JSON, &format!("content-encoding: {encoding}")], b"{}").await;
        assert_eq!((answer.status.as_u16(), answer.header("accept-encoding")), (415, "gzip, zstd"), "{encoding}");
    }
}

#[tokio::test]
async fn o_22_a_refusal_is_a_google_rpc_status_in_the_requests_type() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let corrupt = ["content-encoding: gzip", PROTOBUF];
    let answer = client.post("/v1/traces", &corrupt, b"no gzip").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "application/x-protobuf"));
    let status = pb::Status::decode(answer.body).unwrap();
    assert_eq!(status.code, 3);
    assert!(status.message.starts_with("the gzip body is corrupt"), "{}", status.message);
    assert_eq!(status.details, []);

    let answer = client.post("/v1/traces", &["content-encoding: gzip", JSON], b"no gzip").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "application/json"));
    assert_eq!(answer.json()["code"], 3);
    let answer = client.post("/v1/traces", &[JSON], b"[").await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (400, Some(3)));
}

#[tokio::test]
async fn o_13_o_14_a_body_at_the_limit_is_taken_and_one_byte_more_is_413_before_and_after_inflating() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let mut object = b"{}".to_vec();
    object.resize(LIMIT, b' ');
    assert_eq!(client.post("/v1/traces", &[JSON], &object).await.status, StatusCode::OK);
    assert_eq!(client.post("/v1/traces", &[JSON, "content-encoding: gzip"], &gzip(&object)).await.status, 200);
    object.push(b' ');
    let answer = client.post("/v1/traces", &[JSON], &object).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (413, Some(8)));
    assert_eq!(answer.header("retry-after"), "");
    let answer = client.post("/v1/traces", &[JSON, "content-encoding: gzip"], &gzip(&object)).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (413, Some(8)));
}

#[tokio::test]
async fn a_body_without_a_length_is_413_as_soon_as_it_is_too_large() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let head =
        format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{PROTOBUF}\r\ntransfer-encoding: chunked\r\n\r\n");
    client.write(head).await;
    let chunk = [format!("{LIMIT:x}\r\n").as_bytes(), &vec![0; LIMIT], b"\r\n1\r\nx\r\n"].concat();
    client.write(chunk).await;
    assert_eq!(client.answer().await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_sender_that_writes_all_of_a_large_body_first_still_reads_its_413() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let answer = client.post("/v1/traces", &[PROTOBUF], &vec![0; 16 << 20]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(client.post("/v1/traces", &[PROTOBUF], b"").await.status, StatusCode::OK);
}

async fn expecting(client: &mut H1, length: usize) {
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n";
    client.write(format!("{head}{JSON}\r\ncontent-length: {length}\r\n\r\n")).await;
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_to_go_on() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    expecting(&mut client, 2).await;
    assert_eq!(client.answer().await.status, StatusCode::CONTINUE);
    client.write("{}").await;
    assert_eq!(client.answer().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_413_before_it_sends() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    expecting(&mut client, LIMIT + 1).await;
    assert_eq!(client.answer().await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn o_23_one_request_too_many_is_503_with_retry_after_in_whole_seconds() {
    let admission = Admission::new(0, Duration::from_millis(2500));
    let server = Setup { admission, ..Setup::http() }.start().await;
    let answer = server.h1().await.post("/v1/traces", &[JSON], b"{}").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "3"));
    assert_eq!(answer.json()["code"], 14);
    assert_eq!(answer.json()["details"][0]["retryDelay"], "2.500s");
}

#[tokio::test]
async fn a_body_that_stalls_is_503() {
    let mut setup = Setup::http();
    setup.limits.timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut client = server.h1().await;
    client.write(format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ncontent-length: 9\r\n\r\n{{")).await;
    assert_eq!(client.answer().await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn requests_sent_without_waiting_are_answered_in_their_order() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let good = format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ncontent-length: 2\r\n\r\n{{}}");
    let bad = good.replace("v1", "v2");
    client.write([good.as_str(), &bad, &good].concat()).await;
    for status in [200, 404, 200] {
        assert_eq!(client.answer().await.status.as_u16(), status);
    }
}
