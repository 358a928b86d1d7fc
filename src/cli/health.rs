//! `gramtrace health`: whether the service that a configuration describes takes requests. For containers, which have
//! no shell and no HTTP client. Asks the health page as anyone would; knows nothing of the service itself.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::HealthArgs;
use crate::config::{Config, ConfigErrors, Environment, ExtensionConfig, ListenAddress};

/// How long a connection, and each part of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// No health page is longer; the rest of what a stranger sends is not read.
const LONGEST_ANSWER: u64 = 4096;
/// No answer of the lookup API that is asked for here is longer.
const LONGEST_BODY: u64 = 16 << 20;

/// Why the service counts as unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HealthError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// There is no page to ask.
    #[error(
        "the configuration has no health check; add `extensions: {{health_check: }}` and `service: {{extensions: [health_check]}}`"
    )]
    None,
    /// There is a page, and only the service's log knows where.
    #[error("the health check's port is picked at start; write one other than 0")]
    PickedPort,
    /// Nobody answers, or nobody who speaks HTTP.
    #[error("no answer from {address}: {kind}")]
    Silent {
        /// Where the page should be.
        address: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It answers, and not with 200.
    #[error("{address} says: {status}")]
    Unhealthy {
        /// Where the page is.
        address: String,
        /// The answer's first line.
        status: String,
    },
}

/// Asks the health page of the service that runs with this configuration.
///
/// # Errors
/// [`HealthError`] unless it answers 200.
pub fn health(args: &HealthArgs, environment: Environment<'_>) -> Result<(), HealthError> {
    let config = Config::load_or_default(args.config.as_deref(), environment)?;
    let address = page(&config).ok_or(HealthError::None)?;
    if address.port == 0 {
        return Err(HealthError::PickedPort);
    }
    let silent = |error: io::Error| HealthError::Silent { address: address.to_string(), kind: error.kind() };
    let status = ask(address).map_err(silent)?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(HealthError::Unhealthy { address: address.to_string(), status }),
    }
}

/// Where the health page listens; `None` where it is not on.
fn page(config: &Config) -> Option<&ListenAddress> {
    config.service.extensions.iter().find_map(|id| match config.extensions.get(id)? {
        ExtensionConfig::HealthCheck(health) => Some(&health.endpoint),
        _ => None,
    })
}

/// The first line of the answer to `GET /`.
fn ask(address: &ListenAddress) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().filter(|line| line.starts_with("HTTP/1."));
    status.map(str::to_owned).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The body of the answer to `GET path`, where that is 200.
pub(super) fn get(address: &ListenAddress, path: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Of HTTP/1.0, so that the answer comes in one piece.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST_BODY).read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned())),
    }
}

/// A name can have several addresses, and the service listens on one of them.
fn connect(address: &ListenAddress) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::NotFound.into();
    for socket in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&from_here(socket), PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Where a service that listens on every address of the machine is reached on it.
fn from_here(mut socket: SocketAddr) -> SocketAddr {
    if socket.ip().is_unspecified() {
        socket.set_ip(match socket.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    socket
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one connection with `answer`; gives what it was asked and what `ask` made of it.
    fn asked(answer: &'static [u8]) -> (String, Result<String, io::ErrorKind>) {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = ListenAddress { host: "0.0.0.0".to_owned(), port: listener.local_addr().unwrap().port() };
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let status = ask(&address).map_err(|error| error.kind());
        (server.join().unwrap(), status)
    }

    #[test]
    fn the_page_is_asked_on_this_machine_where_the_service_listens_on_every_address() {
        let (request, status) = asked(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert!(request.starts_with("GET / HTTP/1.1\r\nHost: 0.0.0.0:"), "{request}");
        assert_eq!(status, Ok("HTTP/1.1 200 OK".to_owned()));
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(asked(b"SSH-2.0-OpenSSH\r\n").1, Err(io::ErrorKind::InvalidData));
        assert_eq!(asked(b"").1, Err(io::ErrorKind::InvalidData));
    }
}
