//! Usage, model and place in; energy, CO2e and what else they entail out, each as a range. Pure arithmetic, a file a
//! method; knows nothing of spans, names or files.

pub mod ecologits;

use crate::factors::{ECOLOGITS, ModelId, Place, Registry};
use crate::units::{GramsCo2e, GramsSbEq, Megajoules, Millilitres, Range, TokenUsage, WattHours};

/// A named and versioned way to estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// EcoLogits 0.11.3, to the bit.
    EcoLogits,
}

/// One model call as a method sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelCall {
    /// Which model.
    pub model: ModelId,
    /// Where.
    pub place: Place,
    /// How many tokens.
    pub usage: TokenUsage,
    /// How long the request took in seconds, where it is known; no method takes an answer to be generated for longer.
    /// What is negative or not a number counts as not known.
    pub duration_s: Option<f64>,
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
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 1] = [Self::EcoLogits];

    /// `name/version`, as in configurations and in `method` on spans.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::EcoLogits => ECOLOGITS,
        }
    }

    /// The method with exactly this id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.id() == id)
    }

    /// Estimates one call. `None` only for a model or zone of another registry.
    #[must_use]
    pub fn estimate(self, registry: &Registry, call: &ModelCall) -> Option<Estimate> {
        match self {
            Self::EcoLogits => Some(ecologits::Bounds::of(registry, call)?.estimate()),
        }
    }
}
