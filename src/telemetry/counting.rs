//! What was counted: calls, tokens, dialects, what the memory of calls holds, and the models that nobody knows.
//! Knows labels of closed sets; names that came from the network are listed, and are never a label.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::families as name;
use super::roll::Roll;
use super::tally::Tally;
use super::text::Exposition;
use super::unknown_models::UnknownModels;

/// Counts of model calls in this process.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) spans: Tally,
    pub(super) dialects: Tally,
    pub(super) unlisted: AtomicU64,
    pub(super) calls: Weights,
    pub(super) tokens: Weights,
    pub(super) unknown_models: UnknownModels,
    memories: Roll<Remembered>,
}

/// Sums of weights by one label of a closed set.
#[derive(Debug, Default)]
pub(super) struct Weights(Roll<(&'static str, AtomicWeight)>);

/// A sum of doubles that threads add to.
#[derive(Debug, Default)]
struct AtomicWeight(AtomicU64);

/// What one processor's memory of calls holds.
#[derive(Debug)]
struct Remembered {
    processor: Arc<str>,
    reports: AtomicU64,
    evicted: AtomicU64,
}

impl Weights {
    /// Adds to the sum of `label`. Adding 0 makes it stand on the metrics page.
    pub(super) fn add(&self, label: &'static str, weight: f64) {
        // The labels are far fewer than a roll holds.
        if let Some((_, sum)) = self.0.find_or_add(|(known, _)| *known == label, || (label, AtomicWeight::default())) {
            sum.add(weight);
        }
    }

    fn readings(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.0.iter().map(|(label, sum)| (*label, sum.get()))
    }
}

impl AtomicWeight {
    fn add(&self, weight: f64) {
        let added = |bits| Some((f64::from_bits(bits) + weight).to_bits());
        // The closure never refuses.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Counting {
    /// What the memory of a processor holds now, and how many reports it ever let go for want of room.
    pub(super) fn memory(&self, processor: &str, reports: u64, evicted: u64) {
        let new = || Remembered { processor: processor.into(), reports: AtomicU64::new(0), evicted: AtomicU64::new(0) };
        if let Some(known) = self.memories.find_or_add(|known| &*known.processor == processor, new) {
            known.reports.store(reports, Ordering::Relaxed);
            known.evicted.fetch_max(evicted, Ordering::Relaxed);
        }
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        text.family(name::SPANS, self.spans.readings().map(|(status, spans)| (vec![("status", status)], spans)));
        text.family(name::DIALECTS, self.dialects.readings().map(|(dialect, it)| (vec![("dialect", dialect)], it)));
        text.family(name::UNLISTED, [(vec![], self.unlisted.load(Ordering::Relaxed))]);
        text.family(name::CALLS, self.calls.readings().map(|(status, calls)| (vec![("status", status)], calls)));
        text.family(name::TOKENS, self.tokens.readings().map(|(class, tokens)| (vec![("class", class)], tokens)));
        text.family(name::UNKNOWN_MODELS, [(vec![], self.unknown_models.len())]);
        let memories = || self.memories.iter().map(|it| (vec![("processor", &*it.processor)], it));
        text.family(name::REMEMBERED, memories().map(|(labels, it)| (labels, it.reports.load(Ordering::Relaxed))));
        text.family(name::EVICTED, memories().map(|(labels, it)| (labels, it.evicted.load(Ordering::Relaxed))));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_weight_is_lost_between_threads() {
        let weights = Weights::default();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| weights.add("ok", 0.5)));
            }
        });
        assert_eq!(weights.readings().collect::<Vec<_>>(), [("ok", 2000.0)]);
    }
}
