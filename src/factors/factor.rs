//! What a token or a request takes, as an entry of the registry or an operator says it: energy with its boundary, or
//! grams of CO2e with the grid that is baked in. Knows no formula that uses it.

use crate::units::{GramsCo2e, Pue, Range, Ratio, WattHours};

/// Where the energy of a factor was measured or is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boundary {
    /// GPUs alone: host, idle machines and the data centre come on top.
    Accelerator,
    /// Whole machines: the data centre comes on top.
    It,
    /// Everything, PUE included: nothing comes on top.
    Facility,
}

/// A number of a factor, and whether its ends were given or are for the tier to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread<T> {
    /// One number: the tier's factor makes the ends.
    Tier(T),
    /// With ends of its own, which the tier does not widen.
    Own(Range<T>),
}

/// Energy per token or request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyFactor {
    /// Of an output token.
    pub per_output: Option<Spread<WattHours>>,
    /// Of an input token; where it is absent, its weight relative to an output token says.
    pub per_input: Option<Spread<WattHours>>,
    /// Of a request, whatever its tokens.
    pub per_request: Option<Spread<WattHours>>,
    /// What it includes.
    pub boundary: Boundary,
}

/// Grams of CO2e per token: a grid is baked in, so that no grid and no PUE may be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Co2eFactor {
    /// Of an input token.
    pub per_input: GramsCo2e,
    /// Of an output token.
    pub per_output: GramsCo2e,
    /// Which grid is baked in, in words; what is not known is said too.
    pub grid: Box<str>,
}

/// What an entry prices a call by.
#[derive(Debug, Clone, PartialEq)]
pub enum Factor {
    /// The fit on measured models, from the architecture.
    Architecture,
    /// A figure of its own.
    Energy(EnergyFactor),
    /// Grams, with their grid.
    Co2e(Co2eFactor),
}

/// The constants of the phase-aware method, as its entry in the registry has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhaseConstants {
    /// Weight of an uncached input token, an output token being 1.
    pub input: Range<Ratio>,
    /// Weight of a token read from a cache.
    pub cache_read: Range<Ratio>,
    /// Weight of a token written to a cache.
    pub cache_write: Range<Ratio>,
    /// From accelerators to whole machines.
    pub host: Range<Ratio>,
    /// Machines that are kept ready.
    pub idle: Range<Ratio>,
    /// Factors between value and ends, for A to E.
    pub tiers: [Ratio; 5],
    /// The factor of tier D for small models.
    pub small: Ratio,
    /// Up to this many parameters, in billions, a model of tier D is small.
    pub small_total_b: f64,
    /// Energy of an output token from the architecture.
    pub fit: FitCoefficients,
}

/// `ln(J per output token)` as a sum: see the phase-aware method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitCoefficients {
    /// The constant.
    pub constant: f64,
    /// Times the logarithm of active parameters in billions.
    pub ln_active_b: f64,
    /// Times the logarithm of all parameters in billions.
    pub ln_total_b: f64,
    /// Times the logarithm of the batch.
    pub ln_batch: f64,
    /// Times its square.
    pub ln_batch_squared: f64,
    /// For weights of 8 bits or fewer.
    pub reduced_precision: f64,
    /// Requests that a server handles at a time.
    pub batch: f64,
}

/// Energy that was metered for one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeteredEnergy {
    /// How much.
    pub energy: WattHours,
    /// What it includes.
    pub boundary: Boundary,
}

impl Boundary {
    /// Every boundary, from the inside.
    pub const ALL: [Self; 3] = [Self::Accelerator, Self::It, Self::Facility];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accelerator => "accelerator",
            Self::It => "it",
            Self::Facility => "facility",
        }
    }

    /// The PUE that comes on top.
    #[must_use]
    pub const fn pue(self, pue: Range<Pue>) -> Range<Pue> {
        match self {
            Self::Accelerator | Self::It => pue,
            Self::Facility => Range::exact(Pue::LEAST),
        }
    }
}

impl<T: Copy> Spread<T> {
    /// The number.
    #[must_use]
    pub const fn value(&self) -> T
    where
        T: crate::units::Quantity,
    {
        match self {
            Self::Tier(value) => *value,
            Self::Own(range) => range.value(),
        }
    }
}
