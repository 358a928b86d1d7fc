//! What can be asked of the ledger, copied out of it: a trace, a conversation, and why there is none.
//! Knows neither JSON nor transports.

use std::sync::Arc;

use super::account::Account;
use super::call::{Call, TraceKey};
use super::departed::Departure;

/// Why something is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// No model call of it was acknowledged, or so long ago that not even that is remembered.
    NeverSeen,
    /// It was forgotten at the end of its time.
    Expired,
    /// It left for want of room.
    Evicted,
}

impl Absence {
    /// The word for it in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
        }
    }
}

impl From<Option<Departure>> for Absence {
    fn from(departure: Option<Departure>) -> Self {
        match departure {
            None => Self::NeverSeen,
            Some(Departure::Expired) => Self::Expired,
            Some(Departure::Evicted) => Self::Evicted,
        }
    }
}

/// A trace in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its id.
    pub trace_id: TraceKey,
    /// Its totals.
    pub account: Account,
    /// Registry ids of the models that were used, in the order in which they came.
    pub models: Vec<Arc<str>>,
    /// Whether there were more of them than are kept.
    pub more_models: bool,
    /// The first start and the last end of its calls in nanoseconds since 1970; 0 where unknown.
    pub time_ns: (u64, u64),
    /// When something of it was booked last, in milliseconds on the ledger's clock.
    pub touched_ms: u64,
}

/// A trace by itself.
#[derive(Debug, Clone)]
pub struct TraceView<T> {
    /// What a list says of it.
    pub listed: Listed,
    /// The receipts that are kept, in the order in which their calls started.
    pub calls: Vec<Call<T>>,
    /// How many receipts are not: they are of the trace's later calls, or left for those of newer traces.
    pub missing: u32,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationView {
    /// Its totals.
    pub account: Account,
    /// The traces that it went over, the newest last; the oldest are left out where they are many.
    pub traces: Vec<TraceKey>,
    /// Whether there were more.
    pub more_traces: bool,
    /// The first start and the last end of its calls in nanoseconds since 1970; 0 where unknown.
    pub time_ns: (u64, u64),
    /// When something of it was booked last, in milliseconds on the ledger's clock.
    pub touched_ms: u64,
}
