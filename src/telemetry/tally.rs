//! Counts by one label of a closed set. Knows nothing of what is counted.
//! Advice for changes: counting takes no lock and, once a label is known, allocates nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::roll::{OTHER, Roll};

/// Counts by one label of a closed set.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Roll<(&'static str, AtomicU64)>,
    other: AtomicU64,
}

impl Tally {
    pub(super) fn add(&self, label: &'static str, amount: u64) {
        let count = self.counts.find_or_add(|(known, _)| *known == label, || (label, AtomicU64::new(0)));
        count.map_or(&self.other, |(_, count)| count).fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn readings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let other = self.other.load(Ordering::Relaxed);
        let counts = self.counts.iter().map(|(label, count)| (*label, count.load(Ordering::Relaxed)));
        counts.chain((other > 0).then_some((OTHER, other)))
    }
}
