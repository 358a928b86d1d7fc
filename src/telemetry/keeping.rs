//! How budgets are kept on disk, and how those who are to know of them are told: figures, held where they are counted.
//! Knows numbers and names of targets; nothing of files or of what is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::families as name;
use super::roll::Roll;
use super::text::Exposition;

/// The figures of a store of budgets. Cheap to clone: clones count together.
#[derive(Debug, Clone, Default)]
pub struct StoreMetrics(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    is_in_use: AtomicBool,
    bytes: AtomicU64,
    failures: AtomicU64,
    late: AtomicU64,
    forgotten: AtomicU64,
}

impl StoreMetrics {
    /// A commit is on disk, in a file of so many bytes.
    pub fn written(&self, bytes: u64) {
        self.0.is_in_use.store(true, Ordering::Relaxed);
        self.0.bytes.store(bytes, Ordering::Relaxed);
    }

    /// A commit failed.
    pub fn failed(&self) {
        self.0.is_in_use.store(true, Ordering::Relaxed);
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer waited for the disk for as long as it may, and went out.
    pub fn late(&self) {
        self.0.late.fetch_add(1, Ordering::Relaxed);
    }

    /// So many calls were forgotten before their time.
    pub fn forgotten(&self, calls: u64) {
        self.0.forgotten.store(calls, Ordering::Relaxed);
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        if !self.0.is_in_use.load(Ordering::Relaxed) {
            return;
        }
        let of = |figure: &AtomicU64| [(vec![], figure.load(Ordering::Relaxed))];
        text.family(name::STORE_BYTES, of(&self.0.bytes));
        text.family(name::STORE_FAILURES, of(&self.0.failures));
        text.family(name::STORE_LATE, of(&self.0.late));
        text.family(name::STORE_FORGOTTEN, of(&self.0.forgotten));
    }
}

/// What became of something that was to be told. A closed set: it is a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again.
    Failed,
    /// It was refused for good.
    Refused,
    /// There was no room for it to wait.
    Dropped,
}

impl Telling {
    const ALL: [Self; 4] = [Self::Delivered, Self::Failed, Self::Refused, Self::Dropped];

    const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

/// The figures of one who is told. Cheap to clone: clones count together.
#[derive(Debug, Clone)]
pub struct TargetMetrics {
    target: Arc<str>,
    counts: Arc<[AtomicU64; Telling::ALL.len()]>,
    waiting: Arc<AtomicU64>,
}

impl TargetMetrics {
    fn new(target: &str) -> Self {
        Self { target: target.into(), counts: Arc::default(), waiting: Arc::default() }
    }

    /// Counts what became of so many.
    pub fn told(&self, telling: Telling, many: usize) {
        if let Some(count) = self.counts.get(telling as usize) {
            count.fetch_add(many as u64, Ordering::Relaxed);
        }
    }

    /// So many wait.
    pub fn waiting(&self, many: usize) {
        self.waiting.store(many as u64, Ordering::Relaxed);
    }
}

/// Everybody who is told.
#[derive(Debug, Default)]
pub(super) struct Targets(Roll<TargetMetrics>);

impl Targets {
    pub(super) fn find(&self, target: &str) -> TargetMetrics {
        let found = self.0.find_or_add(|known| &*known.target == target, || TargetMetrics::new(target));
        found.cloned().unwrap_or_else(|| TargetMetrics::new(target))
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let told = self.0.iter().flat_map(|known| {
            Telling::ALL.into_iter().zip(known.counts.iter()).map(|(telling, count)| {
                (vec![("target", &*known.target), ("outcome", telling.name())], count.load(Ordering::Relaxed))
            })
        });
        text.family(name::NOTIFICATIONS, told);
        let waiting =
            self.0.iter().map(|known| (vec![("target", &*known.target)], known.waiting.load(Ordering::Relaxed)));
        text.family(name::NOTIFICATIONS_WAITING, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_told_of_once_there_is_one_and_targets_by_their_names() {
        let (store, targets, mut text) = (StoreMetrics::default(), Targets::default(), Exposition::default());
        store.encode(&mut text);
        assert!(text.finish().lines().all(|line| !line.starts_with("gramtrace")));
        store.written(120);
        store.failed();
        let target = targets.find("webhooks::0");
        target.told(Telling::Delivered, 2);
        targets.find("webhooks::0").told(Telling::Dropped, 1);
        target.waiting(3);
        let mut text = Exposition::default();
        store.encode(&mut text);
        targets.encode(&mut text);
        let page = text.finish();
        for line in [
            "gramtrace_budget_store_bytes 120",
            "gramtrace_budget_store_failures_total 1",
            "gramtrace_budget_notifications_total{target=\"webhooks::0\",outcome=\"delivered\"} 2",
            "gramtrace_budget_notifications_total{target=\"webhooks::0\",outcome=\"dropped\"} 1",
            "gramtrace_budget_notifications_waiting{target=\"webhooks::0\"} 3",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\n{page}");
        }
    }
}
