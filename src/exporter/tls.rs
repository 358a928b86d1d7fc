//! TLS towards a backend: whom to trust and who we are. Files are read and checked when an exporter is built,
//! so that a wrong one is an error at the start and not of the first request. Knows nothing of OTLP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert, crypto};

/// How a connection to a backend is secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Plaintext, where the endpoint has no scheme that says otherwise. Without effect for HTTP.
    pub insecure: bool,
    /// PEM certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate chain that this process shows, its own first. Needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM private key of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The name that is asked for and that the backend's certificate must have, instead of the endpoint's host.
    pub server_name_override: Option<String>,
    /// How old what was read of the files may be for a new connection; `None`: they are read at the start only.
    pub reload_interval: Option<Duration>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read or does not hold what it should.
    #[error("`tls.{key}` {}: {reason}", path.display())]
    File {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("`tls.{present}` needs `tls.{missing}` beside it")]
    Half {
        /// The key that is there.
        present: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// `server_name_override` is no name.
    #[error("`tls.server_name_override` is `{0}`, which is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The system has no certificates to trust.
    #[error("this system has no root certificates ({0}): set `tls.ca_file`, or install the CA certificates")]
    NoRoots(String),
    /// TLS is configured, and the endpoint is plaintext.
    #[error("`tls.{0}` is set, but the connection is plaintext: write https:// and no `tls.insecure`, or remove it")]
    Plaintext(&'static str),
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// Who this process is.
struct Identity<'a> {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    key_file: &'a Path,
}

impl TlsSettings {
    /// The client's side of TLS, without ALPN.
    pub(super) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let verifying = self.trusting()?;
        let Some(Identity { chain, key, key_file }) = self.identity()? else {
            return Ok(verifying.with_no_client_auth());
        };
        verifying.with_client_auth_cert(chain, key).map_err(|error| {
            let reason = match error {
                rustls::Error::InconsistentKeys(_) => "is not the key of `tls.cert_file`".to_owned(),
                other => other.to_string(),
            };
            TlsError::File { key: "key_file", path: key_file.to_owned(), reason }
        })
    }

    /// A configuration under which no TLS connection succeeds, for connections without TLS.
    pub(super) fn trusting_nobody() -> Result<ClientConfig, TlsError> {
        Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }

    /// The name to verify, where it is not the endpoint's host.
    pub(super) fn server_name(&self) -> Result<Option<ServerName<'static>>, TlsError> {
        let Some(name) = &self.server_name_override else { return Ok(None) };
        ServerName::try_from(name.clone()).map(Some).map_err(|_| TlsError::ServerName(name.clone()))
    }

    /// Refuses settings that a plaintext connection would ignore.
    pub(super) fn check_plaintext(&self) -> Result<(), TlsError> {
        let present = [
            ("ca_file", self.ca_file.is_some()),
            ("cert_file", self.cert_file.is_some()),
            ("key_file", self.key_file.is_some()),
        ];
        match present.into_iter().find(|(_, set)| *set) {
            Some((key, _)) => Err(TlsError::Plaintext(key)),
            None => Ok(()),
        }
    }

    fn trusting(&self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
        let builder = builder()?;
        let Some(path) = &self.ca_file else {
            return builder.with_native_roots().map_err(|error| TlsError::NoRoots(error.to_string()));
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates("ca_file", path)? {
            roots.add(certificate).map_err(|error| file_error("ca_file", path, &error))?;
        }
        Ok(builder.with_root_certificates(roots))
    }

    fn identity(&self) -> Result<Option<Identity<'_>>, TlsError> {
        let (cert_file, key_file) = match (&self.cert_file, &self.key_file) {
            (Some(cert_file), Some(key_file)) => (cert_file, key_file),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(TlsError::Half { present: "cert_file", missing: "key_file" }),
            (None, Some(_)) => return Err(TlsError::Half { present: "key_file", missing: "cert_file" }),
        };
        let chain = certificates("cert_file", cert_file)?;
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| pem_error("key_file", key_file, error))?;
        Ok(Some(Identity { chain, key, key_file }))
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Library(error.to_string()))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(pem_error(key, path, pem::Error::NoItemsFound)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(pem_error(key, path, error)),
    }
}

fn pem_error(key: &'static str, path: &Path, error: pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound if key == "key_file" => "holds no private key in PEM".to_owned(),
        pem::Error::NoItemsFound => "holds no certificate in PEM".to_owned(),
        other => format!("is no valid PEM: {other}"),
    };
    TlsError::File { key, path: path.to_owned(), reason }
}

fn file_error(key: &'static str, path: &Path, error: &rustls::Error) -> TlsError {
    TlsError::File { key, path: path.to_owned(), reason: format!("holds no valid certificate: {error}") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Files {
        dir: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let ours = rcgen::generate_simple_self_signed(["ours".to_owned()]).unwrap();
            let theirs = rcgen::generate_simple_self_signed(["theirs".to_owned()]).unwrap();
            fs::write(dir.path().join("cert.pem"), ours.cert.pem()).unwrap();
            fs::write(dir.path().join("key.pem"), ours.signing_key.serialize_pem()).unwrap();
            fs::write(dir.path().join("other.pem"), theirs.signing_key.serialize_pem()).unwrap();
            fs::write(dir.path().join("text.pem"), "no pem at all").unwrap();
            fs::write(dir.path().join("junk.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .unwrap();
            Self { dir }
        }

        fn settings(&self, ca: Option<&str>, cert: Option<&str>, key: Option<&str>) -> TlsSettings {
            let path = |name: &str| self.dir.path().join(name);
            TlsSettings {
                ca_file: ca.map(path),
                cert_file: cert.map(path),
                key_file: key.map(path),
                ..TlsSettings::default()
            }
        }

        fn error(&self, ca: &str, cert: Option<&str>, key: Option<&str>) -> String {
            self.settings(Some(ca), cert, key).client_config().unwrap_err().to_string()
        }
    }

    #[test]
    fn a_ca_and_a_certificate_with_its_key_are_taken() {
        let files = Files::new();
        let config = files.settings(Some("cert.pem"), Some("cert.pem"), Some("key.pem")).client_config().unwrap();
        assert!(config.client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn a_wrong_file_is_named_with_its_key_and_its_fault() {
        let files = Files::new();
        let path = |name: &str| files.dir.path().join(name).display().to_string();
        let cases = [
            (files.error("none.pem", None, None), "ca_file", "none.pem", "No such file or directory (os error 2)"),
            (files.error("text.pem", None, None), "ca_file", "text.pem", "holds no certificate in PEM"),
            (files.error("key.pem", None, None), "ca_file", "key.pem", "holds no certificate in PEM"),
            (files.error("junk.pem", None, None), "ca_file", "junk.pem", "holds no valid certificate"),
            (
                files.error("cert.pem", Some("text.pem"), Some("key.pem")),
                "cert_file",
                "text.pem",
                "holds no certificate in PEM",
            ),
            (
                files.error("cert.pem", Some("cert.pem"), Some("cert.pem")),
                "key_file",
                "cert.pem",
                "holds no private key in PEM",
            ),
            (
                files.error("cert.pem", Some("cert.pem"), Some("other.pem")),
                "key_file",
                "other.pem",
                "is not the key of `tls.cert_file`",
            ),
        ];
        for (error, key, file, fault) in cases {
            assert!(error.starts_with(&format!("`tls.{key}` {}: {fault}", path(file))), "{error}");
        }
    }

    #[test]
    fn half_an_identity_is_refused() {
        let files = Files::new();
        assert_eq!(files.error("cert.pem", Some("cert.pem"), None), "`tls.cert_file` needs `tls.key_file` beside it");
        assert_eq!(files.error("cert.pem", None, Some("key.pem")), "`tls.key_file` needs `tls.cert_file` beside it");
    }

    #[test]
    fn a_server_name_is_a_name() {
        let named = |name: &str| TlsSettings { server_name_override: Some(name.to_owned()), ..Default::default() };
        assert!(named("tempo.internal").server_name().unwrap().is_some());
        assert_eq!(named("not a name").server_name(), Err(TlsError::ServerName("not a name".to_owned())));
    }
}
