//! TLS towards senders: who this process is and, where senders have to show certificates, whose are taken. Files are
//! read again from time to time: connections that begin then use the new ones, and none is dropped. Files that are
//! wrong stop the start; later they leave the ones before in use. Knows nothing of HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion, WantsVerifier, crypto, version};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::listener::Protocol;
use super::rejection_log::RejectionLog;
use super::socket::Raw;
use crate::telemetry::ReceiverMetrics;

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// How connections of senders are secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTlsSettings {
    /// PEM certificate chain, this process's own first.
    pub cert_file: PathBuf,
    /// PEM private key of `cert_file`.
    pub key_file: PathBuf,
    /// PEM certificates of the authorities one of which must have signed a sender's certificate; `None` asks for none.
    pub client_ca_file: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// Time between two readings of the files; `None` reads them at the start alone.
    pub reload_interval: Option<Duration>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerTlsError {
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
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// TLS of one listener: what new connections use, and where it comes from.
#[derive(Debug)]
pub struct ServerTls {
    settings: ServerTlsSettings,
    alpn: Vec<Vec<u8>>,
    metrics: ReceiverMetrics,
    log: RejectionLog,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    loaded: Loaded,
    /// Why what stands in the files now is not used.
    fault: Option<ServerTlsError>,
}

#[derive(Debug)]
struct Loaded {
    files: Files,
    config: Arc<ServerConfig>,
}

/// What stands in the files.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl ServerTls {
    /// Reads the files for a listener that speaks `protocol` and counts with `metrics`.
    ///
    /// # Errors
    /// [`ServerTlsError`] for the first file that cannot be used.
    pub fn load(
        settings: ServerTlsSettings,
        protocol: Protocol,
        metrics: ReceiverMetrics,
    ) -> Result<Self, ServerTlsError> {
        let alpn = match protocol {
            Protocol::Http2 => vec![b"h2".to_vec()],
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let files = Files::read(&settings)?;
        let config = files.config(&settings, &alpn)?;
        let current = Mutex::new(Current { loaded: Loaded { files, config }, fault: None });
        Ok(Self { settings, alpn, metrics, log: RejectionLog::default(), current })
    }

    /// Agrees with a peer on TLS, for as long as `patience`. `None`, counted and logged at a limited rate, where it
    /// comes to nothing.
    pub(super) async fn accept(
        &self,
        stream: Raw,
        peer: Option<SocketAddr>,
        patience: Duration,
    ) -> Option<TlsStream<Raw>> {
        let config = Arc::clone(&self.current().loaded.config);
        let (outcome, error) = match tokio::time::timeout(patience, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => {
                self.metrics.handshake("ok");
                return Some(stream);
            }
            Ok(Err(error)) => ("failed", error.to_string()),
            Err(_) => ("timed_out", format!("no agreement within {patience:?}")),
        };
        self.metrics.handshake(outcome);
        if let Some(left_out) = self.log.admit(outcome, Instant::now()) {
            let peer = peer.map(tracing::field::display);
            tracing::warn!(peer, outcome, left_out, error = %error.escape_debug(), "no TLS with a sender");
        }
        None
    }

    /// Reads the files again and again, as often as the settings say.
    pub(super) async fn reload_for_ever(self: Arc<Self>) {
        let Some(interval) = self.settings.reload_interval else { return };
        loop {
            tokio::time::sleep(interval).await;
            let tls = Arc::clone(&self);
            // A reading that panicked has changed nothing.
            if let Ok(change) = tokio::task::spawn_blocking(move || tls.look()).await {
                self.take(change);
            }
        }
    }

    /// Reads the files once more: `None` where nothing has changed.
    fn look(&self) -> Option<Result<Loaded, ServerTlsError>> {
        let files = match Files::read(&self.settings) {
            Ok(files) => files,
            Err(error) => return Some(Err(error)),
        };
        if files == self.current().loaded.files {
            return None;
        }
        let config = files.config(&self.settings, &self.alpn);
        Some(config.map(|config| Loaded { files, config }))
    }

    /// Connections that begin from now on use what was read, if it can be used.
    fn take(&self, change: Option<Result<Loaded, ServerTlsError>>) {
        let mut current = self.current();
        match change {
            None => current.fault = None,
            Some(Ok(loaded)) => {
                *current = Current { loaded, fault: None };
                self.metrics.reload("ok");
                tracing::info!(cert_file = %self.settings.cert_file.display(), "new TLS files are in use");
            }
            Some(Err(error)) if current.fault.as_ref() == Some(&error) => {}
            Some(Err(error)) => {
                self.metrics.reload("failed");
                tracing::error!(%error, "the TLS files have changed and cannot be used: those before stay in use");
                current.fault = Some(error);
            }
        }
    }

    /// A panic cannot leave it half-changed, so a poisoned lock is as good as another.
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn read(settings: &ServerTlsSettings) -> Result<Self, ServerTlsError> {
        let read = |key: &'static str, path: &Path| {
            std::fs::read(path).map_err(|error| file_error(key, path, error.to_string()))
        };
        Ok(Self {
            cert: read("cert_file", &settings.cert_file)?,
            key: read("key_file", &settings.key_file)?,
            client_ca: settings.client_ca_file.as_deref().map(|path| read("client_ca_file", path)).transpose()?,
        })
    }

    fn config(&self, settings: &ServerTlsSettings, alpn: &[Vec<u8>]) -> Result<Arc<ServerConfig>, ServerTlsError> {
        let chain = certificates(&self.cert, "cert_file", &settings.cert_file)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| pem_error("key_file", &settings.key_file, &error))?;
        let mut config = self.verifying(settings)?.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                file_error("key_file", &settings.key_file, "is not the key of `tls.cert_file`".to_owned())
            }
            other => file_error("cert_file", &settings.cert_file, other.to_string()),
        })?;
        config.alpn_protocols = alpn.to_vec();
        Ok(Arc::new(config))
    }

    fn verifying(
        &self,
        settings: &ServerTlsSettings,
    ) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, ServerTlsError> {
        let builder = builder(settings.min_version)?;
        let (Some(pem), Some(path)) = (&self.client_ca, &settings.client_ca_file) else {
            return Ok(builder.with_no_client_auth());
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem, "client_ca_file", path)? {
            let invalid = |error| file_error("client_ca_file", path, format!("holds no valid certificate: {error}"));
            roots.add(certificate).map_err(invalid)?;
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| ServerTlsError::Library(error.to_string()))?;
        Ok(builder.with_client_cert_verifier(verifier))
    }
}

fn builder(min_version: TlsVersion) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, ServerTlsError> {
    let versions: &[&SupportedProtocolVersion] = match min_version {
        TlsVersion::V1_2 => &[&version::TLS12, &version::TLS13],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| ServerTlsError::Library(error.to_string()))
}

fn certificates(pem: &[u8], key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerTlsError> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(pem_error(key, path, &pem::Error::NoItemsFound)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(pem_error(key, path, &error)),
    }
}

fn pem_error(key: &'static str, path: &Path, error: &pem::Error) -> ServerTlsError {
    let reason = match error {
        pem::Error::NoItemsFound if key == "key_file" => "holds no private key in PEM".to_owned(),
        pem::Error::NoItemsFound => "holds no certificate in PEM".to_owned(),
        other => format!("is no valid PEM: {other}"),
    };
    file_error(key, path, reason)
}

fn file_error(key: &'static str, path: &Path, reason: String) -> ServerTlsError {
    ServerTlsError::File { key, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::telemetry::Metrics;

    struct Folder(tempfile::TempDir);

    impl Folder {
        /// `cert.pem` with its `key.pem`, and another pair in `other-cert.pem` and `other-key.pem`.
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for prefix in ["", "other-"] {
                let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
                folder.write(&format!("{prefix}cert.pem"), made.cert.pem());
                folder.write(&format!("{prefix}key.pem"), made.signing_key.serialize_pem());
            }
            folder.write("text.pem", "no pem at all");
            folder.write("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            fs::write(self.path(name), text).unwrap();
        }

        fn settings(&self, cert: &str, key: &str, client_ca: Option<&str>) -> ServerTlsSettings {
            ServerTlsSettings {
                cert_file: self.path(cert),
                key_file: self.path(key),
                client_ca_file: client_ca.map(|name| self.path(name)),
                min_version: TlsVersion::V1_2,
                reload_interval: None,
            }
        }
    }

    fn load(settings: ServerTlsSettings, metrics: &Metrics) -> Result<ServerTls, ServerTlsError> {
        ServerTls::load(settings, Protocol::Auto, metrics.receiver("otlp", "http"))
    }

    #[test]
    fn a_wrong_file_is_named_with_its_key_and_its_fault() {
        let folder = Folder::new();
        for (cert, key, client_ca, at, file, fault) in [
            ("none.pem", "key.pem", None, "cert_file", "none.pem", "No such file or directory (os error 2)"),
            ("text.pem", "key.pem", None, "cert_file", "text.pem", "holds no certificate in PEM"),
            ("cert.pem", "cert.pem", None, "key_file", "cert.pem", "holds no private key in PEM"),
            ("cert.pem", "other-key.pem", None, "key_file", "other-key.pem", "is not the key of `tls.cert_file`"),
            ("cert.pem", "key.pem", Some("text.pem"), "client_ca_file", "text.pem", "holds no certificate in PEM"),
            ("cert.pem", "key.pem", Some("junk.pem"), "client_ca_file", "junk.pem", "holds no valid certificate"),
        ] {
            let error = load(folder.settings(cert, key, client_ca), &Metrics::new()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`tls.{at}` {}: {fault}", folder.path(file).display())), "{error}");
        }
    }

    fn reloads(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode();
        let reloads = text.lines().filter_map(|line| line.strip_prefix("gramtrace_receiver_tls_reloads_total{"));
        reloads.map(|line| line.rsplit_once("outcome=").unwrap().1.to_owned()).collect()
    }

    #[test]
    fn new_files_are_used_wrong_ones_are_not_and_each_change_is_counted_once() {
        let folder = Folder::new();
        let metrics = Metrics::new();
        let tls = load(folder.settings("cert.pem", "key.pem", None), &metrics).unwrap();
        let in_use = || Arc::as_ptr(&tls.current().loaded.config);
        let first = in_use();
        tls.take(tls.look());
        assert_eq!(in_use(), first, "nothing has changed");
        assert_eq!(reloads(&metrics), [""; 0]);

        folder.write("cert.pem", fs::read(folder.path("other-cert.pem")).unwrap());
        tls.take(tls.look());
        tls.take(tls.look());
        assert_eq!(in_use(), first, "the key is not that of the certificate yet");
        assert_eq!(reloads(&metrics), ["\"failed\"} 1"]);

        folder.write("key.pem", fs::read(folder.path("other-key.pem")).unwrap());
        tls.take(tls.look());
        assert_ne!(in_use(), first);
        assert_eq!(reloads(&metrics), ["\"failed\"} 1", "\"ok\"} 1"]);
    }
}
