//! What a span says about a model call: its role, its usage, the names of its model; and which of several reports
//! of one call counts. Knows attributes and spans; nothing of factors, energy or carbon.

mod calls;
mod dialect;
mod keys;
mod lineage;
mod memory;
mod report;
mod role;
mod sampling;
mod span;
mod tokens;
mod verdict;

use crate::keyed;
pub use crate::keyed::{Hashed, HashedHasher, Keyed, KeyedHasher};
pub use calls::Calls;
pub use dialect::Dialect;
pub use keys::{Extensions, KeyTable, Meaning, RoleRule};
pub use lineage::{Found, Lineage, SpanKey};
pub use memory::{Batch, Claims, Memory, MemoryLevel, MemorySettings, Settled};
#[cfg(test)]
use report::made;
pub use report::{Fingerprint, Fingerprints, Report, SpanId, TraceId, Verdict};
pub use role::{Role, RoleRules};
pub use sampling::adjusted_count;
pub use span::{Hits, Meanings, SpanFields, scan, tells};
pub use tokens::{RawTokens, inclusive};
pub use verdict::{Standing, decide};

/// What became of a span of the GenAI kind. The names are a contract: only `ok` (and the unknowns, for tokens) may be
/// summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Counted, with tokens and values.
    Ok,
    /// Counted, with tokens; no factor is known for its model.
    UnknownModel,
    /// Counted, with tokens; it names no model.
    NoModel,
    /// A model call without usage: nothing is estimated.
    NoTokens,
    /// A failed call without usage.
    Error,
    /// Repeats what its children report.
    Aggregate,
    /// Another report of a call that was counted.
    Duplicate,
    /// A later report that brings the value which the first one lacked: values, no tokens.
    Repriced,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::UnknownModel,
        Self::NoModel,
        Self::NoTokens,
        Self::Error,
        Self::Aggregate,
        Self::Duplicate,
        Self::Repriced,
    ];

    /// The value of the attribute `status`, and of the label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::UnknownModel => "unknown_model",
            Self::NoModel => "no_model",
            Self::NoTokens => "no_tokens",
            Self::Error => "error",
            Self::Aggregate => "aggregate",
            Self::Duplicate => "duplicate",
            Self::Repriced => "repriced",
        }
    }

    /// Whether the span stands for a call, counted or not: no other report of it does.
    #[must_use]
    pub const fn is_call(self) -> bool {
        self.counts() || matches!(self, Self::NoTokens | Self::Error)
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the span is one call of those that are counted.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Ok | Self::UnknownModel | Self::NoModel)
    }
}
