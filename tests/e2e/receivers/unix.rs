//! Sockets of this machine in place of ports.

use gramtrace::receiver::{Listener, ListenerSettings, LocalAddress, Protocol};
use tokio::net::UnixStream;
use tonic::Code;

use super::support::{H1, H2, JSON, Setup, soon};

#[tokio::test]
async fn both_transports_are_spoken_over_sockets_of_this_machine_that_go_with_their_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let address = |name: &str| format!("unix://{}", path(name).display());
    let grpc = Setup { address: address("grpc.sock"), ..Setup::grpc() }.start().await;
    let http = Setup { address: address("http.sock"), ..Setup::http() }.start().await;

    let mut client = H2::over(UnixStream::connect(path("grpc.sock")).await.unwrap()).await;
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    let mut client = H1::over(UnixStream::connect(path("http.sock")).await.unwrap());
    assert_eq!(client.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
    let mut client = H2::over(UnixStream::connect(path("http.sock")).await.unwrap()).await;
    let request = http::Request::post("http://localhost/v1/logs").header("content-type", "application/json");
    let answer = client.send(request.body(super::support::Chunks::whole(&b"{}"[..])).unwrap()).await;
    assert_eq!(answer.status.as_u16(), 200);

    for server in [grpc, http] {
        server.stop.cancel();
        soon(server.served).await.unwrap();
    }
    assert!(!path("grpc.sock").exists() && !path("http.sock").exists());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_taken_over_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("otlp.sock");
    let address = format!("unix://{}", path.display());
    let bind = || Listener::bind(&address, ListenerSettings::new(Protocol::Http2));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = bind().await.unwrap();
    assert_eq!(*listener.address(), LocalAddress::Unix(path.clone()));
    assert_eq!((listener.address().to_string(), listener.local_addr()), (address.clone(), None));
    let taken =
        format!("cannot listen on {address}: another process listens there: stop it or configure another endpoint");
    assert_eq!(bind().await.unwrap_err().to_string(), taken);

    drop(listener);
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(bind().await.unwrap_err().to_string(), taken);
    assert_eq!(std::fs::read(&path).unwrap(), b"a file");
}
