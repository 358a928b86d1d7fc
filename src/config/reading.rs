//! `processors.gramtrace.reading` and `.memory`: which names are read beside the built-in ones, and how long calls are
//! remembered. Knows keys and bounds; what the names mean is for the reader of spans.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::premises::EnergyReadingConfig;
use super::section::{Field, Section};
use crate::semconv::read;

/// `reading`: names that are tried behind the built-in ones, in their order, so that a new dialect needs no new version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReadingConfig {
    /// Attributes with input tokens.
    pub input_tokens: Vec<String>,
    /// Attributes with output tokens.
    pub output_tokens: Vec<String>,
    /// Attributes with input tokens that were read from a cache.
    pub cache_read_tokens: Vec<String>,
    /// Attributes with input tokens that were written to a cache.
    pub cache_write_tokens: Vec<String>,
    /// Attributes with output tokens that were spent on reasoning.
    pub reasoning_tokens: Vec<String>,
    /// Attributes with total tokens.
    pub total_tokens: Vec<String>,
    /// Attributes with the model's name.
    pub models: Vec<String>,
    /// Attributes with the provider's name.
    pub providers: Vec<String>,
    /// Attributes with the id of the answer.
    pub response_ids: Vec<String>,
    /// Values of `gen_ai.operation.name` on model calls.
    pub inference_operations: Vec<String>,
    /// Values of `gen_ai.operation.name` on spans that repeat their children.
    pub aggregate_operations: Vec<String>,
    /// Attributes whose values make a span a model call.
    pub inference: Vec<RoleRuleConfig>,
    /// Attributes whose values make a span one that repeats its children.
    pub aggregate: Vec<RoleRuleConfig>,
    /// Instrumentation scopes whose input tokens exclude cached ones; a trailing `*` stands for any ending.
    pub input_excludes_cache_scopes: Vec<String>,
    /// Where spans carry metered energy.
    pub energy: EnergyReadingConfig,
}

/// An attribute whose value decides what a span is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RoleRuleConfig {
    /// Its key; it may be one that is read anyway.
    pub attribute: String,
    /// Values that decide, in any case; any value where there are none.
    pub values: Vec<String>,
}

/// `memory`: what is remembered of calls, so that one that several requests report counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryConfig {
    /// Upper bound in MiB, 1 to 65536; 64. The oldest reports leave first.
    pub max_size_mib: u32,
    /// How long a report is remembered, above 0; 2m.
    #[serde(serialize_with = "super::duration::serialize")]
    pub ttl: Duration,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_size_mib: 64, ttl: Duration::from_secs(120) }
    }
}

impl ReadingConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        let lists = [
            ("input_tokens", &mut config.input_tokens),
            ("output_tokens", &mut config.output_tokens),
            ("cache_read_tokens", &mut config.cache_read_tokens),
            ("cache_write_tokens", &mut config.cache_write_tokens),
            ("reasoning_tokens", &mut config.reasoning_tokens),
            ("total_tokens", &mut config.total_tokens),
            ("models", &mut config.models),
            ("providers", &mut config.providers),
            ("response_ids", &mut config.response_ids),
            ("inference_operations", &mut config.inference_operations),
            ("aggregate_operations", &mut config.aggregate_operations),
            ("input_excludes_cache_scopes", &mut config.input_excludes_cache_scopes),
        ];
        // A key can mean one thing only.
        let mut seen = BTreeSet::new();
        for (name, list) in lists {
            if let Some(field) = section.field(name) {
                *list = names(&field, &mut seen);
                if ATTRIBUTES.contains(&name) {
                    refuse_what_is_read(&field);
                }
            }
        }
        for (name, list) in [("inference", &mut config.inference), ("aggregate", &mut config.aggregate)] {
            if let Some(field) = section.field(name) {
                *list = field.items().filter_map(|item| RoleRuleConfig::read(item.section()?)).collect();
            }
        }
        if let Some(energy) = section.section("energy") {
            config.energy = EnergyReadingConfig::read(energy);
        }
        section.finish(&[]);
        config
    }
}

/// The lists whose names are attributes.
const ATTRIBUTES: &[&str] = &[
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "total_tokens",
    "models",
    "providers",
    "response_ids",
];

/// A built-in name keeps its meaning and its place, so one in the configuration would be passed over.
fn refuse_what_is_read(list: &Field<'_>) {
    for item in list.items().filter(|item| !item.is_reported()) {
        if let Ok(name) = item.text()
            && read::is_read(name)
        {
            item.error(format!("`{name}` is built in and is read as it is; remove it"));
        }
    }
}

impl RoleRuleConfig {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let mut rule = Self::default();
        section.read("attribute", &mut rule.attribute, |field| match field.text()? {
            "" => Err("an empty name means nothing; write the attribute whose value decides".to_owned()),
            name => Ok(name.to_owned()),
        });
        if !section.has("attribute") {
            section.error("`attribute` is missing; write the one whose value decides");
        }
        if let Some(field) = section.field("values") {
            rule.values = names(&field, &mut BTreeSet::new());
        }
        section.finish(&[]);
        (!rule.attribute.is_empty()).then_some(rule)
    }
}

impl MemoryConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("max_size_mib", &mut config.max_size_mib, |field| field.whole(1, 65_536));
        section.read("ttl", &mut config.ttl, |field| match super::duration::parse(field.text()?)? {
            ttl if ttl.is_zero() => Err("nothing is remembered for no time; write one such as `2m`".to_owned()),
            ttl => Ok(ttl),
        });
        section.finish(&[]);
        config
    }
}

fn names(list: &Field<'_>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut names = Vec::new();
    for item in list.items().filter(|item| !item.is_reported()) {
        match item.text() {
            Ok("") => item.error("an empty name means nothing; remove it"),
            Ok(name) if !seen.insert(name.to_owned()) => {
                item.error(format!("`{name}` is there already, and a name means one thing; write it once"));
            }
            Ok(name) => names.push(name.to_owned()),
            Err(message) => item.error(message),
        }
    }
    names
}
