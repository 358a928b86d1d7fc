//! Connections from bind to the end: shutdown, age, silence, and addresses.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::{Listener, ListenerSettings, Protocol};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::Code;

use super::logs;
use super::support::{Chunks, End, JSON, Setup, call, soon};

/// A call whose last bytes come when told.
fn unfinished() -> (Chunks, oneshot::Sender<Bytes>, oneshot::Receiver<()>) {
    let (finish, finished) = oneshot::channel();
    let (began, begun) = oneshot::channel();
    let rest = Box::pin(async move {
        // Polled for the first time when what comes before has been handed to the connection.
        let _ = began.send(());
        finished.await.unwrap()
    });
    (Chunks { left: VecDeque::from([Bytes::from_static(b"\0\0\0")]), end: End::After(rest) }, finish, begun)
}

#[tokio::test]
async fn o_50_a_call_in_flight_is_answered_after_shutdown_and_nobody_new_is_let_in() {
    let server = Setup::grpc().start().await;
    let mut client = server.h2().await;
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    let (body, finish, begun) = unfinished();
    let call = tokio::spawn(async move { client.try_send(call(Signal::Traces).body(body).unwrap()).await });
    soon(begun).await.unwrap();
    server.stop.cancel();
    soon(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    assert!(!server.served.is_finished());
    finish.send(Bytes::from_static(b"\0\0")).unwrap();
    assert_eq!(soon(call).await.unwrap().unwrap().code(), Code::Ok);
    soon(server.served).await.unwrap();
}

#[tokio::test]
async fn o_50_an_http_1_request_in_flight_is_answered_after_shutdown_and_its_connection_closed() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let idle = server.h1().await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n";
    client.write(format!("{head}{JSON}\r\ncontent-length: 2\r\n\r\n")).await;
    assert_eq!(client.answer().await.status.as_u16(), 100);
    server.stop.cancel();
    idle.closed().await;
    client.write("{}").await;
    assert_eq!(client.answer().await.status.as_u16(), 200);
    assert_eq!(client.closed().await, b"");
    soon(server.served).await.unwrap();
}

#[tokio::test]
async fn o_50_a_request_that_never_ends_holds_shutdown_up_for_the_grace_only() {
    let mut setup = Setup::grpc();
    setup.listener.grace = Duration::from_millis(50);
    let server = setup.start().await;
    let mut client = server.h2().await;
    let (body, _finish, begun) = unfinished();
    let call = tokio::spawn(async move { client.try_send(call(Signal::Traces).body(body).unwrap()).await });
    soon(begun).await.unwrap();
    server.stop.cancel();
    soon(server.served).await.unwrap();
    assert!(soon(call).await.unwrap().is_err());
}

#[tokio::test]
async fn a_listener_that_is_dropped_ends_its_connections() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    assert_eq!(client.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
    server.served.abort();
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_peer_that_stays_silent_or_stops_inside_its_first_bytes_is_let_go() {
    for mut setup in [Setup::grpc(), Setup::http()] {
        setup.listener.header_timeout = Duration::from_millis(50);
        let server = setup.start().await;
        for said in ["", "P", "PRI * HTTP/2.0\r\n", "POST /v1/traces"] {
            let mut client = server.h1().await;
            client.write(said).await;
            client.closed().await;
        }
    }
}

#[tokio::test]
async fn o_46_a_connection_that_reaches_its_age_ends_and_a_new_one_is_served() {
    let mut setup = Setup::grpc();
    setup.listener.max_connection_age = Some(Duration::from_millis(100));
    let server = setup.start().await;
    let client = server.h2().await;
    assert_eq!(soon(client.connection).await.unwrap(), Ok(()));
    assert_eq!(server.h2().await.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
}

#[tokio::test]
async fn o_01_localhost_is_an_ipv4_address_where_there_is_one_and_port_0_picks_one() {
    let listener = Listener::bind("localhost:0", ListenerSettings::new(Protocol::Auto)).await.unwrap();
    assert!(listener.local_addr().unwrap().ip().is_loopback());
    assert!(listener.local_addr().unwrap().is_ipv4());
    assert_ne!(listener.local_addr().unwrap().port(), 0);
}

#[tokio::test]
async fn an_address_without_a_host_is_every_interface() {
    let listener = Listener::bind(":0", ListenerSettings::new(Protocol::Auto)).await.unwrap();
    assert!(listener.local_addr().unwrap().ip().is_unspecified());
    let address = ("127.0.0.1", listener.local_addr().unwrap().port());
    assert!(TcpStream::connect(address).await.is_ok());
}

#[tokio::test]
async fn an_address_that_cannot_be_had_says_why_and_what_to_do() {
    let first = Listener::bind("localhost:0", ListenerSettings::new(Protocol::Auto)).await.unwrap();
    let taken = first.address().to_string();
    let error = Listener::bind(&taken, ListenerSettings::new(Protocol::Auto)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {taken}: another process listens there: stop it or configure another endpoint")
    );
    let error = Listener::bind("no port", ListenerSettings::new(Protocol::Auto)).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on no port: "), "{error}");
}

#[test]
fn a_process_that_runs_out_of_file_descriptors_serves_again_once_it_has_some() {
    let run = "ulimit -n 48 && exec \"$0\" --exact --ignored receivers::lifecycle::out_of_file_descriptors";
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").args(["-c", run]).arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "the test above runs it in a process of its own, with few file descriptors"]
async fn out_of_file_descriptors() {
    let server = Setup::http().start().await;
    // Connected by the kernel while the accept loop does not run: none is left for it.
    let mut clients = Vec::new();
    while let Ok(client) = std::net::TcpStream::connect(server.address) {
        clients.push(client);
    }
    let warned = || !logs::with("cannot accept connections for now").is_empty();
    soon(async {
        while !warned() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(clients);
    assert_eq!(server.h1().await.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
}
