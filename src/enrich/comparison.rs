//! What other models, and the grids of other regions, would have made of the tokens of some calls. Each call is
//! estimated again by the method and the registry that it was estimated by; nothing else of it changes.

use super::terms::Terms;
use crate::estimate::{Estimate, ModelCall};
use crate::factors::{Hourly, ModelId, Place, Registry, ZoneId};
use crate::trace::Range;
use crate::trace::ledger::{Account, Call, Figures, Share, Standing};
use crate::units;

/// How many of each are told.
const TOLD: usize = 2;

/// What calls are compared with: the first two of each that no call used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonSettings {
    /// Names of models.
    pub models: Vec<String>,
    /// Zones of grids, or regions of clouds.
    pub regions: Vec<String>,
}

impl Default for ComparisonSettings {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            models: names(&["gpt-4o-mini", "claude-sonnet-4-6", "mistral-small-latest"]),
            regions: names(&["SE", "DE", "US"]),
        }
    }
}

/// Calls and what could have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Calls that are compared: those with a value.
    pub calls: u32,
    /// Grams of CO2e that they came to.
    pub co2e_g: Range,
    /// The same tokens by other models, in the same places.
    pub models: Vec<Alternative>,
    /// The same calls on other grids.
    pub regions: Vec<Alternative>,
}

/// What could have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// Registry id of the model, or the code of the zone.
    pub name: String,
    /// What all calls would have come to.
    pub figures: Figures,
}

impl ComparisonSettings {
    /// What means no model, no zone and no region to a registry: the key, its place in the list, and the name.
    #[must_use]
    pub fn unknown(&self, registry: &Registry) -> Vec<(&'static str, usize, &str)> {
        let models = self.models.iter().enumerate().filter(|(_, name)| model(registry, name).is_none());
        let regions = self.regions.iter().enumerate().filter(|(_, name)| zone(registry, name).is_none());
        let models = models.map(|(at, name)| ("models", at, name.as_str()));
        models.chain(regions.map(|(at, name)| ("regions", at, name.as_str()))).collect()
    }

    /// Compares calls by their receipts; `None` where none has a value.
    #[must_use]
    pub fn compare(&self, calls: &[Call<Terms>]) -> Option<Comparison> {
        let calls: Vec<Valued<'_>> = calls.iter().filter_map(Valued::of).collect();
        let total = sum(calls.iter().map(|valued| valued.call.share.figures));
        let models = self.models.iter().filter_map(|name| by_model(&calls, name)).take(TOLD).collect();
        let regions = self.regions.iter().filter_map(|name| by_region(&calls, name)).take(TOLD).collect();
        Some(Comparison { calls: u32::try_from(calls.len()).ok()?, co2e_g: total.co2e_g?, models, regions })
    }
}

/// A call with a value, as its method sees it.
struct Valued<'a> {
    call: &'a Call<Terms>,
    seen: ModelCall,
}

impl<'a> Valued<'a> {
    fn of(call: &'a Call<Terms>) -> Option<Self> {
        call.share.figures.co2e_g?;
        let (start, end) = call.time_ns;
        let duration_s = (start != 0).then(|| end.checked_sub(start)).flatten().map(|ns| ns as f64 / 1e9);
        let Terms { model, place, metered, .. } = &*call.terms;
        let seen =
            ModelCall { model: *model, place: (*place)?, usage: call.share.usage, duration_s, metered: *metered };
        Some(Self { call, seen })
    }

    fn estimate(&self, call: &ModelCall) -> Option<Estimate> {
        self.call.terms.method.estimate(&self.call.terms.registry, call)
    }
}

/// `None` for a model that is not known, that some call used, or that not every call can be estimated with.
fn by_model(calls: &[Valued<'_>], name: &str) -> Option<Alternative> {
    let mut id = None;
    let mut figures = Vec::with_capacity(calls.len());
    for valued in calls {
        let terms = &valued.call.terms;
        let (other, estimate) = candidates(terms, name).into_iter().find_map(|other| {
            // What was metered was metered for the model that was used.
            let call = ModelCall { model: Some(other), metered: None, ..valued.seen };
            Some((other, valued.estimate(&call)?))
        })?;
        let other = terms.registry.model(other)?;
        if terms.model_id.as_deref() == Some(other.id()) {
            return None;
        }
        id = Some(other.id().to_owned());
        figures.push(figures_of(&estimate));
    }
    Some(Alternative { name: id?, figures: sum(figures) })
}

/// What a name may mean, by the method of a call first.
fn candidates(terms: &Terms, name: &str) -> Vec<ModelId> {
    let tail = name.rsplit('/').next().unwrap_or(name);
    let by_name = |name| terms.method.resolve(&terms.registry, name, None, None).map(|found| found.model);
    [terms.registry.model_by_id(name), by_name(name), by_name(tail)].into_iter().flatten().collect()
}

/// `None` for a region that is not known or that some call was in, and where no grid was applied that could be another.
fn by_region(calls: &[Valued<'_>], name: &str) -> Option<Alternative> {
    let mut code = None;
    let mut figures = Vec::with_capacity(calls.len());
    for valued in calls {
        let registry = &valued.call.terms.registry;
        let zone = zone(registry, name)?;
        let place = valued.seen.place;
        if place.zone == zone || registry.zone(place.zone)?.country() == zone {
            return None;
        }
        let place = Place { zone, hour: Hourly::NotLoaded, ..place };
        let estimate = valued.estimate(&ModelCall { place, ..valued.seen })?;
        estimate.grid.as_ref()?;
        code = registry.zone(zone).map(|zone| zone.code().to_owned());
        figures.push(figures_of(&estimate));
    }
    Some(Alternative { name: code?, figures: sum(figures) })
}

fn model(registry: &Registry, name: &str) -> Option<ModelId> {
    let tail = name.rsplit('/').next().unwrap_or(name);
    registry.model_by_id(name).or_else(|| Some(registry.resolve(tail, None, None)?.model))
}

fn zone(registry: &Registry, name: &str) -> Option<ZoneId> {
    registry.zone_by_code(name).or_else(|| registry.zone_of_region(name))
}

/// Added up as a trace is.
fn sum(figures: impl IntoIterator<Item = Figures>) -> Figures {
    let mut account = Account::default();
    for figures in figures {
        account.add(&Share { standing: Standing::Counted, usage: units::TokenUsage::default(), figures });
    }
    Figures { co2e_g: account.co2e_g(), energy_wh: account.energy_wh(), embodied_co2e_g: account.embodied_co2e_g() }
}

pub(super) fn figures_of(estimate: &Estimate) -> Figures {
    Figures {
        co2e_g: Some(range(&estimate.co2e_g)),
        energy_wh: estimate.energy_wh.as_ref().map(range),
        embodied_co2e_g: estimate.embodied_co2e_g.as_ref().map(range),
    }
}

fn range<T: units::Quantity>(range: &units::Range<T>) -> Range {
    Range { low: Some(range.low().get()), value: range.value().get(), high: Some(range.high().get()) }
}
