//! One model's entry: identity, architecture, speed, factor and where all that comes from.
//! Immutable once loaded; knows neither names as they arrive nor what is computed from it.

use crate::units::{BillionParameters, Range};

use super::factor::Factor;
use super::place::FacilityId;
use super::providers::Provider;

/// A model of one registry: an index, worth nothing under another registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub(super) u32);

/// A model and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) id: Box<str>,
    pub(super) name: Box<str>,
    pub(super) kind: ModelKind,
    pub(super) provider: Option<Provider>,
    pub(super) host: Option<FacilityId>,
    pub(super) architecture: Option<Architecture>,
    pub(super) precision: Precision,
    pub(super) speed: Speed,
    pub(super) factor: Option<Factor>,
    pub(super) tier: Tier,
    pub(super) warnings: Box<[ModelWarning]>,
    pub(super) sources: Box<[Box<str>]>,
    pub(super) note: Box<str>,
    /// The row of EcoLogits' table, or the name in the tracker's: `ecologits/0.11.3:openai/gpt-4o-2024-08-06`.
    pub(super) row: Option<Box<str>>,
}

/// What a model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// Text from text, and whatever else by tokens.
    Generative,
    /// Vectors: no output tokens.
    Embedding,
}

/// In what numbers a model's weights were released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 16 bits.
    Full,
    /// 8 bits or fewer.
    Reduced,
}

/// How a model is built, with what is known of its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Architecture {
    /// Dense or mixture of experts.
    pub kind: ArchitectureKind,
    /// Parameters that one token passes.
    pub active: ParameterRange,
    /// Parameters that must be in memory.
    pub total: ParameterRange,
}

/// The two kinds of architecture that factors tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArchitectureKind {
    /// Every parameter is active.
    Dense,
    /// A part of the parameters is active.
    MixtureOfExperts,
}

/// Bounds of a count of parameters; equal where it is known. `min <= max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterRange {
    /// The least.
    pub min: BillionParameters,
    /// The most.
    pub max: BillionParameters,
}

/// How fast a model was seen to answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Speed {
    /// Output tokens per second of one request; above zero.
    pub tokens_per_s: Option<f64>,
    /// Seconds to the first token.
    pub first_token_s: Option<f64>,
}

/// What limits the worth of a model's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelWarning {
    /// The maker has not published the architecture: its size is assumed.
    ArchitectureNotReleased,
    /// The model takes more than text, which the estimate does not see.
    Multimodal,
}

/// Quality of a factor, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Metered by the provider.
    A,
    /// Measured, for an open model.
    B,
    /// Computed from a known architecture.
    C,
    /// Computed from an assumed architecture.
    D,
    /// A value for a class of models, or of legacy grade.
    E,
}

impl Model {
    /// `<maker>/<name>`, lower case, without a date: one id for all dated versions.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Which row of which table, for the methods that bring tables of their own:
    /// `ecologits/0.11.3:openai/gpt-4o-2024-08-06`, `tracker/0.0.7:gpt-4o`.
    #[must_use]
    pub fn row(&self) -> Option<&str> {
        self.row.as_deref()
    }

    /// Who made the model: the first half of [`Self::id`].
    #[must_use]
    pub fn maker(&self) -> &str {
        self.id.split_once('/').map_or(&self.id, |(maker, _)| maker)
    }

    /// Under which provider the row stands in EcoLogits' tables.
    #[must_use]
    pub const fn provider(&self) -> Option<Provider> {
        self.provider
    }

    /// Whose data centre it is taken to run in.
    #[must_use]
    pub const fn host(&self) -> Option<FacilityId> {
        self.host
    }

    /// The name in the row, in the provider's own spelling.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it makes.
    #[must_use]
    pub const fn kind(&self) -> ModelKind {
        self.kind
    }

    /// How it is built, where that is known or assumed.
    #[must_use]
    pub const fn architecture(&self) -> Option<&Architecture> {
        self.architecture.as_ref()
    }

    /// In what numbers its weights were released.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// How fast it answers.
    #[must_use]
    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// What its calls are priced by; a model may be known without.
    #[must_use]
    pub const fn factor(&self) -> Option<&Factor> {
        self.factor.as_ref()
    }

    /// Quality of [`Self::factor`].
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// What limits the worth of this entry.
    #[must_use]
    pub fn warnings(&self) -> &[ModelWarning] {
        &self.warnings
    }

    /// Ids or addresses of what the entry rests on.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(AsRef::as_ref)
    }

    /// Whether its maker has published the architecture; of such models, anyone may run a copy.
    #[must_use]
    pub fn is_released(&self) -> bool {
        !self.warnings.contains(&ModelWarning::ArchitectureNotReleased)
    }

    /// What must be said beside the numbers; empty where nothing must.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl ParameterRange {
    /// Both ends, and what to take where one number is wanted.
    #[must_use]
    pub fn range(&self) -> Range<BillionParameters> {
        Range::geometric(self.min, self.max)
    }

    /// Whether the count is known.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.min.get() == self.max.get()
    }
}

impl ModelWarning {
    /// Every warning.
    pub const ALL: [Self; 2] = [Self::ArchitectureNotReleased, Self::Multimodal];

    /// The name in EcoLogits' tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArchitectureNotReleased => "model-arch-not-released",
            Self::Multimodal => "model-arch-multimodal",
        }
    }
}

impl Tier {
    /// Every tier, best first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// C for a released architecture, D for an assumed one.
    #[must_use]
    pub const fn of_architecture(is_released: bool) -> Self {
        if is_released { Self::C } else { Self::D }
    }

    /// `A` to `E`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }
}
