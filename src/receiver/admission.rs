//! Who is let in: how many requests may be inside at once, and how much memory they may take. One more is not queued
//! but refused, with the time after which to come back: what waits here would only be memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::Budget;
use crate::rejection::Rejection;

/// A bound on the requests in flight, shared by every clone.
#[derive(Debug, Clone)]
pub struct Admission {
    permits: Arc<Semaphore>,
    budget: Budget,
    retry_after: Duration,
}

/// One request's place, with the memory that it has reserved. Work that outlives the request's future (on another
/// thread) holds a clone.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Held>);

#[derive(Debug)]
struct Held {
    budget: Budget,
    reserved: AtomicU64,
    retry_after: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Lets `max_in_flight` requests in at once and asks others to come back after `retry_after`.
    #[must_use]
    pub fn new(max_in_flight: usize, retry_after: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(max_in_flight.min(Semaphore::MAX_PERMITS)));
        Self { permits, budget: Budget::default(), retry_after }
    }

    /// The same, where requests take their memory from `budget`.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// A place for a request, unless there are too many or their memory is at the soft limit.
    pub(super) fn admit(&self) -> Result<Place, Rejection> {
        let retry_after = self.retry_after;
        let permit =
            Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Rejection::Overloaded { retry_after })?;
        let budget = self.budget.clone();
        let place = Place(Arc::new(Held { budget, reserved: AtomicU64::new(0), retry_after, _permit: permit }));
        place.expect(0)?;
        Ok(place)
    }
}

impl Default for Admission {
    /// 1024 requests; the others come back after a second.
    fn default() -> Self {
        Self::new(1024, Duration::from_secs(1))
    }
}

impl Place {
    /// Whether `bytes` more may be begun with: what is announced is no reason to reserve, but one to refuse.
    pub(super) fn expect(&self, bytes: usize) -> Result<(), Rejection> {
        if self.0.budget.has_room(wide(bytes)) { Ok(()) } else { Err(self.0.full()) }
    }

    /// Holds `bytes` in all from now on, whatever it held before. Called by one at a time.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Rejection> {
        let (bytes, before) = (wide(bytes), self.0.reserved.load(Ordering::Relaxed));
        if bytes > before && !self.0.budget.reserve(bytes - before) {
            return Err(self.0.full());
        }
        if bytes < before {
            self.0.budget.release(before - bytes);
        }
        self.0.reserved.store(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Held {
    const fn full(&self) -> Rejection {
        Rejection::MemoryLimit { retry_after: self.retry_after }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.release(*self.reserved.get_mut());
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::BudgetSettings;

    #[test]
    fn one_more_than_the_limit_is_asked_to_come_back_until_a_place_is_free() {
        let admission = Admission::new(1, Duration::from_secs(3));
        let first = admission.admit().unwrap();
        let on_another_thread = first.clone();
        drop(first);
        assert_eq!(admission.admit().unwrap_err(), Rejection::Overloaded { retry_after: Duration::from_secs(3) });
        drop(on_another_thread);
        assert!(admission.admit().is_ok());
    }

    #[test]
    fn memory_is_held_as_a_request_grows_and_shrinks_and_given_back_when_the_last_of_it_ends() {
        let budget = Budget::default();
        budget.set(BudgetSettings { hard_bytes: 100, soft_bytes: 60 });
        let admission = Admission::new(9, Duration::from_secs(3)).within(budget);
        let full = Err(Rejection::MemoryLimit { retry_after: Duration::from_secs(3) });
        let (one, two) = (admission.admit().unwrap(), admission.admit().unwrap());
        assert_eq!(one.expect(61), full);
        assert_eq!((one.expect(60), one.hold(70)), (Ok(()), Ok(())));
        assert_eq!(admission.admit().map(|_| ()), full, "over the soft limit nobody begins");
        assert_eq!((two.hold(31), two.hold(30)), (full.clone(), Ok(())), "who has begun may go up to the hard one");
        assert_eq!((one.hold(71), one.hold(10), two.hold(90)), (full, Ok(()), Ok(())));
        let on_another_thread = two.clone();
        drop((one, two));
        assert!(admission.admit().is_err());
        drop(on_another_thread);
        assert_eq!(admission.admit().unwrap().hold(100), Ok(()));
    }
}
