//! The forms in which a person writes where a backend is. Parsed once, when an exporter is built;
//! nothing here resolves or connects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::Uri;
use http::uri::{Authority, Scheme};

use super::tls::TlsSettings;
use crate::otlp::Signal;

/// Why an endpoint cannot be used. User information in it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint `{endpoint}`: {reason}")]
pub struct EndpointError {
    /// What was written.
    pub endpoint: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

impl EndpointError {
    fn new(endpoint: &str, reason: impl Into<String>) -> Self {
        Self { endpoint: endpoint.to_owned(), reason: reason.into() }
    }
}

/// Where a gRPC backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GrpcTarget {
    /// `http://host:port` for plaintext or `https://host:port` for TLS.
    Network(Uri),
    /// A socket of this machine, by its path.
    Unix(PathBuf),
}

impl GrpcTarget {
    /// The URL whose authority stands in requests. A socket has no name: grpc-go says `localhost`.
    pub(super) fn origin(&self) -> Uri {
        match self {
            Self::Network(uri) => uri.clone(),
            Self::Unix(_) => Uri::from_static("http://localhost/"),
        }
    }

    /// How it is shown.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Network(uri) => shown(uri),
            Self::Unix(path) => format!("unix://{}", path.display()),
        }
    }
}

/// Where a gRPC endpoint is, from `host:port` (TLS unless `tls.insecure`), `http://host:port`, `https://host:port` or
/// `unix:///path`.
pub(super) fn grpc(endpoint: &str, tls: &TlsSettings) -> Result<GrpcTarget, EndpointError> {
    if let Some(path) = endpoint.strip_prefix("unix://") {
        return match path.starts_with('/') {
            true => Ok(GrpcTarget::Unix(path.into())),
            false => Err(EndpointError::new(endpoint, "the path is not absolute: write unix:///path/to/socket")),
        };
    }
    let (scheme, rest) = match endpoint.split_once("://") {
        Some(("http", rest)) => (Scheme::HTTP, rest),
        Some(("https", rest)) => (Scheme::HTTPS, rest),
        Some((other, _)) => {
            let reason = format!(
                "`{other}://` is not spoken: write host:port, http://host:port, https://host:port or unix:///path"
            );
            return Err(EndpointError::new(endpoint, reason));
        }
        None if tls.insecure => (Scheme::HTTP, endpoint),
        None => (Scheme::HTTPS, endpoint),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(EndpointError::new(endpoint, "gRPC has no path: write host:port alone, or use `otlp_http`"));
    }
    let authority = checked_authority(endpoint, authority)?;
    if authority.port_u16().is_none() {
        return Err(EndpointError::new(endpoint, "the port is missing: write host:port, for OTLP mostly 4317"));
    }
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
    uri.map(GrpcTarget::Network).map_err(|error| EndpointError::new(endpoint, error.to_string()))
}

/// The URL of each signal under a base URL, as the Collector appends them: `<base>/v1/traces` and so on.
///
/// # Errors
/// [`EndpointError`] for what is no `http://` or `https://` URL, and for a query, which has no place under a base.
pub fn http_endpoints(base: &str) -> Result<BTreeMap<Signal, Uri>, EndpointError> {
    if base.contains(['?', '#']) {
        let reason = "a base URL has no query: write it into `traces_endpoint`, `metrics_endpoint`, `logs_endpoint`";
        return Err(EndpointError::new(base.split(['?', '#']).next().unwrap_or_default(), reason));
    }
    let trimmed = base.strip_suffix('/').unwrap_or(base);
    let endpoint = |signal: Signal| Ok((signal, http(&format!("{trimmed}{}", signal.http_path()))?));
    Signal::ALL.into_iter().map(endpoint).collect()
}

/// One whole URL of one signal.
///
/// # Errors
/// [`EndpointError`] for what is no `http://` or `https://` URL with a host.
pub fn http(url: &str) -> Result<Uri, EndpointError> {
    let shown = url.split('?').next().unwrap_or_default();
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(_) if url.contains('@') => return Err(user_information()),
        Err(error) => {
            return Err(EndpointError::new(shown, format!("{error}: write http://host:port or https://host")));
        }
    };
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(EndpointError::new(shown, "write it with http:// (plaintext) or https:// (TLS)")),
    }
    let authority = uri.authority().map_or("", Authority::as_str);
    checked_authority(shown, authority)?;
    Ok(uri)
}

/// How a URL is shown: without its query, which may hold a key.
pub(super) fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", Authority::as_str);
    let path = if uri.path() == "/" { "" } else { uri.path() };
    format!("{}://{authority}{path}", uri.scheme_str().unwrap_or_default())
}

fn checked_authority(endpoint: &str, authority: &str) -> Result<Authority, EndpointError> {
    if authority.contains('@') {
        return Err(user_information());
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    if port.is_some_and(|port| !port.contains(']') && port.parse::<u16>().is_err()) {
        return Err(EndpointError::new(endpoint, "the port is not a number from 1 to 65535"));
    }
    match authority.parse::<Authority>() {
        Ok(parsed) if parsed.host().is_empty() => {
            Err(EndpointError::new(endpoint, "the host is missing: for this machine write localhost"))
        }
        Ok(parsed) => Ok(parsed),
        Err(error) => Err(EndpointError::new(endpoint, format!("{error}: write host:port"))),
    }
}

fn user_information() -> EndpointError {
    EndpointError::new("[REDACTED]@..", "credentials do not go into the URL: write them under `headers`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpc_at(endpoint: &str, insecure: bool) -> Result<String, String> {
        let tls = TlsSettings { insecure, ..TlsSettings::default() };
        grpc(endpoint, &tls).map(|target| target.shown()).map_err(|error| error.to_string())
    }

    #[test]
    fn grpc_endpoints_have_four_forms() {
        for (endpoint, insecure, url) in [
            ("tempo:4317", false, "https://tempo:4317"),
            ("tempo:4317", true, "http://tempo:4317"),
            ("http://tempo:4317", false, "http://tempo:4317"),
            ("https://tempo:4317/", true, "https://tempo:4317"),
            ("[::1]:4317", true, "http://[::1]:4317"),
            ("unix:///run/otlp.sock", false, "unix:///run/otlp.sock"),
        ] {
            assert_eq!(grpc_at(endpoint, insecure), Ok(url.to_owned()), "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_grpc_endpoint_says_what_to_write() {
        for (endpoint, cure) in [
            ("tempo", "the port is missing"),
            ("https://[::1]", "the port is missing"),
            (":4317", "localhost"),
            ("tempo:http", "the port is not a number"),
            ("tempo:70000", "the port is not a number"),
            ("https://tempo:4317/v1/traces", "otlp_http"),
            ("unix://run/otlp.sock", "the path is not absolute"),
            ("dns:///tempo:4317", "`dns://` is not spoken"),
            ("", "write host:port"),
            ("te mpo:4317", "write host:port"),
        ] {
            let error = grpc_at(endpoint, true).unwrap_err();
            assert!(error.contains(cure), "{endpoint}: {error}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        for error in [
            grpc_at("http://me:s3cret@tempo:4317", true).unwrap_err(),
            http("https://me:s3cret@tempo/v1/traces").unwrap_err().to_string(),
            http("https://me:s3 cret@tempo/v1/traces").unwrap_err().to_string(),
        ] {
            assert!(!error.contains("s3"), "{error}");
            assert!(error.contains("headers"), "{error}");
        }
    }

    #[test]
    fn signals_stand_under_the_base_url() {
        for base in ["http://tempo:4318/otlp", "http://tempo:4318/otlp/"] {
            let urls: Vec<String> = http_endpoints(base).unwrap().values().map(Uri::to_string).collect();
            assert_eq!(
                urls,
                [
                    "http://tempo:4318/otlp/v1/traces",
                    "http://tempo:4318/otlp/v1/metrics",
                    "http://tempo:4318/otlp/v1/logs"
                ]
            );
        }
    }

    #[test]
    fn what_is_no_http_endpoint_says_what_to_write() {
        for (base, cure) in [
            ("tempo:4318", "http://"),
            ("tempo", "http://"),
            ("ftp://tempo", "http://"),
            ("http://tempo:x", "the port is not a number"),
            ("http://tempo?key=s3cret", "traces_endpoint"),
        ] {
            let error = http_endpoints(base).unwrap_err().to_string();
            assert!(error.contains(cure), "{base}: {error}");
            assert!(!error.contains("s3cret"), "{base}: {error}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let uri = http("https://tempo/v1/traces?api-key=s3cret").unwrap();
        assert_eq!(shown(&uri), "https://tempo/v1/traces");
    }
}
