//! `processors`: what is written on spans, under which names and how precisely.
//! Knows keys, bounds and advice; nothing of spans.

use std::collections::BTreeMap;

use serde::Serialize;

use super::budgets::{self, BudgetConfig};
use super::labels::LabelsConfig;
use super::premises::{self, DeploymentConfig, SiteConfig};
use super::reading::{MemoryConfig, ReadingConfig};
use super::section::{Field, Section, shortened};
use super::trace::TraceConfig;

/// `processors.gramtrace[/name]`. Its absence in a pipeline means forwarding only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GramtraceConfig {
    /// What every key begins with; `gramtrace.`. Ends with a dot and is not `gen_ai.`.
    pub prefix: String,
    /// How much is written; `standard`.
    pub detail: Detail,
    /// How tokens become energy and CO2e; `gramtrace/2026.1`.
    pub method: Method,
    /// Where factors come from: `builtin`, and files that are laid over it; `[builtin]`.
    pub registry: Vec<String>,
    /// What becomes of a model without a factor; `skip`.
    pub unknown_models: UnknownModels,
    /// Whether the headline pair stands under `gen_ai.footprint.` too, on spans that have `gen_ai.` keys; true.
    pub gen_ai_alias: bool,
    /// Significant digits of values on spans, 1 to 17; 6. 17 is exact.
    pub significant_digits: u8,
    /// The bounds of `band`.
    pub band: BandConfig,
    /// Sites by name; none.
    pub sites: BTreeMap<String, SiteConfig>,
    /// Deployments by the names that spans have for their models; none.
    pub deployments: BTreeMap<String, DeploymentConfig>,
    /// Names that are read beside the built-in ones.
    pub reading: ReadingConfig,
    /// How long calls are remembered, so that each counts once.
    pub memory: MemoryConfig,
    /// How much is kept of traces.
    pub trace: TraceConfig,
    /// By what calls are told apart in metrics.
    pub labels: LabelsConfig,
    /// What may be consumed; none.
    pub budgets: Vec<BudgetConfig>,
}

impl Default for GramtraceConfig {
    fn default() -> Self {
        Self {
            prefix: "gramtrace.".to_owned(),
            detail: Detail::default(),
            method: Method::default(),
            registry: vec![BUILTIN.to_owned()],
            unknown_models: UnknownModels::default(),
            gen_ai_alias: true,
            significant_digits: 6,
            band: BandConfig::default(),
            sites: BTreeMap::new(),
            deployments: BTreeMap::new(),
            reading: ReadingConfig::default(),
            memory: MemoryConfig::default(),
            trace: TraceConfig::default(),
            labels: LabelsConfig::default(),
            budgets: Vec::new(),
        }
    }
}

/// How many keys stand on a span that counts; each level holds the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The values, the model, the tier.
    Headline,
    /// Also the ranges, the provenance, the tokens.
    #[default]
    Standard,
    /// Also the embodied range, water, the finer tokens and the source.
    Full,
}

/// A way from tokens to energy and CO2e, with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Method {
    /// Every class of tokens by its weight, measured energy where there is some.
    #[default]
    #[serde(rename = "gramtrace/2026.1")]
    GramtraceV2026_1,
    /// EcoLogits 0.11.3.
    #[serde(rename = "ecologits/0.11.3")]
    EcologitsV0_11_3,
    /// The direct factors of api_emissions_tracker 0.0.7.
    #[serde(rename = "tracker/0.0.7")]
    TrackerV0_0_7,
}

/// The name of the registry that is compiled in.
pub const BUILTIN: &str = "builtin";

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 3] = [Self::GramtraceV2026_1, Self::EcologitsV0_11_3, Self::TrackerV0_0_7];

    /// Its id: `gramtrace/2026.1`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::GramtraceV2026_1 => "gramtrace/2026.1",
            Self::EcologitsV0_11_3 => "ecologits/0.11.3",
            Self::TrackerV0_0_7 => "tracker/0.0.7",
        }
    }
}

/// What becomes of a call whose model has no factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownModels {
    /// Its tokens count and it gets no value.
    #[default]
    Skip,
    /// It gets the value of a class of models, tier E.
    Fallback,
}

/// Upper bounds of the bands in g of CO2e, each excluded; strictly ascending and above 0. `very_high` is the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandConfig {
    /// Below this many grams: `very_low`; 0.01.
    #[serde(rename = "very_low")]
    pub very_low_g: f64,
    /// Below this many grams: `low`; 0.1.
    #[serde(rename = "low")]
    pub low_g: f64,
    /// Below this many grams: `medium`; 1.
    #[serde(rename = "medium")]
    pub medium_g: f64,
    /// Below this many grams: `high`; 10.
    #[serde(rename = "high")]
    pub high_g: f64,
}

impl Default for BandConfig {
    fn default() -> Self {
        Self { very_low_g: 0.01, low_g: 0.1, medium_g: 1.0, high_g: 10.0 }
    }
}

impl GramtraceConfig {
    /// Reads `processors.gramtrace[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("prefix", &mut config.prefix, |field| check_prefix(field.text()?));
        section.read("detail", &mut config.detail, |field| {
            field.word(&[("headline", Detail::Headline), ("standard", Detail::Standard), ("full", Detail::Full)])
        });
        section
            .read("method", &mut config.method, |field| field.word(&Method::ALL.map(|method| (method.id(), method))));
        if let Some(field) = section.field("registry") {
            config.registry = registry(&field);
        }
        section.read("unknown_models", &mut config.unknown_models, |field| {
            field.word(&[("skip", UnknownModels::Skip), ("fallback", UnknownModels::Fallback)])
        });
        if config.unknown_models == UnknownModels::Fallback && config.method != Method::default() {
            let method = Method::default().id();
            section.error_in(
                "unknown_models",
                format!("`fallback` has values under one method; write `method: {method}`, or `skip`"),
            );
        }
        section.read("gen_ai_alias", &mut config.gen_ai_alias, Field::flag);
        section.read("significant_digits", &mut config.significant_digits, |field| field.whole(1, 17));
        if let Some(band) = section.section("band") {
            config.band = BandConfig::read(band);
        }
        if let Some(sites) = section.section("sites") {
            config.sites = premises::sites(&sites);
        }
        if let Some(deployments) = section.section("deployments") {
            config.deployments = premises::deployments(&deployments);
        }
        if let Some(reading) = section.section("reading") {
            config.reading = ReadingConfig::read(reading);
        }
        if let Some(memory) = section.section("memory") {
            config.memory = MemoryConfig::read(memory);
        }
        if let Some(trace) = section.section("trace") {
            config.trace = TraceConfig::read(trace);
        }
        if let Some(labels) = section.field("labels") {
            config.labels = LabelsConfig::read(&labels);
        }
        if let Some(list) = section.field("budgets") {
            config.budgets = budgets::read(&list);
        }
        section.finish(&[]);
        Some(config)
    }
}

impl BandConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut band = Self::default();
        section.read("very_low", &mut band.very_low_g, Field::number);
        section.read("low", &mut band.low_g, Field::number);
        section.read("medium", &mut band.medium_g, Field::number);
        section.read("high", &mut band.high_g, Field::number);
        let bounds = [
            ("0", 0.0),
            ("very_low", band.very_low_g),
            ("low", band.low_g),
            ("medium", band.medium_g),
            ("high", band.high_g),
        ];
        for pair in bounds.windows(2) {
            if let [(below, low), (above, high)] = pair
                && low >= high
            {
                let lower = if *low == 0.0 { "0".to_owned() } else { format!("`{below}`, {low}") };
                section.error(format!("`{above}` is {high}, not above {lower}; write bounds in g that ascend"));
            }
        }
        section.finish(&[("very_high", "has no upper bound: it is what is not below `high`; remove it")]);
        band
    }
}

/// `builtin` and files, in the order in which they are laid over each other.
fn registry(list: &Field<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in list.items() {
        match item.text() {
            Ok("") => item.error("an empty name is no file; write `builtin` or a file"),
            Ok(name) if names.iter().any(|known| known == name) => {
                item.error(format!("`{}` is there already; write it once", shortened(name)));
            }
            Ok(name) => names.push(name.to_owned()),
            Err(message) => item.error(message),
        }
    }
    if names.is_empty() && !list.is_reported() {
        list.error("no factors at all; write `[builtin]`, with files of your own behind");
    }
    names
}

/// A prefix is parts of lower-case letters, digits and `_`, each with a dot behind it.
fn check_prefix(prefix: &str) -> Result<String, String> {
    let Some(parts) = prefix.strip_suffix('.') else {
        return Err(format!("`{}` does not end with a dot; write `{}.`", shortened(prefix), shortened(prefix)));
    };
    let well_formed = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_')
    };
    if !parts.split('.').all(well_formed) {
        return Err(format!(
            "`{}` is no prefix; write lower-case letters, digits and `_` with a dot behind, such as `gramtrace.`",
            shortened(prefix)
        ));
    }
    match prefix.split('.').next() {
        Some(reserved @ ("gen_ai" | "otel")) => Err(format!(
            "`{reserved}.` belongs to OpenTelemetry, and backends read more into it; write another, such as `gramtrace.`"
        )),
        _ => Ok(prefix.to_owned()),
    }
}
