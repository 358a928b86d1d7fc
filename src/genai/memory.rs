//! One report a call over requests: a bounded memory of the calls that were reported a short time ago. What has left
//! cannot be called back, so the first report of a call counts; a later one is a duplicate, or brings the value that
//! the first one lacked. Time is passed in; nothing here knows what a value is.
//!
//! Advice for changes: every report in the memory hangs in exactly one call, `by_span` says in which, and the other two
//! indices hold a call as long as it has reports. `forget` is the only way out, so it is the place to keep them true.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Status;
use super::calls::{Report, is_valid_trace_id};

/// What one report costs at most, its share of the indices included: between 460 and 740 bytes of resident memory were
/// measured for calls with one report each, by how full the tables are.
const REPORT_BYTES: usize = 768;
/// How many calls of one trace with equal totals are looked at: the newest. Bounds what hostile input costs.
const CANDIDATES: usize = 64;

type TraceId = [u8; 16];
type SpanId = [u8; 8];
type CallId = u64;
/// Inclusive input and output tokens.
type Tokens = (u64, u64);

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySettings {
    /// Upper bound in bytes; the oldest reports leave first.
    pub max_bytes: usize,
    /// How long a report is remembered.
    pub ttl: Duration,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, ttl: Duration::from_secs(120) }
    }
}

/// The calls that were reported a short time ago.
#[derive(Debug)]
pub struct Memory {
    settings: MemorySettings,
    hasher: RandomState,
    next_call: CallId,
    calls: HashMap<CallId, Call>,
    by_span: HashMap<(TraceId, SpanId), CallId>,
    by_response: HashMap<(TraceId, u64), CallId>,
    by_totals: HashMap<(TraceId, Tokens), SmallVec<[CallId; 1]>>,
    /// How many reports have this span as their parent.
    parents: HashMap<(TraceId, SpanId), u32>,
    /// Reports in the order in which they leave.
    leaving: VecDeque<(Instant, TraceId, SpanId)>,
    evicted: u64,
}

#[derive(Debug)]
struct Call {
    totals: Tokens,
    response: Option<u64>,
    reports: SmallVec<[Remembered; 1]>,
}

#[derive(Debug)]
struct Remembered {
    span_id: SpanId,
    parent_id: SpanId,
    scope: u64,
    time_ns: (u64, u64),
    given: Status,
    leaves: Instant,
}

/// What the memory says of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the span is given.
    pub status: Status,
    /// Whether the very same span came before and was acknowledged: it is given the same again and booked no more.
    pub is_repeat: bool,
}

/// Spans that entered the memory with one request: they leave it again if the request is not acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entered(Vec<(TraceId, SpanId)>);

impl Call {
    fn is_counted(&self) -> bool {
        self.reports.iter().any(|report| report.given.counts())
    }

    fn has_value(&self) -> bool {
        self.reports.iter().any(|report| matches!(report.given, Status::Ok | Status::Repriced))
    }
}

impl Memory {
    /// An empty memory.
    #[must_use]
    pub fn new(settings: MemorySettings) -> Self {
        Self {
            settings,
            hasher: RandomState::new(),
            next_call: 0,
            calls: HashMap::new(),
            by_span: HashMap::new(),
            by_response: HashMap::new(),
            by_totals: HashMap::new(),
            parents: HashMap::new(),
            leaving: VecDeque::new(),
            evicted: 0,
        }
    }

    /// Reports that left before their time because the memory was full.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Reports that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_span.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_span.is_empty()
    }

    /// Whether some remembered report is directly below this span.
    #[must_use]
    pub fn has_child(&self, trace_id: &[u8], span_id: &[u8]) -> bool {
        match ids(trace_id, span_id) {
            Some(key) => self.parents.contains_key(&key),
            None => false,
        }
    }

    /// Lets go of what is too old.
    pub fn expire(&mut self, now: Instant) {
        while let Some(&(leaves, trace_id, span_id)) = self.leaving.front()
            && leaves <= now
        {
            self.leaving.pop_front();
            if self.is_due((leaves, trace_id, span_id)) {
                self.forget(trace_id, span_id);
            }
        }
    }

    /// Takes in the reports of one call as one request has them, the one that counts there first, each with the status
    /// that it has within its request. Gives each its final status. Reports without valid ids are told what they came
    /// with and not remembered.
    pub fn settle(&mut self, reports: &[(Report<'_>, Status)], now: Instant, entered: &mut Entered) -> Vec<Verdict> {
        let known = self.find(reports, now);
        let (counted, valued) = match known.and_then(|id| self.calls.get(&id)) {
            Some(call) => (call.is_counted(), call.has_value()),
            None => (false, false),
        };
        let mut verdicts = Vec::with_capacity(reports.len());
        let mut call_id = known;
        for (index, (report, status)) in reports.iter().enumerate() {
            let given = match (index, counted, valued) {
                (0, true, false) if *status == Status::Ok => Status::Repriced,
                (_, true, _) => Status::Duplicate,
                _ => *status,
            };
            let repeat = ids(report.trace_id, report.span_id).and_then(|key| self.given(key));
            let verdict = Verdict { status: repeat.unwrap_or(given), is_repeat: repeat.is_some() };
            if repeat.is_none() {
                call_id = self.remember(call_id, (report, given), now, entered).or(call_id);
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    /// Takes back what entered with a request that was not acknowledged.
    pub fn withdraw(&mut self, entered: &Entered) {
        for &(trace_id, span_id) in &entered.0 {
            self.forget(trace_id, span_id);
        }
        // A backend that is down for long must not leave a queue of reports that are gone.
        if self.leaving.len() > 2 * self.by_span.len() + 1024 {
            let queue = std::mem::take(&mut self.leaving);
            self.leaving = queue.into_iter().filter(|it| self.is_due(*it)).collect();
        }
    }

    fn given(&self, key: (TraceId, SpanId)) -> Option<Status> {
        let call = self.calls.get(self.by_span.get(&key)?)?;
        call.reports.iter().find(|report| report.span_id == key.1).map(|report| report.given)
    }

    /// The remembered call that these reports are of: by a span that came before, by response id, or as a twin.
    fn find(&self, reports: &[(Report<'_>, Status)], now: Instant) -> Option<CallId> {
        let by_span = |report: &Report<'_>| self.by_span.get(&ids(report.trace_id, report.span_id)?).copied();
        let by_response = |report: &Report<'_>| {
            let (trace_id, _) = ids(report.trace_id, report.span_id)?;
            self.by_response.get(&(trace_id, self.hasher.hash_one(report.response_id?))).copied()
        };
        let each = || reports.iter().map(|(report, _)| report);
        each().find_map(by_span).or_else(|| each().find_map(by_response)).or_else(|| self.find_twin(reports, now))
    }

    /// The nearest remembered call that is a twin of one of `reports` and contradicts none of them.
    fn find_twin(&self, reports: &[(Report<'_>, Status)], now: Instant) -> Option<CallId> {
        let new: SmallVec<[(Report<'_>, Remembered); 2]> = reports
            .iter()
            .filter_map(|(report, status)| Some((*report, self.as_remembered(report, *status, now)?)))
            .collect();
        let mut nearest: Option<((u8, u64), CallId)> = None;
        for (report, as_new) in &new {
            let (trace_id, _) = ids(report.trace_id, report.span_id)?;
            let candidates = self.by_totals.get(&(trace_id, report.totals));
            for &id in candidates.into_iter().flatten().rev().take(CANDIDATES) {
                let Some(call) = self.calls.get(&id) else { continue };
                let contradicts = |(report, as_new): &(Report<'_>, Remembered)| {
                    report.response_id.is_some() && call.response.is_some()
                        || call.reports.iter().any(|known| known.scope == as_new.scope)
                };
                if new.iter().any(contradicts) {
                    continue;
                }
                let overlapping = call.reports.iter().filter(|known| overlap(known.time_ns, as_new.time_ns));
                if let Some(distance) = overlapping.map(|known| distance(known, as_new)).min()
                    && nearest.is_none_or(|(least, _)| distance < least)
                {
                    nearest = Some((distance, id));
                }
            }
        }
        nearest.map(|(_, id)| id)
    }

    fn as_remembered(&self, report: &Report<'_>, given: Status, leaves: Instant) -> Option<Remembered> {
        let (_, span_id) = ids(report.trace_id, report.span_id)?;
        Some(Remembered {
            span_id,
            parent_id: report.parent_id.try_into().unwrap_or_default(),
            scope: self.hasher.hash_one(report.scope),
            time_ns: report.time_ns,
            given,
            leaves,
        })
    }

    /// Adds a report to its call, or to a new one. Gives the call, or nothing for a report without valid ids.
    fn remember(
        &mut self,
        call: Option<CallId>,
        (report, given): (&Report<'_>, Status),
        now: Instant,
        entered: &mut Entered,
    ) -> Option<CallId> {
        let (trace_id, span_id) = ids(report.trace_id, report.span_id)?;
        let leaves = now + self.settings.ttl;
        let remembered = self.as_remembered(report, given, leaves)?;
        let response = report.response_id.map(|id| self.hasher.hash_one(id));
        let id = call.filter(|id| self.calls.contains_key(id)).unwrap_or_else(|| self.open(trace_id, report.totals));
        if remembered.parent_id != SpanId::default() {
            *self.parents.entry((trace_id, remembered.parent_id)).or_default() += 1;
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.reports.push(remembered);
            if let Some(response) = response {
                call.response.get_or_insert(response);
                self.by_response.entry((trace_id, response)).or_insert(id);
            }
        }
        self.by_span.insert((trace_id, span_id), id);
        self.leaving.push_back((leaves, trace_id, span_id));
        entered.0.push((trace_id, span_id));
        self.make_room();
        Some(id)
    }

    fn open(&mut self, trace_id: TraceId, totals: Tokens) -> CallId {
        let id = self.next_call;
        self.next_call += 1;
        self.calls.insert(id, Call { totals, response: None, reports: SmallVec::new() });
        self.by_totals.entry((trace_id, totals)).or_default().push(id);
        id
    }

    fn make_room(&mut self) {
        while self.by_span.len() > (self.settings.max_bytes / REPORT_BYTES).max(1)
            && let Some(oldest) = self.leaving.pop_front()
        {
            if self.is_due(oldest) {
                self.forget(oldest.1, oldest.2);
                self.evicted += 1;
            }
        }
    }

    /// Whether the report is remembered to leave then: one that was withdrawn and came again leaves later.
    fn is_due(&self, (leaves, trace_id, span_id): (Instant, TraceId, SpanId)) -> bool {
        let call = self.by_span.get(&(trace_id, span_id)).and_then(|id| self.calls.get(id));
        call.is_some_and(|call| call.reports.iter().any(|it| it.span_id == span_id && it.leaves == leaves))
    }

    /// Lets one report go, and its call with the last one.
    fn forget(&mut self, trace_id: TraceId, span_id: SpanId) {
        let Some(id) = self.by_span.remove(&(trace_id, span_id)) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(index) = call.reports.iter().position(|report| report.span_id == span_id) {
            let parent = (trace_id, call.reports.remove(index).parent_id);
            if let Some(children) = self.parents.get_mut(&parent) {
                *children -= 1;
                if *children == 0 {
                    self.parents.remove(&parent);
                }
            }
        }
        if call.reports.is_empty()
            && let Some(call) = self.calls.remove(&id)
        {
            self.close(id, trace_id, &call);
        }
    }

    fn close(&mut self, id: CallId, trace_id: TraceId, call: &Call) {
        if let Some(response) = call.response {
            self.by_response.remove(&(trace_id, response));
        }
        let key = (trace_id, call.totals);
        if let Some(same) = self.by_totals.get_mut(&key) {
            same.retain(|other| *other != id);
            if same.is_empty() {
                self.by_totals.remove(&key);
            }
        }
    }
}

/// Ids as they are remembered; nothing for ids that are none.
fn ids(trace_id: &[u8], span_id: &[u8]) -> Option<(TraceId, SpanId)> {
    let span_id: SpanId = span_id.try_into().ok().filter(|id| *id != SpanId::default())?;
    is_valid_trace_id(trace_id).then(|| trace_id.try_into().ok())?.map(|trace_id| (trace_id, span_id))
}

const fn overlap(one: (u64, u64), other: (u64, u64)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

/// As between the reports of one request: child and parent, then siblings, then by how far apart they start.
fn distance(one: &Remembered, other: &Remembered) -> (u8, u64) {
    let kinship = if one.parent_id == other.span_id || other.parent_id == one.span_id {
        0
    } else if one.parent_id == other.parent_id {
        1
    } else {
        2
    };
    (kinship, one.time_ns.0.abs_diff(other.time_ns.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = &[7; 16];

    fn report(span: u8, scope: &'static str) -> Report<'static> {
        const SPANS: [[u8; 8]; 10] = [[1; 8], [2; 8], [3; 8], [4; 8], [5; 8], [6; 8], [7; 8], [8; 8], [9; 8], [10; 8]];
        Report {
            trace_id: TRACE,
            span_id: &SPANS[usize::from(span)],
            parent_id: b"",
            scope,
            time_ns: (0, 100),
            totals: (100, 10),
            response_id: None,
            resolves: true,
            detailed: false,
        }
    }

    fn with_id(report: Report<'static>) -> Report<'static> {
        Report { response_id: Some("resp-1"), ..report }
    }

    /// One request with one report: what its span is given.
    fn one(memory: &mut Memory, report: Report<'_>, status: Status, now: Instant) -> (Verdict, Entered) {
        let mut entered = Entered::default();
        let verdicts = memory.settle(&[(report, status)], now, &mut entered);
        (verdicts[0], entered)
    }

    fn status(memory: &mut Memory, report: Report<'_>, status: Status, now: Instant) -> Status {
        one(memory, report, status, now).0.status
    }

    #[test]
    fn the_first_report_counts_and_a_later_one_of_the_same_response_is_a_duplicate() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        assert_eq!(status(&mut memory, with_id(report(0, "client")), Status::Ok, now), Status::Ok);
        assert_eq!(status(&mut memory, with_id(report(1, "proxy")), Status::Ok, now), Status::Duplicate);
        let retry = Report { response_id: Some("resp-2"), ..report(2, "client") };
        assert_eq!(status(&mut memory, retry, Status::Ok, now), Status::Ok, "another id is another call");
    }

    #[test]
    fn a_twin_in_a_later_request_is_a_duplicate_and_a_second_call_is_none() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        assert_eq!(status(&mut memory, report(0, "outer"), Status::Ok, now), Status::Ok);
        assert_eq!(status(&mut memory, report(1, "inner"), Status::Ok, now), Status::Duplicate);
        assert_eq!(status(&mut memory, report(2, "inner"), Status::Ok, now), Status::Ok, "inner saw two calls");
        let later = Report { time_ns: (101, 200), ..report(3, "third") };
        assert_eq!(status(&mut memory, later, Status::Ok, now), Status::Ok, "no overlap");
    }

    #[test]
    fn a_value_that_the_first_report_lacked_comes_once_without_tokens() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        let unpriced = Report { resolves: false, ..with_id(report(0, "client")) };
        assert_eq!(status(&mut memory, unpriced, Status::UnknownModel, now), Status::UnknownModel);
        assert_eq!(status(&mut memory, with_id(report(1, "proxy")), Status::Ok, now), Status::Repriced);
        assert_eq!(status(&mut memory, with_id(report(2, "gateway")), Status::Ok, now), Status::Duplicate);
        let no_model = Report { resolves: false, ..with_id(report(3, "other")) };
        assert_eq!(status(&mut memory, no_model, Status::NoModel, now), Status::Duplicate);
    }

    #[test]
    fn the_same_span_again_is_given_the_same_and_is_a_repeat() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        let first = one(&mut memory, report(0, "outer"), Status::Ok, now).0;
        assert_eq!(first, Verdict { status: Status::Ok, is_repeat: false });
        one(&mut memory, report(1, "inner"), Status::Ok, now);
        for (span, scope, given) in [(0, "outer", Status::Ok), (1, "inner", Status::Duplicate)] {
            let again = one(&mut memory, report(span, scope), Status::Ok, now).0;
            assert_eq!(again, Verdict { status: given, is_repeat: true });
        }
    }

    #[test]
    fn what_was_not_acknowledged_leaves_and_the_next_report_counts() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        let (_, entered) = one(&mut memory, with_id(report(0, "client")), Status::Ok, now);
        assert_eq!(status(&mut memory, with_id(report(1, "proxy")), Status::Ok, now), Status::Duplicate);
        memory.withdraw(&entered);
        assert_eq!(status(&mut memory, with_id(report(0, "client")), Status::Ok, now), Status::Ok, "sent again");
        assert_eq!(status(&mut memory, with_id(report(2, "third")), Status::Ok, now), Status::Duplicate);
    }

    #[test]
    fn what_is_older_than_its_time_is_forgotten() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        one(&mut memory, with_id(report(0, "client")), Status::Ok, now);
        let later = now + Duration::from_secs(120);
        memory.expire(later - Duration::from_nanos(1));
        assert_eq!(memory.len(), 1);
        memory.expire(later);
        assert!(memory.is_empty() && memory.calls.is_empty() && memory.by_totals.is_empty());
        assert!(memory.by_response.is_empty() && memory.parents.is_empty() && memory.leaving.is_empty());
        assert_eq!(memory.evicted(), 0);
    }

    #[test]
    fn a_full_memory_lets_the_oldest_go_and_counts_it() {
        let settings = MemorySettings { max_bytes: 2 * REPORT_BYTES, ttl: Duration::from_secs(120) };
        let (mut memory, now) = (Memory::new(settings), Instant::now());
        for span in 0..3 {
            let own = Report { totals: (u64::from(span), 1), ..report(span, "client") };
            one(&mut memory, own, Status::Ok, now);
        }
        assert_eq!((memory.len(), memory.evicted()), (2, 1));
        let first = Report { totals: (0, 1), ..report(0, "client") };
        assert!(!one(&mut memory, first, Status::Ok, now).0.is_repeat, "it was the oldest");
    }

    #[test]
    fn invalid_ids_never_enter() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        for invalid in [
            Report { trace_id: &[0; 16], ..report(0, "x") },
            Report { trace_id: b"short", ..report(0, "x") },
            Report { span_id: &[0; 8], ..report(0, "x") },
            Report { span_id: b"", ..report(0, "x") },
        ] {
            assert_eq!(status(&mut memory, invalid, Status::Ok, now), Status::Ok);
            assert!(memory.is_empty());
        }
    }

    #[test]
    fn a_call_below_an_agent_is_known_by_its_parent() {
        let (mut memory, now) = (Memory::new(MemorySettings::default()), Instant::now());
        let (_, entered) = one(&mut memory, Report { parent_id: &[5; 8], ..report(0, "x") }, Status::Ok, now);
        assert!(memory.has_child(TRACE, &[5; 8]));
        memory.withdraw(&entered);
        assert!(!memory.has_child(TRACE, &[5; 8]));
    }
}
