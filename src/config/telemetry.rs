//! `service.telemetry`: what gramtrace says of itself, and how loudly.
//! Knows keys and defaults; logs nothing and listens nowhere.

use serde::Serialize;

use super::address::ListenAddress;
use super::section::{Field, Section};

/// `service.telemetry`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TelemetryConfig {
    /// Own logs.
    pub logs: LogsTelemetryConfig,
    /// Own metrics.
    pub metrics: MetricsTelemetryConfig,
}

/// `service.telemetry.logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LogsTelemetryConfig {
    /// The least severe that is written; `info`.
    pub level: LogLevel,
    /// How lines look; `console`.
    pub encoding: LogEncoding,
}

/// Severity of own logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens in the normal course.
    #[default]
    Info,
    /// What somebody should look at.
    Warn,
    /// What failed.
    Error,
}

/// How own logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogEncoding {
    /// For people.
    #[default]
    Console,
    /// An object a line.
    Json,
}

/// `service.telemetry.metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricsTelemetryConfig {
    /// `none` turns own metrics off; `normal`.
    pub level: MetricsLevel,
    /// Where they can be read: none or one.
    pub readers: Vec<MetricsReaderConfig>,
}

impl MetricsTelemetryConfig {
    /// Where own metrics are served; `None` where they are off.
    #[must_use]
    pub fn listener(&self) -> Option<ListenAddress> {
        match self.level {
            MetricsLevel::None => None,
            MetricsLevel::Basic | MetricsLevel::Normal | MetricsLevel::Detailed => {
                self.readers.first().map(|reader| reader.pull.exporter.prometheus.address())
            }
        }
    }
}

impl Default for MetricsTelemetryConfig {
    fn default() -> Self {
        Self { level: MetricsLevel::default(), readers: vec![MetricsReaderConfig::default()] }
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricsLevel {
    /// Nothing, and no listener.
    None,
    /// The essential.
    Basic,
    /// The usual.
    #[default]
    Normal,
    /// Everything.
    Detailed,
}

/// One of `readers`: `{pull: {exporter: {prometheus: {host, port}}}}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MetricsReaderConfig {
    /// The one kind of reader there is.
    pub pull: PullConfig,
}

/// `pull`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PullConfig {
    /// How it is read.
    pub exporter: PullExporterConfig,
}

/// `pull.exporter`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PullExporterConfig {
    /// Prometheus' text format at `/metrics`.
    pub prometheus: PrometheusConfig,
}

/// `prometheus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrometheusConfig {
    /// `localhost`; an IPv6 address stands without brackets.
    pub host: String,
    /// 8888; 0 picks one.
    pub port: u16,
}

impl PrometheusConfig {
    /// Both together.
    #[must_use]
    pub fn address(&self) -> ListenAddress {
        ListenAddress { host: self.host.clone(), port: self.port }
    }
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: 8888 }
    }
}

impl TelemetryConfig {
    /// Reads `service.telemetry`; what is wrong in it has been reported.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        if let Some(logs) = section.section("logs") {
            config.logs = LogsTelemetryConfig::read(logs);
        }
        if let Some(metrics) = section.section("metrics") {
            config.metrics = MetricsTelemetryConfig::read(metrics);
        }
        section.finish(&[
            ("traces", "own traces are not available in this version; remove it"),
            ("resource", "the resource of own telemetry is fixed; remove it"),
        ]);
        config
    }
}

impl LogsTelemetryConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("level", &mut config.level, |field| {
            let levels = [
                ("debug", LogLevel::Debug),
                ("info", LogLevel::Info),
                ("warn", LogLevel::Warn),
                ("error", LogLevel::Error),
            ];
            let text = field.text()?;
            match levels.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
                Some((_, level)) => Ok(*level),
                None => field.word(&levels),
            }
        });
        section.read("encoding", &mut config.encoding, |field| {
            field.word(&[("console", LogEncoding::Console), ("json", LogEncoding::Json)])
        });
        section.finish(&[
            ("output_paths", "logs go to standard error; remove it"),
            ("error_output_paths", "logs go to standard error; remove it"),
            ("processors", "own logs are not exported; remove it"),
            ("sampling", "no log line is left out; remove it"),
            ("development", "there is no such mode; write `level: debug`"),
        ]);
        config
    }
}

impl MetricsTelemetryConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("level", &mut config.level, |field| {
            field.word(&[
                ("none", MetricsLevel::None),
                ("basic", MetricsLevel::Basic),
                ("normal", MetricsLevel::Normal),
                ("detailed", MetricsLevel::Detailed),
            ])
        });
        if let Some(readers) = section.field("readers") {
            config.readers = readers.items().filter_map(|reader| MetricsReaderConfig::read(&reader)).collect();
            if config.readers.len() > 1 {
                readers.error("more than one reader; write one: any number of scrapers can read it");
            }
        }
        section.finish(&[
            ("address", "write `readers: [{pull: {exporter: {prometheus: {host: localhost, port: 8888}}}}]`"),
            ("views", "metrics are fixed; remove it"),
        ]);
        config
    }
}

impl MetricsReaderConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        const SHAPE: &str = "write `pull: {exporter: {prometheus: {host: localhost, port: 8888}}}`";
        let mut section = field.section()?;
        let mut config = Self::default();
        let pulled = section.present("pull");
        if pulled.is_none() && !section.has("periodic") {
            section.error(format!("no reader; {SHAPE}"));
        }
        if let Some(mut pull) = pulled.and_then(|pull| pull.section()) {
            if let Some(mut exporter) = pull.section("exporter") {
                if let Some(prometheus) = exporter.section("prometheus") {
                    config.pull.exporter.prometheus = PrometheusConfig::read(prometheus);
                }
                exporter.finish(&[]);
            }
            pull.finish(&[]);
        }
        section.finish(&[(
            "periodic",
            "own metrics are not pushed in this version; write `pull: {exporter: {prometheus: {}}}`, and let a \
             Collector scrape them",
        )]);
        Some(config)
    }
}

impl PrometheusConfig {
    fn read(mut section: Section<'_>) -> Self {
        const NAMES: &str = "names are the Collector's as they are; remove it";
        let mut config = Self::default();
        section.read("host", &mut config.host, |field| {
            let host = field.text()?;
            let bracketed = if host.contains(':') { format!("[{host}]:0") } else { format!("{host}:0") };
            ListenAddress::parse(&bracketed).map(|address| address.host)
        });
        section.read("port", &mut config.port, |field| field.whole(0, 65535));
        section.finish(&[
            ("without_type_suffix", NAMES),
            ("without_units", NAMES),
            ("without_scope_info", NAMES),
            ("with_resource_constant_labels", NAMES),
            ("translation_strategy", NAMES),
        ]);
        config
    }
}
