//! Roots that passed, and when their traces are to be summed up: once nothing has been booked for a while, and again when
//! something came late. Bounded by number, bytes and age; time is passed in. Knows nothing of how a summary is written or
//! sent. Advice for changes: whoever books waits for whoever looks here, so no look is a long one.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Ledger;
use super::account::Account;
use super::call::{SpanKey, TraceKey};
use super::origins::{OriginId, Origins};
use super::shelf::Shelf;

/// What one look takes on at most, of each kind of thing that there is to do.
const AT_ONCE: usize = 512;
/// How often a summary is said that is refused for good, in case that the backend is mended meanwhile.
const MAX_REFUSALS: u8 = 3;

/// How summaries are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummarySettings {
    /// How long nothing has been booked for a trace that is summed up.
    pub quiet: Duration,
    /// How long a root is waited with for calls that come late.
    pub ttl: Duration,
    /// Roots that are waited with at most.
    pub max_roots: usize,
    /// Upper bound of the memory that they take; the last one stays, whatever it takes.
    pub max_bytes: usize,
}

/// How many roots are waited with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RootLevel {
    /// Roots.
    pub roots: u64,
    /// Bytes that they take, as they are accounted.
    pub bytes: u64,
    /// Roots that left before their time because there was no room.
    pub evicted: u64,
}

/// A root that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedRoot {
    /// Its trace.
    pub trace_id: TraceKey,
    /// Its span.
    pub span_id: SpanKey,
    /// When it ended, in nanoseconds since 1970.
    pub end_ns: u64,
    /// Who sent it.
    pub service: Arc<str>,
    /// Its resource, as it came.
    pub resource: Arc<[u8]>,
}

/// By which way a root passed: whoever waits with roots of several knows what the numbers mean.
pub type Route = u16;

/// A trace that is to be summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its root.
    pub root: PassedRoot,
    /// By which way it passed last.
    pub route: Route,
    /// What is known of it.
    pub account: Account,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    /// The traces that are to be summed up now.
    pub summaries: Vec<Summary>,
    /// Whether there was more to do than one look takes on: look again.
    pub is_more: bool,
}

/// Roots whose traces are waited for.
#[derive(Debug)]
pub struct Roots {
    settings: SummarySettings,
    born: Instant,
    waiting: Shelf<TraceKey, Waiting>,
    origins: Origins,
    /// When to look at which trace, about the soonest first.
    agenda: Shelf<TraceKey, ()>,
    /// Tells what was said last from what is new.
    hasher: RandomState,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    span_id: SpanKey,
    end_ns: u64,
    /// The hash of what was said last.
    told: Option<u64>,
    /// None before its root is entered.
    origin: Option<OriginId>,
    route: Route,
    /// How often it was refused for good.
    refusals: u8,
}

impl Roots {
    const BYTES_EACH: usize = Shelf::<TraceKey, Waiting>::BYTES_EACH;
    const AGENDA_BYTES: usize = Shelf::<TraceKey, ()>::BYTES_EACH;

    /// None yet.
    #[must_use]
    pub fn new(settings: SummarySettings, now: Instant) -> Self {
        let (waiting, agenda, origins) = (Shelf::new(), Shelf::new(), Origins::default());
        Self { settings, born: now, waiting, origins, agenda, hasher: RandomState::new(), evicted: 0 }
    }

    /// How summaries are made.
    #[must_use]
    pub const fn settings(&self) -> SummarySettings {
        self.settings
    }

    /// Summaries are made otherwise from now on. Roots that wait stay.
    pub const fn set(&mut self, settings: SummarySettings) {
        self.settings = settings;
    }

    /// How many there are.
    #[must_use]
    pub fn level(&self) -> RootLevel {
        RootLevel { roots: self.waiting.len() as u64, bytes: self.bytes() as u64, evicted: self.evicted }
    }

    /// A root passed, in a request that was acknowledged.
    pub fn passed(&mut self, root: PassedRoot, route: Route, now: Instant) {
        let now = self.reading(now);
        let PassedRoot { trace_id, span_id, end_ns, service, resource } = root;
        let Some((slot, _)) = self.waiting.open(trace_id, now) else { return };
        let origin = Some(self.origins.enter(resource, service));
        if let Some(waiting) = self.waiting.at_mut(slot) {
            let before = std::mem::replace(&mut waiting.origin, origin);
            (waiting.span_id, waiting.end_ns, waiting.route) = (span_id, end_ns, route);
            before.into_iter().for_each(|before| self.origins.leave(before));
        }
        self.look_at(trace_id, now);
        self.make_room();
    }

    /// Takes note of what was booked meanwhile, and looks at the traces whose time has come: which of them have been quiet
    /// for long enough and are to be summed up, since there is something new to say. Does so much and no more: the ledger
    /// is in the caller's hands.
    pub fn due<T>(&mut self, ledger: &mut Ledger<T>, now: Instant) -> Due {
        let at = self.reading(now);
        let mut due = Due { is_more: self.expire(at), ..Due::default() };
        let active = ledger.take_active(AT_ONCE);
        due.is_more |= active.len() == AT_ONCE;
        active.into_iter().for_each(|trace_id| self.look_at(trace_id, at));
        // What is further ahead than `quiet` was put there before a reload made that shorter, and stands before others.
        let ahead = at + 1..=at + millis(self.settings.quiet);
        for _ in 0..AT_ONCE {
            if self.agenda.oldest().is_none_or(|when| ahead.contains(&when)) {
                return due;
            }
            if let Some((trace_id, ())) = self.agenda.pop_oldest() {
                due.summaries.extend(self.look(ledger, &trace_id, now));
            }
        }
        Due { is_more: true, ..due }
    }

    /// A summary was not taken: it is said again, later. One that is refused for good (`lasting`) is given up after some
    /// times; more is said of its trace where something comes late. Gives whether it is given up.
    pub fn failed(&mut self, trace_id: TraceKey, lasting: bool, now: Instant) -> bool {
        let Some(waiting) = self.waiting.get_mut(&trace_id) else { return true };
        waiting.refusals = waiting.refusals.saturating_add(u8::from(lasting));
        if lasting && waiting.refusals >= MAX_REFUSALS {
            return true;
        }
        waiting.told = None;
        let now = self.reading(now);
        self.look_at(trace_id, now);
        false
    }

    /// Whether nothing is left to be said.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.agenda.len() == 0
    }

    /// Looks at a trace: what is to be said of it now, or when to look again.
    fn look<T>(&mut self, ledger: &Ledger<T>, trace_id: &TraceKey, now: Instant) -> Option<Summary> {
        let waiting = self.waiting.get_mut(trace_id)?;
        let origin = self.origins.get(waiting.origin?)?;
        let account = ledger.account(trace_id, &origin.service, now);
        let silence = ledger.silence(trace_id, now)?;
        let quiet = self.settings.quiet;
        if silence < quiet {
            let at = self.reading(now);
            self.agenda.open(*trace_id, at + millis(quiet - silence));
            return None;
        }
        let told = Some(self.hasher.hash_one(account.words()));
        if !account.has_calls() || waiting.told == told {
            return None;
        }
        waiting.told = told;
        let root = PassedRoot {
            trace_id: *trace_id,
            span_id: waiting.span_id,
            end_ns: waiting.end_ns,
            service: Arc::clone(&origin.service),
            resource: Arc::clone(&origin.resource),
        };
        Some(Summary { root, route: waiting.route, account })
    }

    /// Puts a trace whose root passed on the agenda.
    fn look_at(&mut self, trace_id: TraceKey, now: u64) {
        if self.waiting.get(&trace_id).is_some() && self.agenda.get(&trace_id).is_none() {
            self.agenda.open(trace_id, now + millis(self.settings.quiet));
        }
    }

    fn bytes(&self) -> usize {
        self.waiting.len() * Self::BYTES_EACH + self.agenda.len() * Self::AGENDA_BYTES + self.origins.bytes()
    }

    fn make_room(&mut self) {
        while self.waiting.len() > 1
            && (self.waiting.len() > self.settings.max_roots || self.bytes() > self.settings.max_bytes)
        {
            self.evicted += 1;
            self.drop_oldest();
        }
    }

    /// Whether some of those that are too old are still there.
    fn expire(&mut self, now: u64) -> bool {
        let ttl = millis(self.settings.ttl);
        for _ in 0..AT_ONCE {
            if self.waiting.oldest().is_none_or(|touched| touched + ttl > now) {
                return false;
            }
            self.drop_oldest();
        }
        true
    }

    fn drop_oldest(&mut self) {
        if let Some((trace_id, waiting)) = self.waiting.pop_oldest() {
            waiting.origin.into_iter().for_each(|origin| self.origins.leave(origin));
            self.agenda.remove(&trace_id);
        }
    }

    fn reading(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.born))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}
