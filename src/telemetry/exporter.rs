//! The counters of exporters: what became of the items that each was given, and how often it sent something.
//! Knows nothing of transports; a reading of one exporter and signal adds up at every moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::families as name;
use super::flow::{Flows, InFlight, Level, Loss, place};
use super::metrics::Figure;
use super::text::{Exposition, Family};
use crate::otlp::Signal;

/// Why something is sent to a backend. A closed set: it is a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A request as it came.
    First,
    /// The same again, after the backend asked to come back or could not be reached.
    Retry,
    /// A part of a request that was too large.
    Part,
}

impl Attempt {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::First, Self::Retry, Self::Part];

    /// The reason as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Part => "part",
        }
    }
}

/// The counters of one exporter. Cheap to clone: clones count together.
#[derive(Debug, Clone)]
pub struct ExporterMetrics {
    exporter: Arc<str>,
    flows: Arc<Flows>,
    /// By signal, each in the order of [`Attempt::ALL`].
    attempts: Arc<[[AtomicU64; Attempt::ALL.len()]; Signal::ALL.len()]>,
}

impl ExporterMetrics {
    pub(super) fn new(exporter: &str) -> Self {
        Self { exporter: exporter.into(), flows: Arc::default(), attempts: Arc::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.exporter
    }

    /// Counts items that are about to be sent. They are sent when they are said to be acknowledged, but for those
    /// that the backend rejected, else failed.
    pub fn send(&self, signal: Signal, items: u64) -> InFlight {
        InFlight::admit(Arc::clone(&self.flows), signal, items)
    }

    /// Counts one sending to the backend, whatever comes of it.
    pub fn attempt(&self, signal: Signal, attempt: Attempt) {
        let of_signal = self.attempts.get(place(signal)).into_iter().flatten();
        if let Some((_, count)) = Attempt::ALL.iter().zip(of_signal).find(|(known, _)| **known == attempt) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn label(&self) -> (&'static str, &str) {
        ("exporter", &self.exporter)
    }

    fn labels_with<'a>(&'a self, signal: Signal, key: &'static str, value: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![self.label(), ("signal", signal.name()), (key, value)]
    }

    fn attempt_samples(&self) -> impl Iterator<Item = (Vec<(&'static str, &str)>, u64)> {
        Signal::ALL.into_iter().zip(&*self.attempts).flat_map(move |(signal, counts)| {
            Attempt::ALL.into_iter().zip(counts).map(move |(attempt, count)| {
                (self.labels_with(signal, "attempt", attempt.name()), count.load(Ordering::Relaxed))
            })
        })
    }

    fn loss_samples(&self, levels: &[Level]) -> Vec<(Vec<(&'static str, &str)>, u64)> {
        let lost = |(signal, level): (Signal, &Level)| {
            Loss::ALL.into_iter().zip(level.lost).map(move |(loss, items)| (signal, loss, items))
        };
        let samples = Signal::ALL.into_iter().zip(levels).flat_map(lost);
        samples.map(|(signal, loss, items)| (self.labels_with(signal, "reason", loss.name()), items)).collect()
    }
}

/// Writes everything there is to say of `exporters`.
pub(super) fn encode(exporters: &[&ExporterMetrics], text: &mut Exposition) {
    // One reading a flow, so that the figures of one scrape add up.
    let levels: Vec<_> = exporters.iter().map(|known| Signal::ALL.map(|signal| known.flows.level(signal))).collect();
    let read = || exporters.iter().zip(&levels);
    for signal in Signal::ALL {
        let at = place(signal);
        text.family(name::SENT[at], read().map(|(known, level)| (vec![known.label()], level[at].passed)));
        text.family(name::SEND_FAILED[at], read().map(|(known, level)| (vec![known.label()], level[at].failed)));
    }
    let figures: [(Family, Figure); 3] = [
        (name::ADMITTED, |level| level.admitted),
        (name::REJECTED, |level| level.rejected),
        (name::UNDERWAY, |level| level.in_flight),
    ];
    for (family, figure) in figures {
        let samples = read().flat_map(|(known, level)| {
            Signal::ALL.map(|signal| (vec![known.label(), ("signal", signal.name())], figure(level[place(signal)])))
        });
        text.family(family, samples);
    }
    text.family(name::LOST, read().flat_map(|(known, levels)| known.loss_samples(levels)));
    text.family(name::ATTEMPTS, exporters.iter().flat_map(|known| known.attempt_samples()));
    let queued = exporters
        .iter()
        .flat_map(|known| Signal::ALL.map(|signal| (vec![known.label(), ("data_type", signal.name())], 0)));
    text.family(name::QUEUED, queued);
}
