//! How many requests may be inside at once. One more is not queued but refused, with the time after which to
//! come back: what waits here would only be memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rejection::Rejection;

/// A bound on the requests in flight, shared by every clone.
#[derive(Debug, Clone)]
pub struct Admission {
    permits: Arc<Semaphore>,
    retry_after: Duration,
}

/// One request's place. Work that outlives the request's future (on another thread) holds a clone.
pub(super) type Permit = Arc<OwnedSemaphorePermit>;

impl Admission {
    /// Lets `max_in_flight` requests in at once and asks others to come back after `retry_after`.
    #[must_use]
    pub fn new(max_in_flight: usize, retry_after: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(max_in_flight.min(Semaphore::MAX_PERMITS))), retry_after }
    }

    pub(super) fn admit(&self) -> Result<Permit, Rejection> {
        Arc::clone(&self.permits)
            .try_acquire_owned()
            .map(Arc::new)
            .map_err(|_| Rejection::Overloaded { retry_after: self.retry_after })
    }
}

impl Default for Admission {
    /// 1024 requests; the others come back after a second.
    fn default() -> Self {
        Self::new(1024, Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_is_asked_to_come_back_until_a_place_is_free() {
        let admission = Admission::new(1, Duration::from_secs(3));
        let first = admission.admit().unwrap();
        let on_another_thread = Arc::clone(&first);
        drop(first);
        assert_eq!(admission.admit().unwrap_err(), Rejection::Overloaded { retry_after: Duration::from_secs(3) });
        drop(on_another_thread);
        assert!(admission.admit().is_ok());
    }
}
