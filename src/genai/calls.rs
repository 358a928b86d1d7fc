//! One report a call: of several spans that report the same call, within one request, one counts.
//!
//! Two rules. Reports of one trace with the same response id are one call; a retry has another id. And twins: reports
//! of one trace from different scopes, overlapping in time, with equal totals, of which at most one has a response id,
//! are one call seen by two instrumentations.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

/// How many later-starting reports a report is compared with in search of its twin. Twins start within the same call,
/// so the bound matters to hostile input only: it keeps the search linear.
const TWIN_WINDOW: usize = 64;
/// How many reports twins may join into one call: more instrumentations than anybody runs.
const MAX_TWINS: usize = 16;

/// A span that reports a call with its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    /// `trace_id`; reports without a valid one are never compared.
    pub trace_id: &'a [u8],
    /// `span_id`.
    pub span_id: &'a [u8],
    /// `parent_span_id`, empty on a root.
    pub parent_id: &'a [u8],
    /// The instrumentation scope's name.
    pub scope: &'a str,
    /// Start and end in nanoseconds.
    pub time_ns: (u64, u64),
    /// Inclusive input and output tokens.
    pub totals: (u64, u64),
    /// The model server's id of its answer, non-empty.
    pub response_id: Option<&'a str>,
    /// Whether its model resolves.
    pub resolves: bool,
    /// Whether it has cache or reasoning detail.
    pub detailed: bool,
}

impl Report<'_> {
    /// The better of two reports of one call sorts first: the one whose model resolves, then the one with detail, then
    /// the one that ended first; ids decide the rest, so that the order of spans in a request never does.
    fn preference(&self) -> impl Ord + '_ {
        (Reverse(self.resolves), Reverse(self.detailed), self.time_ns.1, self.time_ns.0, self.span_id)
    }

    fn is_twin(&self, other: &Self) -> bool {
        self.scope != other.scope
            && (self.response_id.is_none() || other.response_id.is_none())
            && self.time_ns.0 <= other.time_ns.1
            && other.time_ns.0 <= self.time_ns.1
    }

    /// How near two twins are: child and parent, then siblings, then by how far apart they start.
    fn distance(&self, other: &Self) -> (u8, u64) {
        let kinship = if self.parent_id == other.span_id || other.parent_id == self.span_id {
            0
        } else if self.parent_id == other.parent_id {
            1
        } else {
            2
        };
        (kinship, self.time_ns.0.abs_diff(other.time_ns.0))
    }
}

/// Whether a trace id is one: 16 bytes, not all zero.
pub(super) fn is_valid_trace_id(id: &[u8]) -> bool {
    id.len() == 16 && id.iter().any(|&byte| byte != 0)
}

/// The calls that `reports` are of, each as indices into them: first the report that counts, then the others. Neither
/// the calls nor the reports of one come in an order that depends on that of `reports`.
#[must_use]
pub fn calls_of(reports: &[Report<'_>]) -> Vec<SmallVec<[usize; 2]>> {
    let mut joined = Calls::new(reports.len());
    if reports.len() > 1 {
        join_by_response_id(reports, &mut joined);
        join_twins(reports, &mut joined);
    }
    let mut calls: HashMap<usize, SmallVec<[usize; 2]>> = HashMap::with_capacity(reports.len());
    for index in 0..reports.len() {
        calls.entry(joined.call_of(index)).or_default().push(index);
    }
    let mut calls: Vec<_> = calls.into_values().collect();
    for call in &mut calls {
        call.sort_unstable_by(|&a, &b| reports[a].preference().cmp(&reports[b].preference()));
    }
    calls.sort_unstable_by_key(|call| call.first().map(|&index| (reports[index].trace_id, key(&reports[index]))));
    calls
}

fn join_by_response_id(reports: &[Report<'_>], calls: &mut Calls) {
    let mut first: HashMap<(&[u8], &str), usize> = HashMap::new();
    for (index, report) in reports.iter().enumerate() {
        if let Some(id) = report.response_id
            && is_valid_trace_id(report.trace_id)
        {
            let other = *first.entry((report.trace_id, id)).or_insert(index);
            calls.join(other, index);
        }
    }
}

/// Joins twins, the nearest pairs first. A call takes a scope at most once and a response id at most once: two equal
/// calls at the same time, each seen by two instrumentations, stay two.
fn join_twins(reports: &[Report<'_>], calls: &mut Calls) {
    let mut pairs = twin_pairs(reports);
    if pairs.is_empty() {
        return;
    }
    pairs.sort_unstable_by_key(|&(a, b)| (reports[a].distance(&reports[b]), key(&reports[a]), key(&reports[b])));
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for index in 0..reports.len() {
        members.entry(calls.call_of(index)).or_default().push(index);
    }
    for (a, b) in pairs {
        let (into, from) = (calls.call_of(a), calls.call_of(b));
        if into == from || !may_join(reports, members.get(&into), members.get(&from)) {
            continue;
        }
        let moved = members.remove(&from).unwrap_or_default();
        calls.join(into, from);
        let mut all = members.remove(&into).unwrap_or_default();
        all.extend(moved);
        members.insert(calls.call_of(into), all);
    }
}

/// What orders reports that are equally near: nothing that depends on their order in the request.
fn key<'a>(report: &Report<'a>) -> (u64, &'a [u8]) {
    (report.time_ns.0, report.span_id)
}

fn may_join(reports: &[Report<'_>], one: Option<&Vec<usize>>, other: Option<&Vec<usize>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    one.len() + other.len() <= MAX_TWINS
        && one.iter().all(|&a| {
            other.iter().all(|&b| {
                reports[a].scope != reports[b].scope
                    && (reports[a].response_id.is_none() || reports[b].response_id.is_none())
            })
        })
}

fn twin_pairs(reports: &[Report<'_>]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> =
        (0..reports.len()).filter(|&index| is_valid_trace_id(reports[index].trace_id)).collect();
    let group = |index: usize| (reports[index].trace_id, reports[index].totals);
    order.sort_unstable_by_key(|&index| (group(index), key(&reports[index])));
    let mut pairs = Vec::new();
    for (position, &a) in order.iter().enumerate() {
        for &b in order.iter().skip(position + 1).take(TWIN_WINDOW) {
            if group(a) != group(b) || reports[b].time_ns.0 > reports[a].time_ns.1 {
                break;
            }
            if reports[a].is_twin(&reports[b]) {
                pairs.push((a, b));
            }
        }
    }
    pairs
}

/// Disjoint sets of reports: each set is a call.
struct Calls {
    parent: Vec<usize>,
}

impl Calls {
    fn new(reports: usize) -> Self {
        Self { parent: (0..reports).collect() }
    }

    fn call_of(&mut self, mut index: usize) -> usize {
        while self.parent[index] != index {
            self.parent[index] = self.parent[self.parent[index]];
            index = self.parent[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.call_of(a), self.call_of(b));
        self.parent[b] = a;
    }
}

/// Of the remote agents `agents`, those that are one of `starts` or above one: they repeat a call. Each is given as trace
/// id and span id; `parents` gives the parent's span id of every span in the request.
#[must_use]
pub fn remote_agents_above<'a>(
    agents: &[(&'a [u8], &'a [u8])],
    starts: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    parents: &HashMap<(&'a [u8], &'a [u8]), &'a [u8]>,
) -> Vec<bool> {
    let index_of: HashMap<_, _> = agents.iter().enumerate().map(|(index, agent)| (*agent, index)).collect();
    let mut above = vec![false; agents.len()];
    // Above a span that was reached before everything is marked already: deep traces and cycles cost one step a span.
    let mut reached = HashSet::new();
    for (trace_id, start) in starts {
        let mut at = Some(start);
        while let Some(span_id) = at.filter(|span_id| reached.insert((trace_id, *span_id))) {
            if let Some(&agent) = index_of.get(&(trace_id, span_id)) {
                above[agent] = true;
            }
            at = parents.get(&(trace_id, span_id)).copied();
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = &[7; 16];

    /// For each report whether it counts.
    fn counted(reports: &[Report<'_>]) -> Vec<bool> {
        let first: Vec<usize> = calls_of(reports).into_iter().map(|call| call[0]).collect();
        (0..reports.len()).map(|index| first.contains(&index)).collect()
    }

    fn report(span_id: &'static [u8], scope: &'static str, time_ns: (u64, u64)) -> Report<'static> {
        Report {
            trace_id: TRACE,
            span_id,
            parent_id: b"",
            scope,
            time_ns,
            totals: (100, 10),
            response_id: None,
            resolves: true,
            detailed: false,
        }
    }

    #[test]
    fn equal_response_ids_are_one_call_and_the_resolving_report_counts() {
        let proxy = Report { response_id: Some("r1"), ..report(b"a", "proxy", (10, 90)) };
        let client = Report { response_id: Some("r1"), resolves: false, ..report(b"b", "client", (0, 100)) };
        let retry = Report { response_id: Some("r2"), ..report(b"c", "client", (110, 200)) };
        assert_eq!(counted(&[client, proxy, retry]), [false, true, true]);
    }

    #[test]
    fn equal_response_ids_in_different_traces_are_different_calls() {
        let one = Report { response_id: Some("r1"), ..report(b"a", "x", (0, 10)) };
        let other = Report { trace_id: &[8; 16], ..one };
        assert_eq!(counted(&[one, other]), [true, true]);
        let invalid = Report { trace_id: &[0; 16], ..one };
        assert_eq!(counted(&[invalid, invalid]), [true, true], "an invalid trace id joins nothing");
    }

    #[test]
    fn twins_are_one_call_and_detail_decides() {
        let plain = report(b"a", "openinference", (0, 100));
        let detailed = Report { detailed: true, parent_id: b"a", ..report(b"b", "anthropic", (5, 95)) };
        assert_eq!(counted(&[plain, detailed]), [false, true]);
    }

    #[test]
    fn no_twins_without_overlap_or_with_other_totals_or_in_one_scope_or_with_two_ids() {
        let one = report(b"a", "x", (0, 100));
        let later = report(b"b", "y", (101, 200));
        let more = Report { totals: (101, 10), ..report(b"b", "y", (0, 100)) };
        let same_scope = report(b"b", "x", (0, 100));
        for other in [later, more, same_scope] {
            assert_eq!(counted(&[one, other]), [true, true], "{other:?}");
        }
        let ids = |id| Report { response_id: Some(id), ..one };
        assert_eq!(counted(&[ids("1"), Report { scope: "y", ..ids("2") }]), [true, true]);
    }

    #[test]
    fn two_parallel_calls_seen_by_two_instrumentations_stay_two() {
        let outer = |id, parent| Report { parent_id: parent, ..report(id, "outer", (0, 100)) };
        let inner = |id, parent| Report { parent_id: parent, detailed: true, ..report(id, "inner", (1, 99)) };
        let reports = [outer(b"a", b"r"), outer(b"b", b"r"), inner(b"c", b"a"), inner(b"d", b"b")];
        assert_eq!(counted(&reports), [false, false, true, true]);
    }

    #[test]
    fn the_order_of_spans_does_not_decide() {
        let reports = [
            report(b"a", "x", (0, 100)),
            report(b"b", "y", (0, 100)),
            report(b"c", "z", (0, 100)),
            report(b"d", "x", (50, 150)),
        ];
        let counting = |order: [usize; 4]| {
            let shuffled = order.map(|index| reports[index]);
            let counts = counted(&shuffled);
            let mut ids: Vec<_> =
                shuffled.iter().zip(counts).filter(|(_, counts)| *counts).map(|(report, _)| report.span_id).collect();
            ids.sort_unstable();
            ids
        };
        let expected = counting([0, 1, 2, 3]);
        assert_eq!(expected.len(), 2, "x saw two calls");
        for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            assert_eq!(counting(order), expected, "{order:?}");
        }
    }

    #[test]
    fn an_agent_above_a_call_has_children_through_any_span() {
        let parents: HashMap<(&[u8], &[u8]), &[u8]> = HashMap::from([
            ((TRACE, &b"call"[..]), &b"http"[..]),
            ((TRACE, b"http"), b"agent"),
            ((TRACE, b"agent"), b""),
            ((TRACE, b"lonely"), b""),
            ((TRACE, b"x"), b"y"),
            ((TRACE, b"y"), b"x"),
        ]);
        let agents = [(TRACE, &b"agent"[..]), (TRACE, &b"lonely"[..])];
        let starts = [(TRACE, &b"http"[..]), (TRACE, &b"y"[..])];
        assert_eq!(remote_agents_above(&agents, starts, &parents), [true, false]);
        assert_eq!(remote_agents_above(&agents, [(TRACE, &b"lonely"[..])], &parents), [false, true]);
    }
}
