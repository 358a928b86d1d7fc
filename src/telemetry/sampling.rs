//! Keeps a flood of one log line from drowning the others, as the Collector's logger does: of each line the first few in
//! each tick are written, then every n-th. Lines are told apart by where they stand in the code, so that what came
//! from the network cannot make one line many. Knows nothing of how lines look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How much of a flood is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSampling {
    /// How long a line is counted before it begins anew.
    pub tick: Duration,
    /// How many of it are written first.
    pub initial: u32,
    /// Of the rest every so-manieth is written; 0 is none.
    pub thereafter: u32,
}

impl Default for LogSampling {
    /// The Collector's: 10 in 10 s, then every 100th.
    fn default() -> Self {
        Self { tick: Duration::from_secs(10), initial: 10, thereafter: 100 }
    }
}

/// Leaves lines out. Cheap to clone: clones count together and change together.
#[derive(Debug, Clone)]
pub(super) struct Sampler(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// `None` leaves nothing out.
    sampling: Option<LogSampling>,
    /// As many as there are places that log.
    lines: HashMap<Identifier, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    seen: u64,
}

impl Sampler {
    pub(super) fn new(sampling: Option<LogSampling>) -> Self {
        Self(Arc::new(Mutex::new(State { sampling, lines: HashMap::new() })))
    }

    /// From now on.
    pub(super) fn change(&self, sampling: Option<LogSampling>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sampling = sampling;
    }

    /// Whether one more of a line is written at `now`.
    fn admit(&self, line: Identifier, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(LogSampling { tick, initial, thereafter }) = state.sampling else { return true };
        let window = state.lines.entry(line).or_insert(Window { began: now, seen: 0 });
        if now.saturating_duration_since(window.began) >= tick {
            *window = Window { began: now, seen: 0 };
        }
        window.seen += 1;
        let beyond = window.seen.saturating_sub(u64::from(initial));
        beyond == 0 || (thereafter > 0 && beyond % u64::from(thereafter) == 0)
    }
}

impl<S: Subscriber> Layer<S> for Sampler {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.admit(event.metadata().callsite(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two places in the code.
    fn lines() -> [Identifier; 2] {
        let one = tracing::callsite! { name: "one", kind: tracing::metadata::Kind::EVENT, fields: message };
        let other = tracing::callsite! { name: "other", kind: tracing::metadata::Kind::EVENT, fields: message };
        [one, other].map(|callsite| tracing::Callsite::metadata(callsite).callsite())
    }

    fn sampler(initial: u32, thereafter: u32) -> Sampler {
        Sampler::new(Some(LogSampling { tick: Duration::from_secs(10), initial, thereafter }))
    }

    #[test]
    fn the_first_few_are_written_and_then_every_so_manieth() {
        let (sampler, [line, other], now) = (sampler(3, 5), lines(), Instant::now());
        let written: Vec<u32> = (1..=15).filter(|_| sampler.admit(line.clone(), now)).collect();
        assert_eq!(written, [1, 2, 3, 8, 13]);
        assert!(sampler.admit(other, now), "another line is not affected");
    }

    #[test]
    fn each_tick_begins_anew() {
        let (sampler, [line, _], start) = (sampler(1, 0), lines(), Instant::now());
        let admitted =
            [0, 1, 9_999, 10_000, 10_001].map(|ms| sampler.admit(line.clone(), start + Duration::from_millis(ms)));
        assert_eq!(admitted, [true, false, false, true, false]);
    }

    #[test]
    fn where_it_is_off_nothing_is_left_out() {
        let (sampler, [line, _], now) = (sampler(0, 0), lines(), Instant::now());
        assert!(!sampler.admit(line.clone(), now));
        sampler.clone().change(None);
        assert!((0..1000).all(|_| sampler.admit(line.clone(), now)));
    }
}
