//! `extensions` and `service`: what runs beside the pipelines, the pipelines, and what gramtrace says of itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::address::ListenAddress;
use super::component::{ComponentId, PipelineId};

/// `extensions.health_check[/name]`; on when listed in `service.extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheckConfig {
    /// Where to listen; `localhost:13133`.
    pub endpoint: ListenAddress,
}

impl Default for HealthCheckConfig {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(13133) }
    }
}

/// `service`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ServiceConfig {
    /// The extensions that are on.
    pub extensions: Vec<ComponentId>,
    /// What flows from where to where; at least one.
    pub pipelines: BTreeMap<PipelineId, PipelineConfig>,
    /// Own logs and metrics.
    pub telemetry: TelemetryConfig,
}

/// One of `service.pipelines`; every id in it is defined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PipelineConfig {
    /// Where requests come from; at least one.
    pub receivers: Vec<ComponentId>,
    /// What is done to them; none means forwarding only.
    pub processors: Vec<ComponentId>,
    /// Where each request goes; at least one, and all must acknowledge.
    pub exporters: Vec<ComponentId>,
}

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
