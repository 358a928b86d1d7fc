//! The shapes of the data files, as serde reads them.
//! Nothing is checked here but the shape.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(super) struct ModelsTable {
    pub(super) aliases: Vec<AliasRow>,
    pub(super) models: Vec<ModelRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AliasRow {
    pub(super) provider: String,
    pub(super) name: String,
    /// The name of the model that is meant.
    pub(super) alias: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelRow {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) architecture: ArchitectureRow,
    pub(super) warnings: Option<Vec<String>>,
    pub(super) sources: Option<Vec<String>>,
    pub(super) deployment: Option<SpeedRow>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "parameters", rename_all = "lowercase")]
pub(super) enum ArchitectureRow {
    Dense(NumberOrRange),
    Moe { total: NumberOrRange, active: NumberOrRange },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrRange {
    Number(f64),
    Range { min: f64, max: f64 },
}

#[derive(Debug, Deserialize)]
pub(super) struct SpeedRow {
    pub(super) tps: Option<f64>,
    pub(super) ttft: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MixesTable {
    pub(super) electricity_mixes: Vec<MixRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MixRow {
    pub(super) name: String,
    /// kgSbeq per kWh.
    pub(super) adpe: f64,
    /// MJ per kWh.
    pub(super) pe: f64,
    /// kgCO2eq per kWh.
    pub(super) gwp: f64,
    /// l per kWh.
    pub(super) wue: f64,
    pub(super) warnings: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProvidersTable {
    pub(super) providers: Vec<ProviderRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProviderRow {
    pub(super) name: String,
    pub(super) location: String,
    pub(super) pue: NumberOrRange,
    pub(super) wue: NumberOrRange,
}

#[derive(Debug, Deserialize)]
pub(super) struct RegionsTable {
    pub(super) clouds: Vec<CloudRegions>,
    pub(super) areas: Areas,
}

#[derive(Debug, Deserialize)]
pub(super) struct CloudRegions {
    pub(super) regions: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Areas {
    pub(super) zones: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmberTable {
    pub(super) year: String,
    pub(super) areas: Vec<EmberArea>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmberArea {
    pub(super) iso3: String,
    pub(super) g_co2e_per_kwh: f64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RegistryTable {
    pub(super) version: String,
    pub(super) makers: Makers,
    pub(super) identities: Vec<Identities>,
    pub(super) scopes: Vec<Scopes>,
    pub(super) reduced_precision: Vec<String>,
    pub(super) validity: Vec<ValidFrom>,
}

/// From when on a row's name means its model: before, it meant another.
#[derive(Debug, Deserialize)]
pub(super) struct ValidFrom {
    pub(super) provider: String,
    pub(super) name: String,
    /// `YYYY-MM-DD`.
    pub(super) from: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Makers {
    pub(super) providers: BTreeMap<String, String>,
    pub(super) organisations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identities {
    pub(super) provider: String,
    /// The row's name to the registry id.
    pub(super) names: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scopes {
    pub(super) provider: String,
    pub(super) only: ScopeRow,
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScopeRow {
    Provider,
    Unstated,
}

impl NumberOrRange {
    pub(super) const fn ends(self) -> (f64, f64) {
        match self {
            Self::Number(number) => (number, number),
            Self::Range { min, max } => (min, max),
        }
    }
}
