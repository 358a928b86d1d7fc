//! Receivers behind TLS: who is let in, what is spoken, and certificates that change while connections are open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gramtrace::receiver::{ServerTlsSettings, TlsVersion};
use gramtrace::telemetry::Metrics;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;

use super::logs;
use super::pki::{Authority, Identity};
use super::support::{H1, H2, JSON, Server, Setup, sample, soon};

/// A sender that trusts one authority.
#[derive(Clone, Copy)]
struct Sender<'a> {
    trusts: &'a Authority,
    shows: Option<&'a Identity>,
    alpn: &'a [&'a [u8]],
    versions: &'a [&'static SupportedProtocolVersion],
}

impl<'a> Sender<'a> {
    const fn new(trusts: &'a Authority) -> Self {
        Self { trusts, shows: None, alpn: &[], versions: rustls::DEFAULT_VERSIONS }
    }

    async fn connect(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.trusts.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.shows {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, server.connect().await)).await
    }
}

/// The files of a server that is `identity`, and asks for certificates of `clients` where there is one.
fn files(authority: &Authority, identity: &Identity, clients: Option<&Authority>) -> ServerTlsSettings {
    ServerTlsSettings {
        cert_file: authority.file("cert.pem", &identity.certificate),
        key_file: authority.file("key.pem", &identity.key),
        client_ca_file: clients.map(Authority::ca_file),
        min_version: TlsVersion::V1_2,
        reload_interval: None,
    }
}

async fn started(setup: Setup, tls: ServerTlsSettings) -> (Server, Metrics) {
    let metrics = setup.metrics.clone();
    (Setup { tls: Some(tls), ..setup }.start().await, metrics)
}

fn handshakes(metrics: &Metrics, transport: &str, outcome: &str) -> f64 {
    let labels = format!("receiver=\"otlp\",transport=\"{transport}\",outcome=\"{outcome}\"");
    sample(metrics, &format!("gramtrace_receiver_tls_handshakes_total{{{labels}}}"))
}

/// Waits until the metric says `expected`: handshakes end a moment later here than at the other end.
async fn until(expected: f64, metric: impl Fn() -> f64) {
    soon(async {
        while metric() < expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(metric(), expected);
}

async fn posts(stream: TlsStream<TcpStream>) -> u16 {
    H1::over(stream).post("/v1/traces", &[JSON], b"{}").await.status.as_u16()
}

#[tokio::test]
async fn http_1_and_http_2_are_agreed_on_by_alpn_and_without_it_by_the_first_bytes() {
    let authority = Authority::new("ours");
    let (server, metrics) = started(Setup::http(), files(&authority, &authority.issue("localhost"), None)).await;
    let sender = Sender::new(&authority);
    for alpn in [&[][..], &[&b"http/1.1"[..]]] {
        let stream = Sender { alpn, ..sender }.connect(&server).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), alpn.first().copied());
        assert_eq!(posts(stream).await, 200);
    }
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let stream = Sender { alpn: both, ..sender }.connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let request = http::Request::post("https://localhost/v1/logs").header("content-type", "application/json");
    let body = super::support::Chunks::whole(&b"{}"[..]);
    assert_eq!(H2::over(stream).await.send(request.body(body).unwrap()).await.status.as_u16(), 200);
    until(3.0, || handshakes(&metrics, "http", "ok")).await;
}

#[tokio::test]
async fn grpc_is_spoken_over_h2_alone() {
    let authority = Authority::new("ours");
    let (server, metrics) = started(Setup::grpc(), files(&authority, &authority.issue("localhost"), None)).await;
    let sender = Sender::new(&authority);
    let stream = Sender { alpn: &[b"h2"], ..sender }.connect(&server).await.unwrap();
    assert_eq!(H2::over(stream).await.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    let error = Sender { alpn: &[b"http/1.1"], ..sender }.connect(&server).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    until(1.0, || handshakes(&metrics, "grpc", "failed")).await;
}

#[tokio::test]
async fn a_sender_without_a_certificate_of_the_right_authority_is_turned_away_counted_and_logged() {
    let (authority, senders, strangers) = (Authority::new("ours"), Authority::new("senders"), Authority::new("else"));
    let tls = files(&authority, &authority.issue("localhost"), Some(&senders));
    let (server, metrics) = started(Setup::http(), tls).await;
    let (known, stranger) = (senders.issue("app"), strangers.issue("app"));
    let sender = Sender::new(&authority);
    for shows in [None, Some(&stranger)] {
        // TLS 1.3 tells a client on its first read only.
        if let Ok(stream) = (Sender { shows, ..sender }).connect(&server).await {
            let said = H1::over(stream).closed().await;
            assert_eq!(said, b"");
        }
    }
    until(2.0, || handshakes(&metrics, "http", "failed")).await;
    let logged = logs::with("no TLS with a sender");
    let [line] = &logged[..] else { panic!("one line a reason: {logged:?}") };
    assert!(line.contains("peer=127.0.0.1:") && line.contains("outcome=\"failed\""), "{line}");

    let stream = Sender { shows: Some(&known), ..sender }.connect(&server).await.unwrap();
    assert_eq!(posts(stream).await, 200);
    until(1.0, || handshakes(&metrics, "http", "ok")).await;
}

#[tokio::test]
async fn a_sender_that_speaks_plain_text_or_too_old_a_version_is_turned_away() {
    let authority = Authority::new("ours");
    let tls = files(&authority, &authority.issue("localhost"), None);
    let (server, metrics) = started(Setup::http(), ServerTlsSettings { min_version: TlsVersion::V1_3, ..tls }).await;
    let sender = Sender::new(&authority);
    let mut plain = server.h1().await;
    plain.write("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    plain.closed().await;
    let old = Sender { versions: &[&version::TLS12], ..sender }.connect(&server).await.unwrap_err();
    assert!(old.to_string().contains("ProtocolVersion"), "{old}");
    until(2.0, || handshakes(&metrics, "http", "failed")).await;
    let stream = Sender { versions: &[&version::TLS13], ..sender }.connect(&server).await.unwrap();
    assert_eq!(posts(stream).await, 200);
}

#[tokio::test]
async fn a_handshake_that_stalls_is_given_up_and_holds_nobody_up() {
    let authority = Authority::new("ours");
    let mut setup = Setup::http();
    setup.listener.handshake_timeout = Duration::from_millis(100);
    let (server, metrics) = started(setup, files(&authority, &authority.issue("localhost"), None)).await;
    // A record of a handshake whose end does not come, and nothing at all.
    let mut begun = server.h1().await;
    begun.write(b"\x16\x03\x01\x02\x00\x01").await;
    let silent = server.h1().await;
    let stream = Sender::new(&authority).connect(&server).await.unwrap();
    assert_eq!(posts(stream).await, 200);
    begun.closed().await;
    silent.closed().await;
    until(2.0, || handshakes(&metrics, "http", "timed_out")).await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_handshake() {
    let authority = Authority::new("ours");
    let (server, _) = started(Setup::http(), files(&authority, &authority.issue("localhost"), None)).await;
    let stream = Sender::new(&authority).connect(&server).await.unwrap();
    let silent = server.h1().await;
    server.stop.cancel();
    silent.closed().await;
    H1::over(stream).closed().await;
    soon(server.served).await.unwrap();
}

/// Replaces a file as a person or a tool does: at once.
fn replace(path: &PathBuf, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn certificates_change_without_a_lost_connection_and_wrong_ones_are_left_out() {
    let authority = Authority::new("ours");
    let tls = files(&authority, &authority.issue("localhost"), None);
    let (cert_file, key_file) = (tls.cert_file.clone(), tls.key_file.clone());
    let tls = ServerTlsSettings { reload_interval: Some(Duration::from_millis(20)), ..tls };
    let (server, metrics) = started(Setup::http(), tls).await;
    let reloads = |outcome: &str| {
        let labels = format!("receiver=\"otlp\",transport=\"http\",outcome=\"{outcome}\"");
        sample(&metrics, &format!("gramtrace_receiver_tls_reloads_total{{{labels}}}"))
    };
    let sender = Sender::new(&authority);
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let stream = sender.connect(&server).await.unwrap();
    let first = shown(&stream);
    let mut kept = H1::over(stream);

    replace(&cert_file, "no certificate");
    until(1.0, || reloads("failed")).await;
    assert_eq!(logs::with("the TLS files have changed and cannot be used").len(), 1);
    assert_eq!(shown(&sender.connect(&server).await.unwrap()), first);

    let next = authority.issue("localhost");
    replace(&key_file, &next.key);
    replace(&cert_file, &next.certificate);
    until(1.0, || reloads("ok")).await;
    let second = shown(&sender.connect(&server).await.unwrap());
    assert_eq!(second, CertificateDer::from_pem_slice(next.certificate.as_bytes()).unwrap().to_vec());
    assert_ne!(second, first);
    assert_eq!(kept.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
}
