//! TLS towards a backend as its files say now: read at the start, and again for a new connection once they are old
//! enough. A file that has become unusable changes nothing but the log. Knows files and time; nothing of connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::task::spawn_blocking;

use super::tls::{TlsError, TlsSettings};

/// The client's side of TLS. Cheap to clone: clones see the same files.
#[derive(Debug, Clone)]
pub(super) struct CurrentTls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: TlsSettings,
    alpn: Vec<Vec<u8>>,
    reload_interval: Option<Duration>,
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Clone)]
struct Loaded {
    config: Arc<ClientConfig>,
    /// When the files were last looked at.
    at: Instant,
}

impl CurrentTls {
    /// For connections with TLS, by the protocols `alpn`.
    pub(super) fn new(settings: &TlsSettings, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let config = load(settings, &alpn)?;
        Ok(Self::with(settings, alpn, settings.reload_interval, config))
    }

    /// For connections without TLS: the system's certificates are not even looked for.
    pub(super) fn plaintext(settings: &TlsSettings) -> Result<Self, TlsError> {
        settings.check_plaintext()?;
        Ok(Self::with(settings, Vec::new(), None, TlsSettings::trusting_nobody()?))
    }

    fn with(
        settings: &TlsSettings,
        alpn: Vec<Vec<u8>>,
        reload_interval: Option<Duration>,
        config: ClientConfig,
    ) -> Self {
        let loaded = Mutex::new(Loaded { config: Arc::new(config), at: Instant::now() });
        Self(Arc::new(Shared { settings: settings.clone(), alpn, reload_interval, loaded }))
    }

    /// What a connection that is made at `now` is secured by. Of several at once, one reads the files.
    pub(super) async fn at(&self, now: Instant) -> Arc<ClientConfig> {
        let config = match self.0.claim_reload(now) {
            Ok(()) => {
                let shared = Arc::clone(&self.0);
                spawn_blocking(move || shared.reload()).await.ok()
            }
            Err(config) => Some(config),
        };
        config.unwrap_or_else(|| self.0.current())
    }
}

impl Shared {
    fn current(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.loaded.lock().unwrap_or_else(PoisonError::into_inner).config)
    }

    /// Whether the caller has to read the files; else what they said.
    fn claim_reload(&self, now: Instant) -> Result<(), Arc<ClientConfig>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match self.reload_interval {
            Some(interval) if now.saturating_duration_since(loaded.at) >= interval => {
                loaded.at = now;
                Ok(())
            }
            _ => Err(Arc::clone(&loaded.config)),
        }
    }

    fn reload(&self) -> Arc<ClientConfig> {
        match load(&self.settings, &self.alpn) {
            Ok(config) => {
                let config = Arc::new(config);
                self.loaded.lock().unwrap_or_else(PoisonError::into_inner).config = Arc::clone(&config);
                config
            }
            Err(error) => {
                tracing::warn!(%error, "the files of an exporter's `tls` cannot be read again: the old ones stay in use");
                self.current()
            }
        }
    }
}

fn load(settings: &TlsSettings, alpn: &[Vec<u8>]) -> Result<ClientConfig, TlsError> {
    let mut config = settings.client_config()?;
    config.alpn_protocols = alpn.to_vec();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn authority(path: &Path, name: &str) {
        let signed = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(path, signed.cert.pem()).unwrap();
    }

    #[tokio::test]
    async fn files_are_read_again_when_they_are_old_enough_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        authority(&path, "one");
        let settings = TlsSettings { ca_file: Some(path.clone()), reload_interval: Some(HOUR), ..Default::default() };
        let tls = CurrentTls::new(&settings, &[b"h2"]).unwrap();
        let start = Instant::now();
        let first = tls.at(start).await;
        authority(&path, "two");
        let almost = start + HOUR - Duration::from_secs(60);
        assert!(Arc::ptr_eq(&first, &tls.at(almost).await));
        let second = tls.at(start + HOUR).await;
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(second.alpn_protocols, [b"h2"]);
        assert!(Arc::ptr_eq(&second, &tls.at(start + HOUR + HOUR / 2).await));
    }

    #[tokio::test]
    async fn a_file_that_has_become_unusable_changes_nothing_until_it_is_good_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        authority(&path, "one");
        let settings = TlsSettings { ca_file: Some(path.clone()), reload_interval: Some(HOUR), ..Default::default() };
        let tls = CurrentTls::new(&settings, &[]).unwrap();
        let start = Instant::now();
        let first = tls.at(start).await;
        fs::write(&path, "half a certifi").unwrap();
        assert!(Arc::ptr_eq(&first, &tls.at(start + HOUR).await));
        authority(&path, "two");
        assert!(!Arc::ptr_eq(&first, &tls.at(start + 2 * HOUR).await));
    }

    #[tokio::test]
    async fn without_an_interval_files_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        authority(&path, "one");
        let settings = TlsSettings { ca_file: Some(path.clone()), ..Default::default() };
        let tls = CurrentTls::new(&settings, &[]).unwrap();
        let first = tls.at(Instant::now()).await;
        fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &tls.at(Instant::now() + 1000 * HOUR).await));
    }
}
