//! `processors.gramtrace.sites`, `.deployments` and `reading.energy`: what the operator knows of its own machines. Knows
//! keys, units and bounds; whether zones and models exist is for the registry to say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::section::{Advice, Field, Section};
use crate::units::J_PER_WH;

/// A place that the operator knows; the one named `default` holds where nothing better is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SiteConfig {
    /// The code of its electricity's zone.
    pub zone: Option<String>,
    /// Its PUE, at least 1.
    pub pue: Option<NumberConfig>,
    /// Water used on the site in l/kWh of IT energy.
    pub wue_l_per_kwh: Option<NumberConfig>,
    /// Services (`service.name`) whose calls are computed there.
    pub services: Vec<String>,
}

/// A model under the operator's own name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct DeploymentConfig {
    /// The model behind it: a registry id, or a name that finds one.
    pub model: Option<String>,
    /// The site where it runs.
    pub site: Option<String>,
    /// What it was metered to take.
    pub energy: Option<MeteredConfig>,
}

/// Metered energy of a deployment, in Wh; at least one of the three.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeteredConfig {
    /// Of an output token.
    pub wh_per_output_token: Option<NumberConfig>,
    /// Of an input token.
    pub wh_per_input_token: Option<NumberConfig>,
    /// Of a request.
    pub wh_per_request: Option<NumberConfig>,
    /// What the meter saw; `it`.
    pub boundary: BoundaryConfig,
}

/// `reading.energy`: where spans carry the energy that somebody metered for the call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EnergyReadingConfig {
    /// The attribute; none, and then nothing is read.
    pub attribute: Option<String>,
    /// Its unit; `Wh`.
    pub unit: EnergyUnit,
    /// What the meter saw; `it`.
    pub boundary: BoundaryConfig,
}

/// Units of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum EnergyUnit {
    /// Joules.
    J,
    /// Watt-hours.
    #[default]
    Wh,
    /// Kilowatt-hours.
    #[serde(rename = "kWh")]
    Kwh,
}

/// What a meter saw, from the inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundaryConfig {
    /// GPUs alone.
    Accelerator,
    /// Whole machines.
    #[default]
    It,
    /// The data centre too.
    Facility,
}

/// A number, with ends where they are known: written as one number, or as `{value, range: [low, high]}`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberConfig {
    /// The number; `None` where only its ends were given.
    pub value: Option<f64>,
    /// Low and high.
    pub range: Option<(f64, f64)>,
}

impl Serialize for NumberConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.range) {
            (Some(value), None) => serializer.serialize_f64(value),
            (value, range) => {
                let mut map = serializer.serialize_map(None)?;
                if let Some(value) = value {
                    map.serialize_entry("value", &value)?;
                }
                if let Some((low, high)) = range {
                    map.serialize_entry("range", &[low, high])?;
                }
                map.end()
            }
        }
    }
}

impl EnergyUnit {
    /// Watt-hours in one of it.
    #[must_use]
    pub const fn wh(self) -> f64 {
        match self {
            Self::J => 1.0 / J_PER_WH,
            Self::Wh => 1.0,
            Self::Kwh => 1000.0,
        }
    }
}

const SITE_ADVICE: Advice = &[
    ("wue", "has no unit; write `wue_l_per_kwh`"),
    ("region", "regions have zones already; write `zone`"),
    ("g_per_kwh", "intensities belong into a registry file; write it under `grids` there, and its zone here"),
];

const ENERGY_ADVICE: Advice = &[
    ("kwh_per_output_token", "write `wh_per_output_token`: 1 kWh is 1000 Wh"),
    ("kwh_per_request", "write `wh_per_request`: 1 kWh is 1000 Wh"),
];

const BOUNDARIES: [(&str, BoundaryConfig); 3] =
    [("accelerator", BoundaryConfig::Accelerator), ("it", BoundaryConfig::It), ("facility", BoundaryConfig::Facility)];

/// Reads `sites`.
pub(super) fn sites(section: &Section<'_>) -> BTreeMap<String, SiteConfig> {
    section.all().filter_map(|(name, field)| Some((name.to_owned(), SiteConfig::read(field.section()?)))).collect()
}

/// Reads `deployments`: each a mapping, or only the model.
pub(super) fn deployments(section: &Section<'_>) -> BTreeMap<String, DeploymentConfig> {
    section.all().filter_map(|(name, field)| Some((name.to_owned(), DeploymentConfig::read(&field)?))).collect()
}

impl SiteConfig {
    fn read(mut section: Section<'_>) -> Self {
        let config = Self {
            zone: section.get("zone", Field::string),
            pue: number(&mut section, "pue", 1.0),
            wue_l_per_kwh: number(&mut section, "wue_l_per_kwh", 0.0),
            services: texts(&mut section, "services"),
        };
        if !["zone", "pue", "wue_l_per_kwh"].iter().any(|key| section.has(key)) {
            section.error("says nothing; write `zone`, `pue` or `wue_l_per_kwh`");
        }
        section.finish(SITE_ADVICE);
        config
    }
}

impl DeploymentConfig {
    fn read(field: &Field<'_>) -> Option<Self> {
        if !field.is_mapping() {
            return match field.text() {
                Ok(model) if !model.is_empty() => Some(Self { model: Some(model.to_owned()), ..Self::default() }),
                _ => {
                    field.error("says nothing; write the model behind it, such as `gpt-4o`");
                    None
                }
            };
        }
        let mut section = field.section()?;
        let config = Self {
            model: section.get("model", Field::string),
            site: section.get("site", Field::string),
            energy: section.section("energy").map(MeteredConfig::read),
        };
        if !["model", "site", "energy"].iter().any(|key| section.has(key)) {
            section.error("says nothing; write `model`, `site` or `energy`");
        }
        section.finish(&[]);
        Some(config)
    }
}

impl MeteredConfig {
    fn read(mut section: Section<'_>) -> Self {
        let pairs = [
            ("wh_per_output_token", "j_per_output_token"),
            ("wh_per_input_token", "j_per_input_token"),
            ("wh_per_request", "j_per_request"),
        ];
        let [wh_per_output_token, wh_per_input_token, wh_per_request] = pairs.map(|(wh, joules)| {
            let in_wh = number(&mut section, wh, 0.0);
            let in_joules = number(&mut section, joules, 0.0);
            if in_wh.is_some() && in_joules.is_some() {
                section.error(format!("`{joules}` stands beside `{wh}`; write one of them"));
            }
            in_wh.or_else(|| in_joules.map(|number| number.times(EnergyUnit::J.wh())))
        });
        let mut boundary = BoundaryConfig::default();
        section.read("boundary", &mut boundary, |field| field.word(&BOUNDARIES));
        if !pairs.iter().any(|(wh, joules)| section.has(wh) || section.has(joules)) {
            section.error("says nothing; write `wh_per_output_token`, `wh_per_request` or one in J");
        }
        section.finish(ENERGY_ADVICE);
        Self { wh_per_output_token, wh_per_input_token, wh_per_request, boundary }
    }
}

impl EnergyReadingConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self { attribute: section.get("attribute", Field::string), ..Self::default() };
        section.read("unit", &mut config.unit, |field| {
            field.word(&[("J", EnergyUnit::J), ("Wh", EnergyUnit::Wh), ("kWh", EnergyUnit::Kwh)])
        });
        section.read("boundary", &mut config.boundary, |field| field.word(&BOUNDARIES));
        if config.attribute.as_deref() == Some("") {
            section.error_in("attribute", "an empty name means nothing; write an attribute, or remove it");
        }
        section.finish(&[("key", "write `attribute`")]);
        config
    }
}

impl NumberConfig {
    fn times(self, factor: f64) -> Self {
        Self {
            value: self.value.map(|value| value * factor),
            range: self.range.map(|(low, high)| (low * factor, high * factor)),
        }
    }
}

/// A number of at least `least`, alone or with its ends.
fn number(section: &mut Section<'_>, key: &'static str, least: f64) -> Option<NumberConfig> {
    let field = section.field(key)?;
    let parsed = |field: &Field<'_>| {
        let number = field.number()?;
        if number < least { Err(format!("write a number of at least {least}, not `{number}`")) } else { Ok(number) }
    };
    let reported = |field: &Field<'_>, result: Result<f64, String>| match result {
        Ok(number) => Some(number),
        Err(message) => {
            field.error(message);
            None
        }
    };
    if !field.is_mapping() {
        return Some(NumberConfig { value: Some(reported(&field, parsed(&field))?), range: None });
    }
    let mut inner = field.section()?;
    let value = inner.get("value", |field| parsed(field));
    let range = inner.get("range", |ends| {
        let ends: Vec<_> = if ends.is_list() { ends.items().collect() } else { Vec::new() };
        let [low, high] = ends.as_slice() else { return Err("write two numbers, as in `[1.1, 1.4]`".to_owned()) };
        match (parsed(low)?, parsed(high)?) {
            (low, high) if low > high => Err(format!("the low end is above the high one; write `[{high}, {low}]`")),
            ends => Ok(ends),
        }
    });
    match (value, range) {
        (None, None) if !inner.has("value") && !inner.has("range") => {
            inner.error("has neither `value` nor `range`; write one of them");
        }
        (Some(value), Some((low, high))) if value < low || value > high => {
            inner.error(format!("`value` {value} is outside of {low} to {high}; write a range that it lies in"));
        }
        _ => {}
    }
    inner.finish(&[]);
    (value.is_some() || range.is_some()).then_some(NumberConfig { value, range })
}

fn texts(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let Some(field) = section.field(key) else { return Vec::new() };
    field
        .items()
        .filter_map(|item| match item.string() {
            Ok(text) if !text.is_empty() => Some(text),
            _ => {
                item.error("an empty name means nothing; remove it");
                None
            }
        })
        .collect()
}
