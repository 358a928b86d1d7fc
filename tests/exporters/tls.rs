//! TLS to real servers with certificates made for the test: who is trusted, who is not, and what a person reads.

use std::time::Duration;

use gramtrace::exporter::{Exporter, GrpcExporter, HttpExporter, Outcome, TlsSettings};
use gramtrace::otlp::Signal;
use http::Version;
use tonic::Code;
use tonic::transport::{Certificate, Identity as ServerIdentity, ServerTlsConfig};

use crate::support::collector::{Collector, Setup};
use crate::support::pki::{Authority, Identity};
use crate::support::raw::{Raw, answer};
use crate::support::{delivered, grpc_settings, http_settings, request, retry};

const H2: &[&[u8]] = &[b"h2"];
const HTTP_1: &[&[u8]] = &[b"http/1.1"];
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

fn collector(identity: &Identity, clients: Option<&Authority>) -> Collector {
    let mut tls = ServerTlsConfig::new().identity(ServerIdentity::from_pem(&identity.certificate, &identity.key));
    if let Some(authority) = clients {
        tls = tls.client_ca_root(Certificate::from_pem(&authority.pem));
    }
    Collector::set_up(Setup { tls: Some(tls), ..Setup::default() }, || Ok(None))
}

fn trusting(authority: &Authority) -> TlsSettings {
    TlsSettings { ca_file: Some(authority.ca_file()), ..TlsSettings::default() }
}

fn with_identity(mut tls: TlsSettings, authority: &Authority, identity: &Identity) -> TlsSettings {
    tls.cert_file = Some(authority.file("client.pem", &identity.certificate));
    tls.key_file = Some(authority.file("client.key", &identity.key));
    tls
}

async fn send_grpc(port: u16, tls: TlsSettings) -> Outcome {
    let mut settings = grpc_settings(format!("localhost:{port}"));
    settings.tls = tls;
    GrpcExporter::new(settings).unwrap().send(Signal::Traces, request(Signal::Traces), None).await
}

async fn send_http(port: u16, tls: TlsSettings) -> Outcome {
    let mut settings = http_settings(&format!("https://localhost:{port}"));
    settings.tls = tls;
    HttpExporter::new(settings).unwrap().send(Signal::Traces, request(Signal::Traces), None).await
}

#[tokio::test]
async fn a_backend_whose_authority_is_trusted_is_reached() {
    let authority = Authority::new("authority");
    let identity = authority.issue("localhost");
    let collector = collector(&identity, None);
    delivered(send_grpc(collector.address.port(), trusting(&authority)).await);
    assert_eq!(collector.arrivals().len(), 1);
}

#[tokio::test]
async fn the_authority_over_http_2_has_the_real_scheme() {
    let authority = Authority::new("authority");
    let acceptor = authority.issue("localhost").acceptor(H2, None);
    let raw = Raw::over(Some(acceptor), |_| answer(200, &[("grpc-status", "0")], "")).await;
    delivered(send_grpc(raw.address.port(), trusting(&authority)).await);
    let uri = raw.arrival().uri().clone();
    assert_eq!(uri.scheme_str(), Some("https"));
    assert_eq!(uri.authority().unwrap().as_str(), format!("localhost:{}", raw.address.port()));
}

#[tokio::test]
async fn http_speaks_the_best_version_that_the_backend_agrees_to() {
    let authority = Authority::new("authority");
    for (alpn, version) in [(BOTH, Version::HTTP_2), (HTTP_1, Version::HTTP_11), (&[], Version::HTTP_11)] {
        let acceptor = authority.issue("localhost").acceptor(alpn, None);
        let raw = Raw::over(Some(acceptor), |_| answer(200, &[], "")).await;
        delivered(send_http(raw.address.port(), trusting(&authority)).await);
        assert_eq!(raw.arrival().version(), version);
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_told_with_the_cure() {
    let ours = Authority::new("ours");
    // An authority that was made anew under its old name fails in another way than a strange one.
    for (name, fault) in [("theirs", "UnknownIssuer"), ("ours", "BadSignature")] {
        let theirs = Authority::new(name);
        let collector = collector(&theirs.issue("localhost"), None);
        let raw = Raw::over(Some(theirs.issue("localhost").acceptor(BOTH, None)), |_| answer(200, &[], "")).await;
        for failure in [
            retry(send_grpc(collector.address.port(), trusting(&ours)).await),
            retry(send_http(raw.address.port(), trusting(&ours)).await),
        ] {
            assert_eq!(failure.code, Code::Unavailable);
            let message = failure.message;
            assert!(message.starts_with("exporter `otlp/backend`: cannot reach https://localhost:"), "{message}");
            assert!(message.contains(fault), "{message}");
            assert!(message.ends_with("set `tls.ca_file` to the CA that signed it"), "{message}");
        }
        assert!(collector.arrivals().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_with_the_cure_and_the_cure_works() {
    let authority = Authority::new("authority");
    let collector = collector(&authority.issue("tempo.internal"), None);
    let failure = retry(send_grpc(collector.address.port(), trusting(&authority)).await);
    assert!(failure.message.contains("tempo.internal"), "{}", failure.message);
    assert!(failure.message.contains("`tls.server_name_override`"), "{}", failure.message);
    let tls = TlsSettings { server_name_override: Some("tempo.internal".to_owned()), ..trusting(&authority) };
    delivered(send_grpc(collector.address.port(), tls.clone()).await);
    let acceptor = authority.issue("tempo.internal").acceptor(BOTH, None);
    let raw = Raw::over(Some(acceptor), |_| answer(200, &[], "")).await;
    delivered(send_http(raw.address.port(), tls).await);
}

#[tokio::test]
async fn an_expired_certificate_is_told_as_expired() {
    let authority = Authority::new("authority");
    let collector = collector(&authority.issue_expired(), None);
    let failure = retry(send_grpc(collector.address.port(), trusting(&authority)).await);
    assert!(failure.message.contains("the backend's certificate has expired"), "{}", failure.message);
}

#[tokio::test]
async fn a_backend_that_asks_who_we_are_is_shown_our_certificate() {
    let authority = Authority::new("authority");
    let (server, client) = (authority.issue("localhost"), authority.issue("gramtrace"));
    let tls = with_identity(trusting(&authority), &authority, &client);
    let collector = collector(&server, Some(&authority));
    delivered(send_grpc(collector.address.port(), tls.clone()).await);
    let acceptor = server.acceptor(BOTH, Some(&authority));
    let raw = Raw::over(Some(acceptor), |_| answer(200, &[], "")).await;
    delivered(send_http(raw.address.port(), tls).await);
}

#[tokio::test]
async fn a_missing_or_unknown_client_certificate_is_told_with_the_cure() {
    let (authority, unknown) = (Authority::new("theirs"), Authority::new("ours"));
    let server = authority.issue("localhost");
    let collector = collector(&server, Some(&authority));
    let raw = Raw::over(Some(server.acceptor(BOTH, Some(&authority))), |_| answer(200, &[], "")).await;
    let stranger = with_identity(trusting(&authority), &unknown, &unknown.issue("gramtrace"));
    for tls in [trusting(&authority), stranger] {
        for failure in [
            retry(send_grpc(collector.address.port(), tls.clone()).await),
            retry(send_http(raw.address.port(), tls.clone()).await),
        ] {
            assert_eq!(failure.code, Code::Unavailable);
            assert!(failure.message.contains("set `tls.cert_file` and `tls.key_file`"), "{}", failure.message);
        }
    }
    assert!(collector.arrivals().is_empty());
}

#[tokio::test]
async fn a_tls_port_without_http_2_is_told_as_no_grpc_port() {
    let authority = Authority::new("authority");
    for alpn in [HTTP_1, &[]] {
        let raw = Raw::over(Some(authority.issue("localhost").acceptor(alpn, None)), |_| answer(200, &[], "")).await;
        let failure = retry(send_grpc(raw.address.port(), trusting(&authority)).await);
        assert!(failure.message.contains("HTTP/2"), "{}", failure.message);
        assert!(failure.message.ends_with("use `otlp_http`"), "{}", failure.message);
    }
}

/// Both exporters under the same settings.
fn both(grpc_port: u16, http_port: u16, tls: &TlsSettings) -> [Exporter; 2] {
    let mut grpc = grpc_settings(format!("localhost:{grpc_port}"));
    grpc.tls = tls.clone();
    let mut http = http_settings(&format!("https://localhost:{http_port}"));
    http.tls = tls.clone();
    [GrpcExporter::new(grpc).unwrap().into(), HttpExporter::new(http).unwrap().into()]
}

#[tokio::test]
async fn certificates_that_are_renewed_are_used_for_the_next_connection_without_a_restart() {
    let (theirs, ours) = (Authority::new("theirs"), Authority::new("ours"));
    let server = theirs.issue("localhost");
    let collector = collector(&server, Some(&theirs));
    let raw = Raw::over(Some(server.acceptor(BOTH, Some(&theirs))), |_| answer(200, &[], "")).await;
    // What is there at first trusts, and is trusted by, somebody else.
    let mut tls = with_identity(trusting(&ours), &ours, &ours.issue("gramtrace"));
    tls.reload_interval = Some(Duration::from_nanos(1));
    let reloading = both(collector.address.port(), raw.address.port(), &tls);
    tls.reload_interval = None;
    let fixed = both(collector.address.port(), raw.address.port(), &tls);
    for exporter in reloading.iter().chain(&fixed) {
        retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
    ours.file("ca.pem", &theirs.pem);
    with_identity(trusting(&theirs), &ours, &theirs.issue("gramtrace"));
    for exporter in &reloading {
        delivered(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
    for exporter in &fixed {
        retry(exporter.send(Signal::Traces, request(Signal::Traces), None).await);
    }
}

#[tokio::test]
async fn certificates_that_have_become_unusable_leave_the_old_ones_in_use() {
    let authority = Authority::new("authority");
    let acceptor = authority.issue("localhost").acceptor(BOTH, None);
    let raw = Raw::over(Some(acceptor), |_| answer(200, &[], "")).await;
    let mut tls = trusting(&authority);
    tls.reload_interval = Some(Duration::from_nanos(1));
    let [_, http] = both(1, raw.address.port(), &tls);
    authority.file("ca.pem", "-----BEGIN CERTIFICATE-----\nhalf");
    delivered(http.send(Signal::Traces, request(Signal::Traces), None).await);
}
