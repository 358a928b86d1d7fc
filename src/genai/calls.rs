//! Which reports are reports of one call.
//!
//! Two rules. Reports of one trace with the same response id are one call; a retry has another id. And twins: reports
//! of one trace from different scopes, overlapping in time, with equal totals, of which at most one has a response id,
//! are one call seen by two instrumentations. A call takes a scope at most once and a response id at most once, and all
//! twins in it overlap: two equal calls at the same time, each seen by two instrumentations, stay two.

use std::hash::BuildHasher;

use super::keyed::Keyed;
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
    /// Reports in each cluster, by its number.
    cluster_sizes: Vec<usize>,
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
        let (call_of, cluster_of) = (calls.flat(), clusters.flat());
        let mut cluster_sizes = vec![0; reports.len()];
        for &cluster in &cluster_of {
            cluster_sizes[cluster] += 1;
        }
        Self { call_of, cluster_of, cluster_sizes }
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

    /// Whether no other report may be of the same call, as is usual.
    #[must_use]
    pub fn is_alone(&self, report: usize) -> bool {
        self.cluster_sizes[self.cluster_of[report]] == 1
    }
}

fn join_by_response_id(reports: &[Report], calls: &mut Sets, clusters: &mut Sets) {
    let with_id = reports.iter().enumerate().filter_map(|(index, report)| Some((report.response_id?, index)));
    let mut order: Vec<_> = with_id.collect();
    order.sort_unstable();
    for same_id in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|same_id| same_id.len() > 1) {
        same_id.sort_unstable_by_key(|&(_, index)| reports[index].trace_id);
        for pair in same_id.windows(2) {
            if let [(_, a), (_, b)] = *pair
                && reports[a].trace_id == reports[b].trace_id
            {
                calls.join(a, b);
                clusters.join(a, b);
            }
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
    let group = |index: usize| (reports[index].trace_id, reports[index].totals);
    // By a hash, since most groups have one report, and a hash is quick to compare.
    let mut order: Vec<_> = (0..reports.len()).map(|index| (Keyed.hash_one(group(index)), index)).collect();
    order.sort_unstable();
    let mut pairs = Vec::new();
    for same_hash in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|same_hash| same_hash.len() > 1) {
        same_hash.sort_unstable_by_key(|&(_, index)| (group(index), reports[index].key()));
        for (position, &(_, a)) in same_hash.iter().enumerate() {
            for &(_, b) in same_hash.iter().skip(position + 1).take(TWIN_WINDOW) {
                if group(a) != group(b) || reports[b].time_ns.0 > reports[a].time_ns.1 {
                    break;
                }
                if reports[a].may_be_twin(&reports[b]) {
                    pairs.push((a, b));
                }
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

    /// The set of every report.
    fn flat(mut self) -> Vec<usize> {
        for index in 0..self.parent.len() {
            self.parent[index] = self.of(index);
        }
        self.parent
    }
}
