//! What is to be kept of budgets over restarts, entry by entry: read again in their order they make the same book.
//! Knows what is kept; nothing of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::CallId;
use super::period::UnixMs;
use super::state::{Standing, State};

/// Shares and calls that wait to be kept, at most: beyond them the whole book has to be kept instead.
const MAX_WAITING: usize = 100_000;
/// Bookings within this time are one entry: no period and no bucket of one begins between.
const SLOT_MS: i64 = 1000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The whole of one budget.
    Budget(String, Box<State>),
    /// What was booked.
    Booked(Booked),
    /// Which thresholds of a budget are crossed, and how fast it burns.
    Stands(String, Standing),
    /// A budget of which nothing is kept any more.
    Gone(String),
}

/// What was booked within a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Booked {
    at: UnixMs,
    /// Budget, model, service and amount.
    shares: Vec<(String, String, String, f64)>,
    /// The calls, where they are kept.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    calls: Vec<CallId>,
}

/// What waits to be kept.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entries: Vec<Entry>,
    /// The bookings of the second that goes on.
    open: Open,
    /// Whether entries are missing.
    is_short: bool,
    many: usize,
}

#[derive(Debug, Default)]
struct Open {
    at: UnixMs,
    shares: BTreeMap<(String, String, String), f64>,
    calls: Vec<CallId>,
}

/// What waited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// In their order.
    pub entries: Vec<Entry>,
    /// Bookings up to this one are in it.
    pub booking: u64,
    /// Whether entries are missing, so that only the whole book will do.
    pub is_short: bool,
}

impl Entry {
    /// The latest time that it knows of; none where it knows of none.
    #[must_use]
    pub const fn at(&self) -> Option<UnixMs> {
        match self {
            Self::Budget(_, state) => Some(state.latest()),
            Self::Booked(booked) => Some(booked.at),
            Self::Stands(..) | Self::Gone(_) => None,
        }
    }
}

impl Booked {
    pub(super) fn of_calls(at: UnixMs, calls: Vec<CallId>) -> Self {
        Self { at, shares: Vec::new(), calls }
    }

    pub(super) const fn at(&self) -> UnixMs {
        self.at
    }

    pub(super) fn shares(&self) -> impl Iterator<Item = (&str, (&str, &str), f64)> {
        self.shares.iter().map(|(budget, model, service, amount)| (&**budget, (&**model, &**service), *amount))
    }

    pub(super) fn calls(&self) -> &[CallId] {
        &self.calls
    }
}

impl Waiting {
    pub(super) fn push(&mut self, entry: Entry) {
        self.close();
        self.count();
        if !self.is_short {
            self.entries.push(entry);
        }
    }

    pub(super) fn book(&mut self, budget: &str, who: (&str, &str), amount: f64, now: UnixMs) {
        self.open_at(now);
        let key = (budget.to_owned(), who.0.to_owned(), who.1.to_owned());
        let before = self.open.shares.len();
        *self.open.shares.entry(key).or_default() += amount;
        if self.open.shares.len() > before {
            self.count();
        }
    }

    pub(super) fn call(&mut self, call: CallId, now: UnixMs) {
        self.open_at(now);
        self.count();
        if !self.is_short {
            self.open.calls.push(call);
        }
    }

    /// What waits no longer, because the whole of this budget is kept.
    pub(super) fn drop_budget(&mut self, name: &str) {
        self.close();
        for entry in &mut self.entries {
            if let Entry::Booked(booked) = entry {
                booked.shares.retain(|(budget, ..)| budget != name);
            }
        }
        self.entries.retain(|entry| match entry {
            Entry::Budget(budget, _) | Entry::Stands(budget, _) | Entry::Gone(budget) => budget != name,
            Entry::Booked(booked) => !booked.shares.is_empty() || !booked.calls.is_empty(),
        });
    }

    pub(super) fn take(&mut self, booking: u64) -> Taken {
        self.close();
        let Self { entries, is_short, .. } = std::mem::take(self);
        Taken { entries, booking, is_short }
    }

    fn open_at(&mut self, now: UnixMs) {
        if self.open.at.div_euclid(SLOT_MS) != now.div_euclid(SLOT_MS) {
            self.close();
        }
        self.open.at = now;
    }

    fn close(&mut self) {
        let Open { at, shares, calls } = std::mem::take(&mut self.open);
        if (shares.is_empty() && calls.is_empty()) || self.is_short {
            return;
        }
        let shares = shares.into_iter().map(|((budget, model, service), amount)| (budget, model, service, amount));
        self.entries.push(Entry::Booked(Booked { at, shares: shares.collect(), calls }));
    }

    fn count(&mut self) {
        self.many += 1;
        if self.many > MAX_WAITING {
            self.fall_short();
        }
    }

    /// From now on only the whole book will do.
    pub(super) fn fall_short(&mut self) {
        *self = Self { is_short: true, many: self.many, ..Self::default() };
    }
}
