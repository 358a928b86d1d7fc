//! Items on their way through one component: what came in is what left, failed, was rejected, or is still inside.
//! Knows nothing of names and labels. Advice for changes: an item is admitted before it is settled, and a reader
//! loads the settled counts first, so what is still inside is never negative, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::otlp::Signal;

/// Why items did not get through. A closed set: it is a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The backend could not be reached, or asked to come back later.
    Unavailable,
    /// The backend did not answer in time.
    Timeout,
    /// The backend has too much to do, and said so.
    Throttled,
    /// The backend refused the credentials of this process.
    Credentials,
    /// The backend refused them for good.
    Refused,
    /// The backend does not take this signal.
    Unserved,
    /// They are too large for the backend, each by itself.
    TooLarge,
    /// Whoever sent them went away, or its deadline passed, before there was an answer.
    Abandoned,
}

impl Loss {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::Timeout,
        Self::Throttled,
        Self::Credentials,
        Self::Refused,
        Self::Unserved,
        Self::TooLarge,
        Self::Abandoned,
    ];

    /// The reason as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::Credentials => "credentials",
            Self::Refused => "refused",
            Self::Unserved => "unserved",
            Self::TooLarge => "too_large",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The counts of one component and one signal. They only grow.
#[derive(Debug, Default)]
struct Flow {
    admitted: AtomicU64,
    passed: AtomicU64,
    /// In the order of [`Loss::ALL`].
    failed: [AtomicU64; Loss::ALL.len()],
    rejected: AtomicU64,
}

/// One reading of a flow: `admitted = passed + failed + rejected + in_flight`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) admitted: u64,
    pub(super) passed: u64,
    /// In the order of [`Loss::ALL`].
    pub(super) lost: [u64; Loss::ALL.len()],
    /// The sum of `lost`.
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

    pub(super) fn fail(&self, signal: Signal, items: u64, loss: Loss) {
        if let Some((_, failed)) = Loss::ALL.iter().zip(&self.of(signal).failed).find(|(known, _)| **known == loss) {
            failed.fetch_add(items, Ordering::Release);
        }
    }

    pub(super) fn reject(&self, signal: Signal, items: u64) {
        self.of(signal).rejected.fetch_add(items, Ordering::Release);
    }

    pub(super) fn level(&self, signal: Signal) -> Level {
        let flow = self.of(signal);
        let passed = flow.passed.load(Ordering::Acquire);
        let lost = flow.failed.each_ref().map(|failed| failed.load(Ordering::Acquire));
        let failed = lost.iter().sum();
        let rejected = flow.rejected.load(Ordering::Acquire);
        let admitted = flow.admitted.load(Ordering::Acquire);
        let in_flight = admitted.saturating_sub(passed).saturating_sub(failed).saturating_sub(rejected);
        Level { admitted, passed, lost, failed, rejected, in_flight }
    }

    fn of(&self, signal: Signal) -> &Flow {
        &self.0[place(signal)]
    }
}

/// Items that are inside a component. Whoever drops it without a word (a sender that hung up, a deadline that
/// passed) has abandoned them, so nothing is ever lost from the books.
#[derive(Debug)]
#[must_use = "dropping it counts the items as abandoned"]
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

    /// The items did not get through.
    pub fn failed(mut self, loss: Loss) {
        self.flows.fail(self.signal, self.unsettled, loss);
        self.unsettled = 0;
    }

    /// How many of them are not settled yet.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.unsettled
    }

    /// Takes `items` of them (at most all) apart, to be settled by themselves.
    pub fn split_off(&mut self, items: u64) -> Self {
        let items = items.min(self.unsettled);
        self.unsettled -= items;
        Self { flows: Arc::clone(&self.flows), signal: self.signal, unsettled: items }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.flows.fail(self.signal, self.unsettled, Loss::Abandoned);
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
        let expected =
            Level { admitted: 16, passed: 7, failed: 5, lost: [0, 0, 0, 0, 0, 0, 0, 5], rejected: 3, in_flight: 1 };
        assert_eq!(flows.level(Signal::Traces), expected);
        third.failed(Loss::Timeout);
        let lost = [0, 1, 0, 0, 0, 0, 0, 5];
        assert_eq!(flows.level(Signal::Traces), Level { failed: 6, lost, in_flight: 0, ..expected });
        assert_eq!(flows.level(Signal::Logs).admitted, 0);
    }

    #[test]
    fn what_is_split_off_is_settled_by_itself_and_nothing_twice() {
        let flows = Arc::new(Flows::default());
        let mut whole = InFlight::admit(Arc::clone(&flows), Signal::Metrics, 10);
        whole.split_off(4).acknowledged(1);
        whole.split_off(3).failed(Loss::TooLarge);
        let rest = whole.split_off(99);
        drop(whole);
        let level = flows.level(Signal::Metrics);
        assert_eq!((level.admitted, level.passed, level.rejected, level.failed, level.in_flight), (10, 3, 1, 3, 3));
        rest.acknowledged(0);
        assert_eq!(flows.level(Signal::Metrics).passed, 6);
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
                if round % 3 == 0 { items.failed(Loss::Refused) } else { items.acknowledged(round % 2) }
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
