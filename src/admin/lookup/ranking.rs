//! Lists of traces: the newest, and those with the most CO2e. Neither holds a ledger for longer than a few
//! microseconds at a time, so that spans never wait for a list, however many ask for one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::{MAX_LIMIT, Ranked};
use crate::enrich::Enricher;
use crate::trace::ledger::TraceKey;

/// Places of a ledger that are looked at while it is held.
const STRETCH: usize = 256;
/// How long a ranking holds: whoever asks meanwhile gets the same.
const FRESH: Duration = Duration::from_secs(1);

/// The last ranking. One is made at a time, and everybody who asks meanwhile waits for it.
#[derive(Debug, Default)]
pub(super) struct Ranking(Mutex<Option<(Instant, Arc<Vec<Ranked>>)>>);

impl Ranking {
    /// Those with the most CO2e, `limit` at most; a second old at most.
    pub(super) async fn top(&self, sources: Vec<Arc<Enricher>>, limit: usize) -> Vec<Ranked> {
        let mut last = self.0.lock().await;
        let fresh = last.as_ref().filter(|(made, _)| made.elapsed() < FRESH).map(|(_, ranked)| Arc::clone(ranked));
        let ranked = match fresh {
            Some(ranked) => ranked,
            None => {
                let made = tokio::task::spawn_blocking(move || Arc::new(rank(&sources))).await.unwrap_or_default();
                *last = Some((Instant::now(), Arc::clone(&made)));
                made
            }
        };
        drop(last);
        ranked.iter().take(limit).cloned().collect()
    }
}

/// A trace's weight, then its id: two of the same weight are always told in the same order.
#[derive(Debug, PartialEq)]
struct Weight(f64, TraceKey, usize);

impl Eq for Weight {}

impl Ord for Weight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then_with(|| self.1.cmp(&other.1)).then_with(|| self.2.cmp(&other.2))
    }
}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn rank(sources: &[Arc<Enricher>]) -> Vec<Ranked> {
    let now = Instant::now();
    let mut heaviest = BinaryHeap::with_capacity(MAX_LIMIT + 1);
    for (at, source) in sources.iter().enumerate() {
        let mut from = Some(0);
        while let Some(start) = from {
            let (traces, next) = source.traces().lock().stretch(start, STRETCH, now);
            for (trace_id, co2e_g) in traces {
                heaviest.push(Reverse(Weight(co2e_g, trace_id, at)));
                if heaviest.len() > MAX_LIMIT {
                    heaviest.pop();
                }
            }
            from = next;
        }
    }
    let ranked = heaviest.into_sorted_vec().into_iter().map(|Reverse(weight)| weight);
    entries(sources, ranked.map(|Weight(_, trace_id, at)| (trace_id, at)), now)
}

/// The newest of all sources, `limit` at most.
pub(super) fn recent(sources: &[Arc<Enricher>], limit: usize) -> Vec<Ranked> {
    let now = Instant::now();
    let mut newest: Vec<(Duration, TraceKey, usize)> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let ids = source.traces().lock().recent(limit, now);
        newest.extend(ids.into_iter().map(|(trace_id, age)| (age, trace_id, at)));
    }
    newest.sort_by_key(|(age, ..)| *age);
    newest.truncate(limit);
    entries(sources, newest.into_iter().map(|(_, trace_id, at)| (trace_id, at)), now)
}

/// What lists say of traces; those that left meanwhile are left out.
fn entries(sources: &[Arc<Enricher>], traces: impl Iterator<Item = (TraceKey, usize)>, now: Instant) -> Vec<Ranked> {
    let entry = |(trace_id, at): (TraceKey, usize)| {
        let source = sources.get(at)?;
        let ledger = source.traces().lock();
        let (listed, now_ms) = (ledger.entry(&trace_id)?, ledger.reading(now));
        drop(ledger);
        Some(Ranked { listed, source: Arc::clone(source), now_ms })
    };
    traces.filter_map(entry).collect()
}
