//! `tls` of a receiver: who this process is to senders, and whose certificates it takes.
//! Knows keys and advice; reads no file.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::duration;
use super::section::{Field, Section};

/// `tls` of a receiver's protocol. Its absence means plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerTlsConfig {
    /// PEM certificate chain, this process's own first.
    pub cert_file: PathBuf,
    /// PEM private key of `cert_file`.
    pub key_file: PathBuf,
    /// PEM certificates of the authorities of senders; without it senders need no certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<PathBuf>,
    /// The oldest version that is spoken; 1.2.
    pub min_version: TlsVersion,
    /// Time between two readings of the files, above 0; absent is at the start alone.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "interval")]
    pub reload_interval: Option<Duration>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

fn interval<S: serde::Serializer>(interval: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration::serialize(&interval.unwrap_or_default(), serializer)
}

impl ServerTlsConfig {
    /// Reads `tls`; `None` where it has no certificate or no key, which has been reported.
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let cert_file = section.get("cert_file", file).flatten();
        let key_file = section.get("key_file", file).flatten();
        let client_ca_file = section.get("client_ca_file", file).flatten();
        let mut min_version = TlsVersion::default();
        section.read("min_version", &mut min_version, |field| match field.text()? {
            old @ ("1.0" | "1.1") => Err(format!("TLS {old} is not safe; write `1.2` or `1.3`")),
            _ => field.word(&[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]),
        });
        let reload_interval = section.get("reload_interval", |field| duration::parse(field.text()?));
        for (key, found) in [("cert_file", &cert_file), ("key_file", &key_file)] {
            if found.is_none() && !section.has(key) {
                section.error(format!("no `{key}`; write the path of a PEM file, or remove `tls` for plain text"));
            }
        }
        section.finish(&[
            ("ca_file", "senders are checked against `client_ca_file`; write that"),
            ("ca_pem", "certificates are read from files; write `client_ca_file`"),
            ("cert_pem", "certificates are read from files; write `cert_file`"),
            ("key_pem", "keys are read from files; write `key_file`"),
            ("insecure", "is a client's key; remove `tls` for plain text"),
            ("max_version", "TLS 1.2 and 1.3 are spoken; remove it"),
            ("cipher_suites", "the suites are those that are safe; remove it"),
            ("curve_preferences", "the curves are those that are safe; remove it"),
            ("reload_client_ca_file", "`client_ca_file` is read again with the certificate; write `reload_interval`"),
            ("client_ca_file_reload", "`client_ca_file` is read again with the certificate; write `reload_interval`"),
        ]);
        Some(Self {
            cert_file: cert_file?,
            key_file: key_file?,
            client_ca_file,
            min_version,
            // 0 is the Collector's word for never.
            reload_interval: reload_interval.filter(|interval| !interval.is_zero()),
        })
    }
}

/// A path; empty means none, as in the Collector: a variable that is set to nothing.
fn file(field: &Field<'_>) -> Result<Option<PathBuf>, String> {
    field.string().map(|path| Some(path).filter(|path| !path.is_empty()).map(PathBuf::from))
}
