//! What calls took, by who made them: energy, CO2e, tokens, calls. Sums that only grow, by labels with caps. Knows names of
//! labels and numbers; where they come from is for who books.

mod labels;
mod page;
mod push;
mod row;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use smallvec::SmallVec;

use super::text::{Exposition, TextFormat};
use crate::units::Sum;
use labels::Schema;
pub(super) use push::{INSTRUMENTS, register};
use row::Row;
use table::Table;

/// By what calls are told apart beside service, provider, model, zone and tier, and how many values that may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmissionSettings {
    /// The names of more labels, each with how many values of it are told apart. A name is one of Prometheus', and none
    /// that is used already.
    pub labels: Vec<(String, usize)>,
    /// How many services are told apart.
    pub max_services: usize,
    /// How many combinations of labels are told apart in full. As many again may stand without service and `labels`.
    pub max_series: usize,
}

impl Default for EmissionSettings {
    fn default() -> Self {
        Self { labels: Vec::new(), max_services: 200, max_series: 2000 }
    }
}

/// What some acknowledged calls with the same labels took. Empty texts are not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking<'a> {
    /// `service`, `provider`, `model`, `zone`, `tier`.
    pub labels: [&'a str; 5],
    /// The values of the configured labels, in their order.
    pub more_labels: &'a [Box<str>],
    /// By status: a closed set.
    pub calls: SmallVec<[(&'static str, f64); 2]>,
    /// By class: a closed set.
    pub tokens: SmallVec<[(&'static str, f64); 5]>,
    /// In joules; `None` adds to no sum.
    pub energy_j: Option<Sum>,
    /// In grams: value, low, high.
    pub co2e_g: Option<[Sum; 3]>,
    /// In grams.
    pub embodied_co2e_g: Option<Sum>,
    /// One of the calls.
    pub exemplar: Option<Exemplar>,
}

/// One call to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// The trace it is in.
    pub trace_id: [u8; 16],
    /// Its span.
    pub span_id: [u8; 8],
    /// What it emitted, in grams.
    pub co2e_g: f64,
    /// What it took in joules, where that is known.
    pub energy_j: Option<f64>,
}

/// Every sum of this process.
#[derive(Debug, Default)]
pub(super) struct Emissions(Mutex<Table>);

/// Where the calls of one processor are booked. Cheap to clone: clones book together.
#[derive(Debug, Clone)]
pub struct EmissionBook {
    emissions: Arc<Emissions>,
    schema: Arc<Schema>,
}

impl EmissionBook {
    pub(super) fn open(emissions: &Arc<Emissions>, settings: &EmissionSettings) -> Self {
        let schema = emissions.lock().schema(settings);
        Self { emissions: Arc::clone(emissions), schema }
    }

    /// Books the calls of one acknowledged request. It is uncertain where the backend rejected some of its spans and did
    /// not say which.
    pub fn add<'a>(&self, bookings: impl IntoIterator<Item = Booking<'a>>, is_uncertain: bool, now: SystemTime) {
        let mut table = self.emissions.lock();
        for booking in bookings {
            table.add(&self.schema, &booking, is_uncertain, now);
        }
    }
}

impl Emissions {
    /// Whoever panicked with the table in hand had added a part of one request.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows as they are now, in the order of their labels. Held up for as long as copying takes, and no longer.
    fn rows(&self) -> Vec<Row> {
        let mut rows = self.lock().rows().to_vec();
        rows.sort_unstable_by(|one, other| one.labels.rendered.cmp(&other.labels.rendered));
        rows
    }

    /// The most series that one of its metrics may ever have.
    pub(super) fn capacity(&self) -> usize {
        self.lock().capacity()
    }

    /// Counts of what is uncertain and of what found no room.
    pub(super) fn encode_books(&self, exposition: &mut Exposition) {
        self.lock().encode_books(exposition);
    }

    /// The sums as text.
    pub(super) fn encode(&self, format: TextFormat, text: &mut String) {
        page::write(&self.rows(), format, text);
    }
}

/// A family of sums, under both of its names.
#[derive(Debug, Clone, Copy)]
pub(super) struct SumFamily {
    /// Without `_total`.
    pub(super) name: &'static str,
    /// The unit where Prometheus' name ends in one.
    unit: Option<&'static str>,
    help: &'static str,
    /// Over OTLP.
    pub(super) dotted: &'static str,
    /// <https://ucum.org/ucum>
    ucum: &'static str,
    figure: Figure,
}

/// Which figures of a row stand in a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Energy,
    /// Value, low or high.
    Co2e(usize),
    Embodied,
    /// By `class`.
    Tokens,
    /// By `status`.
    Calls,
}

const fn grams(name: &'static str, dotted: &'static str, figure: Figure, help: &'static str) -> SumFamily {
    SumFamily { name, unit: Some("grams"), help, dotted, ucum: "g", figure }
}

/// The names are a contract with dashboards, rules and budgets.
pub(super) const FAMILIES: [SumFamily; 7] = [
    SumFamily {
        name: "gramtrace_energy_joules",
        unit: Some("joules"),
        help: "Energy of counted calls, with that of the data centre around the machine.",
        dotted: "gramtrace.energy",
        ucum: "J",
        figure: Figure::Energy,
    },
    grams(
        "gramtrace_co2e_grams",
        "gramtrace.co2e",
        Figure::Co2e(0),
        "CO2e of the use of counted calls, location-based.",
    ),
    grams(
        "gramtrace_co2e_low_grams",
        "gramtrace.co2e_low",
        Figure::Co2e(1),
        "The low end of gramtrace_co2e_grams_total.",
    ),
    grams(
        "gramtrace_co2e_high_grams",
        "gramtrace.co2e_high",
        Figure::Co2e(2),
        "The high end of gramtrace_co2e_grams_total.",
    ),
    grams(
        "gramtrace_embodied_co2e_grams",
        "gramtrace.embodied_co2e",
        Figure::Embodied,
        "Share of counted calls in making the hardware; never inside gramtrace_co2e_grams_total.",
    ),
    SumFamily {
        name: "gramtrace_tokens",
        unit: None,
        help: "Tokens of counted calls by class; the classes are disjoint. Sampled calls weigh by their adjusted count.",
        dotted: "gramtrace.tokens",
        ucum: "{tokens}",
        figure: Figure::Tokens,
    },
    SumFamily {
        name: "gramtrace_calls",
        unit: None,
        help: "Model calls by the status of the report that stands for them; sampled ones weigh by their adjusted count.",
        dotted: "gramtrace.calls",
        ucum: "{calls}",
        figure: Figure::Calls,
    },
];
