//! Why a backend could not be reached, in words that a person can act on: the chain of causes, and the key
//! of the configuration that cures it. Reads errors of hyper, rustls and the system; decides no outcome.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// How an exporter sends, which decides where a cure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

/// The chain of causes, outermost first, without what repeats or says nothing.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for link in chain(error) {
        let said = said_by(link);
        let noise = said.is_empty() || said == "transport error" || said.starts_with("client error (");
        if noise || words.iter().any(|earlier| earlier.contains(&said)) {
            continue;
        }
        words.push(said);
    }
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}

/// What to do about it, where that is known.
pub(super) fn cure(error: &(dyn Error + 'static), transport: Transport) -> Option<&'static str> {
    chain(error).find_map(|link| {
        if let Some(tls) = link.downcast_ref::<rustls::Error>() {
            return tls_cure(tls, transport);
        }
        if let Some(cure) = link.downcast_ref::<io::Error>().and_then(|io| io_cure(io.kind())) {
            return Some(cure);
        }
        if let Some(hyper) = link.downcast_ref::<hyper::Error>()
            && hyper.is_parse()
        {
            return Some(no_http(transport));
        }
        said_cure(&link.to_string(), transport)
    })
}

/// True when the connection was made and then lost.
pub(super) fn hung_up(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| link.is::<hyper::Error>())
}

/// True when the backend provably did not look at the request, so that sending it once more is no repetition:
/// it never left, or HTTP/2 said so. <https://www.rfc-editor.org/rfc/rfc9113#name-request-reliability>
pub(super) fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| {
        let unsent = link.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        unsent || link.downcast_ref::<h2::Error>().is_some_and(is_disowned)
    })
}

fn is_disowned(error: &h2::Error) -> bool {
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let retired = error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
    refused || retired
}

/// `error` and everything below it. An `io::Error` hides the error it wraps from `source`.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link| below(*link))
}

fn below<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => link.source(),
    }
}

fn said_by(link: &(dyn Error + 'static)) -> String {
    match link.downcast_ref::<tonic::Status>() {
        Some(status) if status.source().is_some() => String::new(),
        Some(status) => status.message().to_owned(),
        None => link.to_string(),
    }
}

const fn io_cure(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::ConnectionRefused => {
            Some("nothing listens there: is the backend running, and is the port of `endpoint` right?")
        }
        io::ErrorKind::TimedOut => {
            Some("connecting took too long: is the host of `endpoint` right, and does a firewall let it through?")
        }
        _ => None,
    }
}

fn tls_cure(error: &rustls::Error, transport: Transport) -> Option<&'static str> {
    match error {
        // A bad signature is an authority that was made anew under its old name.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Some("the issuer of the backend's certificate is not trusted: set `tls.ca_file` to the CA that signed it")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some(
            "the backend's certificate is for another name: use that name in `endpoint`, or set \
             `tls.server_name_override`",
        ),
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Some("the backend's certificate has expired: renew it there")
        }
        rustls::Error::InvalidMessage(_) => Some(no_tls(transport)),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            Some("the backend speaks no HTTP/2 over TLS there: is it an OTLP/HTTP port? Then use `otlp_http`")
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => Some(CLIENT_CERTIFICATE),
        _ => None,
    }
}

/// Errors that cross HTTP/2 arrive as text only.
fn said_cure(said: &str, transport: Transport) -> Option<&'static str> {
    const ALERTS: [&str; 6] =
        ["CertificateRequired", "BadCertificate", "UnknownCA", "CertificateUnknown", "DecryptError", "AccessDenied"];
    if said.contains("dns error") || said.contains("failed to lookup address") {
        return Some("the name does not resolve: check the host of `endpoint` and the DNS");
    }
    if said.contains("tls handshake eof") {
        return Some(no_tls(transport));
    }
    if said.contains("received fatal alert") && ALERTS.iter().any(|alert| said.contains(alert)) {
        return Some(CLIENT_CERTIFICATE);
    }
    if said.contains("frame with invalid size") {
        return Some(no_http(transport));
    }
    None
}

const CLIENT_CERTIFICATE: &str =
    "the backend wants a client certificate that it trusts: set `tls.cert_file` and `tls.key_file`";

const fn no_tls(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc => "the backend does not speak TLS there: for plaintext set `tls.insecure: true`",
        Transport::Http => "the backend does not speak TLS there: for plaintext write `http://` in `endpoint`",
    }
}

/// What to do where plaintext finds something else.
pub(super) const fn no_http(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc => {
            "what listens there does not speak plaintext HTTP/2: does it expect TLS? Then remove `tls.insecure: true` \
             or write `https://` in `endpoint`; is it an OTLP/HTTP port? Then use `otlp_http`"
        }
        Transport::Http => {
            "what listens there does not answer in plaintext HTTP: does it expect TLS? Then write `https://` in \
             `endpoint`; is it a gRPC port? Then use `otlp_grpc`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Link {
        said: &'static str,
        #[source]
        below: Option<Box<dyn Error + Send + Sync>>,
    }

    fn link(said: &'static str, below: impl Into<Box<dyn Error + Send + Sync>>) -> Link {
        Link { said, below: Some(below.into()) }
    }

    #[test]
    fn the_chain_is_told_without_noise_and_repetition() {
        let refused = io::Error::from_raw_os_error(111);
        let error = link("transport error", link("tcp connect error", link("tcp connect error", refused)));
        assert_eq!(in_words(&error), "tcp connect error: Connection refused (os error 111)");
        assert!(cure(&error, Transport::Grpc).unwrap().contains("nothing listens there"));
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = link("transport error", io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls)));
        assert_eq!(in_words(&error), "invalid peer certificate: UnknownIssuer");
        assert!(cure(&error, Transport::Grpc).unwrap().contains("tls.ca_file"));
    }

    #[test]
    fn noise_alone_is_better_than_nothing() {
        let error = Link { said: "transport error", below: None };
        assert_eq!(in_words(&error), "transport error");
        assert_eq!(cure(&error, Transport::Http), None);
    }
}
