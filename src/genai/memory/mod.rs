//! One report a call, over requests too: what was reported within a time to live, in bounded memory. Time is passed in.
//! What left cannot be called back, so the first report counts. A report whose request is not acknowledged leaves again.
//! Knows reports; nothing of bytes, models or metrics.

mod sightings;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::keyed::Keyed;
use super::lineage::{Found, Lineage, SpanKey};
use super::report::{Fingerprints, Report, Verdict};
use super::verdict::{Standing, decide};
use crate::otlp::{SpanAt, WireError};
use sightings::Sightings;
use store::{Key, NONE, Number, Purpose, Store};

/// How many kept reports with one key are looked at, for a request and for each of its reports. Parallel calls with equal
/// totals in one trace have one key; the bound keeps a flood of them linear.
const MAX_WITH_ONE_KEY: (usize, usize) = (256, 8);
/// How many kept reports are looked at at all, likewise.
const MAX_RELATED: (usize, usize) = (2048, 16);
/// Up to how many spans below a remote agent it is recognised by.
const MAX_UNDER_AGENT: usize = 64;

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySettings {
    /// Upper bound of the memory that reports take.
    pub max_bytes: usize,
    /// How long a report is remembered.
    pub ttl: Duration,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, ttl: Duration::from_secs(120) }
    }
}

/// The reports of one request, in any order, with the tree that they stand in.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Spans with usage and a valid trace id.
    pub reports: Vec<Report>,
    /// Who is above whom.
    pub lineage: Lineage,
}

impl Batch {
    /// Reads where the reports stand in the tree of the request that they are of, which has about `spans` spans. Those
    /// without a parent are given to `root`.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn place_in_tree(&mut self, request: &[u8], spans: usize, root: impl FnMut(SpanAt)) -> Result<(), WireError> {
        self.lineage = Lineage::read(request, spans, root)?;
        let mut known = Found::default();
        for report in &mut self.reports {
            report.outside_id = report.parent_id.and_then(|id| self.lineage.outside((report.trace_id, id), &mut known));
        }
        Ok(())
    }
}

/// What was decided about a request: a verdict a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// In the order of the batch.
    pub verdicts: Vec<Verdict>,
    /// What is to be told to the memory when the request has been answered.
    pub claims: Claims,
}

/// What a request has in the memory until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "the memory waits for a request's answer"]
pub struct Claims {
    /// `None` for a span that is in the request a second time: it is booked with the first.
    reports: Vec<Option<Number>>,
    under_agents: Vec<Number>,
}

/// How full a memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryLevel {
    /// Reports in it.
    pub reports: u64,
    /// Bytes that they take, as they are accounted.
    pub bytes: u64,
    /// Reports that left before their time because there was no room.
    pub evicted: u64,
}

/// What was reported lately.
#[derive(Debug)]
pub struct Memory {
    names: Fingerprints,
    ttl: Duration,
    store: Store,
    sightings: Sightings,
}

impl Memory {
    /// An empty memory.
    #[must_use]
    pub fn new(settings: MemorySettings) -> Self {
        let capacity = if settings.ttl.is_zero() { 0 } else { settings.max_bytes / Store::BYTES_A_REPORT };
        Self { names: Fingerprints, ttl: settings.ttl, store: Store::new(capacity), sightings: Sightings::default() }
    }

    /// What takes the fingerprints that its reports are compared by.
    #[must_use]
    pub fn names(&self) -> Fingerprints {
        self.names
    }

    /// How full it is.
    #[must_use]
    pub fn level(&self) -> MemoryLevel {
        let reports = self.store.len() as u64;
        MemoryLevel { reports, bytes: reports * Store::BYTES_A_REPORT as u64, evicted: self.store.evicted() }
    }

    /// Forgets what is older than its time to live; settling does so too.
    pub fn expire(&mut self, now: Instant) {
        self.store.expire(now);
    }

    /// Decides which reports of a request count, and remembers them until [`Memory::confirm`] or [`Memory::release`].
    pub fn settle(&mut self, batch: &Batch, now: Instant) -> Settled {
        self.store.expire(now);
        let mut docket = Docket::new(batch);
        self.recognize(&mut docket);
        self.settle_remote_agents(&mut docket);
        let fresh: Vec<usize> = (0..batch.reports.len()).filter(|&index| docket.is_open(index)).collect();
        let standings = self.standings(batch, &fresh);
        let (mut reports, mut known) =
            self.related(&fresh.iter().map(|&index| batch.reports[index]).collect::<Vec<_>>());
        let before = reports.len();
        reports.extend(fresh.iter().map(|&index| batch.reports[index]));
        known.extend(&standings);
        for (place, (&index, standing)) in fresh.iter().zip(standings).enumerate() {
            // Decided below, once for all.
            docket.pending.push((index, standing, before + place));
        }
        let verdicts = decide(&reports, &known);
        self.remember(&mut docket, &verdicts, now);
        docket.finish()
    }

    /// The request was acknowledged: for each report whether it is to be booked, which a report is once.
    pub fn confirm(&mut self, claims: &Claims) -> Vec<bool> {
        for &number in &claims.under_agents {
            self.store.confirm(number);
        }
        claims.reports.iter().map(|number| number.is_some_and(|number| self.store.confirm(number))).collect()
    }

    /// Whether a call without usage, by the ids of its trace and span, is to be booked, which it is once.
    pub fn is_first_sighting(&mut self, ids: SpanKey, now: Instant) -> bool {
        self.sightings.is_first(ids, self.ttl, now)
    }

    /// For each report of a request that waits for its answer what [`Memory::confirm`] would say now.
    #[must_use]
    pub fn unbooked(&self, claims: &Claims) -> Vec<bool> {
        let is_new = |number: &Number| self.store.get(*number).is_none_or(|kept| !kept.is_confirmed());
        claims.reports.iter().map(|number| number.as_ref().is_some_and(is_new)).collect()
    }

    /// The request was not acknowledged: its reports leave, unless another request carries them too.
    pub fn release(&mut self, claims: Claims) {
        // Backwards, so that each leaves the end of the queue.
        for number in claims.under_agents.into_iter().rev().chain(claims.reports.into_iter().flatten().rev()) {
            self.store.release(number);
        }
    }

    /// Spans that are sent again keep what was decided about them.
    fn recognize(&mut self, docket: &mut Docket<'_>) {
        for (index, report) in
            docket.batch.reports.iter().enumerate().filter(|(index, _)| docket.stands_for[*index] == *index)
        {
            let Some(key) = report.span_id.map(|id| Key::Span(report.trace_id, id, report.scope)) else { continue };
            let known = self.store.with(key).find_map(|(number, kept)| Some((number, kept.standing.verdict?)));
            if let Some((number, verdict)) = known {
                self.store.claim(number);
                docket.outcomes[index] = Some((verdict, number));
            }
        }
    }

    /// A remote agent with a counted call below it is an aggregate.
    fn settle_remote_agents(&self, docket: &mut Docket<'_>) {
        let batch = docket.batch;
        let agents = docket.agents();
        if agents.is_empty() {
            return;
        }
        let (mut found, mut has_calls) = (Found::default(), HashSet::<_, Keyed>::default());
        let mut mark = |from: Option<SpanKey>| {
            let agent = from.and_then(|key| batch.lineage.climb(key, &mut found, |key| agents.get(&key).copied()));
            has_calls.extend(agent);
        };
        for report in &batch.reports {
            mark(report.span_id.and_then(|id| batch.lineage.parent((report.trace_id, id))));
        }
        for span in batch.lineage.spans() {
            if self.store.with(Key::Outside(span.0, span.1)).next().is_some() {
                mark(Some(span));
            }
        }
        for agent in has_calls {
            docket.outcomes[agent] = Some((Verdict::Aggregate, NONE));
        }
    }

    /// What is known of new reports: verdicts of enriched spans, and whether a remote agent above was counted for them.
    fn standings(&self, batch: &Batch, fresh: &[usize]) -> Vec<Standing> {
        let mut found = Found::default();
        let mut covered = |report: &Report| {
            let parent = report.parent_id.filter(|_| self.store.knows_agents())?;
            let agent_at = |(trace_id, id)| self.store.with(Key::UnderAgent(trace_id, id)).next();
            let valued = |key| agent_at(key).map(|(_, agent)| agent.report.resolves);
            batch.lineage.climb((report.trace_id, parent), &mut found, valued)
        };
        let mut standing = |report: &Report| match report.decided {
            // Where this was decided, another report of the call was seen to count.
            Some(verdict @ (Verdict::Duplicate | Verdict::Repriced)) => {
                Standing { verdict: Some(verdict), covered: Some(true) }
            }
            verdict => Standing { verdict, covered: covered(report) },
        };
        fresh.iter().map(|&index| standing(&batch.reports[index])).collect()
    }

    /// Kept reports that may be of the same calls as new ones, and those that may be of the same calls as these.
    fn related(&self, fresh: &[Report]) -> (Vec<Report>, Vec<Standing>) {
        let keys = |report: &Report| {
            let id = report.response_id.map(|id| Key::ResponseId(report.trace_id, id));
            id.into_iter().chain([Key::Totals(report.trace_id, report.totals)])
        };
        let most = |(fixed, each): (usize, usize)| fixed + each * fresh.len();
        let mut ahead: Vec<Key> =
            fresh.iter().flat_map(keys).filter(|key| self.store.with(*key).next().is_some()).collect();
        let (mut asked, mut seen) = (HashSet::<_, Keyed>::default(), HashSet::<_, Keyed>::default());
        let (mut reports, mut standings) = (Vec::new(), Vec::new());
        let mut next = 0;
        while let Some(&key) = ahead.get(next).filter(|_| reports.len() < most(MAX_RELATED)) {
            next += 1;
            if !asked.insert(key) {
                continue;
            }
            for (number, kept) in self.store.with(key).take(most(MAX_WITH_ONE_KEY)) {
                if seen.insert(number) {
                    reports.push(kept.report);
                    standings.push(kept.standing);
                    ahead.extend(keys(&kept.report));
                }
            }
        }
        (reports, standings)
    }

    fn remember(&mut self, docket: &mut Docket<'_>, verdicts: &[Verdict], now: Instant) {
        let expires = now + self.ttl;
        for (index, standing, place) in std::mem::take(&mut docket.pending) {
            let (report, verdict) = (docket.batch.reports[index], verdicts[place]);
            let standing = Standing { verdict: Some(verdict), ..standing };
            let number = self.store.push(report, standing, Purpose::Report, expires);
            docket.outcomes[index] = Some((verdict, number));
            if report.remote_agent && verdict == Verdict::Counts {
                for span in docket.under(index) {
                    let below = Report { span_id: Some(span.1), ..report };
                    docket.under_agents.push(self.store.push(below, standing, Purpose::UnderAgent, expires));
                }
            }
        }
    }
}

/// A request while it is being decided.
struct Docket<'b> {
    batch: &'b Batch,
    outcomes: Vec<Option<(Verdict, Number)>>,
    /// For a span that is in the request more than once, which of them stands for all.
    stands_for: Vec<usize>,
    /// New reports: index, standing, and place among those that are decided together.
    pending: Vec<(usize, Standing, usize)>,
    under_agents: Vec<Number>,
}

impl<'b> Docket<'b> {
    fn new(batch: &'b Batch) -> Self {
        let reports = batch.reports.len();
        Self {
            batch,
            outcomes: vec![None; reports],
            stands_for: stands_for(&batch.reports),
            pending: Vec::with_capacity(reports),
            under_agents: Vec::new(),
        }
    }

    /// Whether a report is still to be decided, by itself.
    fn is_open(&self, index: usize) -> bool {
        self.outcomes[index].is_none() && self.stands_for[index] == index
    }

    /// New remote agents by their spans.
    fn agents(&self) -> HashMap<SpanKey, usize, Keyed> {
        let is_agent = |&(index, report): &(usize, &Report)| report.remote_agent && self.is_open(index);
        let reports = self.batch.reports.iter().enumerate().filter(is_agent);
        reports.filter_map(|(index, report)| Some(((report.trace_id, report.span_id?), index))).collect()
    }

    /// A remote agent's span and the spans below it in the request.
    fn under(&self, agent: usize) -> Vec<SpanKey> {
        let report = &self.batch.reports[agent];
        let Some(top) = report.span_id.map(|id| (report.trace_id, id)) else { return Vec::new() };
        let mut found = Found::default();
        let is_under = |span: &SpanKey| {
            let above = self.batch.lineage.climb(*span, &mut found, |key| (key == top).then_some(()));
            *span != top && above.is_some()
        };
        let mut below: Vec<SpanKey> = self.batch.lineage.spans().filter(is_under).collect();
        below.sort_unstable();
        below.truncate(MAX_UNDER_AGENT);
        below.insert(0, top);
        below
    }

    fn finish(self) -> Settled {
        let claims = Claims { reports: Vec::with_capacity(self.outcomes.len()), under_agents: self.under_agents };
        let mut settled = Settled { verdicts: Vec::with_capacity(self.outcomes.len()), claims };
        for (index, &known) in self.stands_for.iter().enumerate() {
            let (verdict, number) = self.outcomes[known].unwrap_or((Verdict::Counts, NONE));
            settled.verdicts.push(verdict);
            settled.claims.reports.push((index == known).then_some(number));
        }
        settled
    }
}

/// Where a span is in a request more than once, the best of its reports stands for all.
fn stands_for(reports: &[Report]) -> Vec<usize> {
    let same = |report: &Report| report.span_id.map(|id| (report.trace_id, id, report.scope));
    let mut best: HashMap<_, usize, Keyed> = HashMap::with_capacity_and_hasher(reports.len(), Keyed);
    for (index, report) in reports.iter().enumerate() {
        let Some(key) = same(report) else { continue };
        let known = best.entry(key).or_insert(index);
        if report.preference() < reports[*known].preference() {
            *known = index;
        }
    }
    let known = |report: &Report| same(report).and_then(|key| best.get(&key)).copied();
    reports.iter().enumerate().map(|(index, report)| known(report).unwrap_or(index)).collect()
}
