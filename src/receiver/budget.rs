//! The memory that requests in flight may take, one budget for the whole process: a request reserves before its memory
//! grows, and gives back when it ends. Knows bytes; nothing of requests. Reserving is one atomic operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::{MemoryLevels, Metrics};

/// How much requests may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// What is reserved never exceeds this many bytes.
    pub hard_bytes: u64,
    /// A request that would take more than this many bytes, with those that are in flight, does not begin.
    pub soft_bytes: u64,
}

impl BudgetSettings {
    /// No limit.
    pub const UNLIMITED: Self = Self { hard_bytes: u64::MAX, soft_bytes: u64::MAX };
}

/// The budget. Cheap to clone: clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    soft: AtomicU64,
    /// The limit and what is reserved, which the metrics page shows.
    levels: Arc<MemoryLevels>,
}

impl Budget {
    /// A budget without a limit, shown in `metrics`.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(Ledger { soft: AtomicU64::new(u64::MAX), levels: metrics.memory_levels() }))
    }

    /// Changes the limits; what is reserved stays reserved.
    pub fn set(&self, settings: BudgetSettings) {
        self.0.soft.store(settings.soft_bytes, Ordering::Relaxed);
        self.0.levels.limit(settings.hard_bytes);
    }

    /// Whether `bytes` more would stay within the soft limit now.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.0.levels.reserved().saturating_add(bytes) <= self.0.soft.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, where the hard limit allows it.
    pub(super) fn reserve(&self, bytes: u64) -> bool {
        self.0.levels.reserve(bytes)
    }

    pub(super) fn release(&self, bytes: u64) {
        self.0.levels.release(bytes);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(&Metrics::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_never_exceeds_the_hard_limit_and_what_begins_stays_below_the_soft_one() {
        let budget = Budget::default();
        budget.set(BudgetSettings { hard_bytes: 100, soft_bytes: 80 });
        assert!(budget.has_room(80) && !budget.has_room(81));
        assert!(budget.reserve(70));
        assert!(budget.has_room(10) && !budget.has_room(11));
        assert!(!budget.reserve(31) && budget.reserve(30));
        assert!(!budget.has_room(0), "over the soft limit nothing begins");
        budget.release(100);
        assert!(budget.has_room(80));
    }

    #[test]
    fn a_lower_limit_takes_nothing_away_and_no_sum_overflows() {
        let budget = Budget::default();
        assert!(budget.reserve(u64::MAX - 1) && !budget.reserve(2));
        budget.set(BudgetSettings { hard_bytes: 10, soft_bytes: 5 });
        assert!(!budget.reserve(1) && !budget.has_room(u64::MAX));
        budget.release(u64::MAX - 1);
        assert!(budget.reserve(10));
    }
}
