//! How long one attempt may take: the exporter's own timeout or the sender's deadline, whichever is sooner.
//! Time is passed in; only [`TimeLimit::within`] runs a timer.

use std::time::{Duration, Instant};

/// Who gives up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The exporter, by its `timeout`.
    Exporter,
    /// The sender, by its deadline.
    Sender,
}

/// The limit of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeLimit {
    /// Time that is left; `None` without any limit.
    pub(super) left: Option<Duration>,
    /// Whose limit it is.
    pub(super) whose: Whose,
}

/// The limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late;

impl TimeLimit {
    /// The sooner of `timeout` (zero: none, as in the Collector) and `deadline`, seen from `now`.
    pub(super) fn new(timeout: Duration, deadline: Option<Instant>, now: Instant) -> Self {
        let timeout = (!timeout.is_zero()).then_some(timeout);
        let deadline = deadline.map(|deadline| deadline.saturating_duration_since(now));
        match (timeout, deadline) {
            (Some(timeout), Some(deadline)) if timeout <= deadline => {
                Self { left: Some(timeout), whose: Whose::Exporter }
            }
            (_, Some(deadline)) => Self { left: Some(deadline), whose: Whose::Sender },
            (timeout, None) => Self { left: timeout, whose: Whose::Exporter },
        }
    }

    /// Runs `attempt` to its end or to the limit; not at all when no time is left.
    pub(super) async fn within<T>(self, attempt: impl Future<Output = T>) -> Result<T, Late> {
        match self.left {
            None => Ok(attempt.await),
            Some(Duration::ZERO) => Err(Late),
            Some(left) => tokio::time::timeout(left, attempt).await.map_err(|_| Late),
        }
    }

    /// The `grpc-timeout` value: at most eight digits and a unit, rounded up.
    /// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
    pub(super) fn grpc_timeout(self) -> Option<String> {
        const MAX: u128 = 99_999_999;
        let left = self.left?;
        let millis = left.as_nanos().div_ceil(1_000_000);
        if millis <= MAX {
            Some(format!("{millis}m"))
        } else {
            Some(format!("{}S", u128::from(left.as_secs()).min(MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_sooner_of_timeout_and_deadline_counts() {
        let now = Instant::now();
        let limit = |timeout, deadline: Option<u64>| TimeLimit::new(timeout, deadline.map(|d| now + ms(d)), now);
        assert_eq!(limit(ms(5), Some(9)), TimeLimit { left: Some(ms(5)), whose: Whose::Exporter });
        assert_eq!(limit(ms(9), Some(5)), TimeLimit { left: Some(ms(5)), whose: Whose::Sender });
        assert_eq!(limit(ms(9), None), TimeLimit { left: Some(ms(9)), whose: Whose::Exporter });
        assert_eq!(limit(ms(0), Some(5)), TimeLimit { left: Some(ms(5)), whose: Whose::Sender });
        assert_eq!(limit(ms(0), None).left, None);
    }

    #[test]
    fn a_deadline_in_the_past_leaves_no_time() {
        let past = Instant::now();
        let limit = TimeLimit::new(ms(5), Some(past), past + ms(1));
        assert_eq!(limit, TimeLimit { left: Some(Duration::ZERO), whose: Whose::Sender });
    }

    #[test]
    fn grpc_timeout_has_at_most_eight_digits() {
        let value = |left| TimeLimit { left: Some(left), whose: Whose::Exporter }.grpc_timeout().unwrap();
        assert_eq!(value(Duration::from_micros(1)), "1m");
        assert_eq!(value(ms(5000)), "5000m");
        assert_eq!(value(ms(99_999_999)), "99999999m");
        assert_eq!(value(ms(100_000_000)), "100000S");
        assert_eq!(value(Duration::MAX), "99999999S");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_at_its_limit() {
        let limit = TimeLimit { left: Some(ms(50)), whose: Whose::Exporter };
        assert_eq!(limit.within(std::future::pending::<()>()).await, Err(Late));
        assert_eq!(limit.within(async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn without_time_nothing_is_attempted() {
        let limit = TimeLimit { left: Some(Duration::ZERO), whose: Whose::Sender };
        assert_eq!(limit.within(async { 1 }).await, Err(Late));
    }
}
