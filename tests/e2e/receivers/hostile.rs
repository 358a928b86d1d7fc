//! Input that is meant to hurt, each followed by a good request to the same process.

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::wire::{Encoding, frame};
use tonic::Code;

use super::support::{Chunks, End, H1, JSON, LIMIT, PROTOBUF, Server, Setup, call, framed, soon};

/// Inflates to 1 GiB; a few KiB in zstd, a MiB in gzip.
fn bomb(encoding: Encoding) -> Bytes {
    let piece = encoding.deflate(&Bytes::from(vec![0; 16 << 20]), 9).unwrap();
    // Members (gzip) and frames (zstd) may follow one another.
    piece.repeat(64).into()
}

async fn answers_a_good_call(server: &Server, after: &str) {
    assert_eq!(server.h2().await.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok, "after {after}");
}

#[tokio::test]
async fn o_11_o_21_after_each_bad_call_the_same_process_answers_a_good_one() {
    let server = Setup::grpc().start().await;
    let truncated = framed(Encoding::Gzip, &[7; 1000]);
    let cut = truncated.slice(..truncated.len() - 9);
    let corrupt = [&frame::prefix(true, 7).unwrap()[..], b"no gzip"].concat();
    let short = [&frame::prefix(true, cut.len() - 5).unwrap()[..], &cut[5..]].concat();
    let cases: [(&str, &str, Bytes, Code); 13] = [
        ("a message that is no protobuf", "identity", framed(Encoding::Identity, b"\xff"), Code::InvalidArgument),
        ("no frame at all", "identity", Bytes::new(), Code::InvalidArgument),
        ("half a prefix", "identity", Bytes::from_static(b"\0\0\0"), Code::InvalidArgument),
        ("half a message", "identity", Bytes::from_static(b"\0\0\0\0\x09abc"), Code::InvalidArgument),
        ("two messages", "identity", Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0"), Code::InvalidArgument),
        ("a flag of 7", "identity", Bytes::from_static(b"\x07\0\0\0\0"), Code::InvalidArgument),
        ("half a gzip frame", "gzip", cut, Code::InvalidArgument),
        ("a gzip stream that ends early", "gzip", short.into(), Code::InvalidArgument),
        ("no gzip", "gzip", corrupt.clone().into(), Code::InvalidArgument),
        ("gzip as zstd", "zstd", corrupt.into(), Code::InvalidArgument),
        ("a flag without an encoding", "identity", Bytes::from_static(b"\x01\0\0\0\x01a"), Code::Internal),
        ("a frame of 4 GiB", "identity", Bytes::from_static(b"\0\xff\xff\xff\xffabc"), Code::ResourceExhausted),
        ("a message over the limit", "identity", framed(Encoding::Identity, &[0; LIMIT + 1]), Code::ResourceExhausted),
    ];
    let mut one_connection = server.h2().await;
    for (what, encoding, body, code) in cases {
        let request = call(Signal::Traces).header("grpc-encoding", encoding);
        let answer = one_connection.send(request.body(Chunks::whole(body)).unwrap()).await;
        assert_eq!(answer.code(), code, "{what}: {}", answer.grpc().message());
        assert_eq!(answer.status.as_u16(), 200, "{what}");
        assert_eq!(one_connection.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok, "after {what}");
        answers_a_good_call(&server, what).await;
    }
}

#[tokio::test]
async fn a_compressed_flag_with_an_encoding_of_identity_is_an_internal_error_as_grpc_says() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    let unnamed = call(Signal::Traces).body(Chunks::whole(&b"\x01\0\0\0\x01a"[..])).unwrap();
    let status = client.send(unnamed).await.grpc();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("compressed"), "{}", status.message());
}

#[tokio::test]
async fn o_14_bombs_are_resource_exhausted_and_413() {
    let limits = gramtrace::receiver::BodyLimits { max_bytes: 4 << 20, ..Default::default() };
    let grpc = Setup { limits, ..Setup::grpc() }.start().await;
    let http = Setup { limits, ..Setup::http() }.start().await;
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let bomb = bomb(encoding);
        let body = [&frame::prefix(true, bomb.len()).unwrap()[..], &bomb].concat();
        let request = call(Signal::Traces).header("grpc-encoding", encoding.name());
        let answer = grpc.h2().await.send(request.body(Chunks::whole(body)).unwrap()).await;
        assert_eq!(answer.code(), Code::ResourceExhausted, "{encoding:?}");
        answers_a_good_call(&grpc, encoding.name()).await;

        let encoded = format!("content-encoding: {}", encoding.name());
        let mut client = http.h1().await;
        assert_eq!(client.post("/v1/traces", &[PROTOBUF, &encoded], &bomb).await.status.as_u16(), 413);
        assert_eq!(client.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn a_call_that_its_sender_resets_leaves_the_connection_usable() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    let broken = Chunks { left: [Bytes::from_static(b"\0\0\0\0\x09abc")].into(), end: End::Broken };
    assert!(soon(client.try_send(call(Signal::Traces).body(broken).unwrap())).await.is_err());
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
}

#[tokio::test]
async fn bytes_that_are_no_http_2_end_their_connection_only() {
    let server = Setup::grpc().start().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut client = server.h1().await;
        client.write(bytes).await;
        client.closed().await;
        answers_a_good_call(&server, &String::from_utf8_lossy(bytes)).await;
    }
}

async fn good(client: &mut H1) -> u16 {
    client.post("/v1/traces", &[JSON], b"{}").await.status.as_u16()
}

#[tokio::test]
async fn o_21_after_each_bad_request_the_same_process_answers_a_good_one() {
    let server = Setup::http().start().await;
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\n");
    let cases = [
        ("bytes that are no HTTP", "\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400),
        ("a length that is none", format!("{head}content-length: many\r\n\r\n"), 400),
        ("two lengths", format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n"), 400),
        ("a chunk that is none", format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n"), 400),
        ("a header of a MiB", format!("{head}x: {}\r\n\r\n", "x".repeat(1 << 20)), 431),
        ("a thousand headers", format!("{head}{}\r\n", "x: y\r\n".repeat(1000)), 431),
        ("a length of an EiB", format!("{head}content-length: 1152921504606846976\r\n\r\n"), 413),
        ("protobuf that is none", format!("{}content-length: 1\r\n\r\n\u{7}", head.replace(JSON, PROTOBUF)), 400),
        ("JSON that is none", format!("{head}content-length: 1\r\n\r\n]"), 400),
        ("an empty JSON body", format!("{head}content-length: 0\r\n\r\n"), 400),
        (
            "an encoding of many bytes",
            format!("{head}content-encoding: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(9000)),
            415,
        ),
    ];
    for (what, bytes, status) in cases {
        let mut client = server.h1().await;
        client.write(bytes).await;
        assert_eq!(client.answer().await.status.as_u16(), status, "{what}");
        drop(client);
        assert_eq!(good(&mut server.h1().await).await, 200, "after {what}");
    }
}

#[tokio::test]
async fn half_a_request_and_a_lost_connection_harm_nobody() {
    let server = Setup::http().start().await;
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ncontent-length: 9\r\n\r\n{{");
    for cut in [1, 10, head.len() - 5, head.len()] {
        let mut client = server.h1().await;
        client.write(&head[..cut]).await;
        drop(client);
        assert_eq!(good(&mut server.h1().await).await, 200, "after {cut} bytes");
    }
}

#[tokio::test]
async fn what_a_sender_wrote_comes_back_escaped_and_cut() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let answer = client.post(&format!("/{}", "a".repeat(4000)), &[JSON], b"{}").await;
    assert_eq!(answer.json()["message"], format!("no OTLP service at /{}...", "a".repeat(79)));
    let answer = client.post("/v1/traces", &[JSON, "content-encoding: \u{e9}\"\t"], b"{}").await;
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "unsupported content encoding `\u{e9}\\\"`: send identity, gzip or zstd");
}
