//! `service.telemetry.traces` and `service.telemetry.resource`: which requests leave own spans, and what own telemetry
//! is said to come from. Knows keys and defaults; samples nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::own_exporter::BatchConfig;
use super::section::{Field, Section, shortened};

/// `service.telemetry.traces`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct TracesTelemetryConfig {
    /// Who gets spans; nobody.
    pub processors: Vec<TraceProcessorConfig>,
    /// Which requests leave spans; all.
    pub sampler: SamplerConfig,
}

/// One of `processors`: `{batch: {..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceProcessorConfig {
    /// The one kind that there is.
    pub batch: BatchConfig,
}

/// `sampler`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct SamplerConfig {
    /// Some requests, by their trace id.
    pub trace_id_ratio_based: RatioConfig,
}

/// `trace_id_ratio_based`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatioConfig {
    /// The part of requests, 0 to 1; 1.
    pub ratio: f64,
}

impl Default for RatioConfig {
    fn default() -> Self {
        Self { ratio: 1.0 }
    }
}

/// `service.telemetry.resource`: attributes, or `null` for one that is not to be there.
pub type ResourceConfig = BTreeMap<String, Option<String>>;

impl TracesTelemetryConfig {
    /// Reads `traces`; what is wrong in it has been reported.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        let mut off = false;
        section.read("level", &mut off, |field| field.word(&[("none", true), ("basic", false), ("normal", false)]));
        if let Some(processors) = section.field("processors") {
            config.processors = processors.items().filter_map(|item| TraceProcessorConfig::read(&item)).collect();
        }
        if let Some(sampler) = section.section("sampler") {
            config.sampler = SamplerConfig::read(sampler);
        }
        section.finish(&[
            ("propagators", "spans of requests begin a trace of their own; remove it"),
            ("limits", "own spans are small; remove it"),
        ]);
        if off {
            config.processors.clear();
        }
        config
    }
}

impl TraceProcessorConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        const SHAPE: &str = "write `batch: {exporter: {otlp: {protocol: http/protobuf, endpoint: http://host:4318}}}`";
        let mut section = field.section()?;
        let batch = section.present("batch");
        if batch.is_none() && !section.all().any(|(key, _)| key == "simple") {
            section.error(format!("no processor; {SHAPE}"));
        }
        section.finish(&[("simple", "spans leave in batches; write `batch: {exporter: {otlp: {..}}}`")]);
        Some(Self { batch: BatchConfig::read(&batch?)? })
    }
}

impl SamplerConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        if let Some(mut inner) = section.section("trace_id_ratio_based") {
            inner.read("ratio", &mut config.trace_id_ratio_based.ratio, |field| match field.number()? {
                part if (0.0..=1.0).contains(&part) => Ok(part),
                _ => Err("write a number from 0 to 1".to_owned()),
            });
            inner.finish(&[]);
        }
        section.finish(&[
            ("always_on", "write `trace_id_ratio_based: {ratio: 1}`, or remove it"),
            ("always_off", "write `trace_id_ratio_based: {ratio: 0}`"),
            ("parent_based", "no request has a parent here; write what stands below its `root`"),
            ("jaeger_remote", "sampling is not asked for elsewhere; write `trace_id_ratio_based: {ratio: 0.1}`"),
        ]);
        config
    }
}

/// Reads `resource`; what is wrong in it has been reported.
pub(super) fn read_resource(section: &Section<'_>) -> ResourceConfig {
    let mut resource = ResourceConfig::new();
    for (key, field) in section.all().filter(|(_, field)| !field.is_reported()) {
        if key == "attributes" && field.is_list() {
            for item in field.items() {
                read_attribute(&item, &mut resource);
            }
        } else {
            put(key, &field, &field, &mut resource);
        }
    }
    resource
}

/// Reads `{name, value}`.
fn read_attribute(field: &Field<'_>, resource: &mut ResourceConfig) {
    let Some(mut section) = field.section() else { return };
    let name = section.get("name", Field::string);
    let value = section.present("value");
    section.present("type");
    match (name, value) {
        (Some(name), Some(value)) => put(&name, field, &value, resource),
        _ => section.error("no `name` or no `value`; write `{name: deployment.environment, value: test}`"),
    }
    section.finish(&[]);
}

fn put(key: &str, at: &Field<'_>, value: &Field<'_>, resource: &mut ResourceConfig) {
    let shown = shortened(key);
    if key.is_empty() {
        return at.error("no name; write one such as `deployment.environment`");
    }
    if resource.contains_key(key) {
        return at.error(format!("`{shown}` is given twice; write it once"));
    }
    let value = if value.is_null() { None } else { value.string().map_err(|problem| value.error(problem)).ok() };
    if key == "service.instance.id" && value.as_ref().is_none_or(String::is_empty) {
        return at
            .error("own telemetry is known by it when it comes back; write a value, or remove it for a random one");
    }
    resource.insert(key.to_owned(), value);
}
