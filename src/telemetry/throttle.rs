//! Keeps a flood of the same warning from drowning the log: the first few of a reason in each window are
//! written, the rest are counted. Time is passed in. Knows nothing of what is written where.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets the first `burst` warnings of each reason through in each window. Reasons are a closed set.
#[derive(Debug)]
pub struct Throttle {
    burst: u32,
    window: Duration,
    reasons: Mutex<Vec<Reason>>,
}

/// Warnings of one reason that were counted and not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed {
    /// Why the warnings would have been written.
    pub reason: &'static str,
    /// How many there were since the last one that was written.
    pub count: u64,
}

#[derive(Debug)]
struct Reason {
    name: &'static str,
    window_start: Instant,
    written: u32,
    suppressed: u64,
}

impl Throttle {
    /// At most `burst` of a reason are written in a `window`, which begins with the first of them.
    #[must_use]
    pub const fn new(burst: u32, window: Duration) -> Self {
        Self { burst, window, reasons: Mutex::new(Vec::new()) }
    }

    /// Whether a warning is to be written: `None` for no, else how many of its reason were left out before it.
    pub fn admit(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let at = reasons.iter().position(|known| known.name == reason).unwrap_or_else(|| {
            reasons.push(Reason { name: reason, window_start: now, written: 0, suppressed: 0 });
            reasons.len() - 1
        });
        let known = reasons.get_mut(at)?;
        if now.saturating_duration_since(known.window_start) >= self.window {
            known.window_start = now;
            known.written = 0;
        }
        if known.written < self.burst {
            known.written += 1;
            return Some(std::mem::take(&mut known.suppressed));
        }
        known.suppressed += 1;
        None
    }

    /// Takes what was left out in windows that are over, so that the end of a flood is told too: for a timer.
    pub fn summary(&self, now: Instant) -> Vec<Suppressed> {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |known: &&mut Reason| {
            known.suppressed > 0 && now.saturating_duration_since(known.window_start) >= self.window
        };
        let take = |known: &mut Reason| Suppressed { reason: known.name, count: std::mem::take(&mut known.suppressed) };
        reasons.iter_mut().filter(over).map(take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn the_first_few_are_written_and_the_next_window_tells_of_the_rest() {
        let throttle = Throttle::new(2, WINDOW);
        let start = Instant::now();
        let admitted: Vec<_> =
            (0..5).map(|second| throttle.admit("corrupt", start + Duration::from_secs(second))).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(throttle.admit("corrupt", start + WINDOW), Some(3));
        assert_eq!(throttle.admit("corrupt", start + WINDOW), Some(0));
        assert_eq!(throttle.admit("corrupt", start + WINDOW), None);
    }

    #[test]
    fn reasons_do_not_silence_each_other() {
        let throttle = Throttle::new(1, WINDOW);
        let start = Instant::now();
        assert_eq!(throttle.admit("corrupt", start), Some(0));
        assert_eq!(throttle.admit("too_large", start), Some(0));
        assert_eq!(throttle.admit("corrupt", start), None);
    }

    #[test]
    fn the_end_of_a_flood_is_told_once_and_not_before_its_window_is_over() {
        let throttle = Throttle::new(1, WINDOW);
        let start = Instant::now();
        throttle.admit("corrupt", start);
        throttle.admit("corrupt", start);
        throttle.admit("corrupt", start);
        assert_eq!(throttle.summary(start + WINDOW - Duration::from_nanos(1)), []);
        assert_eq!(throttle.summary(start + WINDOW), [Suppressed { reason: "corrupt", count: 2 }]);
        assert_eq!(throttle.summary(start + WINDOW), []);
        assert_eq!(throttle.admit("corrupt", start + WINDOW), Some(0));
    }

    #[test]
    fn a_clock_that_goes_back_opens_no_window() {
        let throttle = Throttle::new(1, WINDOW);
        let start = Instant::now() + WINDOW;
        throttle.admit("corrupt", start);
        assert_eq!(throttle.admit("corrupt", start - WINDOW), None);
    }
}
