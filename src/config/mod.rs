//! The configuration, in the Collector's shape: types with their defaults, and the loader that turns a file into
//! them or says what is wrong where. Knows text; opens no socket and reads no other file than the one it is given.

mod address;
mod advice;
mod api;
mod auth;
mod budgets;
mod check;
mod client;
mod component;
mod delivery;
mod duration;
mod environment;
mod expand;
mod exporter;
mod keeping;
mod labels;
mod loader;
mod memory_limiter;
mod own_exporter;
mod own_traces;
mod premises;
mod print;
mod processor;
mod reading;
mod receiver;
mod secret;
mod server;
mod server_tls;
mod service;
mod size;
mod telemetry;
mod trace;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::document::{problems, section, tree as document};

pub use crate::document::{DocumentError as ConfigError, DocumentErrors as ConfigErrors};
pub use address::{Endpoint, ListenAddress, Scheme, ServerAddress};
pub use api::{ApiConfig, CompareConfig};
pub use auth::{AuthConfig, BasicAuthConfig, BearerTokenAuthConfig, HtpasswdConfig};
pub use budgets::{BudgetConfig, CountConfig, PeriodConfig};
pub use client::{ClientTlsConfig, Compression, CompressionParamsConfig, SwitchedOff};
pub use component::{ComponentId, PipelineId};
pub use delivery::{ClientKeepaliveConfig, RetryConfig};
pub use exporter::{
    BodyEncoding, DebugExporterConfig, ExporterConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig, Verbosity,
};
pub use keeping::{AlertmanagerConfig, HookUrl, KeepingConfig, SyncConfig, WebhookConfig};
pub use labels::{LabelConfig, LabelsConfig};
pub use memory_limiter::MemoryLimiterConfig;
pub use own_exporter::{BatchConfig, OwnCompression, OwnOtlpConfig, OwnProtocol, PeriodicConfig, PushExporterConfig};
pub use own_traces::{RatioConfig, ResourceConfig, SamplerConfig, TraceProcessorConfig, TracesTelemetryConfig};
pub use premises::{
    BoundaryConfig, DeploymentConfig, EnergyReadingConfig, EnergyUnit, MeteredConfig, NumberConfig, SiteConfig,
};
pub use processor::{BUILTIN, BandConfig, Detail, GramtraceConfig, Method, UnknownModels};
pub use reading::{MemoryConfig, ReadingConfig, RoleRuleConfig};
pub use receiver::{GrpcServerConfig, HttpServerConfig, OtlpReceiverConfig, ProtocolsConfig};
pub use secret::{REDACTED, Secret};
pub use server::{
    CorsConfig, EnforcementPolicyConfig, HttpTimeoutsConfig, KeepaliveParametersConfig, ServerKeepaliveConfig,
    Transport,
};
pub use server_tls::{ServerTlsConfig, TlsVersion};
pub use service::{ExtensionConfig, HealthCheckConfig, PipelineConfig, ResponseBodyConfig, ServiceConfig};
pub use telemetry::{
    LogEncoding, LogLevel, LogSamplingConfig, LogsTelemetryConfig, MetricsLevel, MetricsReaderConfig,
    MetricsTelemetryConfig, PrometheusConfig, PullConfig, PullExporterConfig, TelemetryConfig,
};
pub use trace::{ReceiptsConfig, TraceConfig};

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
    /// What bounds memory: processors too, of which at most one is used.
    #[serde(skip)]
    pub memory_limiters: BTreeMap<ComponentId, MemoryLimiterConfig>,
    /// Where requests go.
    pub exporters: BTreeMap<ComponentId, ExporterConfig>,
    /// What runs beside.
    pub extensions: BTreeMap<ComponentId, ExtensionConfig>,
    /// What of it is used, and how.
    pub service: ServiceConfig,
    /// What is odd but no error, such as a component that no pipeline uses; to be logged at start.
    #[serde(skip)]
    pub warnings: Vec<ConfigError>,
}

impl Config {
    /// How much memory the process may take: by the memory limiter that a pipeline names, or by the defaults.
    #[must_use]
    pub fn memory_limiter(&self) -> MemoryLimiterConfig {
        let named = self.service.pipelines.values().flat_map(|pipeline| &pipeline.processors);
        named.filter_map(|id| self.memory_limiters.get(id)).next().copied().unwrap_or_default()
    }

    /// How budgets are kept and told, where the extension for it is on.
    #[must_use]
    pub fn keeping(&self) -> Option<&KeepingConfig> {
        self.service.extensions.iter().find_map(|id| match self.extensions.get(id)? {
            ExtensionConfig::Keeping(keeping) => Some(&**keeping),
            _ => None,
        })
    }
}
