//! What was counted beside what calls took: spans by status and dialect, what the memory of calls holds, and the models that nobody knows.
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
    pub(super) unknown_models: UnknownModels,
    memories: Roll<Remembered>,
}

/// What one processor's memory of calls holds.
#[derive(Debug)]
struct Remembered {
    processor: Arc<str>,
    reports: AtomicU64,
    evicted: AtomicU64,
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
        text.family(name::UNKNOWN_MODELS, [(vec![], self.unknown_models.len())]);
        let memories = || self.memories.iter().map(|it| (vec![("processor", &*it.processor)], it));
        text.family(name::REMEMBERED, memories().map(|(labels, it)| (labels, it.reports.load(Ordering::Relaxed))));
        text.family(name::EVICTED, memories().map(|(labels, it)| (labels, it.evicted.load(Ordering::Relaxed))));
    }
}
