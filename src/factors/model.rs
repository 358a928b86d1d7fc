//! One model's entry: identity, architecture, deployment and where all that comes from.
//! Immutable once loaded; knows neither names as they arrive nor what is computed from it.

use crate::units::BillionParameters;

use super::providers::Provider;

/// A model of one registry: an index, worth nothing under another registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub(super) u32);

/// A model and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) id: Box<str>,
    pub(super) factor_id: Box<str>,
    pub(super) provider: Provider,
    pub(super) name: Box<str>,
    pub(super) architecture: Architecture,
    pub(super) deployment: Deployment,
    pub(super) warnings: Box<[ModelWarning]>,
    pub(super) sources: Box<[Box<str>]>,
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

/// How fast a deployment was seen to answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Deployment {
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

    /// Which row of which table: `ecologits/0.11.3:openai/gpt-4o-2024-08-06`.
    #[must_use]
    pub fn factor_id(&self) -> &str {
        &self.factor_id
    }

    /// Who made the model: the first half of [`Self::id`].
    #[must_use]
    pub fn maker(&self) -> &str {
        self.id.split_once('/').map_or(&self.id, |(maker, _)| maker)
    }

    /// Under which provider the row stands.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// The name in the row, in the provider's own spelling.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is built.
    #[must_use]
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How fast it answers.
    #[must_use]
    pub const fn deployment(&self) -> Deployment {
        self.deployment
    }

    /// What limits the worth of this entry.
    #[must_use]
    pub fn warnings(&self) -> &[ModelWarning] {
        &self.warnings
    }

    /// Addresses of what the entry rests on.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(AsRef::as_ref)
    }

    /// Whether its maker has published the architecture; of such models, anyone may run a copy.
    #[must_use]
    pub fn is_released(&self) -> bool {
        !self.warnings.contains(&ModelWarning::ArchitectureNotReleased)
    }

    /// C for a released architecture, D for an assumed one.
    #[must_use]
    pub fn tier(&self) -> Tier {
        if self.is_released() { Tier::C } else { Tier::D }
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
