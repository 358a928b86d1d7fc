//! Who may send: senders that are not known are turned away before their bodies are asked for.

use gramtrace::otlp::Signal;
use gramtrace::receiver::{AuthSettings, Authenticator, BasicSettings, BearerSettings, Hidden};
use gramtrace::telemetry::Metrics;
use http::Request;
use prost::Message;
use tonic::Code;
use tonic_types::pb;

use super::logs;
use super::support::{Chunks, JSON, PROTOBUF, Setup, call, sample};

fn bearer(token: &str) -> Option<Authenticator> {
    let settings = BearerSettings {
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![Hidden::new(token)],
        file: None,
    };
    Some(Authenticator::load(AuthSettings::Bearer(settings)).unwrap())
}

fn basic(line: &str) -> Option<Authenticator> {
    let settings = BasicSettings { inline: Some(Hidden::new(line)), file: None };
    Some(Authenticator::load(AuthSettings::Basic(settings)).unwrap())
}

fn refused(metrics: &Metrics, transport: &str, signal: &str) -> f64 {
    let labels = format!("transport=\"{transport}\",signal=\"{signal}\",outcome=\"unauthenticated\"");
    sample(metrics, &format!("gramtrace_receiver_requests_total{{receiver=\"otlp\",{labels}}}"))
}

#[tokio::test]
async fn a_call_without_a_known_token_is_unauthenticated_before_its_body_is_asked_for() {
    let metrics = Metrics::new();
    let server = Setup { auth: bearer("t0k3n"), metrics: metrics.clone(), ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    for (value, message) in [
        (None, "not authenticated: send `authorization: Bearer <token>`"),
        (Some("Basic t0k3n"), "not authenticated: send `authorization: Bearer <token>`"),
        (Some("Bearer wr0ng"), "not authenticated: the token is not one of those known here"),
    ] {
        let call = value.into_iter().fold(call(Signal::Traces), |call, value| call.header("authorization", value));
        // The body never comes: who is waited for it was let in.
        let status = client.send(call.body(Chunks::stalled(&b"\0"[..])).unwrap()).await.grpc();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, message));
    }
    let known = call(Signal::Traces).header("authorization", "Bearer t0k3n");
    assert_eq!(client.send(known.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await.code(), Code::Ok);
    assert_eq!(refused(&metrics, "grpc", "traces"), 3.0);
    let logged = logs::with("reason=\"unauthenticated\"");
    let [line] = &logged[..] else { panic!("one line a reason: {logged:?}") };
    assert!(!line.contains("t0k3n") && !line.contains("wr0ng"), "{line}");
}

#[tokio::test]
async fn a_request_without_a_known_token_is_401_with_the_challenge_in_the_requests_type() {
    let metrics = Metrics::new();
    let server = Setup { auth: bearer("t0k3n"), metrics: metrics.clone(), ..Setup::http() }.start().await;
    let mut client = server.h1().await;
    let answer = client.post("/v1/traces", &[PROTOBUF], b"").await;
    let challenge = "Bearer realm=\"gramtrace\"";
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, challenge));
    assert_eq!(pb::Status::decode(answer.body).unwrap().code, 16);
    let answer = client.post("/v1/logs", &[JSON, "authorization: Bearer wr0ng"], b"{}").await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (401, Some(16)));
    // What is served where is nothing that a stranger can ask for.
    assert_eq!(client.post("/v9/traces", &[JSON], b"{}").await.status.as_u16(), 401);
    let known = &[JSON, "authorization: bearer t0k3n"];
    assert_eq!(client.post("/v1/traces", known, b"{}").await.status.as_u16(), 200);
    for signal in ["traces", "logs", "none"] {
        assert_eq!(refused(&metrics, "http", signal), 1.0, "{signal}");
    }
    // Nothing of a body that is not to be taken is asked for.
    let mut asking = server.h1().await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 2\r\n";
    asking.write(format!("{head}{JSON}\r\n\r\n")).await;
    assert_eq!(asking.answer().await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_name_and_its_password_are_let_in_over_both_transports() {
    // printf 'app:s3cr3t' | base64
    let known = "Basic YXBwOnMzY3IzdA==";
    let (grpc, http) = (
        Setup { auth: basic("app:s3cr3t"), ..Setup::grpc() }.start().await,
        Setup { auth: basic("app:s3cr3t"), ..Setup::http() }.start().await,
    );
    let request = call(Signal::Logs).header("authorization", known);
    let answer = grpc.h2().await.send(request.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await;
    assert_eq!(answer.code(), Code::Ok);
    let mut client = http.h1().await;
    assert_eq!(client.post("/v1/logs", &[JSON, &format!("authorization: {known}")], b"{}").await.status.as_u16(), 200);
    let answer = client.post("/v1/logs", &[JSON, "authorization: Basic YXBwOg=="], b"{}").await;
    assert_eq!(answer.status.as_u16(), 401);
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"gramtrace\", charset=\"UTF-8\"");
}

#[tokio::test]
async fn guesses_at_a_slow_password_are_asked_to_come_back_and_known_senders_are_served_meanwhile() {
    // `s3cr3t`: libxcrypt 4.4, through Python's crypt.
    let line = "app:$2b$10$PDAU3gUKum82/OALV.kQreGU5VfelcsRHKL6aw5DZjd0kQhVw.o9e";
    let server = Setup { auth: basic(line), ..Setup::grpc() }.start().await;
    let mut client = server.h2().await;
    let known = || call(Signal::Traces).header("authorization", "Basic YXBwOnMzY3IzdA==");
    let whole = || Chunks::whole(&b"\0\0\0\0\0"[..]);
    assert_eq!(client.send(known().body(whole()).unwrap()).await.code(), Code::Ok);
    let guess: fn() -> Request<Chunks> = || {
        let guess = call(Signal::Traces).header("authorization", "Basic YXBwOmd1ZXNz");
        guess.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()
    };
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut guesser = server.h2().await;
        guesses.spawn(async move { guesser.send(guess()).await });
    }
    assert_eq!(client.send(known().body(whole()).unwrap()).await.code(), Code::Ok);
    let codes: Vec<Code> = guesses.join_all().await.into_iter().map(|answer| answer.code()).collect();
    assert!(codes.iter().all(|code| matches!(code, Code::Unauthenticated | Code::Unavailable)), "{codes:?}");
    assert!(codes.contains(&Code::Unauthenticated), "{codes:?}");
}
