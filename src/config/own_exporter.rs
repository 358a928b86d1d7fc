//! Where own telemetry is sent: `periodic` readers of metrics, `batch` processors of spans, and the OTLP exporter of
//! both, in the shape of OpenTelemetry's declarative configuration as the Collector takes it. Knows keys and defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::address::{Endpoint, Scheme};
use super::secret::Secret;
use super::section::{Field, Section};
use super::{client, duration};
use crate::otlp::Signal;

/// `periodic`, one of `metrics::readers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodicConfig {
    /// The time from one export to the next; 60 s, in milliseconds.
    #[serde(serialize_with = "millis")]
    pub interval: Duration,
    /// Where it goes.
    pub exporter: PushExporterConfig,
}

/// `batch`, one of `traces::processors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchConfig {
    /// How long a span waits for others; 5 s, in milliseconds.
    #[serde(serialize_with = "millis")]
    pub schedule_delay: Duration,
    /// Spans that may wait; 2048.
    pub max_queue_size: u32,
    /// Spans of one export, at most `max_queue_size`; 512.
    pub max_export_batch_size: u32,
    /// Where it goes.
    pub exporter: PushExporterConfig,
}

/// `exporter` of what is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushExporterConfig {
    /// The one kind that there is.
    pub otlp: OwnOtlpConfig,
}

/// `otlp` of what is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnOtlpConfig {
    /// How it is spoken.
    pub protocol: OwnProtocol,
    /// `http://host:port[/path]` or `https://..`; over gRPC also `host:port`.
    pub endpoint: Endpoint,
    /// Sent with every request; names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// How requests are compressed; `none`.
    pub compression: OwnCompression,
    /// How long one request may take; 10 s, in milliseconds.
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
    /// Plain text where an endpoint of gRPC has no scheme; false.
    pub insecure: bool,
    /// PEM file of the authorities to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate to show; comes with `client_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its private key; comes with `client_certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
}

/// How own telemetry travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum OwnProtocol {
    /// Over gRPC.
    #[serde(rename = "grpc")]
    Grpc,
    /// Over HTTP, in protobuf.
    #[serde(rename = "http/protobuf")]
    Http,
}

/// How own telemetry is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnCompression {
    /// As it is.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A time as a number of milliseconds, or as a duration is written elsewhere.
fn time(field: &Field<'_>) -> Result<Duration, String> {
    const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;
    let time = match field.whole(1, LONGEST_MS) {
        Ok(ms) => Duration::from_millis(ms),
        Err(_) => duration::parse(field.text()?).map_err(|_| {
            format!("{} is no time; write milliseconds, such as `5000`, or a duration such as `5s`", field.found())
        })?,
    };
    let bounds = Duration::from_millis(1)..=Duration::from_millis(LONGEST_MS);
    bounds.contains(&time).then_some(time).ok_or_else(|| "write a time from `1ms` to `24h`".to_owned())
}

impl PeriodicConfig {
    /// Reads `periodic`; `None` where it has no usable exporter, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut interval = Duration::from_secs(60);
        section.read("interval", &mut interval, time);
        let exporter = PushExporterConfig::read(&mut section);
        section.finish(&[
            ("timeout", "a time limit belongs to the exporter; write `exporter: {otlp: {timeout: ..}}`"),
            ("producers", "there are no other producers; remove it"),
            ("cardinality_limits", "labels are bounded; remove it"),
        ]);
        Some(Self { interval, exporter: exporter? })
    }
}

impl BatchConfig {
    /// Reads `batch`; `None` where it has no usable exporter, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let (mut schedule_delay, mut max_queue_size, mut max_export_batch_size) = (Duration::from_secs(5), 2048, 512);
        section.read("schedule_delay", &mut schedule_delay, time);
        section.read("max_queue_size", &mut max_queue_size, |field| field.whole(1, 1 << 20));
        section.read("max_export_batch_size", &mut max_export_batch_size, |field| field.whole(1, 1 << 20));
        if max_export_batch_size > max_queue_size {
            section.error_in(
                "max_export_batch_size",
                format!("write at most `max_queue_size`, which is {max_queue_size}"),
            );
        }
        let exporter = PushExporterConfig::read(&mut section);
        section.finish(&[(
            "export_timeout",
            "a time limit belongs to the exporter; write `exporter: {otlp: {timeout: ..}}`",
        )]);
        Some(Self { schedule_delay, max_queue_size, max_export_batch_size, exporter: exporter? })
    }
}

impl PushExporterConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        const SHAPE: &str = "write `exporter: {otlp: {protocol: http/protobuf, endpoint: http://host:4318}}`";
        let Some(mut exporter) = section.section("exporter") else {
            if !section.has("exporter") {
                section.error(format!("no exporter; {SHAPE}"));
            }
            return None;
        };
        let otlp = exporter.section("otlp");
        if otlp.is_none() && !exporter.has("otlp") {
            exporter.error(format!("no `otlp`; {SHAPE}"));
        }
        exporter.finish(&[
            ("console", "own telemetry is sent over OTLP alone; write `otlp: {..}`"),
            ("prometheus", "is read and not sent; write `- pull: {exporter: {prometheus: {..}}}`"),
            ("otlp_http", "write `otlp: {protocol: http/protobuf, ..}`"),
            ("otlp_grpc", "write `otlp: {protocol: grpc, ..}`"),
        ]);
        Some(Self { otlp: OwnOtlpConfig::read(otlp?)? })
    }
}

impl OwnOtlpConfig {
    /// Reads `otlp`; `None` where it cannot be used, which has been reported.
    fn read(mut section: Section<'_>) -> Option<Self> {
        for key in ["protocol", "endpoint"] {
            if !section.has(key) {
                let shape = "write `protocol: http/protobuf` or `grpc`, and `endpoint: http://host:port`";
                section.error(format!("no `{key}`; {shape}"));
            }
        }
        let protocol = section.get("protocol", |field| {
            field.word(&[
                ("http/protobuf", OwnProtocol::Http),
                ("grpc", OwnProtocol::Grpc),
                ("grpc/protobuf", OwnProtocol::Grpc),
            ])
        });
        let endpoint = section.get("endpoint", |field| match protocol {
            Some(OwnProtocol::Grpc) => Endpoint::parse_grpc(field.text()?),
            Some(OwnProtocol::Http) | None => Endpoint::parse_http(field.text()?),
        });
        let stand_in = Endpoint::parse_http("http://localhost").ok()?;
        let mut config = Self {
            protocol: protocol.unwrap_or(OwnProtocol::Http),
            endpoint: endpoint.clone().unwrap_or(stand_in),
            headers: BTreeMap::new(),
            compression: OwnCompression::default(),
            timeout: Duration::from_secs(10),
            insecure: false,
            certificate: None,
            client_certificate: None,
            client_key: None,
        };
        config.read_rest(&mut section);
        section.finish(&[
            ("tls", "files are named beside the endpoint; write `certificate`, `client_certificate`, `client_key`"),
            ("temporality_preference", "figures are cumulative; remove it"),
            ("default_histogram_aggregation", "there are no histograms; remove it"),
            ("headers_list", "write `headers: {name: value}`"),
        ]);
        (protocol.is_some() && endpoint.is_some()).then_some(config)
    }

    fn read_rest(&mut self, section: &mut Section<'_>) {
        self.read_headers(section);
        section.read("compression", &mut self.compression, |field| {
            field.word(&[("none", OwnCompression::None), ("gzip", OwnCompression::Gzip)])
        });
        section.read("timeout", &mut self.timeout, time);
        section.read("insecure", &mut self.insecure, Field::flag);
        let file =
            |field: &Field<'_>| field.string().map(|path| Some(PathBuf::from(path)).filter(|it| it.as_os_str() != ""));
        section.read("certificate", &mut self.certificate, file);
        section.read("client_certificate", &mut self.client_certificate, file);
        section.read("client_key", &mut self.client_key, file);
        if self.client_certificate.is_some() != self.client_key.is_some() {
            section.error("`client_certificate` and `client_key` belong together; write both or none");
        }
        let files = self.certificate.is_some() || self.client_certificate.is_some();
        if files && self.scheme() == Scheme::Http {
            section.error("has files for TLS, but is plain text; write `https://`, or remove them");
        }
    }

    /// Reads `headers`, a mapping or a list of `{name, value}`; no error shows a value.
    fn read_headers(&mut self, section: &mut Section<'_>) {
        let Some(list) = section.field("headers") else { return };
        if !list.is_list() {
            let headers = list.section();
            headers.iter().flat_map(Section::all).for_each(|(name, field)| {
                client::read_header(name, &field, &mut self.headers);
            });
            return;
        }
        for mut item in list.items().filter_map(|item| item.section()) {
            match (item.get("name", Field::string), item.field("value")) {
                (Some(name), Some(value)) => client::read_header(&name, &value, &mut self.headers),
                _ => item.error("no `name` or no `value`; write `{name: authorization, value: ..}`"),
            }
            item.finish(&[]);
        }
    }

    /// Whether it is plain text or TLS: the endpoint's scheme, else `insecure`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self.endpoint.scheme {
            Some(scheme) => scheme,
            None if self.insecure => Scheme::Http,
            None => Scheme::Https,
        }
    }

    /// The whole URL that `signal` goes to: the endpoint's, or the usual path below it where it has none.
    #[must_use]
    pub fn url(&self, signal: Signal) -> String {
        let base = format!("{}://{}", self.scheme().name(), self.endpoint.authority());
        match (self.protocol, self.endpoint.path.trim_matches('/')) {
            (OwnProtocol::Grpc, _) => base,
            (OwnProtocol::Http, "") => format!("{base}{}", signal.http_path()),
            (OwnProtocol::Http, _) => format!("{base}{}", self.endpoint.path),
        }
    }
}
