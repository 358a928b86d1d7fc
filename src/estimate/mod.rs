//! Usage, model and place in; energy, CO2e and what else they entail out, each as a range. Pure arithmetic, a file a
//! method; knows nothing of spans or files.

pub mod ecologits;
pub mod metered;
pub mod phase;
pub mod scenario;
#[cfg(test)]
mod tests;
pub mod tracker;

pub use phase::Rates;

use crate::factors::{
    Deployment, ECOLOGITS, EnergyFactor, FacilityId, MeteredEnergy, ModelId, Moment, Place, Registry, Resolution,
    TRACKER, Tier, ZoneId,
};
use crate::units::{GramsCo2e, GramsPerKwh, GramsSbEq, Megajoules, Millilitres, Pue, Range, TokenUsage, WattHours};

/// A named and versioned way to estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// gramtrace's own: every class of tokens by its weight, measured energy where there is some.
    PhaseAware,
    /// EcoLogits 0.11.3, to the bit.
    EcoLogits,
    /// The direct factors of api_emissions_tracker 0.0.7, to the bit.
    Tracker,
}

/// One model call as a method sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelCall {
    /// Which model; none where only metered energy is known.
    pub model: Option<ModelId>,
    /// Where.
    pub place: Place,
    /// How many tokens.
    pub usage: TokenUsage,
    /// How long the request took in seconds, where it is known; no method takes an answer to be generated for longer.
    /// What is negative or not a number counts as not known.
    pub duration_s: Option<f64>,
    /// What goes before any method: energy that somebody metered.
    pub metered: Option<Metered>,
}

/// Energy that was metered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metered {
    /// Of this very call.
    Call(MeteredEnergy),
    /// Of the deployment, per token or request.
    Deployment(EnergyFactor),
}

/// What one model call took and caused. A figure that the method does not have is absent, never zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Energy, with that of the data centre around the machine (PUE).
    pub energy_wh: Option<Range<WattHours>>,
    /// Use phase, location-based.
    pub co2e_g: Range<GramsCo2e>,
    /// The share of making the hardware; never inside [`Self::co2e_g`].
    pub embodied_co2e_g: Option<Range<GramsCo2e>>,
    /// Abiotic depletion of use and hardware together.
    pub adpe_gsbeq: Option<Range<GramsSbEq>>,
    /// Primary energy of use and hardware together.
    pub pe_mj: Option<Range<Megajoules>>,
    /// Water of use: on the site and for the electricity.
    pub water_ml: Option<Range<Millilitres>>,
    /// Quality of what was used.
    pub tier: Tier,
    /// The PUE that was applied; none where the factor has one, or a grid, baked in.
    pub pue: Option<Range<Pue>>,
    /// The grid that was applied; none where the factor has one baked in.
    pub grid: Option<GridUse>,
}

/// A grid as it was applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridUse {
    /// Whose.
    pub zone: ZoneId,
    /// Its intensity.
    pub co2e: GramsPerKwh,
    /// Whether its code is told as EcoLogits does, in ISO 3166-1 alpha-3.
    pub is_alpha3: bool,
}

impl Method {
    /// Every method, the default first.
    pub const ALL: [Self; 3] = [Self::PhaseAware, Self::EcoLogits, Self::Tracker];

    /// `name/version`, as in configurations and in `method` on spans.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::PhaseAware => phase::ID,
            Self::EcoLogits => ECOLOGITS,
            Self::Tracker => TRACKER,
        }
    }

    /// The method with exactly this id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.id() == id)
    }

    /// The model that a name means to this method at a time: EcoLogits and the tracker have tables of their own.
    #[must_use]
    pub fn resolve<'n>(
        self,
        registry: &Registry,
        name: &'n str,
        provider: Option<&str>,
        at: Option<Moment>,
    ) -> Option<Resolution<'n>> {
        match self {
            Self::PhaseAware => registry.resolve(name, provider, at),
            Self::EcoLogits => registry.resolve_ecologits(name, provider),
            Self::Tracker => tracker::resolve(registry, name),
        }
    }

    /// The model behind a deployment, as this method knows it.
    #[must_use]
    pub fn deployed(self, deployment: &Deployment) -> Option<ModelId> {
        match self {
            Self::PhaseAware => deployment.model(),
            Self::EcoLogits => deployment.ecologits_model(),
            Self::Tracker => deployment.tracker_model(),
        }
    }

    /// Estimates one call. `None` where there is no factor for its model, or for a model or zone of another registry.
    #[must_use]
    pub fn estimate(self, registry: &Registry, call: &ModelCall) -> Option<Estimate> {
        if let Some(metered) = &call.metered {
            return metered::rates(registry, call, metered)?.estimate(registry, call);
        }
        match self {
            Self::PhaseAware => phase::estimate(registry, call),
            Self::EcoLogits => Some(ecologits::Bounds::of(registry, call)?.estimate()),
            Self::Tracker => tracker::estimate(registry, call),
        }
    }

    /// What calls have in common that differ in tokens and duration alone, where there is anything to have computed once.
    #[must_use]
    pub fn rates(self, registry: &Registry, call: &ModelCall) -> Option<Rates> {
        match (&call.metered, self) {
            (Some(metered), _) => metered::rates(registry, call, metered),
            (None, Self::PhaseAware) => phase::rates(registry, call),
            (None, Self::EcoLogits | Self::Tracker) => None,
        }
    }

    /// As [`Self::estimate`], to the bit, by the rates of a call that differs in tokens and duration alone.
    #[must_use]
    pub fn estimate_by(self, rates: Option<&Rates>, registry: &Registry, call: &ModelCall) -> Option<Estimate> {
        match rates {
            Some(rates) => rates.estimate(registry, call),
            None => self.estimate(registry, call),
        }
    }

    /// The id that stands on a span for what priced this call.
    #[must_use]
    pub fn id_for(self, call: &ModelCall) -> &'static str {
        if call.metered.is_some() { metered::ID } else { self.id() }
    }

    /// Which factor priced a call: method, and the entry or row in it.
    #[must_use]
    pub fn factor_id(self, registry: &Registry, call: &ModelCall) -> Option<String> {
        let model = call.model.and_then(|id| registry.model(id));
        match (&call.metered, self) {
            (Some(Metered::Call(_)), _) => Some(format!("{}:span", metered::ID)),
            (Some(Metered::Deployment(_)), _) => Some(format!("{}:deployment", metered::ID)),
            (None, Self::PhaseAware) => model.map(|model| format!("{}:{}", phase::ID, model.id())),
            (None, Self::EcoLogits | Self::Tracker) => model?.row().map(str::to_owned),
        }
    }

    /// Where the figures for a call come from: the first source of its entry, with its address where it has one.
    #[must_use]
    pub fn source<'r>(self, registry: &'r Registry, call: &ModelCall) -> Option<&'r str> {
        if call.metered.is_some() {
            return None;
        }
        let source = registry.model(call.model?)?.sources().next()?;
        let known = registry.source(source);
        Some(known.map_or(source, |known| if known.url.is_empty() { &*known.title } else { &*known.url }))
    }
}

/// The data centre whose PUE and WUE hold for a call.
fn facility_of(registry: &Registry, call: &ModelCall) -> FacilityId {
    call.place.facility.unwrap_or_else(|| registry.unknown_facility())
}
