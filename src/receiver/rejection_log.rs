//! A warning for refused requests that no client can turn into a flood: one line a reason and interval, which
//! says how many like it were left out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line a reason in this time.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// When each reason was last logged, and what was left out since.
#[derive(Debug, Default)]
pub(super) struct RejectionLog {
    reasons: Mutex<BTreeMap<&'static str, Last>>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    logged: Instant,
    left_out: u64,
}

impl RejectionLog {
    /// Whether to log a rejection of this reason at `now`: the number of like ones left out since the last line,
    /// or `None` to stay silent.
    pub(super) fn admit(&self, reason: &'static str, now: Instant) -> Option<u64> {
        // A panic cannot leave the map half-changed, so a poisoned lock is as good as another.
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = reasons.get_mut(reason) else {
            reasons.insert(reason, Last { logged: now, left_out: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(last.logged) < INTERVAL {
            last.left_out += 1;
            return None;
        }
        let left_out = last.left_out;
        *last = Last { logged: now, left_out: 0 };
        Some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_logged_once_an_interval_and_says_what_was_left_out() {
        let log = RejectionLog::default();
        let start = Instant::now();
        assert_eq!(log.admit("corrupt", start), Some(0));
        assert_eq!(log.admit("corrupt", start), None);
        assert_eq!(log.admit("corrupt", start + INTERVAL - Duration::from_nanos(1)), None);
        assert_eq!(log.admit("corrupt", start + INTERVAL), Some(2));
        assert_eq!(log.admit("corrupt", start + INTERVAL), None);
    }

    #[test]
    fn a_flood_of_one_reason_does_not_hide_another() {
        let log = RejectionLog::default();
        let now = Instant::now();
        assert_eq!(log.admit("corrupt", now), Some(0));
        assert_eq!(log.admit("corrupt", now), None);
        assert_eq!(log.admit("too_large", now), Some(0));
    }
}
