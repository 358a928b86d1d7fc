//! Where to listen and where to send: `host:port` and URLs, taken apart once so that nobody parses them again.
//! Knows text; resolves nothing and opens nothing.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// A host and a port to listen on. Port 0 lets the system pick one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenAddress {
    /// A name or an IP address; an IPv6 address stands without its brackets.
    pub host: String,
    /// The port; 0 picks one.
    pub port: u16,
}

impl ListenAddress {
    /// An address on this machine only.
    #[must_use]
    pub fn localhost(port: u16) -> Self {
        Self { host: "localhost".to_owned(), port }
    }

    /// Reads `host:port`, with an IPv6 host in brackets.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty; write `host:port`, such as `localhost:4317`".to_owned());
        }
        if text.contains("://") {
            return Err(format!("`{text}` is a URL; write `host:port`, such as `localhost:4317`"));
        }
        let (host, port) = split_host_port(text)?;
        let port = port.ok_or_else(|| format!("`{text}` has no port; write `host:port`, such as `localhost:4317`"))?;
        if host.is_empty() {
            return Err(format!(
                "`{text}` has no host; write `localhost:{port}`, or `0.0.0.0:{port}` to be reached from elsewhere"
            ));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a receiver listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// An address of the network.
    Tcp(ListenAddress),
    /// A socket of this machine, by its path.
    Unix(PathBuf),
}

impl ServerAddress {
    /// Reads the path of a socket of this machine.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse_unix(text: &str) -> Result<Self, String> {
        // The system's limit, with the byte that ends the path.
        const LONGEST: usize = 107;
        let path = text.strip_prefix("unix:").map_or(text, |path| path.strip_prefix("//").unwrap_or(path));
        if path.is_empty() || path.ends_with('/') {
            return Err(format!("`{text}` names no socket; write a path such as `/run/gramtrace/otlp.sock`"));
        }
        if path.len() > LONGEST {
            return Err(format!("the path has {} bytes and may have {LONGEST}; write a shorter one", path.len()));
        }
        Ok(Self::Unix(PathBuf::from(path)))
    }

    /// The address of the network, if it is one.
    #[must_use]
    pub const fn network(&self) -> Option<&ListenAddress> {
        match self {
            Self::Tcp(address) => Some(address),
            Self::Unix(_) => None,
        }
    }
}

/// A socket of this machine prints as `unix:///path`, as backends are written.
impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

impl Serialize for ServerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tcp(address) => address.serialize(serializer),
            Self::Unix(path) => path.serialize(serializer),
        }
    }
}

/// Whether a connection is encrypted, as far as its endpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`: plain text.
    Http,
    /// `https://`: TLS.
    Https,
    /// `unix://`: a socket of this machine, plain text.
    Unix,
}

impl Scheme {
    /// `http`, `https` or `unix`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Unix => "unix",
        }
    }
}

/// Where a backend is, as it was written and taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    /// The scheme, where one was written.
    pub scheme: Option<Scheme>,
    /// A name or an IP address; an IPv6 address stands without its brackets. Empty for a socket of this machine.
    pub host: String,
    /// The port, 1 to 65535; of a URL without one its scheme's. 0 for a socket of this machine.
    pub port: u16,
    /// What follows the port: empty, or `/` and more. The path of a socket of this machine.
    pub path: String,
}

impl Endpoint {
    /// Reads the endpoint of a gRPC backend: `host:port`, `http://host:port`, `https://host:port` or `unix:///path`.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse_grpc(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(text, path.strip_prefix("//").unwrap_or(path));
        }
        let parts = Parts::of(text)?;
        let port = parts.port.ok_or_else(|| format!("`{text}` has no port; write `{text}:4317`"))?;
        if !parts.path.trim_matches('/').is_empty() {
            return Err(format!("`{text}` has a path, and gRPC has none; remove it, or use an `otlp_http` exporter"));
        }
        Ok(parts.endpoint(text, port))
    }

    /// Reads the URL of an HTTP backend: `http://` or `https://`, a host, and where needed a port and a path.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse_http(text: &str) -> Result<Self, String> {
        if text.starts_with("unix:") {
            return Err(format!("`{text}` is a socket, which `otlp_grpc` sends to; use that exporter, or write a URL"));
        }
        let parts = Parts::of(text)?;
        let default_port = match parts.scheme {
            None => return Err(format!("`{text}` has no scheme; write `http://{text}` or `https://{text}`")),
            Some(Scheme::Http) => 80,
            Some(Scheme::Https | Scheme::Unix) => 443,
        };
        let port = parts.port.unwrap_or(default_port);
        Ok(parts.endpoint(text, port))
    }

    /// As grpc-go writes it: `unix:///path`, or `unix:/path`.
    fn unix(text: &str, path: &str) -> Result<Self, String> {
        // Longer ones do not fit into the system's structure, which ends with a 0.
        const MAX_BYTES: usize = 107;
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(format!("`{text}` names no socket; write `unix:///path/to/socket`"));
        }
        if path.len() > MAX_BYTES || path.contains(char::is_control) {
            return Err(format!("no socket has such a path; write one of at most {MAX_BYTES} bytes"));
        }
        let scheme = Some(Scheme::Unix);
        Ok(Self { text: text.to_owned(), scheme, host: String::new(), port: 0, path: path.to_owned() })
    }

    /// `host:port`, an IPv6 host in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        ListenAddress { host: self.host.clone(), port: self.port }.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// An endpoint's text, taken apart.
struct Parts<'a> {
    scheme: Option<Scheme>,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty; write the backend's address".to_owned());
        }
        if let Some(bad) = text.chars().find(|each| each.is_control() || each.is_whitespace()) {
            // The text is not shown: there may be a password in it.
            return Err(format!("the endpoint has {bad:?} in it; remove it"));
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(Scheme::Http), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(Scheme::Https), rest),
            Some((scheme, _)) => return Err(format!("the scheme `{scheme}` is not spoken; write `http` or `https`")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("the endpoint holds a user or password; remove them and set `headers`".to_owned());
        }
        if path.contains(['?', '#']) {
            return Err("the endpoint holds a `?` or `#`; remove what follows it and set `headers`".to_owned());
        }
        let (host, port) = split_host_port(authority)?;
        if host.is_empty() {
            return Err(format!("`{text}` has no host; write the backend's name or IP address in front of the port"));
        }
        if port == Some(0) {
            return Err(format!("`{text}` has port 0, where nobody listens; write the backend's port"));
        }
        Ok(Self { scheme, host, port, path })
    }

    fn endpoint(self, text: &str, port: u16) -> Endpoint {
        let (host, path) = (self.host.to_owned(), self.path.to_owned());
        Endpoint { text: text.to_owned(), scheme: self.scheme, host, port, path }
    }
}

/// Takes `host[:port]` apart; brackets around an IPv6 host are removed.
fn split_host_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return Err(format!("`{text}` is no address; write `[{host}]:port`")),
        },
        None => match text.split_once(':') {
            None => (text, None),
            Some((_, port)) if port.contains(':') => {
                return Err(format!("`{text}` is no address; write an IPv6 address in brackets, such as `[::1]:4317`"));
            }
            Some((host, port)) => (host, Some(port)),
        },
    };
    check_host(host, text.starts_with('['))?;
    match port {
        None => Ok((host, None)),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if port.bytes().all(|each| each.is_ascii_digit()) => Ok((host, Some(number))),
            _ => Err(format!("`{port}` is no port; write a number from 0 to 65535")),
        },
    }
}

fn check_host(host: &str, bracketed: bool) -> Result<(), String> {
    if bracketed {
        return match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("`[{host}]` is no IPv6 address; write one such as `[::1]`")),
        };
    }
    let allowed = |each: char| each.is_ascii_alphanumeric() || matches!(each, '.' | '-' | '_');
    match host.chars().find(|each| !allowed(*each)) {
        None => Ok(()),
        Some(bad) => Err(format!("the host {host:?} has {bad:?} in it; write a name or an IP address")),
    }
}
