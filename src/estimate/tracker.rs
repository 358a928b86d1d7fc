//! The direct factors of api_emissions_tracker 0.0.7: grams of CO2e per token, with a grid baked in, so that neither a
//! grid nor a PUE is ever applied. The same sum, in the same order and unrounded: it agrees to the bit.
//! <https://github.com/borisruf/api-emissions-tracker>

use crate::factors::{Co2eFactor, Factor, Match, Registry, Resolution, Tier};
use crate::units::{GramsCo2e, Quantity, Range, TokenUsage};

use super::{Estimate, ModelCall};

/// Between value and ends: batch-1 measurements, without PUE, 10 to 40 times above later estimates.
const FACTOR: f64 = 10.0;

/// The formula: grams of a call.
///
/// By hand: 16 prompt and 134 completion tokens of gpt-35-turbo, 2.46 mg each, are 150 x 0.00246 = 0.369 g.
/// ```
/// use gramtrace::estimate::tracker::grams;
/// use gramtrace::factors::Co2eFactor;
/// use gramtrace::units::{GramsCo2e, TokenUsage, Tokens};
///
/// let per_token = GramsCo2e::new(0.00246)?;
/// let factor = Co2eFactor { per_input: per_token, per_output: per_token, grid: "Western USA 2021".into() };
/// let usage = TokenUsage { input: Tokens::new(16), output: Tokens::new(134), ..TokenUsage::default() };
/// assert!((grams(&factor, &usage) - 0.369).abs() < 1e-12);
/// # Ok::<(), gramtrace::units::QuantityError>(())
/// ```
#[must_use]
pub fn grams(factor: &Co2eFactor, usage: &TokenUsage) -> f64 {
    usage.input.as_f64() * factor.per_input.get() + usage.output.as_f64() * factor.per_output.get()
}

/// The tracker's look-up: the very name, nothing else.
pub(super) fn resolve<'n>(registry: &Registry, name: &str) -> Option<Resolution<'n>> {
    let model = registry.tracker(name)?;
    Some(Resolution { model, matched: Match::Exact, region_hint: None })
}

pub(super) fn estimate(registry: &Registry, call: &ModelCall) -> Option<Estimate> {
    let model = registry.model(call.model?)?;
    match model.factor()? {
        Factor::Co2e(factor) if model.row().is_some() => Some(from_grams(grams(factor, &call.usage), Tier::E, FACTOR)),
        Factor::Co2e(_) | Factor::Energy(_) | Factor::Architecture => None,
    }
}

/// An estimate that knows grams alone.
pub(super) fn from_grams(grams: f64, tier: Tier, factor: f64) -> Estimate {
    let value = GramsCo2e::saturating(grams);
    let (low, high) = (GramsCo2e::saturating(grams / factor), GramsCo2e::saturating(grams * factor));
    Estimate {
        energy_wh: None,
        co2e_g: Range::new(low, value, high).unwrap_or(Range::exact(value)),
        embodied_co2e_g: None,
        adpe_gsbeq: None,
        pe_mj: None,
        water_ml: None,
        tier,
        pue: None,
        grid: None,
    }
}
