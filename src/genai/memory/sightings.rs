//! Calls without usage that were booked lately, by the ids of their spans: nothing else of them can be compared, and a
//! sender's repeat must not count them again. Knows ids; time is passed in.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use super::super::keyed::{Hashed, Keyed};
use super::super::lineage::SpanKey;

/// How many are kept at most: about 3 MiB.
const CAPACITY: usize = 65_536;

/// Ids of spans, as keyed hashes.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    seen: HashSet<u64, Hashed>,
    /// In the order in which they came.
    order: VecDeque<(Instant, u64)>,
}

impl Sightings {
    /// Whether a span is seen for the first time within `ttl`. The oldest is forgotten where there is no room.
    pub(super) fn is_first(&mut self, ids: SpanKey, ttl: Duration, now: Instant) -> bool {
        let is_over = |seen: Instant| now.saturating_duration_since(seen) >= ttl;
        while let Some((seen, id)) = self.order.front().copied()
            && (is_over(seen) || self.order.len() >= CAPACITY)
        {
            self.order.pop_front();
            self.seen.remove(&id);
        }
        let id = Keyed.hash_one(ids);
        let is_first = self.seen.insert(id);
        if is_first {
            self.order.push_back((now, id));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::made::{span, trace};

    const TTL: Duration = Duration::from_secs(120);

    #[test]
    fn a_span_is_seen_for_the_first_time_once_within_its_time() {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        let ids = (trace(1), span(2).unwrap());
        assert!(sightings.is_first(ids, TTL, start));
        assert!(!sightings.is_first(ids, TTL, start + TTL / 2));
        assert!(sightings.is_first((ids.0, span(3).unwrap()), TTL, start));
        assert!(sightings.is_first(ids, TTL, start + TTL), "forgotten");
    }

    #[test]
    fn a_flood_of_spans_is_bounded() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        for number in 1..=CAPACITY as u64 + 10 {
            assert!(sightings.is_first((trace(1), span(number).unwrap()), TTL, now));
        }
        assert_eq!((sightings.order.len(), sightings.seen.len()), (CAPACITY, CAPACITY));
    }
}
