//! What the exporters have in common: TLS, compression, headers, time.
//! Knows how each is written and what contradicts what; nothing of gRPC or of who sends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::address::{Endpoint, Scheme};
use super::duration;
use super::secret::{REDACTED, Secret};
use super::section::{Field, Section};

/// `tls` of an exporter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ClientTlsConfig {
    /// Plain text where the endpoint has no scheme; false.
    pub insecure: bool,
    /// PEM file of the authorities to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show; comes with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// PEM file of its private key; comes with `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must bear, where it is not the endpoint's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name_override: Option<String>,
    /// How old what was read of the files may be for a new connection; absent: they are read at the start only.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "duration::serialize_some")]
    pub reload_interval: Option<Duration>,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// RFC 1952.
    #[default]
    Gzip,
    /// RFC 8878.
    Zstd,
    /// As they are.
    None,
}

/// `compression_params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CompressionParamsConfig {
    /// gzip 1 to 9, zstd 1 to 22; 1, the cheapest.
    pub level: u32,
}

impl Default for CompressionParamsConfig {
    fn default() -> Self {
        Self { level: 1 }
    }
}

/// A feature of the Collector that is written off: `{enabled: false}` is all it can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SwitchedOff {
    enabled: bool,
}

impl ClientTlsConfig {
    /// Reads `tls` of an exporter that sends to `endpoint`, where that is known.
    pub(super) fn read(mut section: Section<'_>, endpoint: Option<&Endpoint>) -> Self {
        let mut tls = Self::default();
        // Empty means none, as in the Collector: a variable that is set to nothing.
        let name = |field: &Field<'_>| field.string().map(|name| Some(name).filter(|name| !name.is_empty()));
        let file = |field: &Field<'_>| name(field).map(|path| path.map(PathBuf::from));
        section.read("insecure", &mut tls.insecure, Field::flag);
        section.read("ca_file", &mut tls.ca_file, file);
        section.read("cert_file", &mut tls.cert_file, file);
        section.read("key_file", &mut tls.key_file, file);
        section.read("server_name_override", &mut tls.server_name_override, name);
        section.read("reload_interval", &mut tls.reload_interval, |field| match duration::parse(field.text()?)? {
            Duration::ZERO => Err("is no time; write one such as `1h`, or remove it".to_owned()),
            interval => Ok(Some(interval)),
        });
        match endpoint.and_then(|endpoint| endpoint.scheme) {
            Some(Scheme::Https) if tls.insecure => {
                section.error_in("insecure", "contradicts `https://` of the endpoint; write `http://`, or remove it");
            }
            Some(Scheme::Unix) if tls.has_files() => {
                section.error("has files, but a socket of this machine is plain text; remove them");
            }
            Some(Scheme::Http) if tls.has_files() => {
                section.error("has files, but `http://` of the endpoint is plain text; write `https://`, or remove it");
            }
            None if tls.insecure && tls.has_files() => {
                section
                    .error_in("insecure", "is plain text, but there are files for TLS; write `false`, or remove them");
            }
            _ => {}
        }
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            section.error("`cert_file` and `key_file` belong together; write both or none");
        }
        section.finish(&[
            (
                "insecure_skip_verify",
                "a server is never trusted unseen; remove it, and write its authority's `ca_file`",
            ),
            ("ca_pem", "certificates are read from files; write `ca_file`"),
            ("cert_pem", "certificates are read from files; write `cert_file`"),
            ("key_pem", "keys are read from files; write `key_file`"),
            ("min_version", "TLS 1.2 and 1.3 are spoken; remove it"),
            ("max_version", "TLS 1.2 and 1.3 are spoken; remove it"),
            ("cipher_suites", "the suites are those that are safe; remove it"),
            ("include_system_ca_certs_pool", "it is the system's authorities, or those of `ca_file`; remove it"),
        ]);
        tls
    }

    fn has_files(&self) -> bool {
        self.ca_file.is_some() || self.cert_file.is_some() || self.key_file.is_some()
    }
}

impl SwitchedOff {
    /// Reads a block that may only say `enabled: false`; `advice` tells what to do without it.
    pub(super) fn read(section: &mut Section<'_>, key: &'static str, advice: &str) {
        let Some(mut inner) = section.section(key) else { return };
        match inner.get("enabled", Field::flag) {
            Some(true) => inner.error_in("enabled", advice),
            // The keys of what is off have no effect, and configurations are full of them.
            Some(false) => {}
            None if inner.has("enabled") => {}
            // In the Collector a block without `enabled` switches it on.
            None => inner.error(advice),
        }
    }
}

/// Reads `compression` and `compression_params`.
pub(super) fn read_compression(
    section: &mut Section<'_>,
    compression: &mut Compression,
    params: &mut CompressionParamsConfig,
) {
    section.read("compression", compression, |field| {
        field.word(&[("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("none", Compression::None)])
    });
    if let Some(mut inner) = section.section("compression_params") {
        let highest = if *compression == Compression::Gzip { 9 } else { 22 };
        inner.read("level", &mut params.level, |field| field.whole(1, highest));
        inner.finish(&[]);
    }
}

/// Reads `headers`; no error shows a value.
pub(super) fn read_headers(section: &mut Section<'_>, headers: &mut BTreeMap<String, Secret>) {
    let Some(inner) = section.section("headers") else { return };
    for (name, field) in inner.all() {
        read_header(name, &field, headers);
    }
}

/// Reads the value of one header; no error shows it.
pub(super) fn read_header(name: &str, field: &Field<'_>, headers: &mut BTreeMap<String, Secret>) {
    if field.is_reported() {
        return;
    }
    let header = field.text().map_err(|_| "write text".to_owned()).and_then(|value| header(name, value));
    match header {
        Ok((name, _)) if headers.contains_key(&name) => {
            field.error(format!("`{name}` is given twice: case does not matter; write it once"));
        }
        Ok((name, value)) => {
            headers.insert(name, value);
        }
        Err(message) => field.error(message),
    }
}

/// A header that can be sent; its name in lower case.
///
/// # Errors
/// What is wrong and what to write instead, without the value.
pub(super) fn header(name: &str, value: &str) -> Result<(String, Secret), String> {
    const OURS: [&str; 8] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "transfer-encoding",
        "user-agent",
    ];
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "is no name of a header; write letters, digits and `-`".to_owned())?;
    if OURS.contains(&name.as_str()) || name.as_str().starts_with("grpc-") {
        return Err("is set by the exporter itself; remove it".to_owned());
    }
    let sendable = HeaderValue::from_str(value).is_ok_and(|value| value.to_str().is_ok());
    if !sendable {
        return Err(format!("its value {REDACTED} has characters that no header can carry; write printable ASCII"));
    }
    Ok((name.as_str().to_owned(), Secret::new(value.to_owned())))
}

/// A time in which a request must be answered.
pub(super) fn timeout(field: &Field<'_>) -> Result<Duration, String> {
    let timeout = duration::parse(field.text()?)?;
    if timeout.is_zero() {
        return Err("no request is answered in no time; write one such as `5s`".to_owned());
    }
    Ok(timeout)
}
