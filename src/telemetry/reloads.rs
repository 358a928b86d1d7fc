//! How often the configuration was loaded again, and whether the last attempt was good, in the manner of Prometheus.
//! Knows neither files nor signals. Time is passed in.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::families as name;
use super::text::Exposition;

/// The attempts of a process to go over to another configuration.
#[derive(Debug, Default)]
pub(super) struct Reloads(Mutex<Attempts>);

#[derive(Debug, Clone, Copy, Default)]
struct Attempts {
    successes: u64,
    failures: u64,
    last_failed: bool,
    in_force_since: Option<SystemTime>,
}

impl Reloads {
    /// The first configuration of the process is in force from `now` on.
    pub(super) fn started(&self, now: SystemTime) {
        self.change(|attempts| attempts.in_force_since = Some(now));
    }

    pub(super) fn succeeded(&self, now: SystemTime) {
        self.change(|attempts| {
            *attempts = Attempts {
                successes: attempts.successes + 1,
                last_failed: false,
                in_force_since: Some(now),
                ..*attempts
            }
        });
    }

    pub(super) fn failed(&self) {
        self.change(|attempts| {
            *attempts = Attempts { failures: attempts.failures + 1, last_failed: true, ..*attempts };
        });
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let attempts = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = [("success", attempts.successes), ("failure", attempts.failures)];
        text.family(name::RELOADS, outcomes.map(|(outcome, attempts)| (vec![("outcome", outcome)], attempts)));
        text.family(name::LAST_RELOAD, [(vec![], u8::from(!attempts.last_failed))]);
        let since = attempts.in_force_since.and_then(|since| since.duration_since(SystemTime::UNIX_EPOCH).ok());
        text.family(name::RELOADED_AT, since.map(|since| (vec![], format!("{:.3}", since.as_secs_f64()))));
    }

    fn change(&self, change: impl FnOnce(&mut Attempts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn values(reloads: &Reloads) -> Vec<String> {
        let mut text = Exposition::default();
        reloads.encode(&mut text);
        let text = text.finish();
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace("gramtrace_config_", "")).collect()
    }

    #[test]
    fn a_failure_is_told_until_the_next_success_and_leaves_the_time_of_what_is_in_force() {
        let reloads = Reloads::default();
        let second = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(second * 1000 + 250);
        reloads.started(second(10));
        let expected = ["reloads_total{outcome=\"failure\"} 0", "reloads_total{outcome=\"success\"} 0"];
        assert_eq!(values(&reloads)[..2], expected);
        assert_eq!(values(&reloads)[2..], ["last_reload_successful 1", "last_reload_success_timestamp_seconds 10.250"]);
        reloads.failed();
        assert_eq!(values(&reloads)[2..], ["last_reload_successful 0", "last_reload_success_timestamp_seconds 10.250"]);
        reloads.succeeded(second(20));
        assert_eq!(values(&reloads)[2..], ["last_reload_successful 1", "last_reload_success_timestamp_seconds 20.250"]);
        let expected = ["reloads_total{outcome=\"failure\"} 1", "reloads_total{outcome=\"success\"} 1"];
        assert_eq!(values(&reloads)[..2], expected);
    }
}
