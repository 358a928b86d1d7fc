//! Which calls were booked lately, by the ids of their spans: a sender that tries again after a crash is not booked twice.
//! Bounded in time and in number. Knows ids and time, which is passed in; nothing of budgets.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::period::UnixMs;
use crate::hex;

/// How long a call is known: longer than any sender tries again.
pub const CALL_TTL_MS: i64 = 600_000;
/// How many are known at most; the oldest leave first.
const MAX_CALLS: usize = 1_000_000;
/// Bytes of memory that those take at most: their set has room for twice as many with a byte for each place, and the queue
/// of a million has room for 2^20.
pub const CALLS_BYTES: u64 =
    (1 << 21) * (size_of::<CallId>() as u64 + 1) + (1 << 20) * size_of::<(UnixMs, CallId)>() as u64;
/// The processor whose calls are known by their own ids.
const PLAIN: &str = "gramtrace";

/// The ids of a call's trace and span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub [u8; 24]);

/// Whose calls are told apart from others'. One book knows the calls of all processors: where the same span goes through
/// two, each books it in its budgets, and knows it by another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallScope([u8; 24]);

/// The calls that are known, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: HashSet<CallId>,
    by_time: VecDeque<(UnixMs, CallId)>,
    /// How many have ever left from the front.
    gone: u64,
    evicted: u64,
}

impl CallId {
    /// From the two ids of a span; none where one has another length or is all zeros, as nothing can be compared with it.
    #[must_use]
    pub fn new(trace_id: &[u8], span_id: &[u8]) -> Option<Self> {
        let mut id = [0; 24];
        let (trace, span) = id.split_at_mut(16);
        if trace_id.len() != 16
            || span_id.len() != 8
            || [trace_id, span_id].iter().any(|id| id.iter().all(|it| *it == 0))
        {
            return None;
        }
        trace.copy_from_slice(trace_id);
        span.copy_from_slice(span_id);
        Some(Self(id))
    }
}

impl CallScope {
    /// The calls of the processor with this id in the configuration: the same after a restart.
    #[must_use]
    pub fn of(processor: &str) -> Self {
        let digest = Sha256::digest(processor);
        Self(digest.first_chunk().copied().filter(|_| processor != PLAIN).unwrap_or_default())
    }

    /// The call of a span, as [`CallId::new`] has it.
    #[must_use]
    pub fn call(self, trace_id: &[u8], span_id: &[u8]) -> Option<CallId> {
        let CallId(mut id) = CallId::new(trace_id, span_id)?;
        id.iter_mut().zip(self.0).for_each(|(byte, of_scope)| *byte ^= of_scope);
        Some(CallId(id))
    }
}

impl Calls {
    /// Whether the call is new; it is known from now on.
    pub(super) fn insert(&mut self, call: CallId, now: UnixMs) -> bool {
        let now = self.by_time.back().map_or(now, |(last, _)| now.max(*last));
        while self.by_time.front().is_some_and(|(at, _)| now - at > CALL_TTL_MS) {
            self.forget();
        }
        if !self.known.insert(call) {
            return false;
        }
        if self.by_time.len() == MAX_CALLS {
            self.forget();
            self.evicted += 1;
        }
        self.by_time.push_back((now, call));
        true
    }

    /// The clock is believed that is so much behind.
    pub(super) fn set_back(&mut self, by_ms: i64) {
        self.by_time.iter_mut().for_each(|(at, _)| *at = at.saturating_sub(by_ms));
    }

    /// Those from `place` on, where the first that was ever known has place 0: up to `most`, with the place to go on at.
    pub(super) fn from(&self, place: u64, most: usize) -> (Vec<(UnixMs, CallId)>, u64) {
        let first = usize::try_from(place.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        let some: Vec<_> = self.by_time.iter().skip(first).take(most).copied().collect();
        let next = place.max(self.gone).saturating_add(some.len() as u64);
        (some, next)
    }

    /// How many left before their time.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn forget(&mut self) {
        if let Some((_, call)) = self.by_time.pop_front() {
            self.known.remove(&call);
            self.gone += 1;
        }
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let mut id = [0; 24];
        for (place, byte) in id.iter_mut().enumerate() {
            let digits = hex.get(2 * place..2 * place + 2).ok_or_else(|| de::Error::custom("an id is too short"))?;
            *byte = u8::from_str_radix(digits, 16).map_err(de::Error::custom)?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64) -> CallId {
        CallId::new(&[1; 16], &(number + 1).to_be_bytes()).unwrap()
    }

    #[test]
    fn a_call_is_known_for_ten_minutes_also_when_the_clock_is_set_back() {
        let mut calls = Calls::default();
        assert!(calls.insert(call(1), 1_000_000));
        assert!(!calls.insert(call(1), 1_600_000));
        assert!(!calls.insert(call(1), 0));
        assert!(calls.insert(call(2), 0), "booked at the latest time that was seen");
        assert!(calls.insert(call(1), 1_600_001));
        assert_eq!(CallId::new(&[0; 16], &[1; 8]), None);
    }

    #[test]
    fn a_million_calls_are_bounded_and_can_be_read_in_parts() {
        let mut calls = Calls::default();
        for number in 0..1_000_010 {
            assert!(calls.insert(call(number), 5));
        }
        assert_eq!((calls.by_time.len(), calls.known.len(), calls.evicted()), (MAX_CALLS, MAX_CALLS, 10));
        let (some, next) = calls.from(0, 3);
        assert_eq!((some, next), (vec![(5, call(10)), (5, call(11)), (5, call(12))], 13));
        assert_eq!(calls.from(next, 1), (vec![(5, call(13))], 14));
        assert_eq!(calls.from(1_000_010, 1), (vec![], 1_000_010));
    }

    #[test]
    fn a_span_that_goes_through_two_processors_is_a_call_of_each() {
        let mut calls = Calls::default();
        let [plain, shop, search] = ["gramtrace", "gramtrace/shop", "gramtrace/search"].map(CallScope::of);
        for scope in [plain, shop, search] {
            let call = scope.call(&[1; 16], &[2; 8]).unwrap();
            assert!(calls.insert(call, 5), "not booked by this processor");
            assert!(!calls.insert(call, 5), "sent again");
        }
        assert_eq!(plain.call(&[1; 16], &[2; 8]), CallId::new(&[1; 16], &[2; 8]), "known from before by these ids");
        assert_eq!(shop.call(&[0; 16], &[2; 8]), None);
        assert_eq!(shop, CallScope::of("gramtrace/shop"));
    }

    #[test]
    fn a_million_calls_take_what_is_set_aside_for_them() {
        let mut calls = Calls::default();
        for number in 0..MAX_CALLS as u64 + 10 {
            assert!(calls.insert(call(number), 5));
        }
        // What a set of this many has room for is seven eighths of its places.
        let places = (calls.known.capacity() as u64).div_ceil(7) * 8;
        let bytes = places * (size_of::<CallId>() as u64 + 1)
            + calls.by_time.capacity() as u64 * size_of::<(UnixMs, CallId)>() as u64;
        assert!(bytes <= CALLS_BYTES && CALLS_BYTES < 90_000_000, "{bytes} of {CALLS_BYTES}");
    }

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let text = serde_json::to_string(&call(0xab)).unwrap();
        assert_eq!(text, "\"0101010101010101010101010101010100000000000000ac\"");
        assert_eq!(serde_json::from_str::<CallId>(&text).unwrap(), call(0xab));
        assert!(
            serde_json::from_str::<CallId>("\"01\"").is_err()
                && serde_json::from_str::<CallId>("\"\u{e9}\u{e9}\"").is_err()
        );
    }
}
