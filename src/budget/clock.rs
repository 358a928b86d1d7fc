//! The time by which budgets book: it never runs backwards. A clock that is set back is waited for, and believed once it has
//! run on for a while: else one that had jumped ahead would hold every budget where it is.
//! Knows time, which is passed in; nothing of budgets.

use super::period::UnixMs;

/// What is less is no news: the clocks of two threads, and what keeps clocks right by small steps.
const TOLERANCE_MS: i64 = 60_000;
/// How long a clock that is behind has to run on until it is believed.
const BELIEVED_AFTER_MS: i64 = 600_000;
/// The longest time between two looks at it in which it runs on.
const LONGEST_STEP_MS: i64 = 60_000;

/// The latest time, and a clock that is behind it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    latest: Option<UnixMs>,
    /// From when to when it has run on, by itself.
    behind: Option<(UnixMs, UnixMs)>,
}

/// What has become of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockNews {
    /// It is so many milliseconds behind the latest time that was booked by, which stands still.
    IsBehind(i64),
    /// It is believed, and everything that was booked is taken for so much earlier.
    IsBelieved(i64),
    /// It is no longer behind.
    HasCaughtUp,
}

impl Clock {
    /// A time by which something was booked, or is to be.
    pub(super) fn saw(&mut self, now: UnixMs) {
        self.latest = self.latest.max(Some(now));
    }

    /// Looks at it. To be asked every second or so.
    pub(super) fn look(&mut self, now: UnixMs) -> Option<ClockNews> {
        let latest = *self.latest.get_or_insert(now);
        let by_ms = latest.saturating_sub(now);
        if by_ms <= TOLERANCE_MS {
            self.saw(now);
            return self.behind.take().map(|_| ClockNews::HasCaughtUp);
        }
        let Some((since, before)) = &mut self.behind else {
            self.behind = Some((now, now));
            return Some(ClockNews::IsBehind(by_ms));
        };
        if !(0..=LONGEST_STEP_MS).contains(&now.saturating_sub(*before)) {
            *since = now;
        }
        *before = now;
        if now - *since < BELIEVED_AFTER_MS {
            return None;
        }
        (self.latest, self.behind) = (Some(now), None);
        Some(ClockNews::IsBelieved(by_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 31_536_000_000;
    const SECOND: i64 = 1000;

    #[test]
    fn a_clock_that_is_set_back_is_told_once_and_believed_when_it_has_run_on() {
        let (mut clock, now) = (Clock::default(), 1_764_000_000_000);
        assert_eq!(clock.look(now), None);
        assert_eq!(clock.look(now + YEAR), None, "it jumps ahead");
        assert_eq!(clock.look(now + SECOND), Some(ClockNews::IsBehind(YEAR - SECOND)));
        let looks: Vec<_> = (2..=602).filter_map(|second| Some((second, clock.look(now + second * SECOND)?))).collect();
        assert_eq!(looks, [(601, ClockNews::IsBelieved(YEAR - 601 * SECOND))]);
        assert_eq!(clock.look(now + 603 * SECOND), None);
    }

    #[test]
    fn a_clock_that_catches_up_or_jumps_about_is_not_believed() {
        let (mut clock, now) = (Clock::default(), 1_764_000_000_000);
        clock.saw(now);
        assert_eq!(clock.look(now - 59 * SECOND), None, "too little to tell");
        assert_eq!(clock.look(now - 300 * SECOND), Some(ClockNews::IsBehind(300 * SECOND)));
        let looks: Vec<_> = (-299..0).filter_map(|second| clock.look(now + second * SECOND)).collect();
        assert_eq!(looks, [ClockNews::HasCaughtUp]);
        for jump in 1..50 {
            let news = clock.look(now - jump * 1000 * SECOND);
            assert!(!matches!(news, Some(ClockNews::IsBelieved(_))), "{jump}: {news:?}");
        }
    }
}
