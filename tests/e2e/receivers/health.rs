//! The health service of gRPC, as probes and balancers ask it.

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::{AuthSettings, Authenticator, BearerSettings, Hidden};
use http::Request;
use http_body_util::BodyExt;
use tonic::Code;

use super::support::{Answer, Chunks, H2, Setup, soon};

const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";
const SERVICE_UNKNOWN: &[u8] = b"\0\0\0\0\x02\x08\x03";
const TRACES: &str = "opentelemetry.proto.collector.trace.v1.TraceService";
const LOGS: &str = "opentelemetry.proto.collector.logs.v1.LogsService";

/// A call of `method` about `service`.
fn question(method: &str, service: &str) -> Request<Chunks> {
    let mut message = vec![0x0a, u8::try_from(service.len()).unwrap()];
    message.extend(service.as_bytes());
    let message: &[u8] = if service.is_empty() { b"" } else { &message };
    let body = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat();
    Request::post(format!("http://localhost/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .body(Chunks::whole(body))
        .unwrap()
}

async fn check(client: &mut H2, service: &str) -> Answer {
    client.send(question("Check", service)).await
}

#[tokio::test]
async fn o_51_the_server_and_the_services_that_have_a_pipeline_are_serving() {
    let server = Setup { signals: vec![Signal::Traces], ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    for service in ["", TRACES] {
        let answer = check(&mut client, service).await;
        assert_eq!((answer.code(), &answer.body[..]), (Code::Ok, SERVING), "{service}");
    }
    for service in [LOGS, "some.other.Service"] {
        let status = check(&mut client, service).await.grpc();
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, format!("no service `{service}` here").as_str())
        );
    }
    server.intake.end();
    assert_eq!(&check(&mut client, TRACES).await.body[..], NOT_SERVING);
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok, "what comes all the same is taken");
}

#[tokio::test]
async fn o_51_who_watches_is_told_the_end() {
    let server = Setup { signals: vec![Signal::Traces], ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    for (service, now) in [(TRACES, SERVING), ("some.other.Service", SERVICE_UNKNOWN)] {
        client.sender.ready().await.unwrap();
        let answer = client.sender.send_request(question("Watch", service)).await.unwrap();
        let mut body = answer.into_body();
        let next = async |body: &mut hyper::body::Incoming| soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(next(&mut body).await.into_data().unwrap(), Bytes::from_static(now));
        if service == TRACES {
            server.intake.end();
        }
        assert_eq!(next(&mut body).await.into_data().unwrap(), Bytes::from_static(NOT_SERVING));
        assert_eq!(next(&mut body).await.into_trailers().unwrap()["grpc-status"], "0");
    }
}

#[tokio::test]
async fn o_51_probes_need_no_credentials_and_questions_that_are_none_are_refused() {
    let token = BearerSettings {
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![Hidden::new("t0k3n")],
        file: None,
    };
    let auth = Authenticator::load(AuthSettings::Bearer(token)).unwrap();
    let server = Setup { auth: Some(auth), ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Unauthenticated);
    assert_eq!(check(&mut client, "").await.code(), Code::Ok);
    for body in [&b""[..], b"\0\0\0\0\x02\x0a\x09", b"\0\0\0\xff\xff", b"\x01\0\0\0\0", &[0; 4096]] {
        let mut call = question("Check", "");
        *call.body_mut() = Chunks::whole(Bytes::copy_from_slice(body));
        assert_eq!(client.send(call).await.code(), Code::InvalidArgument, "{body:?}");
    }
}
