//! Roots that passed, and when their traces are to be summed up: once nothing has been booked for a while, and again when
//! something came late. Bounded by number and age; time is passed in. Knows nothing of how a summary is written or sent.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Ledger;
use super::account::Account;
use super::call::{SpanKey, TraceKey};
use super::shelf::Shelf;

/// Resources that roots share: beyond it all of them are forgotten, and are shared anew.
const MAX_SHARED: usize = 1024;

/// How summaries are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummarySettings {
    /// How long nothing has been booked for a trace that is summed up.
    pub quiet: Duration,
    /// How long a root is waited with for calls that come late.
    pub ttl: Duration,
    /// Roots that are waited with at most.
    pub max_roots: usize,
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

/// Roots whose traces are waited for.
#[derive(Debug)]
pub struct Roots {
    settings: SummarySettings,
    born: Instant,
    waiting: Shelf<TraceKey, Waiting>,
    /// When to look at which trace, about the soonest first.
    agenda: VecDeque<(u64, TraceKey)>,
    resources: HashSet<Arc<[u8]>>,
}

#[derive(Debug, Default)]
struct Waiting {
    root: Option<PassedRoot>,
    route: Route,
    is_on_agenda: bool,
    /// What was said last.
    told: Option<Account>,
}

impl Roots {
    /// None yet.
    #[must_use]
    pub fn new(settings: SummarySettings, now: Instant) -> Self {
        let (waiting, agenda, resources) = (Shelf::new(), VecDeque::new(), HashSet::new());
        Self { settings, born: now, waiting, agenda, resources }
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

    /// A root passed, in a request that was acknowledged.
    pub fn passed(&mut self, mut root: PassedRoot, route: Route, now: Instant) {
        let now = self.reading(now);
        root.resource = self.shared(root.resource);
        let trace_id = root.trace_id;
        if let Some(waiting) = self.waiting.touch_or_put(trace_id, now) {
            (waiting.root, waiting.route) = (Some(root), route);
        }
        while self.waiting.len() > self.settings.max_roots.max(1) {
            self.waiting.pop_oldest();
        }
        self.look_at(trace_id, now);
    }

    /// The traces that have been quiet for long enough, and of which there is something new to say; `most` at most.
    /// Takes note of what was booked meanwhile.
    pub fn due<T>(&mut self, ledger: &mut Ledger<T>, most: usize, now: Instant) -> Vec<Summary> {
        let at = self.reading(now);
        self.expire(at);
        for trace_id in ledger.take_active() {
            self.look_at(trace_id, at);
        }
        let mut due = Vec::new();
        while due.len() < most {
            let Some((_, trace_id)) = self.agenda.pop_front_if(|(when, _)| *when <= at) else { break };
            if let Some(summary) = self.look(ledger, &trace_id, now) {
                due.push(summary);
            }
        }
        due
    }

    /// A summary was not taken: it is said again, later.
    pub fn failed(&mut self, trace_id: TraceKey, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&trace_id) {
            waiting.told = None;
        }
        let now = self.reading(now);
        self.look_at(trace_id, now);
    }

    /// Whether nothing is left to be said.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.agenda.is_empty()
    }

    /// Looks at a trace: what is to be said of it now, or when to look again.
    fn look<T>(&mut self, ledger: &Ledger<T>, trace_id: &TraceKey, now: Instant) -> Option<Summary> {
        let (at, quiet) = (self.reading(now), self.settings.quiet);
        let waiting = self.waiting.get_mut(trace_id)?;
        waiting.is_on_agenda = false;
        let root = waiting.root.as_ref()?;
        let account = ledger.account(trace_id, &root.service, now);
        let silence = ledger.silence(trace_id, now)?;
        if silence < quiet {
            waiting.is_on_agenda = true;
            self.agenda.push_back((at + millis(quiet - silence), *trace_id));
            return None;
        }
        if !account.has_calls() || waiting.told == Some(account) {
            return None;
        }
        waiting.told = Some(account);
        Some(Summary { root: root.clone(), route: waiting.route, account })
    }

    /// Puts a trace whose root passed on the agenda.
    fn look_at(&mut self, trace_id: TraceKey, now: u64) {
        let when = now + millis(self.settings.quiet);
        if let Some(waiting) = self.waiting.get_mut(&trace_id)
            && !waiting.is_on_agenda
        {
            waiting.is_on_agenda = true;
            self.agenda.push_back((when, trace_id));
        }
    }

    fn expire(&mut self, now: u64) {
        let ttl = millis(self.settings.ttl);
        while self.waiting.oldest().is_some_and(|touched| touched + ttl <= now) {
            self.waiting.pop_oldest();
        }
    }

    /// The same bytes that other roots have, where there are some: those of one process have one resource.
    fn shared(&mut self, resource: Arc<[u8]>) -> Arc<[u8]> {
        if let Some(known) = self.resources.get(&resource) {
            return Arc::clone(known);
        }
        if self.resources.len() >= MAX_SHARED {
            self.resources.clear();
        }
        self.resources.insert(Arc::clone(&resource));
        resource
    }

    fn reading(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.born))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}
