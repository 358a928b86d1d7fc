//! Which reports are reports of one call.
//!
//! Two rules. Reports of one trace with the same response id are one call; a retry has another id. And twins: reports
//! of one trace from different scopes, overlapping in time, with equal totals, of which at most one has a response id,
//! are one call seen by two instrumentations. A call takes a scope at most once and a response id at most once, and all
//! twins in it overlap: two equal calls at the same time, each seen by two instrumentations, stay two.

use super::report::Report;

/// How many later-starting reports a report is compared with in search of its twin. Twins start within the same call,
/// so the bound matters to hostile input only: it keeps the search linear.
const TWIN_WINDOW: usize = 64;
/// How many reports twins may join into one call: more instrumentations than anybody runs.
const MAX_TWINS: usize = 16;

/// Reports by the call that they report. Numbers mean nothing but equality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    call_of: Vec<usize>,
    cluster_of: Vec<usize>,
}

impl Calls {
    /// Finds the calls that `reports` report, whatever their order.
    #[must_use]
    pub fn of(reports: &[Report]) -> Self {
        let (mut calls, mut clusters) = (Sets::new(reports.len()), Sets::new(reports.len()));
        if reports.len() > 1 {
            join_by_response_id(reports, &mut calls, &mut clusters);
            join_twins(reports, &mut calls, &mut clusters);
        }
        let flat = |mut sets: Sets| (0..reports.len()).map(|index| sets.of(index)).collect();
        Self { call_of: flat(calls), cluster_of: flat(clusters) }
    }

    /// The call that a report reports.
    #[must_use]
    pub fn call_of(&self, report: usize) -> usize {
        self.call_of[report]
    }

    /// The calls that a report might be of: those whose reports tell too little to be sure which is whose.
    #[must_use]
    pub fn cluster_of(&self, report: usize) -> usize {
        self.cluster_of[report]
    }
}

fn join_by_response_id(reports: &[Report], calls: &mut Sets, clusters: &mut Sets) {
    let id = |index: usize| (reports[index].trace_id, reports[index].response_id);
    let mut order: Vec<usize> = (0..reports.len()).filter(|&index| reports[index].response_id.is_some()).collect();
    order.sort_unstable_by_key(|&index| id(index));
    for pair in order.windows(2) {
        if let [a, b] = *pair
            && id(a) == id(b)
        {
            calls.join(a, b);
            clusters.join(a, b);
        }
    }
}

/// Joins twins, the nearest pairs first.
fn join_twins(reports: &[Report], calls: &mut Sets, clusters: &mut Sets) {
    let mut pairs = twin_pairs(reports);
    if pairs.is_empty() {
        return;
    }
    for &(a, b) in &pairs {
        clusters.join(a, b);
    }
    pairs.sort_unstable_by_key(|&(a, b)| (reports[a].distance(&reports[b]), reports[a].key(), reports[b].key()));
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); reports.len()];
    for index in 0..reports.len() {
        members[calls.of(index)].push(index);
    }
    for (a, b) in pairs {
        let (into, from) = (calls.of(a), calls.of(b));
        if into != from && may_join(reports, &members[into], &members[from]) {
            let mut all = std::mem::take(&mut members[into]);
            all.append(&mut members[from]);
            calls.join(into, from);
            members[calls.of(into)] = all;
        }
    }
}

fn may_join(reports: &[Report], one: &[usize], other: &[usize]) -> bool {
    one.len() + other.len() <= MAX_TWINS
        && one.iter().all(|&a| other.iter().all(|&b| reports[a].may_be_twin(&reports[b])))
}

fn twin_pairs(reports: &[Report]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..reports.len()).collect();
    let group = |index: usize| (reports[index].trace_id, reports[index].totals);
    order.sort_unstable_by_key(|&index| (group(index), reports[index].key()));
    let mut pairs = Vec::new();
    for (position, &a) in order.iter().enumerate() {
        for &b in order.iter().skip(position + 1).take(TWIN_WINDOW) {
            if group(a) != group(b) || reports[b].time_ns.0 > reports[a].time_ns.1 {
                break;
            }
            if reports[a].may_be_twin(&reports[b]) {
                pairs.push((a, b));
            }
        }
    }
    pairs
}

/// Disjoint sets of reports.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(reports: usize) -> Self {
        Self { parent: (0..reports).collect() }
    }

    fn of(&mut self, mut index: usize) -> usize {
        while self.parent[index] != index {
            self.parent[index] = self.parent[self.parent[index]];
            index = self.parent[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.parent[b] = a;
    }
}
