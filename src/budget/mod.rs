//! Budgets of CO2e or energy: what was consumed in a period, against a limit. Bookings are those of acknowledged calls.
//! Knows amounts and time, which is passed in; nothing of spans, of configuration, or of who is told.

mod period;
mod ring;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use period::{CalendarUnit, Period, Rolling, UnixMs, unix_ms};
use state::State;
pub use state::{BURN_FACTORS, Change};

use crate::units::Amount;

/// One budget.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetSettings {
    /// What it is called, everywhere.
    pub name: String,
    /// What may be consumed in a period.
    pub limit: Amount,
    /// The time that it is for.
    pub period: Period,
    /// In percent of the limit, ascending, above 0.
    pub thresholds: Vec<f64>,
    /// Whether burn rates are watched.
    pub burn_rates: bool,
    /// Which number of a range counts, where the limit is of CO2e.
    pub count: Count,
}

/// A number of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// The least that it may be.
    Low,
    /// The estimate.
    #[default]
    Value,
    /// The most that it may be.
    High,
}

/// What calls of one model and service took, for the budgets that they fall into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Consumption<'a> {
    /// The names of the budgets.
    pub budgets: &'a [Arc<str>],
    /// In grams: low, value, high.
    pub co2e_g: [f64; 3],
    /// In watt-hours; 0 where it is not known.
    pub energy_wh: f64,
    /// The registry's id.
    pub model: &'a str,
    /// `service.name`.
    pub service: &'a str,
}

/// How a budget stands. Numbers are in grams or watt-hours, as its limit is.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// In the period so far.
    pub consumed: f64,
    /// At the end of the calendar period, at the average so far: of its first tenth, at the average of the last tenth of a
    /// period, which reaches back into the one before, since a minute says nothing of a month. Of a rolling one, a period
    /// from now at the average of its last tenth.
    pub forecast: f64,
    /// How fast, over each pair of windows.
    pub burn: [Window; BURN_FACTORS.len()],
    /// The models that consumed most, with what: of the period, of a rolling one of up to two.
    pub models: Vec<(String, f64)>,
    /// The services, likewise.
    pub services: Vec<(String, f64)>,
}

/// A pair of windows. A rate of 1 consumes the limit in just the period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window {
    /// The rate from which on it is too fast.
    pub factor: f64,
    /// The longer window, in milliseconds.
    pub long_ms: i64,
    /// The shorter one.
    pub short_ms: i64,
    /// The rate over the longer one.
    pub long_rate: f64,
    /// The rate over the shorter one.
    pub short_rate: f64,
}

/// Every budget of a process, shared by all that book.
#[derive(Debug, Clone, Default)]
pub struct Budgets(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    settings: BTreeMap<String, BudgetSettings>,
    /// By name, also of budgets that are not in force: one that comes back goes on.
    states: BTreeMap<String, State>,
}

impl Budgets {
    /// These are in force from `now` on. What was consumed stays, unless it is of another unit or for another period:
    /// gives the names of those that begin anew, since what they had consumed is not what they count now. A limit, a time
    /// zone, thresholds and the number of the range that counts change nothing of what was consumed.
    pub fn apply(&self, settings: Vec<BudgetSettings>, now: UnixMs) -> Vec<String> {
        let mut book = self.lock();
        let mut anew = Vec::new();
        for budget in &settings {
            match book.states.get_mut(&budget.name) {
                Some(state) if state.fits(budget) => state.go_on(budget, now),
                other => {
                    anew.extend(other.is_some().then(|| budget.name.clone()));
                    book.states.insert(budget.name.clone(), State::new(budget, now));
                }
            }
        }
        book.settings = settings.into_iter().map(|budget| (budget.name.clone(), budget)).collect();
        anew
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().settings.is_empty()
    }

    /// Books what acknowledged calls took.
    pub fn add<'a>(&self, consumptions: impl IntoIterator<Item = Consumption<'a>>, now: UnixMs) {
        let mut book = self.lock();
        let Book { settings, states } = &mut *book;
        for consumption in consumptions {
            for budget in consumption.budgets.iter().filter_map(|name| settings.get(&**name)) {
                if let Some(state) = states.get_mut(&budget.name) {
                    state.add(budget.of(&consumption), (consumption.model, consumption.service), now);
                }
            }
        }
    }

    /// Every budget and how it stands, in the order of their names.
    #[must_use]
    pub fn statuses(&self, now: UnixMs) -> Vec<(BudgetSettings, Status)> {
        let mut book = self.lock();
        let Book { settings, states } = &mut *book;
        let status =
            |budget: &BudgetSettings| Some((budget.clone(), states.get_mut(&budget.name)?.status(budget, now)));
        settings.values().filter_map(status).collect()
    }

    /// What has changed since this was last asked, by the name of the budget.
    pub fn changes(&self, now: UnixMs) -> Vec<(String, Change)> {
        let mut book = self.lock();
        let Book { settings, states } = &mut *book;
        let mut changes = Vec::new();
        for budget in settings.values() {
            let of_budget = states.get_mut(&budget.name).map(|state| state.changes(budget, now)).unwrap_or_default();
            changes.extend(of_budget.into_iter().map(|change| (budget.name.clone(), change)));
        }
        changes
    }

    /// Whoever panicked with the book in hand had booked a part of one request.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetSettings {
    /// What of a consumption counts here.
    fn of(&self, consumption: &Consumption<'_>) -> f64 {
        let [low, value, high] = consumption.co2e_g;
        match (self.limit, self.count) {
            (Amount::Energy(_), _) => consumption.energy_wh,
            (Amount::Co2e(_), Count::Low) => low,
            (Amount::Co2e(_), Count::Value) => value,
            (Amount::Co2e(_), Count::High) => high,
        }
    }
}
