//! The gRPC transport, with generated clients and with frames put together by hand.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::Admission;
use gramtrace::telemetry::Metrics;
use gramtrace::wire::Encoding;
use http::{Request, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_types::{StatusExt, pb};

use super::support::{Chunks, End, LIMIT, PROTOBUF, Server, Setup, call, framed, sample, soon};

fn spans(count: usize) -> ExportTraceServiceRequest {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "chat".to_owned(), ..Span::default() };
    let scope = ScopeSpans { spans: vec![span; count], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }
}

async fn traces(server: &Server) -> TraceServiceClient<tonic::transport::Channel> {
    TraceServiceClient::connect(format!("http://{}", server.address)).await.unwrap()
}

#[tokio::test]
async fn o_02_o_17_a_generated_client_of_every_signal_is_answered_with_full_success() {
    let server = Setup::grpc().start().await;
    let at = format!("http://{}", server.address);
    let answer = traces(&server).await.export(spans(3)).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let mut metrics = MetricsServiceClient::connect(at.clone()).await.unwrap();
    let answer = metrics.export(ExportMetricsServiceRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let mut logs = LogsServiceClient::connect(at).await.unwrap();
    let answer = logs.export(ExportLogsServiceRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
}

#[tokio::test]
async fn o_10_a_generated_client_may_compress_with_gzip() {
    let server = Setup::grpc().start().await;
    let mut client = traces(&server).await.send_compressed(CompressionEncoding::Gzip);
    for count in [0, 1, 500] {
        assert_eq!(client.export(spans(count)).await.unwrap().into_inner().partial_success, None);
    }
}

#[tokio::test]
async fn o_18_an_empty_message_is_an_empty_request_and_the_answer_is_one_empty_frame() {
    let server = Setup::grpc().start().await;
    let answer = server.h2().await.export(&b"\0\0\0\0\0"[..]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/grpc");
    assert_eq!(&answer.body[..], b"\0\0\0\0\0");
    assert_eq!(answer.trailers.get("grpc-status").unwrap(), "0");
    assert!(!answer.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn o_04_content_types_with_proto_and_with_parameters_are_taken() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"] {
        let request = Request::post(format!("http://localhost{}", Signal::Logs.grpc_path()))
            .header("content-type", content_type)
            .body(Chunks::whole(&b"\0\0\0\0\0"[..]))
            .unwrap();
        assert_eq!(client.send(request).await.code(), Code::Ok, "{content_type}");
    }
}

#[tokio::test]
async fn o_10_every_encoding_is_taken_and_an_unflagged_message_is_bare_whatever_the_header_says() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    let message = spans(100).encode_to_vec();
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        for body in [framed(encoding, &message), framed(Encoding::Identity, &message)] {
            let request = call(Signal::Traces).header("grpc-encoding", encoding.name());
            let answer = client.send(request.body(Chunks::whole(body)).unwrap()).await;
            assert_eq!(answer.code(), Code::Ok, "{encoding:?}");
        }
    }
}

#[tokio::test]
async fn o_07_an_unknown_service_or_method_is_unimplemented() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    for path in [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/v1/traces",
        "/",
    ] {
        let request = Request::post(format!("http://localhost{path}")).header("content-type", "application/grpc");
        let answer = client.send(request.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, Code::Unimplemented), "{path}");
        assert_eq!(answer.grpc().message(), format!("no OTLP service at {path}"));
    }
}

#[tokio::test]
async fn a_signal_without_a_pipeline_is_unimplemented_and_the_message_says_what_to_configure() {
    let server = Setup { signals: vec![Signal::Traces], ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    let answer = client.send(call(Signal::Metrics).body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await;
    assert_eq!(answer.code(), Code::Unimplemented);
    assert_eq!(
        answer.grpc().message(),
        "receiver `otlp` feeds no metrics pipeline: list it under `service::pipelines::metrics::receivers`"
    );
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
}

#[tokio::test]
async fn o_06_what_is_no_grpc_is_answered_415_and_what_is_no_post_405() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    let path = format!("http://localhost{}", Signal::Traces.grpc_path());
    for content_type in ["application/x-protobuf", "application/grpc+json", "text/html"] {
        let request = Request::post(&path).header("content-type", content_type);
        let answer = client.send(request.body(Chunks::whole(Bytes::new())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
    let untyped = Request::post(&path).body(Chunks::whole(Bytes::new())).unwrap();
    assert_eq!(client.send(untyped).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let get = Request::get(&path).header("content-type", "application/grpc").body(Chunks::whole(Bytes::new())).unwrap();
    let answer = client.send(get).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}

#[tokio::test]
async fn o_11_an_unknown_encoding_is_unimplemented_and_the_answer_names_those_that_are_spoken() {
    let server = Setup::grpc().start().await;
    let request = call(Signal::Traces).header("grpc-encoding", "snappy");
    let answer = server.h2().await.send(request.body(Chunks::whole(&b"\x01\0\0\0\x01a"[..])).unwrap()).await;
    assert_eq!(answer.code(), Code::Unimplemented);
    assert_eq!(answer.header("grpc-accept-encoding"), "identity,gzip,zstd");
    assert_eq!(answer.grpc().message(), "unsupported content encoding `snappy`: send identity, gzip or zstd");
}

#[tokio::test]
async fn o_13_o_14_o_24_a_message_at_the_limit_is_taken_and_one_byte_more_is_resource_exhausted_without_retry_info() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        let mut send = async |size: usize| {
            let request = call(Signal::Traces).header("grpc-encoding", encoding.name());
            client.send(request.body(Chunks::whole(framed(encoding, &vec![0; size]))).unwrap()).await
        };
        let code = send(LIMIT).await.code();
        // Zeros are no OTLP; what matters here is that they are not too large.
        assert_ne!(code, Code::ResourceExhausted, "{encoding:?}");
        let status = send(LIMIT + 1).await.grpc();
        assert_eq!(status.code(), Code::ResourceExhausted, "{encoding:?}");
        assert!(status.get_details_retry_info().is_none());
        assert!(status.details().is_empty());
    }
}

#[tokio::test]
async fn a_frame_that_claims_4_gib_is_refused_before_its_bytes_come() {
    let server = Setup::grpc().start().await;
    let request = call(Signal::Traces).body(Chunks::stalled(&b"\0\xff\xff\xff\xff"[..])).unwrap();
    assert_eq!(server.h2().await.send(request).await.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up_and_may_be_sent_again() {
    let mut setup = Setup::grpc();
    setup.limits.timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut client = server.h2().await;
    let request = call(Signal::Traces).body(Chunks::stalled(&b"\0\0\0\0\x05ab"[..])).unwrap();
    assert_eq!(client.send(request).await.code(), Code::Unavailable);
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_senders_timeout_ends_its_request() {
    let server = Setup::grpc().start().await;
    let request = call(Signal::Traces).header("grpc-timeout", "50m");
    let answer = server.h2().await.send(request.body(Chunks::stalled(&b"\0"[..])).unwrap()).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn o_23_one_request_too_many_is_unavailable_with_retry_info_until_a_sender_goes_away() {
    let admission = Admission::new(1, Duration::from_millis(2500));
    let server = Setup { admission, ..Setup::grpc() }.start().await;
    let mut first = server.h2().await;
    let mut second = server.h2().await;
    let held = tokio::spawn(async move {
        loop {
            // Comes back only if the other sender's request was inside at that moment.
            let stalled = call(Signal::Traces).body(Chunks::stalled(&b"\0\0\0"[..])).unwrap();
            let _ = first.try_send(stalled).await;
        }
    });
    let refused = soon(async {
        loop {
            let status = second.export(&b"\0\0\0\0\0"[..]).await.grpc();
            if status.code() != Code::Ok {
                break status;
            }
        }
    })
    .await;
    assert_eq!(refused.code(), Code::Unavailable);
    let delay = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(delay, Some(Duration::from_millis(2500)));
    held.abort();
    soon(async { while second.export(&b"\0\0\0\0\0"[..]).await.code() != Code::Ok {} }).await;
}

#[tokio::test]
async fn o_45_requests_of_one_connection_run_at_the_same_time() {
    let server = Setup::grpc().start().await;
    let (finish, finished) = tokio::sync::oneshot::channel::<Bytes>();
    let rest = Box::pin(async move { finished.await.unwrap() });
    let slow = Chunks { left: VecDeque::from([Bytes::from_static(b"\0\0\0")]), end: End::After(rest) };
    let mut client = server.h2().await;
    let mut other = super::support::H2 { sender: client.sender.clone(), connection: tokio::spawn(async { Ok(()) }) };
    let slow = tokio::spawn(async move { other.try_send(call(Signal::Traces).body(slow).unwrap()).await });
    for _ in 0..20 {
        assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    }
    assert!(!slow.is_finished());
    finish.send(Bytes::from_static(b"\0\0")).unwrap();
    assert_eq!(soon(slow).await.unwrap().unwrap().code(), Code::Ok);
}

#[tokio::test]
async fn a_message_in_many_small_frames_arrives_whole() {
    let server = Setup::grpc().start().await;
    let whole = framed(Encoding::Gzip, &spans(20).encode_to_vec());
    let left = (0..whole.len()).map(|at| whole.slice(at..=at)).collect();
    let request = call(Signal::Traces).header("grpc-encoding", "gzip");
    let answer = server.h2().await.send(request.body(Chunks { left, end: End::Whole }).unwrap()).await;
    assert_eq!(answer.code(), Code::Ok);
}

#[tokio::test]
async fn who_speaks_another_otlp_than_the_ports_is_told_which_port_to_use_in_what_they_speak() {
    let metrics = Metrics::default();
    let grpc = Setup { metrics: metrics.clone(), ..Setup::grpc() }.start().await;
    let said = "unsupported content type `application/x-protobuf`: send application/grpc to this port; OTLP over HTTP has \
                its own, 4318 by default";
    let body = spans(1).encode_to_vec();
    // Over HTTP/1.1, as most exporters do; a body that is not read whole does not take the answer with it.
    for body in [&body[..], &vec![0; 8 << 20]] {
        let answer = grpc.h1().await.post("/v1/traces", &[PROTOBUF], body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/x-protobuf")
        );
        assert_eq!(pb::Status::decode(answer.body).unwrap().message, said);
    }
    // And over HTTP/2.
    let request = Request::post("http://localhost/v1/traces").header("content-type", "application/x-protobuf");
    let answer = grpc.h2().await.send(request.body(Chunks::whole(body)).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument));
    assert_eq!(pb::Status::decode(answer.body).unwrap().message, said);

    let counted = "gramtrace_receiver_requests_total{receiver=\"otlp\",transport=\"grpc\",signal=\"none\",outcome=\"unsupported_media_type\"}";
    assert_eq!(sample(&metrics, counted), 3.0);

    let http = Setup { metrics: metrics.clone(), ..Setup::http() }.start().await;
    let refused = traces(&http).await.export(spans(1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(
        refused.message(),
        "no OTLP service at /opentelemetry.proto.collector.trace.v1.TraceService/Export: this port takes OTLP over HTTP; \
         OTLP over gRPC has its own, 4317 by default"
    );
    let counted =
        "gramtrace_receiver_requests_total{receiver=\"otlp\",transport=\"http\",signal=\"none\",outcome=\"not_found\"}";
    assert_eq!(sample(&metrics, counted), 1.0);
}
