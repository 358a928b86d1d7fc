//! When to send again what a backend did not take, as the Collector decides it: exponential back-off with jitter, at
//! least what the backend asks for, and never beyond the sender's deadline. Pure: time and chance are passed in.
//! <https://github.com/open-telemetry/opentelemetry-collector/blob/main/config/configretry/README.md>

use std::time::{Duration, Instant};

/// How often, and for how long, the same is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetrySettings {
    /// The wait before the second attempt, but for chance.
    pub initial_interval: Duration,
    /// How far chance moves a wait, as a part of it: 0 to 1.
    pub randomization_factor: f64,
    /// What each wait is multiplied by for the next: 1 or more.
    pub multiplier: f64,
    /// The longest wait, but for chance and for what the backend asks for.
    pub max_interval: Duration,
    /// How long after the first attempt there may be another; zero: for ever.
    pub max_elapsed_time: Duration,
}

impl Default for RetrySettings {
    /// Those of the Collector.
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

/// The waits between the attempts at one request.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    settings: RetrySettings,
    interval: Duration,
    /// After this nothing is sent again.
    end: Option<Instant>,
}

impl Backoff {
    /// The waits of a request that was first tried at `begun` and whose sender waits until `deadline`.
    pub(super) fn new(settings: RetrySettings, begun: Instant, deadline: Option<Instant>) -> Self {
        let limited = !settings.max_elapsed_time.is_zero();
        let end = limited.then(|| begun.checked_add(settings.max_elapsed_time)).flatten();
        let end = end.into_iter().chain(deadline).min();
        Self { settings, interval: settings.initial_interval.min(settings.max_interval), end }
    }

    /// How long to wait from `now`, when the backend asked for `asked` and chance (0 to 1) is `chance`; `None` where
    /// the next attempt would come too late. Beyond the deadline waiting would keep from the sender what it can act on.
    pub(super) fn next(&mut self, asked: Option<Duration>, now: Instant, chance: f64) -> Option<Duration> {
        let spread = self.settings.randomization_factor * (2.0 * chance - 1.0);
        let wait = scaled(self.interval, 1.0 + spread).max(asked.unwrap_or_default());
        self.interval = scaled(self.interval, self.settings.multiplier).min(self.settings.max_interval);
        match self.end {
            Some(end) if now.checked_add(wait).is_none_or(|next| next > end) => None,
            _ => Some(wait),
        }
    }
}

fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The waits in milliseconds that chance in the middle leaves as they are, until there is none.
    fn waits(settings: RetrySettings, deadline: Option<Duration>) -> Vec<u128> {
        let begun = Instant::now();
        let mut now = begun;
        let mut backoff = Backoff::new(settings, begun, deadline.map(|deadline| begun + deadline));
        let next = || {
            let wait = backoff.next(None, now, 0.5)?;
            now += wait;
            Some(wait.as_millis())
        };
        std::iter::from_fn(next).take(20).collect()
    }

    #[test]
    fn o_29_waits_grow_by_the_multiplier_up_to_the_longest_and_end_after_five_minutes() {
        // 5 s times 1.5 each, at most 30 s. The first ten end 217.34 s after the first attempt, the next two at
        // 247.34 and 277.34, and one more would end at 307.34, after max_elapsed_time.
        let expected = [5000, 7500, 11_250, 16_875, 25_312, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000];
        assert_eq!(waits(RetrySettings::default(), None), expected);
    }

    #[test]
    fn o_29_chance_moves_a_wait_by_half_of_it_either_way() {
        let wait =
            |chance| Backoff::new(RetrySettings::default(), Instant::now(), None).next(None, Instant::now(), chance);
        assert_eq!(wait(0.0), Some(Duration::from_millis(2500)));
        assert_eq!(wait(0.75), Some(Duration::from_millis(6250)));
        assert_eq!(wait(1.0), Some(Duration::from_millis(7500)));
    }

    #[test]
    fn o_29_without_chance_and_growth_waits_are_equal() {
        let settings = RetrySettings {
            randomization_factor: 0.0,
            multiplier: 1.0,
            max_elapsed_time: secs(16),
            ..RetrySettings::default()
        };
        assert_eq!(waits(settings, None), [5000, 5000, 5000]);
    }

    #[test]
    fn o_29_attempts_end_at_the_senders_deadline() {
        assert_eq!(waits(RetrySettings::default(), Some(secs(20))), [5000, 7500]);
        assert_eq!(waits(RetrySettings::default(), Some(secs(4))), [0; 0]);
    }

    #[test]
    fn o_29_zero_elapsed_time_is_for_ever() {
        let settings = RetrySettings { max_elapsed_time: Duration::ZERO, ..RetrySettings::default() };
        assert_eq!(waits(settings, None).len(), 20);
    }

    #[test]
    fn o_27_o_28_what_the_backend_asks_for_is_waited_and_a_longer_wait_of_our_own_too() {
        let now = Instant::now();
        let mut backoff = Backoff::new(RetrySettings::default(), now, None);
        assert_eq!(backoff.next(Some(secs(60)), now, 0.5), Some(secs(60)));
        assert_eq!(backoff.next(Some(secs(1)), now, 0.5), Some(Duration::from_millis(7500)));
        assert_eq!(backoff.next(Some(secs(301)), now, 0.5), None, "beyond max_elapsed_time");
    }

    #[test]
    fn no_setting_overflows() {
        let settings = RetrySettings {
            initial_interval: Duration::MAX,
            max_interval: Duration::MAX,
            multiplier: f64::MAX,
            max_elapsed_time: Duration::MAX,
            ..RetrySettings::default()
        };
        let now = Instant::now();
        let mut backoff = Backoff::new(settings, now, None);
        assert_eq!(backoff.next(None, now, 1.0), Some(Duration::MAX));
        assert_eq!(backoff.next(Some(Duration::MAX), now, 0.0), Some(Duration::MAX));
    }
}
