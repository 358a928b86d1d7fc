//! What a backend says is what the sender hears, over either transport.

use std::time::Duration;

use gramtrace::exporter::{Exporter, GrpcExporter, GrpcExporterSettings, Headers, Keepalive, TlsSettings};
use gramtrace::otlp::Signal;
use gramtrace::receiver::{Listener, ListenerSettings, Protocol};
use gramtrace::wire::Encoding;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

use super::support::{Chunks, JSON, PROTOBUF, Setup, call};

/// A backend that always says the same; `None` is nothing at all.
struct Says(Option<Result<ExportTraceServiceResponse, Status>>);

#[tonic::async_trait]
impl TraceService for Says {
    async fn export(
        &self,
        _: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        match self.0.clone() {
            Some(answer) => answer.map(Response::new),
            None => std::future::pending().await,
        }
    }
}

async fn exporter_to(backend: Says) -> Exporter {
    let listener = Listener::bind("127.0.0.1:0", ListenerSettings::new(Protocol::Http2)).await.unwrap();
    let endpoint = format!("http://{}", listener.address());
    let service = TowerToHyperService::new(TraceServiceServer::new(backend));
    tokio::spawn(listener.serve(service, std::future::pending()));
    let settings = GrpcExporterSettings {
        name: "otlp_grpc".to_owned(),
        endpoint,
        tls: TlsSettings::default(),
        encoding: Encoding::Identity,
        level: 1,
        headers: Headers::default(),
        timeout: Duration::ZERO,
        keepalive: Keepalive::default(),
    };
    GrpcExporter::new(settings).unwrap().into()
}

fn fails(code: Code, delay: Option<Duration>) -> Says {
    let status = match delay {
        Some(_) => Status::with_error_details(code, "the disk is full", ErrorDetails::with_retry_info(delay)),
        None => Status::new(code, "the disk is full"),
    };
    Says(Some(Err(status)))
}

#[tokio::test]
async fn o_19_a_partial_success_is_handed_back_in_the_requests_type() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "one \"bad\" span".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
    let says = || Says(Some(Ok(answer.clone())));

    let grpc = Setup { exporter: exporter_to(says()).await, ..Setup::grpc() }.start().await;
    let over_grpc = grpc.h2().await.export(&b"\0\0\0\0\0"[..]).await;
    assert_eq!(over_grpc.code(), Code::Ok);
    assert_eq!(ExportTraceServiceResponse::decode(over_grpc.body.slice(5..)).unwrap(), answer);

    let http = Setup { exporter: exporter_to(says()).await, ..Setup::http() }.start().await;
    let mut client = http.h1().await;
    let protobuf = client.post("/v1/traces", &[PROTOBUF], b"").await;
    assert_eq!(protobuf.status.as_u16(), 200);
    assert_eq!(ExportTraceServiceResponse::decode(protobuf.body).unwrap(), answer);
    let json = client.post("/v1/traces", &[JSON], b"{}").await;
    assert_eq!(json.status.as_u16(), 200);
    let expected = serde_json::json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "one \"bad\" span"}});
    assert_eq!(json.json(), expected);
}

#[tokio::test]
async fn o_24_a_backends_code_and_delay_reach_a_grpc_sender() {
    for (code, delay) in [
        (Code::Unavailable, Some(Duration::from_millis(1500))),
        (Code::ResourceExhausted, Some(Duration::from_secs(4))),
        (Code::ResourceExhausted, None),
        (Code::InvalidArgument, None),
        // A backend's own; for what is too large here another code stands.
        (Code::OutOfRange, None),
    ] {
        let server = Setup { exporter: exporter_to(fails(code, delay)).await, ..Setup::grpc() }.start().await;
        let status = server.h2().await.export(&b"\0\0\0\0\0"[..]).await.grpc();
        assert_eq!(status.code(), code);
        assert!(status.message().contains("the disk is full"), "{}", status.message());
        assert_eq!(status.get_details_retry_info().and_then(|info| info.retry_delay), delay, "{code:?}");
    }
}

#[tokio::test]
async fn o_24_a_backends_code_and_delay_reach_an_http_sender() {
    for (code, delay, status, retry_after) in [
        (Code::Unavailable, Some(Duration::from_millis(1500)), 503, "2"),
        (Code::ResourceExhausted, Some(Duration::from_secs(4)), 429, "4"),
        (Code::InvalidArgument, None, 400, ""),
        (Code::OutOfRange, None, 503, ""),
        (Code::Internal, None, 500, ""),
    ] {
        let server = Setup { exporter: exporter_to(fails(code, delay)).await, ..Setup::http() }.start().await;
        let answer = server.h1().await.post("/v1/traces", &[PROTOBUF], b"").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (status, retry_after), "{code:?}");
        let body = pb::Status::decode(answer.body).unwrap();
        assert_eq!(body.code, i32::from(code));
        assert!(body.message.contains("the disk is full"), "{}", body.message);
    }
}

#[tokio::test]
async fn a_backend_that_says_nothing_is_waited_for_until_the_senders_deadline() {
    let server = Setup { exporter: exporter_to(Says(None)).await, ..Setup::grpc() }.start().await;
    let request = call(Signal::Traces).header("grpc-timeout", "100m");
    let answer = server.h2().await.send(request.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
}
