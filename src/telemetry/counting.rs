//! What was counted beside what calls took: spans by status and dialect, and the models that nobody knows.
//! Knows labels of closed sets; names that came from the network are listed, and are never a label.

use std::sync::atomic::{AtomicU64, Ordering};

use super::families as name;
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
}

impl Counting {
    pub(super) fn encode(&self, text: &mut Exposition) {
        text.family(name::SPANS, self.spans.readings().map(|(status, spans)| (vec![("status", status)], spans)));
        text.family(name::DIALECTS, self.dialects.readings().map(|(dialect, it)| (vec![("dialect", dialect)], it)));
        text.family(name::UNLISTED, [(vec![], self.unlisted.load(Ordering::Relaxed))]);
        text.family(name::UNKNOWN_MODELS, [(vec![], self.unknown_models.len())]);
    }
}
