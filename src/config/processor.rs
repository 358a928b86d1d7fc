//! `processors`: what is written on spans, under which names and how precisely.

use serde::Serialize;

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
