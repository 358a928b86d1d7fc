//! One model call as it is booked: what it adds to totals, and what its receipt says.
//! Knows no attribute; what the figures rest on is the caller's type.

use std::sync::Arc;

use crate::trace::Range;
use crate::units::TokenUsage;

/// `trace_id`: 16 bytes, not all zero.
pub type TraceKey = [u8; 16];
/// `span_id`: 8 bytes, not all zero.
pub type SpanKey = [u8; 8];

/// What a report of a call does to totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the report of its call that counts.
    Counted,
    /// It brings the value of a call that was counted without one.
    Repriced,
    /// A call of whose usage nothing is known.
    WithoutUsage,
    /// A call that failed and told no usage.
    Failed,
}

/// What a call is estimated at; what is not known is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Grams of CO2e of the use phase.
    pub co2e_g: Option<Range>,
    /// Wh.
    pub energy_wh: Option<Range>,
    /// Grams of CO2e of making the machines.
    pub embodied_co2e_g: Option<Range>,
}

/// What a report adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// How.
    pub standing: Standing,
    /// Its tokens.
    pub usage: TokenUsage,
    /// Its values.
    pub figures: Figures,
}

/// A report of a model call, ready to be booked; kept, it is the call's receipt. `T` says what its figures rest on.
#[derive(Debug)]
pub struct Call<T> {
    /// Its span.
    pub span_id: SpanKey,
    /// The span above it; `None` on a root.
    pub parent_id: Option<SpanKey>,
    /// Its span's name.
    pub name: Arc<str>,
    /// Who called; empty where nobody says.
    pub service: Arc<str>,
    /// Start and end in nanoseconds since 1970; 0 where unknown.
    pub time_ns: (u64, u64),
    /// What became of it: the attribute `status`.
    pub status: &'static str,
    /// What it adds.
    pub share: Share,
    /// Registry id of its model.
    pub model: Option<Arc<str>>,
    /// What it belongs to beyond its trace.
    pub conversation: Option<Arc<str>>,
    /// What its figures rest on.
    pub terms: Arc<T>,
    /// Bytes of memory that `terms` take, where no other call shares them; else 0.
    pub own_terms_bytes: u32,
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            service: Arc::clone(&self.service),
            model: self.model.clone(),
            conversation: self.conversation.clone(),
            terms: Arc::clone(&self.terms),
            ..*self
        }
    }
}

impl<T> Call<T> {
    /// Bytes of memory that a receipt takes beside its own size, generously: names are shared by some calls. The service is
    /// not counted where `before`, which leaves with it, has the same.
    pub(super) fn heap_bytes(&self, before: Option<&Self>) -> usize {
        /// The counts of an `Arc`, and what an allocator adds.
        const OVERHEAD: usize = 32;
        let is_shared = before.is_some_and(|before| Arc::ptr_eq(&before.service, &self.service));
        let service = if is_shared { 0 } else { self.service.len() + OVERHEAD };
        let conversation = self.conversation.as_ref().map_or(0, |id| id.len() + OVERHEAD);
        self.name.len() + OVERHEAD + service + conversation + self.own_terms_bytes as usize
    }
}
