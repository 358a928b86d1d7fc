//! `extensions` and `service`: what runs beside the pipelines, and what flows from where to where.
//! Knows how they are written; whether what they name exists is checked elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::address::ListenAddress;
use super::api::ApiConfig;
use super::auth::{BasicAuthConfig, BearerTokenAuthConfig};
use super::component::{ComponentId, PipelineId};
use super::duration;
use super::keeping::KeepingConfig;
use super::section::{Field, Section, shortened};
use super::telemetry::TelemetryConfig;

/// The longest `drain_timeout`.
const MAX_DRAIN_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// One entry of `extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExtensionConfig {
    /// Whether requests are taken.
    HealthCheck(HealthCheckConfig),
    /// What can be asked about calls.
    Api(ApiConfig),
    /// Where budgets are kept, and who is told of them.
    Keeping(Box<KeepingConfig>),
    /// Senders that are known by tokens.
    BearerTokenAuth(BearerTokenAuthConfig),
    /// Senders that are known by names and passwords.
    BasicAuth(BasicAuthConfig),
}

impl ExtensionConfig {
    /// Where it listens, if it does.
    #[must_use]
    pub const fn endpoint(&self) -> Option<&ListenAddress> {
        match self {
            Self::HealthCheck(HealthCheckConfig { endpoint, .. }) | Self::Api(ApiConfig { endpoint, .. }) => {
                Some(endpoint)
            }
            Self::Keeping(_) | Self::BearerTokenAuth(_) | Self::BasicAuth(_) => None,
        }
    }
}

/// `extensions.health_check[/name]`; on when listed in `service.extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheckConfig {
    /// Where to listen; `localhost:13133`.
    pub endpoint: ListenAddress,
    /// What is answered; `/` and below. A path that ends with `/` stands for everything below it.
    pub path: String,
    /// What is answered in place of the Collector's JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<ResponseBodyConfig>,
}

/// `extensions.health_check.response_body`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ResponseBodyConfig {
    /// While requests are taken; nothing.
    pub healthy: String,
    /// Before and after; nothing.
    pub unhealthy: String,
}

impl Default for HealthCheckConfig {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(13133), path: "/".to_owned(), response_body: None }
    }
}

/// `service`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceConfig {
    /// How long requests in flight may take to end when the service is told to; 30 s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub drain_timeout: Duration,
    /// The extensions that are on.
    pub extensions: Vec<ComponentId>,
    /// What flows from where to where; at least one.
    pub pipelines: BTreeMap<PipelineId, PipelineConfig>,
    /// Own logs and metrics.
    pub telemetry: TelemetryConfig,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(30),
            extensions: Vec::new(),
            pipelines: BTreeMap::new(),
            telemetry: TelemetryConfig::default(),
        }
    }
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

impl HealthCheckConfig {
    /// Reads `extensions.health_check[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("endpoint", &mut config.endpoint, |field| ListenAddress::parse(field.text()?));
        section.read("path", &mut config.path, |field| match field.text()? {
            path if is_path(path) => Ok(path.to_owned()),
            path => Err(format!("`{}` is no path; write one such as `/health`", shortened(path))),
        });
        if let Some(mut bodies) = section.section("response_body") {
            let mut response = ResponseBodyConfig::default();
            bodies.read("healthy", &mut response.healthy, Field::string);
            bodies.read("unhealthy", &mut response.unhealthy, Field::string);
            bodies.finish(&[]);
            config.response_body = Some(response);
        }
        section.finish(&[
            ("tls", "TLS is not available on health checks; remove it"),
            ("check_collector_pipeline", "it has never worked in the Collector; remove it"),
        ]);
        Some(config)
    }
}

impl ServiceConfig {
    /// Reads `service`; what is wrong in it has been reported.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("drain_timeout", &mut config.drain_timeout, |field| match duration::parse(field.text()?)? {
            long if long > MAX_DRAIN_TIMEOUT => Err("nobody waits that long; write at most `1h`".to_owned()),
            timeout => Ok(timeout),
        });
        if let Some(extensions) = section.field("extensions") {
            config.extensions = ids(&extensions);
        }
        if let Some(pipelines) = section.section("pipelines") {
            for (key, field) in pipelines.all() {
                match PipelineId::parse(key) {
                    Ok(id) if config.pipelines.contains_key(&id) => {
                        field.error(format!("`{id}` is there already; write it once"));
                    }
                    Ok(id) => {
                        config.pipelines.insert(id, PipelineConfig::read(&field));
                    }
                    Err(message) => field.error(message),
                }
            }
        }
        if let Some(telemetry) = section.section("telemetry") {
            config.telemetry = TelemetryConfig::read(telemetry);
        }
        section.finish(&[]);
        config
    }
}

impl PipelineConfig {
    fn read(field: &Field<'_>) -> Self {
        let mut config = Self::default();
        let Some(mut section) = field.section() else { return config };
        if let Some(receivers) = section.field("receivers") {
            config.receivers = ids(&receivers);
        }
        if let Some(processors) = section.field("processors") {
            config.processors = ids(&processors);
        }
        if let Some(exporters) = section.field("exporters") {
            config.exporters = ids(&exporters);
        }
        section.finish(&[]);
        config
    }
}

/// Whether a request can name it: absolute, without a query, and with other characters escaped.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|each| each.is_ascii_graphic() && each != b'?' && each != b'#')
}

fn ids(list: &Field<'_>) -> Vec<ComponentId> {
    let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
    for item in list.items().filter(|item| !item.is_reported()) {
        match item.text().and_then(ComponentId::parse) {
            Ok(id) if !seen.insert(id.clone()) => item.error(format!("`{id}` is listed twice; list it once")),
            Ok(id) => ids.push(id),
            Err(message) => item.error(message),
        }
    }
    ids
}
