//! The configuration, in the Collector's shape: types with their defaults, and the loader that turns a file into
//! them or says what is wrong where. Knows text; opens no socket and reads no other file than the one it is given.

mod address;
mod component;
mod duration;
mod error;
mod exporter;
mod processor;
mod receiver;
mod secret;
mod service;

use std::collections::BTreeMap;

use serde::Serialize;

pub use address::{Endpoint, ListenAddress, Scheme};
pub use component::{ComponentId, PipelineId};
pub use error::{ConfigError, ConfigErrors};
pub use exporter::{
    BodyEncoding, ClientTlsConfig, Compression, CompressionParamsConfig, DebugExporterConfig, ExporterConfig,
    OtlpGrpcExporterConfig, OtlpHttpExporterConfig, SwitchedOff, Verbosity,
};
pub use processor::{BandConfig, Detail, GramtraceConfig, Method, UnknownModels};
pub use receiver::{GrpcServerConfig, HttpServerConfig, OtlpReceiverConfig, ProtocolsConfig};
pub use secret::{REDACTED, Secret};
pub use service::{
    HealthCheckConfig, LogEncoding, LogLevel, LogsTelemetryConfig, MetricsLevel, MetricsReaderConfig,
    MetricsTelemetryConfig, PipelineConfig, PrometheusConfig, PullConfig, PullExporterConfig, ServiceConfig,
    TelemetryConfig,
};

/// Where environment variables are looked up: `None` where one is not set. Passed in, so that nothing below reads
/// the process's own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A whole configuration: every reference resolves and every value is within its bounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// What listens for OTLP.
    pub receivers: BTreeMap<ComponentId, OtlpReceiverConfig>,
    /// What enriches.
    pub processors: BTreeMap<ComponentId, GramtraceConfig>,
    /// Where requests go.
    pub exporters: BTreeMap<ComponentId, ExporterConfig>,
    /// What runs beside.
    pub extensions: BTreeMap<ComponentId, HealthCheckConfig>,
    /// What of it is used, and how.
    pub service: ServiceConfig,
    /// What is odd but no error, such as a component that no pipeline uses; to be logged at start.
    #[serde(skip)]
    pub warnings: Vec<ConfigError>,
}
