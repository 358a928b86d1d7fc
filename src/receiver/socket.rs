//! A listening socket, of the network or of this machine: how an address becomes one, and who is at the other end of
//! what it accepts. Knows sockets; nothing of TLS or HTTP.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

/// What an address of this machine begins with.
const UNIX: &str = "unix://";

/// Why an address cannot be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address as it was configured.
    pub address: String,
    /// What the system says, and what to do about it where that is known.
    pub reason: String,
}

/// The other end of the connection that a request came on, in the request's extensions. A socket of this machine has
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Where a listener listens. Prints as what can be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAddress {
    /// An address of the network, with the port that was picked.
    Network(SocketAddr),
    /// The path of a socket of this machine.
    Unix(PathBuf),
}

impl LocalAddress {
    /// The address of the network, if it is one.
    #[must_use]
    pub const fn network(&self) -> Option<SocketAddr> {
        match self {
            Self::Network(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "{UNIX}{}", path.display()),
        }
    }
}

/// A connection as the system gives it.
pub(super) type Raw = Either<TcpStream, UnixStream>;

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Acceptor {
    Network(TcpListener),
    Unix { socket: UnixListener, path: PathBuf },
}

impl Acceptor {
    /// Listens on `host:port`, `:port` or `unix:///path`, and says where.
    pub(super) async fn bind(address: &str) -> Result<(Self, LocalAddress), BindError> {
        let failed = |error: io::Error| BindError { address: address.to_owned(), reason: reason(&error) };
        if let Some(path) = address.strip_prefix(UNIX) {
            let path = PathBuf::from(path);
            let socket = bind_unix(&path).await.map_err(failed)?;
            return Ok((Self::Unix { socket, path: path.clone() }, LocalAddress::Unix(path)));
        }
        let socket = bind_any(address).await.map_err(failed)?;
        let local_addr = socket.local_addr().map_err(failed)?;
        Ok((Self::Network(socket), LocalAddress::Network(local_addr)))
    }

    /// The next connection, and who is at its other end, where that has an address.
    pub(super) async fn accept(&self) -> io::Result<(Raw, Option<SocketAddr>)> {
        match self {
            Self::Network(socket) => {
                let (stream, peer) = socket.accept().await?;
                // A connection that has gone already fails where it is read.
                let _ = stream.set_nodelay(true);
                Ok((Either::Left(stream), Some(peer)))
            }
            Self::Unix { socket, .. } => Ok((Either::Right(socket.accept().await?.0), None)),
        }
    }

    pub(super) fn local_addr(&self) -> Option<LocalAddress> {
        match self {
            Self::Network(socket) => socket.local_addr().ok().map(LocalAddress::Network),
            Self::Unix { path, .. } => Some(LocalAddress::Unix(path.clone())),
        }
    }
}

impl Drop for Acceptor {
    /// Nobody is to find a socket that nobody listens on.
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self {
            // Somebody may have taken it away already.
            let _ = fs::remove_file(path);
        }
    }
}

/// A socket that a process left behind when it was killed is taken over; one that somebody listens on is not.
async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path).await => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

async fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.err().is_some_and(refused)
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
        io::ErrorKind::PermissionDenied => {
            format!("{error}: ports below 1024 need a privilege, and a socket a folder that may be written to")
        }
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
