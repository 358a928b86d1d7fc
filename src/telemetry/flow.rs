//! Items on their way through one component: what came in is what left, failed, was rejected, or is still inside.
//! Knows nothing of names and labels. Advice for changes: an item is admitted before it is settled, and a reader
//! loads the settled counts first, so what is still inside is never negative, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::otlp::Signal;

/// The counts of one component and one signal. They only grow.
#[derive(Debug, Default)]
struct Flow {
    admitted: AtomicU64,
    passed: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
}

/// One reading of a flow: `admitted = passed + failed + rejected + in_flight`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) admitted: u64,
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) rejected: u64,
    pub(super) in_flight: u64,
}

/// The flows of one component, a signal each.
#[derive(Debug, Default)]
pub(super) struct Flows([Flow; Signal::ALL.len()]);

/// Where a signal stands in an array that has a place for each.
pub(super) const fn place(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

impl Flows {
    pub(super) fn admit(&self, signal: Signal, items: u64) {
        self.of(signal).admitted.fetch_add(items, Ordering::Relaxed);
    }

    pub(super) fn pass(&self, signal: Signal, items: u64) {
        self.of(signal).passed.fetch_add(items, Ordering::Release);
    }

    pub(super) fn fail(&self, signal: Signal, items: u64) {
        self.of(signal).failed.fetch_add(items, Ordering::Release);
    }

    pub(super) fn reject(&self, signal: Signal, items: u64) {
        self.of(signal).rejected.fetch_add(items, Ordering::Release);
    }

    pub(super) fn level(&self, signal: Signal) -> Level {
        let flow = self.of(signal);
        let passed = flow.passed.load(Ordering::Acquire);
        let failed = flow.failed.load(Ordering::Acquire);
        let rejected = flow.rejected.load(Ordering::Acquire);
        let admitted = flow.admitted.load(Ordering::Acquire);
        let in_flight = admitted.saturating_sub(passed).saturating_sub(failed).saturating_sub(rejected);
        Level { admitted, passed, failed, rejected, in_flight }
    }

    fn of(&self, signal: Signal) -> &Flow {
        &self.0[place(signal)]
    }
}

/// Items that are inside a component. Whoever drops it without a word (a sender that hung up, a deadline that
/// passed) has failed them, so nothing is ever lost from the books.
#[derive(Debug)]
#[must_use = "dropping it counts the items as failed"]
pub struct InFlight {
    flows: Arc<Flows>,
    signal: Signal,
    unsettled: u64,
}

impl InFlight {
    pub(super) fn admit(flows: Arc<Flows>, signal: Signal, items: u64) -> Self {
        flows.admit(signal, items);
        Self { flows, signal, unsettled: items }
    }

    /// The items were acknowledged, but for `rejected` of them (at most all).
    pub fn acknowledged(mut self, rejected: u64) {
        let rejected = rejected.min(self.unsettled);
        self.flows.pass(self.signal, self.unsettled - rejected);
        self.flows.reject(self.signal, rejected);
        self.unsettled = 0;
    }

    /// The items were not taken: the same as dropping it, said aloud.
    pub fn failed(self) {
        drop(self);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.flows.fail(self.signal, self.unsettled);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_inside_is_what_was_not_settled() {
        let flows = Arc::new(Flows::default());
        let first = InFlight::admit(Arc::clone(&flows), Signal::Traces, 10);
        let second = InFlight::admit(Arc::clone(&flows), Signal::Traces, 5);
        let third = InFlight::admit(Arc::clone(&flows), Signal::Traces, 1);
        first.acknowledged(3);
        drop(second);
        let expected = Level { admitted: 16, passed: 7, failed: 5, rejected: 3, in_flight: 1 };
        assert_eq!(flows.level(Signal::Traces), expected);
        third.failed();
        assert_eq!(flows.level(Signal::Traces), Level { failed: 6, in_flight: 0, ..expected });
        assert_eq!(flows.level(Signal::Logs).admitted, 0);
    }

    #[test]
    fn a_backend_that_rejects_more_than_it_got_breaks_no_book() {
        let flows = Arc::new(Flows::default());
        InFlight::admit(Arc::clone(&flows), Signal::Logs, 2).acknowledged(9);
        let level = flows.level(Signal::Logs);
        assert_eq!((level.passed, level.rejected, level.in_flight), (0, 2, 0));
    }

    #[test]
    fn the_books_balance_at_every_moment_while_threads_work() {
        let flows = Arc::new(Flows::default());
        let work = || {
            for round in 0..4000u64 {
                let items = InFlight::admit(Arc::clone(&flows), Signal::Traces, round % 7);
                if round % 3 == 0 { items.failed() } else { items.acknowledged(round % 2) }
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                let level = flows.level(Signal::Traces);
                let settled = level.passed + level.failed + level.rejected;
                assert_eq!(level.admitted, settled + level.in_flight);
            }
        });
        assert_eq!(flows.level(Signal::Traces).in_flight, 0);
    }
}
