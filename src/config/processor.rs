//! `processors`: what is written on spans, under which names and how precisely.
//! Knows keys, bounds and advice; nothing of spans.

use serde::Serialize;

use super::reading::{MemoryConfig, ReadingConfig};
use super::section::{Advice, Field, Section, shortened};

/// `processors.gramtrace[/name]`. Its absence in a pipeline means forwarding only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GramtraceConfig {
    /// What every key begins with; `gramtrace.`. Ends with a dot and is not `gen_ai.`.
    pub prefix: String,
    /// How much is written; `standard`.
    pub detail: Detail,
    /// How tokens become energy and CO2e; `ecologits/0.11.3`.
    pub method: Method,
    /// What becomes of a model without a factor; `skip`.
    pub unknown_models: UnknownModels,
    /// Whether the headline pair stands under `gen_ai.footprint.` too, on spans that have `gen_ai.` keys; true.
    pub gen_ai_alias: bool,
    /// Significant digits of values on spans, 1 to 17; 6. 17 is exact.
    pub significant_digits: u8,
    /// The bounds of `band`.
    pub band: BandConfig,
    /// Names that are read beside the built-in ones.
    pub reading: ReadingConfig,
    /// How long calls are remembered, so that each counts once.
    pub memory: MemoryConfig,
}

impl Default for GramtraceConfig {
    fn default() -> Self {
        Self {
            prefix: "gramtrace.".to_owned(),
            detail: Detail::default(),
            method: Method::default(),
            unknown_models: UnknownModels::default(),
            gen_ai_alias: true,
            significant_digits: 6,
            band: BandConfig::default(),
            reading: ReadingConfig::default(),
            memory: MemoryConfig::default(),
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
    /// EcoLogits 0.11.3.
    #[default]
    #[serde(rename = "ecologits/0.11.3")]
    EcologitsV0_11_3,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 1] = [Self::EcologitsV0_11_3];

    /// Its id: `ecologits/0.11.3`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::EcologitsV0_11_3 => "ecologits/0.11.3",
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

/// Keys that belong to later versions.
const LATER: Advice = &[
    ("registry", "files of factors are not available in this version; remove it: the built-in ones are used"),
    ("sites", "sites are not available in this version; remove it"),
    ("deployments", "deployments are not available in this version; remove it"),
    ("trace", "totals of traces are not available in this version; remove it"),
    ("labels", "labels are not configurable in this version; remove it"),
    ("budgets", "budgets are not available in this version; remove it"),
];

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
        section.read("unknown_models", &mut config.unknown_models, |field| match field.text()? {
            "fallback" => Err("`fallback` is not available in this version; write `skip`".to_owned()),
            _ => field.word(&[("skip", UnknownModels::Skip)]),
        });
        section.read("gen_ai_alias", &mut config.gen_ai_alias, Field::flag);
        section.read("significant_digits", &mut config.significant_digits, |field| field.whole(1, 17));
        if let Some(band) = section.section("band") {
            config.band = BandConfig::read(band);
        }
        if let Some(reading) = section.section("reading") {
            config.reading = ReadingConfig::read(reading);
        }
        if let Some(memory) = section.section("memory") {
            config.memory = MemoryConfig::read(memory);
        }
        section.finish(LATER);
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
