//! Where reports are kept: oldest first, found by what another report of the same call would share with them, bounded
//! by number and age. Knows nothing of how calls are told apart. Advice for changes: a report's number is its place in
//! the queue, so it is found without a search; those with a common key are linked from the newest to the oldest, and a
//! link to what has left ends the chain.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::iter::successors;
use std::time::Instant;

use super::super::keyed::{Hashed, Keyed};
use super::super::report::{Fingerprint, Report, SpanId, TraceId};
use super::super::verdict::Standing;

/// The number of a kept report; the first is 1.
pub(super) type Number = u64;

/// No report.
pub(super) const NONE: Number = 0;

/// Chains that a report is linked into.
const CHAINS: usize = 4;

/// What a report is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The span itself.
    Span(TraceId, SpanId, Fingerprint),
    /// The model server's id of its answer.
    ResponseId(TraceId, Fingerprint),
    /// Its input and output tokens.
    Totals(TraceId, (u64, u64)),
    /// The id of the first span above it that was not in its request.
    Outside(TraceId, SpanId),
    /// A remote agent that was counted, or a span below it.
    UnderAgent(TraceId, SpanId),
}

impl Key {
    /// The chain that it leads to.
    const fn chain(self) -> usize {
        match self {
            Self::Span(..) | Self::UnderAgent(..) => 0,
            Self::ResponseId(..) => 1,
            Self::Totals(..) => 2,
            Self::Outside(..) => 3,
        }
    }
}

/// Why something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A report of a call.
    Report,
    /// A remote agent that counts, or a span below it: `span_id` says which. What is below it is covered.
    UnderAgent,
}

/// A report with what was decided about it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) report: Report,
    pub(super) standing: Standing,
    purpose: Purpose,
    /// Requests that carry it and are not answered yet.
    claims: u32,
    /// Whether a request that carried it was acknowledged.
    confirmed: bool,
    expires: Instant,
    /// In each chain, the next older one.
    older: [Number; CHAINS],
}

impl Kept {
    /// Its request failed, and it only holds its place in the queue.
    const fn is_gone(&self) -> bool {
        self.claims == 0 && !self.confirmed
    }

    /// Whether a request that carried it was acknowledged.
    pub(super) const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// By chain.
    fn keys(&self) -> [Option<Key>; CHAINS] {
        let Report { trace_id, span_id, scope, totals, response_id, outside_id, .. } = self.report;
        match self.purpose {
            Purpose::Report => [
                span_id.map(|id| Key::Span(trace_id, id, scope)),
                response_id.map(|id| Key::ResponseId(trace_id, id)),
                Some(Key::Totals(trace_id, totals)),
                outside_id.map(|id| Key::Outside(trace_id, id)),
            ],
            Purpose::UnderAgent => [span_id.map(|id| Key::UnderAgent(trace_id, id)), None, None, None],
        }
    }
}

/// Kept reports.
#[derive(Debug)]
pub(super) struct Store {
    capacity: usize,
    /// In the order in which they came, which is that in which they expire.
    kept: VecDeque<Kept>,
    /// The number of the first of `kept`.
    first: Number,
    /// By the hash of a key, the newest that has it.
    newest: HashMap<u64, Number, Hashed>,
    evicted: u64,
    under_agents: usize,
}

impl Store {
    /// Bytes that a report takes, generously: the queue grows by a quarter, and a hash table that has just grown, with
    /// the one that it grew from beside it, takes less than four times its entries.
    pub(super) const BYTES_A_REPORT: usize = size_of::<Kept>() * 5 / 4 + CHAINS * 4 * (size_of::<(u64, Number)>() + 1);

    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, kept: VecDeque::new(), first: 1, newest: HashMap::default(), evicted: 0, under_agents: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Reports that left before their time because there was no room.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) const fn knows_agents(&self) -> bool {
        self.under_agents > 0
    }

    pub(super) fn get(&self, number: Number) -> Option<&Kept> {
        self.kept.get(self.place(number)?)
    }

    /// Those with a key, the newest first.
    pub(super) fn with(&self, key: Key) -> impl Iterator<Item = (Number, &Kept)> {
        let found = |number: Number| self.get(number).map(|kept| (number, kept));
        let newest = self.newest.get(&Keyed.hash_one(key)).copied().and_then(found);
        successors(newest, move |(_, kept)| found(kept.older[key.chain()]))
            .filter(move |(_, kept)| !kept.is_gone() && kept.keys()[key.chain()] == Some(key))
    }

    /// Keeps a report that one request carries, and drops the oldest where there is no room.
    pub(super) fn push(&mut self, report: Report, standing: Standing, purpose: Purpose, expires: Instant) -> Number {
        if self.capacity == 0 {
            return NONE;
        }
        while self.kept.len() >= self.capacity {
            self.evicted += u64::from(self.kept.front().is_some_and(|oldest| !oldest.is_gone()));
            self.pop_oldest();
        }
        if self.kept.len() == self.kept.capacity() {
            self.kept.reserve_exact((self.kept.len() / 4).max(256).min(self.capacity - self.kept.len()));
        }
        let number = self.first + self.kept.len() as Number;
        let older = [NONE; CHAINS];
        let mut kept = Kept { report, standing, purpose, claims: 1, confirmed: false, expires, older };
        for key in kept.keys().into_iter().flatten() {
            let before = self.newest.insert(Keyed.hash_one(key), number);
            kept.older[key.chain()] = before.unwrap_or(NONE);
        }
        self.under_agents += usize::from(purpose == Purpose::UnderAgent);
        self.kept.push_back(kept);
        number
    }

    /// Drops what expired.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.kept.front().is_some_and(|oldest| oldest.expires <= now) {
            self.pop_oldest();
        }
    }

    /// One more request carries it.
    pub(super) fn claim(&mut self, number: Number) {
        if let Some(kept) = self.get_mut(number) {
            kept.claims += 1;
        }
    }

    /// A request that carries it was acknowledged: whether it is the first. What has been forgotten meanwhile counts
    /// as the first.
    pub(super) fn confirm(&mut self, number: Number) -> bool {
        let Some(kept) = self.get_mut(number) else { return true };
        kept.claims = kept.claims.saturating_sub(1);
        !std::mem::replace(&mut kept.confirmed, true)
    }

    /// A request that carries it was not acknowledged. When it was the only one, the report leaves.
    pub(super) fn release(&mut self, number: Number) {
        if let Some(kept) = self.get_mut(number) {
            kept.claims = kept.claims.saturating_sub(1);
        }
        while self.kept.back().is_some_and(Kept::is_gone) {
            self.pop_newest();
        }
    }

    /// Keys that lead to something.
    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.newest.len()
    }

    fn place(&self, number: Number) -> Option<usize> {
        number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok())
    }

    fn get_mut(&mut self, number: Number) -> Option<&mut Kept> {
        let place = self.place(number)?;
        self.kept.get_mut(place)
    }

    fn pop_oldest(&mut self) {
        let number = self.first;
        if let Some(kept) = self.kept.pop_front() {
            self.first += 1;
            self.unlink(number, &kept);
        }
    }

    fn pop_newest(&mut self) {
        if let Some(kept) = self.kept.pop_back() {
            self.unlink(self.first + self.kept.len() as Number, &kept);
        }
    }

    /// Takes the oldest or the newest out of its chains.
    fn unlink(&mut self, number: Number, kept: &Kept) {
        self.under_agents -= usize::from(kept.purpose == Purpose::UnderAgent);
        for key in kept.keys().into_iter().flatten() {
            let hash = Keyed.hash_one(key);
            if self.newest.get(&hash) == Some(&number) {
                match kept.older[key.chain()] {
                    older if older >= self.first => self.newest.insert(hash, older),
                    _ => self.newest.remove(&hash),
                };
            }
        }
    }
}
