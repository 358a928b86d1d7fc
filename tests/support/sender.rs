//! A sender over gRPC, as an SDK would be: compressed, patient, in plain text.

use std::net::SocketAddr;
use std::time::Duration;

use gramtrace::exporter::{GrpcExporter, GrpcExporterSettings, Headers, Keepalive, TlsSettings};
use gramtrace::wire::Encoding;

pub fn grpc(address: SocketAddr) -> GrpcExporter {
    GrpcExporter::new(GrpcExporterSettings {
        name: "sender".to_owned(),
        endpoint: format!("http://{address}"),
        tls: TlsSettings::default(),
        encoding: Encoding::Gzip,
        level: 1,
        headers: Headers::default(),
        timeout: Duration::from_secs(60),
        keepalive: Keepalive::default(),
    })
    .unwrap()
}
