//! How long connections live: by age, idleness and pings.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::PingPolicy;
use tonic::Code;

use super::support::{Chunks, End, JSON, Setup, call, soon};

#[tokio::test]
async fn o_46_a_connection_without_a_request_ends_after_its_time() {
    for mut setup in [Setup::grpc(), Setup::http()] {
        setup.listener.max_connection_idle = Some(Duration::from_millis(50));
        let server = setup.start().await;
        let client = server.h2().await;
        assert_eq!(soon(client.connection).await.unwrap(), Ok(()));
    }
    let mut setup = Setup::http();
    setup.listener.max_connection_idle = Some(Duration::from_millis(50));
    let server = setup.start().await;
    let mut client = server.h1().await;
    assert_eq!(client.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn o_46_a_request_outlives_its_connections_age_by_the_grace_for_that() {
    for grace in [None, Some(Duration::from_millis(50))] {
        let mut setup = Setup::grpc();
        setup.listener.max_connection_age = Some(Duration::from_millis(50));
        setup.listener.max_connection_age_grace = grace;
        let server = setup.start().await;
        let mut client = server.h2().await;
        let (finish, finished) = tokio::sync::oneshot::channel::<Bytes>();
        let rest = Box::pin(async move { finished.await.unwrap() });
        let body = Chunks { left: VecDeque::from([Bytes::from_static(b"\0\0\0")]), end: End::After(rest) };
        let pending = client.sender.send_request(call(Signal::Traces).body(body).unwrap());
        if grace.is_some() {
            assert!(soon(pending).await.is_err());
            continue;
        }
        // The connection takes nothing new once it is told to end, and the request is still there.
        soon(async { while client.try_send(empty()).await.is_ok() {} }).await;
        finish.send(Bytes::from_static(b"\0\0")).unwrap();
        assert_eq!(soon(pending).await.unwrap().status().as_u16(), 200);
    }
}

#[tokio::test]
async fn o_46_a_sender_that_pings_too_often_is_asked_to_reconnect() {
    let mut setup = Setup::grpc();
    setup.listener.ping_policy = Some(PingPolicy { min_time: Duration::from_secs(60), permit_without_stream: true });
    let server = setup.start().await;
    let stream = server.connect().await;
    let (mut client, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let ended = tokio::spawn(connection);
    for _ in 0..4 {
        if soon(pings.ping(h2::Ping::opaque())).await.is_err() {
            break;
        }
    }
    soon(ended).await.unwrap().unwrap();
    assert!(ready(&mut client).await.is_err());
    assert_eq!(server.h2().await.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
}

fn empty() -> http::Request<Chunks> {
    call(Signal::Traces).body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()
}

async fn ready(client: &mut h2::client::SendRequest<Bytes>) -> Result<(), h2::Error> {
    std::future::poll_fn(|cx| client.poll_ready(cx)).await
}

#[tokio::test]
async fn o_46_a_peer_that_answers_no_ping_is_let_go() {
    let mut setup = Setup::grpc();
    setup.listener.keepalive_interval = Duration::from_millis(50);
    setup.listener.keepalive_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    // Half-open: it says what HTTP/2 begins with, and then nothing.
    let mut client = server.h1().await;
    client.write(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..]).await;
    client.closed().await;
}
