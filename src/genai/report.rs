//! A span as a report of a model call: what two reports have to be compared by, in a fixed size, so that a memory of
//! reports is bounded by counting them. Names are fingerprints: nothing that a sender wrote is kept.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::num::NonZeroU64;

use super::keyed::Keyed;

/// `trace_id`: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId {
    high: u64,
    low: u64,
}

impl TraceId {
    /// A trace id from the wire; `None` for one that the protocol calls invalid.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let ([high, low], []) = bytes.as_chunks::<8>() else { return None };
        let id = Self { high: u64::from_be_bytes(*high), low: u64::from_be_bytes(*low) };
        (id.high | id.low != 0).then_some(id)
    }

    /// The id as it came.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        (((self.high as u128) << 64) | self.low as u128).to_be_bytes()
    }
}

/// `span_id`: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// A span id from the wire; `None` for one that the protocol calls invalid, which is what a root has as its parent.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u64::from_be_bytes).and_then(NonZeroU64::new).map(Self)
    }

    /// The id as it came.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

/// A name, as far as it has to be told from others: a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(NonZeroU64);

/// Takes fingerprints, which are comparable within a process. Senders do not know its key, so they cannot make two names
/// collide.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fingerprints;

impl Fingerprints {
    /// The fingerprint of a name.
    #[must_use]
    pub fn of(self, name: &str) -> Fingerprint {
        // As bytes: their number is hashed, too.
        Fingerprint(NonZeroU64::new(Keyed.hash_one(name.as_bytes())).unwrap_or(NonZeroU64::MIN))
    }
}

/// What was decided about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is the report of its call that counts.
    Counts,
    /// Its call was counted by another report.
    Duplicate,
    /// Its call was counted by a report without a value, which it brings.
    Repriced,
    /// It stands for calls below it that were counted.
    Aggregate,
}

/// A span that reports a call with its usage. Spans with an invalid trace id report nothing that could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// `trace_id`.
    pub trace_id: TraceId,
    /// `span_id`.
    pub span_id: Option<SpanId>,
    /// `parent_span_id`.
    pub parent_id: Option<SpanId>,
    /// Up the tree, the id of the first span that is not in the same request: where reports of other requests tie in.
    pub outside_id: Option<SpanId>,
    /// The instrumentation scope's name.
    pub scope: Fingerprint,
    /// Start and end in nanoseconds.
    pub time_ns: (u64, u64),
    /// Inclusive input and output tokens.
    pub totals: (u64, u64),
    /// The model server's id of its answer, non-empty.
    pub response_id: Option<Fingerprint>,
    /// Whether its model resolves.
    pub resolves: bool,
    /// Whether it has cache or reasoning detail.
    pub detailed: bool,
    /// Whether it is a remote agent: a call only where no call below it is known.
    pub remote_agent: bool,
    /// What was decided elsewhere, on a span that came enriched.
    pub decided: Option<Verdict>,
}

impl Report {
    /// The better of two reports of one call sorts first: the one whose model resolves, then the one with detail, then
    /// the one that ended first; ids decide the rest, so that the order of spans in a request never does.
    pub(super) fn preference(&self) -> impl Ord + use<> {
        let told = (Reverse(self.resolves), Reverse(self.detailed), self.time_ns.1);
        (told, self.time_ns.0, self.span_id, self.scope, self.totals, self.response_id)
    }

    /// Whether two reports may be one call seen by two instrumentations, if their totals are equal.
    pub(super) fn may_be_twin(&self, other: &Self) -> bool {
        self.scope != other.scope
            && (self.response_id.is_none() || other.response_id.is_none())
            && self.time_ns.0 <= other.time_ns.1
            && other.time_ns.0 <= self.time_ns.1
    }

    /// How near two twins are: child and parent, then siblings, then by how far apart they start and end.
    pub(super) fn distance(&self, other: &Self) -> (u8, u64) {
        let is_parent = |one: &Self, other: &Self| one.span_id.is_some() && one.span_id == other.parent_id;
        let kinship = if is_parent(self, other) || is_parent(other, self) {
            0
        } else if self.parent_id.is_some() && self.parent_id == other.parent_id {
            1
        } else {
            2
        };
        let apart = self.time_ns.0.abs_diff(other.time_ns.0).saturating_add(self.time_ns.1.abs_diff(other.time_ns.1));
        (kinship, apart)
    }

    /// What orders reports that are equally near: nothing that depends on their order in the request.
    pub(super) fn key(&self) -> impl Ord + use<> {
        (self.time_ns, self.span_id, self.scope)
    }
}

#[cfg(test)]
pub(in crate::genai) mod made {
    //! Reports for tests: one trace, equal totals, no ids but spans', all at the same time.

    use super::*;

    pub(in crate::genai) fn trace(number: u8) -> TraceId {
        TraceId::read(&[number; 16]).unwrap()
    }

    pub(in crate::genai) fn span(number: u64) -> Option<SpanId> {
        SpanId::read(&number.to_be_bytes())
    }

    /// A name whose fingerprint is its own bytes, so that tests need no key.
    pub(in crate::genai) fn name(text: &str) -> Fingerprint {
        let number = text.bytes().fold(1u64, |number, byte| (number << 8) | u64::from(byte));
        Fingerprint(NonZeroU64::new(number).unwrap())
    }

    pub(in crate::genai) fn report(span_id: u64, scope: &str, time_ns: (u64, u64)) -> Report {
        Report {
            trace_id: trace(7),
            span_id: span(span_id),
            parent_id: None,
            outside_id: None,
            scope: name(scope),
            time_ns,
            totals: (100, 10),
            response_id: None,
            resolves: true,
            detailed: false,
            remote_agent: false,
            decided: None,
        }
    }
}
