//! The `factor` of an entry: energy or grams per token or request. Every key carries its unit.
//! Knows units; nothing of models.

use crate::document::section::{Advice, Field, Section};
use crate::factors::factor::{Boundary, Co2eFactor, EnergyFactor, Factor, Spread};
use crate::units::{GramsCo2e, J_PER_WH, Quantity, Range, WattHours};

use super::number::{reported, scalar, spread};

const ADVICE: Advice = &[
    ("energy_kwh_per_output_token", "does not fit; write `energy_wh_per_output_token`: 1 kWh is 1000 Wh"),
    ("energy_kwh_per_input_token", "does not fit; write `energy_wh_per_input_token`: 1 kWh is 1000 Wh"),
    ("energy_kwh_per_request", "does not fit; write `energy_wh_per_request`: 1 kWh is 1000 Wh"),
    ("co2e_kg_per_output_token", "does not fit; write `co2e_g_per_output_token`: 1 kg is 1000 g"),
    ("co2e_kg_per_input_token", "does not fit; write `co2e_g_per_input_token`: 1 kg is 1000 g"),
    ("energy_per_output_token", "has no unit; write `energy_j_per_output_token` or `energy_wh_per_output_token`"),
    ("pue", "belongs to a site; write `boundary: facility` where the factor includes it"),
];

/// Reads a factor.
pub(super) fn read(mut section: Section<'_>) -> Option<Factor> {
    let per_output = energy(&mut section, ["energy_j_per_output_token", "energy_wh_per_output_token"]);
    let per_input = energy(&mut section, ["energy_j_per_input_token", "energy_wh_per_input_token"]);
    let per_request = energy(&mut section, ["energy_j_per_request", "energy_wh_per_request"]);
    let boundary = section.get("boundary", |field| field.word(&Boundary::ALL.map(|each| (each.name(), each))));
    let input_g = grams(&mut section, "co2e_g_per_input_token");
    let output_g = grams(&mut section, "co2e_g_per_output_token");
    let grid = section.get("grid", Field::string);
    let has_energy = per_output.or(per_input).or(per_request).is_some();
    let has_grams = input_g.or(output_g).is_some();
    let (has_boundary, has_number) = (section.has("boundary"), section.all().any(|(key, _)| is_number(key)));
    let factor = match (has_energy, has_grams) {
        (true, true) => {
            section.error("is in energy and in gCO2e; write one of them");
            None
        }
        // What is wrong with a number that is there has been said.
        (false, false) if has_number => None,
        (false, false) => {
            section.error("has no number; write `energy_wh_per_output_token`, or another with its unit");
            None
        }
        (true, false) => {
            if !has_boundary {
                section.error("has no `boundary`; write `accelerator`, `it` or `facility`");
            }
            boundary.map(|boundary| Factor::Energy(EnergyFactor { per_output, per_input, per_request, boundary }))
        }
        (false, true) => {
            if grid.is_none() {
                section.error("in gCO2e has a grid baked in; write `grid`, which one");
            }
            let none = GramsCo2e::LEAST;
            let (per_input, per_output) = (input_g.unwrap_or(none), output_g.unwrap_or(none));
            grid.map(|grid| Factor::Co2e(Co2eFactor { per_input, per_output, grid: grid.into() }))
        }
    };
    section.finish(ADVICE);
    factor
}

/// Whether a key is meant to be one of the numbers.
fn is_number(key: &str) -> bool {
    ["energy_", "co2e_"].iter().any(|what| key.starts_with(what)) && key.contains("_per_")
}

/// Energy in one of two units.
fn energy(section: &mut Section<'_>, [joules, watt_hours]: [&'static str; 2]) -> Option<Spread<WattHours>> {
    let (in_joules, in_watt_hours) = (section.field(joules), section.field(watt_hours));
    if in_joules.is_some() && in_watt_hours.is_some() {
        section.error_in(joules, format!("stands beside `{watt_hours}`; write one of them"));
    }
    let scaled = |wh: WattHours| WattHours::saturating(wh.get() / J_PER_WH);
    match (in_watt_hours, in_joules) {
        (Some(field), _) => spread(&field),
        (None, Some(field)) => spread(&field).and_then(|spread| match spread {
            Spread::Tier(value) => Some(Spread::Tier(scaled(value))),
            Spread::Own(range) => {
                Range::new(scaled(range.low()), scaled(range.value()), scaled(range.high())).ok().map(Spread::Own)
            }
        }),
        (None, None) => None,
    }
}

fn grams(section: &mut Section<'_>, key: &'static str) -> Option<GramsCo2e> {
    let field = section.field(key)?;
    reported(&field, scalar(&field))
}
