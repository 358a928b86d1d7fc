//! A listening TCP socket: how an address becomes one, and who is at the other end of what it accepts.
//! Knows sockets; nothing of TLS or HTTP.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Why an address cannot be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address as it was configured.
    pub address: String,
    /// What the system says, and what to do about it where that is known.
    pub reason: String,
}

/// The other end of the connection that a request came on, in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Listens on `host:port` or `:port`, and says with which port.
pub(super) async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |error: io::Error| BindError { address: address.to_owned(), reason: reason(&error) };
    let socket = bind_any(address).await.map_err(failed)?;
    let local_addr = socket.local_addr().map_err(failed)?;
    Ok((socket, local_addr))
}

/// Of a name's addresses an IPv4 one is taken where there is one, as the Collector does: senders that dial
/// `127.0.0.1` must find us.
async fn bind_any(address: &str) -> io::Result<TcpListener> {
    if let Some(port) = address.strip_prefix(':') {
        // One socket for both families, where the host has both.
        return match TcpListener::bind(format!("[::]:{port}")).await {
            Ok(socket) => Ok(socket),
            Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
        };
    }
    let mut found: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for at in found {
        match TcpListener::bind(at).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it or configure another endpoint".to_owned(),
        io::ErrorKind::PermissionDenied => format!("{error}: ports below 1024 need a privilege"),
        _ => error.to_string(),
    }
}

/// Errors of a connection that ended before it was accepted; the next one is not affected.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
