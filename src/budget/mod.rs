//! Budgets of CO2e or energy: what was consumed in a period, against a limit. Bookings are those of acknowledged calls.
//! Knows amounts and time, which is passed in; nothing of spans, of configuration, or of who is told.

mod alarm;
mod book;
mod calls;
mod clock;
mod entry;
mod period;
mod ring;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use alarm::{Alarm, BURNS, Burn, Change, Severity};
use book::Book;
pub use calls::{CALL_TTL_MS, CALLS_BYTES, CallId, CallScope};
pub use clock::ClockNews;
pub use entry::{Booked, Entry, Taken};

pub use period::{CalendarUnit, Period, Rolling, UnixMs, unix_ms};
pub use state::{Standing, State};

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
    /// Where it is one call that is to be booked once whoever reports it again: its ids.
    pub call: Option<CallId>,
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
    pub burn: [Window; BURNS.len()],
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

/// Something that has just become so, or no longer is, with how the budget stands.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// What it is about.
    pub budget: BudgetSettings,
    /// How it stands.
    pub status: Status,
    /// What has changed.
    pub change: Change,
    /// When that was seen.
    pub at: UnixMs,
}

/// Something that is so.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// What it is about.
    pub budget: BudgetSettings,
    /// How it stands.
    pub status: Status,
    /// What is so.
    pub what: Alarm,
    /// Since when.
    pub since: UnixMs,
}

/// Every budget of a process, shared by all that book. No one holds it for longer than one budget takes, unless to book.
#[derive(Debug, Clone, Default)]
pub struct Budgets(Arc<Mutex<Book>>);

impl Budgets {
    /// These are in force from `now` on. What was consumed stays, unless it is of another unit or for another period:
    /// gives the names of those that begin anew, since what they had consumed is not what they count now. A limit, a time
    /// zone, thresholds and the number of the range that counts change nothing of what was consumed. What a budget that is
    /// gone had consumed is kept for two of its periods, in case that it comes back; what it had fired ends.
    pub fn apply(&self, settings: Vec<BudgetSettings>, now: UnixMs) -> Vec<String> {
        self.lock().apply(settings, now)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().settings.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().settings.is_empty()
    }

    /// Whether there is none, and nothing to tell of one that is gone.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let book = self.lock();
        book.settings.is_empty() && book.removed.is_empty()
    }

    /// Books what acknowledged calls took. Calls of the same model, service and budgets that follow each other are booked in
    /// each budget together, so that one request holds the book for no longer than it has of those. Gives the number of
    /// the booking, which is in [`Taken::booking`] once it is kept.
    pub fn add<'a>(&self, consumptions: impl IntoIterator<Item = Consumption<'a>>, now: UnixMs) -> u64 {
        let mut book = self.lock();
        let mut together: Option<Consumption<'a>> = None;
        for consumption in consumptions {
            if !book.is_new(consumption.call, now) {
                continue;
            }
            match &mut together {
                Some(together) if together.is_like(&consumption) => together.merge(&consumption),
                _ => {
                    if let Some(before) = together.replace(consumption) {
                        book.add(&before, now);
                    }
                }
            }
        }
        if let Some(last) = together {
            book.add(&last, now);
        }
        book.booking += 1;
        book.booking
    }

    /// Looks at the clock, to be asked every second or so. One that is set back stands still here until it has caught up, or
    /// has run on for ten minutes: then what was booked is taken for as long ago as it was.
    pub fn look_at_clock(&self, now: UnixMs) -> Option<ClockNews> {
        self.lock().look_at_clock(now)
    }

    /// The number of the last booking.
    #[must_use]
    pub fn last_booking(&self) -> u64 {
        self.lock().booking
    }

    /// Every budget and how it stands, in the order of their names.
    #[must_use]
    pub fn statuses(&self, now: UnixMs) -> Vec<(BudgetSettings, Status)> {
        let status = |name: &String| self.lock().status(name, now);
        self.names().iter().filter_map(status).collect()
    }

    /// What has changed since this was last asked.
    pub fn changes(&self, now: UnixMs) -> Vec<News> {
        let mut news = std::mem::take(&mut self.lock().removed);
        for name in self.names() {
            news.extend(self.lock().changes(&name, now));
        }
        news
    }

    /// Everything that fires, in the order of the budgets' names.
    #[must_use]
    pub fn firing(&self, now: UnixMs) -> Vec<Firing> {
        self.names().iter().flat_map(|name| self.lock().firing(name, now)).collect()
    }

    /// Whether a budget is exceeded: as of the last time that [`Budgets::changes`] was asked. Waits for nobody to be read.
    #[must_use]
    pub fn exceeded(&self, name: &str) -> Arc<AtomicBool> {
        Arc::clone(self.lock().exceeded.entry(name.to_owned()).or_default())
    }

    /// From now on what is booked waits to be kept: [`Budgets::take`] has to be asked now and then.
    pub fn keep(&self) {
        self.lock().waiting.get_or_insert_default();
    }

    /// What waits to be kept. It waits no longer.
    #[must_use]
    pub fn take(&self) -> Taken {
        let mut book = self.lock();
        let booking = book.booking;
        book.waiting.as_mut().map(|waiting| waiting.take(booking)).unwrap_or_default()
    }

    /// The whole book but what is booked meanwhile, entry by entry. With what [`Budgets::take`] gives afterwards it is
    /// everything; each entry is made while the others are booked in.
    pub fn whole(&self, mut each: impl FnMut(Entry)) {
        let names: Vec<String> = self.lock().states.keys().cloned().collect();
        for name in names {
            let entry = self.lock().whole(&name);
            entry.into_iter().for_each(&mut each);
        }
        let mut place = 0;
        loop {
            let (calls, next) = self.lock().calls.from(place, CALLS_AT_ONCE);
            if calls.is_empty() {
                return;
            }
            place = next;
            let mut by_time: BTreeMap<UnixMs, Vec<CallId>> = BTreeMap::new();
            calls.into_iter().for_each(|(at, call)| by_time.entry(at).or_default().push(call));
            by_time.into_iter().for_each(|(at, calls)| each(Entry::Booked(Booked::of_calls(at, calls))));
        }
    }

    /// Does again what an entry says was done. To be called before anything is booked.
    pub fn restore(&self, entry: Entry) {
        self.lock().restore(entry);
    }

    /// Calls that were forgotten before their time, for want of room.
    #[must_use]
    pub fn forgotten_calls(&self) -> u64 {
        self.lock().calls.evicted()
    }

    fn names(&self) -> Vec<String> {
        self.lock().settings.keys().cloned().collect()
    }

    /// Whoever panicked with the book in hand had booked a part of one request.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumption<'_> {
    /// Whether both are of the same model, service and budgets.
    fn is_like(&self, other: &Self) -> bool {
        let is_same = std::ptr::eq(self.budgets, other.budgets) || self.budgets == other.budgets;
        is_same && self.model == other.model && self.service == other.service
    }

    fn merge(&mut self, other: &Self) {
        self.energy_wh += other.energy_wh;
        self.co2e_g.iter_mut().zip(other.co2e_g).for_each(|(sum, grams)| *sum += grams);
    }
}

/// How many calls are copied while others wait.
const CALLS_AT_ONCE: usize = 10_000;

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
