//! `service.telemetry`: what gramtrace says of itself, and how loudly.
//! Knows keys and defaults; logs nothing and listens nowhere.

use std::time::Duration;

use serde::Serialize;

use super::address::ListenAddress;
use super::duration;
use super::own_exporter::PeriodicConfig;
use super::own_traces::{self, ResourceConfig, TracesTelemetryConfig};
use super::section::{Field, Section};

/// `service.telemetry`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct TelemetryConfig {
    /// Own logs.
    pub logs: LogsTelemetryConfig,
    /// Own metrics.
    pub metrics: MetricsTelemetryConfig,
    /// Own spans.
    pub traces: TracesTelemetryConfig,
    /// What own metrics and spans are said to come from, beside what they always are.
    pub resource: ResourceConfig,
}

/// `service.telemetry.logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LogsTelemetryConfig {
    /// The least severe that is written; `info`.
    pub level: LogLevel,
    /// How lines look; `console`.
    pub encoding: LogEncoding,
    /// How a flood of the same line is cut.
    pub sampling: LogSamplingConfig,
}

/// `sampling`: of each line, the first `initial` in each `tick` are written, then every `thereafter`th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogSamplingConfig {
    /// Whether lines are left out at all; true.
    pub enabled: bool,
    /// 10 s, above 0.
    #[serde(serialize_with = "super::duration::serialize")]
    pub tick: Duration,
    /// 10.
    pub initial: u32,
    /// 100; 0 leaves the rest out.
    pub thereafter: u32,
}

impl Default for LogSamplingConfig {
    fn default() -> Self {
        Self { enabled: true, tick: Duration::from_secs(10), initial: 10, thereafter: 100 }
    }
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
    /// Where they can be read, one at most, and to whom they are sent.
    pub readers: Vec<MetricsReaderConfig>,
}

impl MetricsTelemetryConfig {
    /// Where own metrics are served; `None` where they are off.
    #[must_use]
    pub fn listener(&self) -> Option<ListenAddress> {
        match self.level {
            MetricsLevel::None => None,
            MetricsLevel::Basic | MetricsLevel::Normal | MetricsLevel::Detailed => {
                let pull = self.readers.iter().find_map(|reader| reader.pull.as_ref());
                pull.map(|pull| pull.exporter.prometheus.address())
            }
        }
    }

    /// To whom own metrics are sent, each with its place among the readers.
    pub fn periodic(&self) -> impl Iterator<Item = (usize, &PeriodicConfig)> {
        let on = self.level != MetricsLevel::None;
        let readers = self.readers.iter().enumerate().filter(move |_| on);
        readers.filter_map(|(index, reader)| Some((index, reader.periodic.as_ref()?)))
    }
}

impl Default for MetricsTelemetryConfig {
    fn default() -> Self {
        let pull = MetricsReaderConfig { pull: Some(PullConfig::default()), periodic: None };
        Self { level: MetricsLevel::default(), readers: vec![pull] }
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

/// One of `readers`: `{pull: {..}}` or `{periodic: {..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricsReaderConfig {
    /// Somebody reads them here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullConfig>,
    /// They are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periodic: Option<PeriodicConfig>,
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
        if let Some(traces) = section.section("traces") {
            config.traces = TracesTelemetryConfig::read(traces);
        }
        if let Some(resource) = section.section("resource") {
            config.resource = own_traces::read_resource(&resource);
        }
        section.finish(&[]);
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
        if let Some(sampling) = section.section("sampling") {
            config.sampling = LogSamplingConfig::read(sampling);
        }
        section.finish(&[
            ("output_paths", "logs go to standard error; remove it"),
            ("error_output_paths", "logs go to standard error; remove it"),
            ("processors", "own logs go to standard error alone; remove it"),
            ("development", "there is no such mode; write `level: debug`"),
            ("disable_caller", "lines do not show their caller; remove it"),
            ("disable_stacktrace", "lines have no stack trace; remove it"),
            ("disable_zap_resource", "lines do not show the resource; remove it"),
            ("initial_fields", "lines have no fields of their own; remove it"),
        ]);
        config
    }
}

impl LogSamplingConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("enabled", &mut config.enabled, Field::flag);
        section.read("tick", &mut config.tick, |field| match duration::parse(field.text()?)? {
            Duration::ZERO => Err("no line falls into no time; write one such as `10s`".to_owned()),
            tick => Ok(tick),
        });
        section.read("initial", &mut config.initial, |field| field.whole(0, u64::from(u32::MAX)));
        section.read("thereafter", &mut config.thereafter, |field| field.whole(0, u64::from(u32::MAX)));
        section.finish(&[]);
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
            if config.readers.iter().filter(|reader| reader.pull.is_some()).count() > 1 {
                readers.error("more than one `pull`; write one: any number of scrapers can read it");
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
        let mut section = field.section()?;
        let (pull, periodic) = (section.present("pull"), section.present("periodic"));
        let reader = match (&pull, &periodic) {
            (Some(pull), None) => PullConfig::read(pull).map(|pull| Self { pull: Some(pull), periodic: None }),
            (None, Some(periodic)) => {
                PeriodicConfig::read(periodic).map(|periodic| Self { pull: None, periodic: Some(periodic) })
            }
            (None, None) => {
                section.error(
                    "no reader; write `pull: {exporter: {prometheus: {host: localhost, port: 8888}}}`, or `periodic: \
                     {exporter: {otlp: {..}}}`",
                );
                None
            }
            (Some(_), Some(_)) => {
                section.error("two readers in one; write each as an item of its own");
                None
            }
        };
        section.finish(&[]);
        reader
    }
}

impl PullConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        if let Some(mut exporter) = section.section("exporter") {
            if let Some(prometheus) = exporter.section("prometheus") {
                config.exporter.prometheus = PrometheusConfig::read(prometheus);
            }
            exporter.finish(&[("otlp", "is sent and not read; write `- periodic: {exporter: {otlp: {..}}}`")]);
        }
        section.finish(&[]);
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
