//! Which report of each call counts, given what was decided before about some of them: what left cannot be called back.
//! Pure; knows neither where earlier reports are kept nor for how long.

use super::calls::Calls;
use super::report::{Report, Verdict};

/// What is known about a report when a verdict is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// What was decided about it before; `None` for a new one.
    pub verdict: Option<Verdict>,
    /// Where a remote agent that was counted stands for it: whether that one has a value.
    pub covered: Option<bool>,
}

impl Standing {
    const fn counts(self) -> bool {
        matches!(self.verdict, Some(Verdict::Counts))
    }
}

/// A verdict for each report; those that have one keep it. Each call that nothing counted yet gets one report that
/// counts; a call that was counted without a value gets one that brings it.
#[must_use]
pub fn decide(reports: &[Report], standings: &[Standing]) -> Vec<Verdict> {
    let mut court = Court {
        reports,
        standings,
        verdicts: standings.iter().map(|standing| standing.verdict.unwrap_or(Verdict::Duplicate)).collect(),
    };
    let calls = Calls::of(reports);
    let (alone, mut order): (Vec<usize>, Vec<usize>) = (0..reports.len()).partition(|&index| calls.is_alone(index));
    alone.into_iter().for_each(|index| court.decide_alone(index));
    order.sort_unstable_by_key(|&index| (calls.cluster_of(index), calls.call_of(index), reports[index].preference()));
    for cluster in order.chunk_by(|&a, &b| calls.cluster_of(a) == calls.cluster_of(b)) {
        let of_calls: Vec<&[usize]> = cluster.chunk_by(|&a, &b| calls.call_of(a) == calls.call_of(b)).collect();
        court.count(&of_calls);
        of_calls.iter().for_each(|call| court.reprice(call));
    }
    court.verdicts
}

struct Court<'a> {
    reports: &'a [Report],
    standings: &'a [Standing],
    verdicts: Vec<Verdict>,
}

impl Court<'_> {
    fn is_new(&self, report: usize) -> bool {
        self.standings[report].verdict.is_none()
    }

    /// What [`Self::count`] and [`Self::reprice`] come to for a report that nothing else can be of one call with.
    fn decide_alone(&mut self, report: usize) {
        let standing = self.standings[report];
        if standing.verdict.is_none() {
            self.verdicts[report] = match standing.covered {
                None => Verdict::Counts,
                Some(false) if self.reports[report].resolves => Verdict::Repriced,
                Some(_) => Verdict::Duplicate,
            };
        }
    }

    /// Counts one report of each call of a cluster that has none. Which report belongs to which call is not certain
    /// there, and a later request may change the picture: so what is held to is the number that counts.
    fn count(&mut self, calls: &[&[usize]]) {
        let counted = |call: &[usize]| call.iter().filter(|&&report| self.standings[report].counts()).count();
        let is_covered = |call: &[usize]| call.iter().any(|&report| self.standings[report].covered.is_some());
        let surplus: usize = calls.iter().map(|call| counted(call).saturating_sub(1)).sum();
        let mut open: Vec<&[usize]> =
            calls.iter().copied().filter(|call| counted(call) == 0 && !is_covered(call)).collect();
        let owed = open.len().saturating_sub(surplus);
        // Within a call the best report stands first.
        let best = |call: &[usize]| call.iter().copied().find(|&report| self.is_new(report));
        open.sort_unstable_by_key(|call| {
            let best = best(call);
            (best.is_none(), best.map(|report| self.reports[report].preference()))
        });
        let mut counting: Vec<usize> = open.iter().filter_map(|call| best(call)).take(owed).collect();
        // A call whose reports all left as duplicates is made up for by another new report with its totals.
        for call in open.get(counting.len()..owed).unwrap_or_default() {
            let totals = call.first().map(|&report| self.reports[report].totals);
            let mut uncovered = calls.iter().filter(|call| !is_covered(call)).flat_map(|call| call.iter()).copied();
            counting.extend(uncovered.find(|&report| {
                self.is_new(report) && !counting.contains(&report) && Some(self.reports[report].totals) == totals
            }));
        }
        for report in counting {
            self.verdicts[report] = Verdict::Counts;
        }
    }

    /// Where a call was counted without a value, the best new report that has one brings it.
    fn reprice(&mut self, call: &[usize]) {
        let is_paid =
            call.iter().any(|&report| self.standings[report].counts() || self.standings[report].covered.is_some());
        let is_valued = call.iter().any(|&report| {
            self.standings[report].covered == Some(true)
                || match self.verdicts[report] {
                    Verdict::Counts => self.reports[report].resolves,
                    Verdict::Repriced => true,
                    Verdict::Duplicate | Verdict::Aggregate => false,
                }
        });
        let brings = call
            .iter()
            .copied()
            .filter(|&report| self.is_new(report) && self.verdicts[report] == Verdict::Duplicate)
            .find(|&report| self.reports[report].resolves);
        if let (true, false, Some(report)) = (is_paid, is_valued, brings) {
            self.verdicts[report] = Verdict::Repriced;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::made::{name, report, span, trace};

    /// Which of new reports count.
    fn counted(reports: &[Report]) -> Vec<bool> {
        let verdicts = decide(reports, &vec![Standing::default(); reports.len()]);
        verdicts.into_iter().map(|verdict| verdict == Verdict::Counts).collect()
    }

    #[test]
    fn equal_response_ids_are_one_call_and_the_resolving_report_counts() {
        let proxy = Report { response_id: Some(name("r1")), ..report(1, "proxy", (10, 90)) };
        let client = Report { response_id: Some(name("r1")), resolves: false, ..report(2, "client", (0, 100)) };
        let retry = Report { response_id: Some(name("r2")), ..report(3, "client", (110, 200)) };
        assert_eq!(counted(&[client, proxy, retry]), [false, true, true]);
    }

    #[test]
    fn equal_response_ids_in_different_traces_are_different_calls() {
        let one = Report { response_id: Some(name("r1")), ..report(1, "x", (0, 10)) };
        let other = Report { trace_id: trace(8), ..one };
        assert_eq!(counted(&[one, other]), [true, true]);
    }

    #[test]
    fn of_equal_reports_that_resolve_the_one_that_ended_first_counts() {
        let late = Report { response_id: Some(name("r1")), ..report(1, "x", (0, 100)) };
        let early = Report { response_id: Some(name("r1")), ..report(2, "y", (5, 95)) };
        assert_eq!(counted(&[late, early]), [false, true]);
    }

    #[test]
    fn twins_are_one_call_and_detail_decides() {
        let plain = report(1, "openinference", (0, 95));
        let detailed = Report { detailed: true, parent_id: span(1), ..report(2, "anthropic", (5, 100)) };
        assert_eq!(counted(&[plain, detailed]), [false, true]);
    }

    #[test]
    fn no_twins_without_overlap_or_with_other_totals_or_in_one_scope_or_with_two_ids() {
        let one = report(1, "x", (0, 100));
        let later = report(2, "y", (101, 200));
        let more = Report { totals: (101, 10), ..report(2, "y", (0, 100)) };
        let same_scope = report(2, "x", (0, 100));
        for other in [later, more, same_scope] {
            assert_eq!(counted(&[one, other]), [true, true], "{other:?}");
        }
        let with_id = |report: Report, id| Report { response_id: Some(name(id)), ..report };
        assert_eq!(counted(&[with_id(one, "1"), with_id(report(2, "y", (0, 100)), "2")]), [true, true]);
    }

    #[test]
    fn two_parallel_calls_seen_by_two_instrumentations_stay_two() {
        let outer = |id| Report { parent_id: span(9), ..report(id, "outer", (0, 100)) };
        let inner = |id, parent| Report { parent_id: span(parent), detailed: true, ..report(id, "inner", (1, 99)) };
        assert_eq!(counted(&[outer(1), outer(2), inner(3, 1), inner(4, 2)]), [false, false, true, true]);
    }

    #[test]
    fn reports_that_only_a_third_one_overlaps_are_two_calls() {
        let reports = [report(1, "x", (0, 10)), report(2, "y", (5, 15)), report(3, "z", (12, 20))];
        assert_eq!(counted(&reports).into_iter().filter(|counts| *counts).count(), 2);
    }

    #[test]
    fn the_order_of_spans_does_not_decide() {
        let reports =
            [report(1, "x", (0, 100)), report(2, "y", (0, 100)), report(3, "z", (0, 100)), report(4, "x", (50, 150))];
        let counting = |order: [usize; 4]| {
            let shuffled = order.map(|index| reports[index]);
            let counts = counted(&shuffled);
            let mut ids: Vec<_> =
                shuffled.iter().zip(counts).filter(|(_, counts)| *counts).map(|(it, _)| it.span_id).collect();
            ids.sort_unstable();
            ids
        };
        let expected = counting([0, 1, 2, 3]);
        assert_eq!(expected.len(), 2, "x saw two calls");
        for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            assert_eq!(counting(order), expected, "{order:?}");
        }
    }

    fn known(verdict: Verdict) -> Standing {
        Standing { verdict: Some(verdict), covered: None }
    }

    #[test]
    fn what_was_decided_stays_and_a_later_report_of_the_call_is_a_duplicate() {
        let worse = report(1, "x", (0, 100));
        let better = Report { detailed: true, ..report(2, "y", (0, 90)) };
        let verdicts = decide(&[worse, better], &[known(Verdict::Counts), Standing::default()]);
        assert_eq!(verdicts, [Verdict::Counts, Verdict::Duplicate]);
    }

    #[test]
    fn a_call_that_was_counted_without_a_value_is_repriced_once() {
        let unknown = Report { resolves: false, ..report(1, "x", (0, 100)) };
        let (second, third) = (report(2, "y", (0, 100)), report(3, "z", (0, 101)));
        let new = Standing::default();
        let verdicts = decide(&[unknown, third, second], &[known(Verdict::Counts), new, new]);
        assert_eq!(verdicts, [Verdict::Counts, Verdict::Duplicate, Verdict::Repriced]);
        let verdicts = decide(&[unknown, second, third], &[known(Verdict::Counts), known(Verdict::Repriced), new]);
        assert_eq!(verdicts, [Verdict::Counts, Verdict::Repriced, Verdict::Duplicate]);
        let unresolved = Report { resolves: false, ..second };
        let verdicts = decide(&[unknown, unresolved], &[known(Verdict::Counts), new]);
        assert_eq!(verdicts, [Verdict::Counts, Verdict::Duplicate]);
    }

    #[test]
    fn a_duplicate_whose_first_report_failed_leaves_the_call_open() {
        let (duplicate, retried) = (report(2, "y", (0, 100)), report(1, "x", (0, 100)));
        let verdicts = decide(&[duplicate, retried], &[known(Verdict::Duplicate), Standing::default()]);
        assert_eq!(verdicts, [Verdict::Duplicate, Verdict::Counts]);
    }

    #[test]
    fn parallel_calls_are_as_many_whatever_came_together() {
        // Two calls, x1 with y1 and x2 with y2. y1 came with x2 alone, so it went for x2's.
        let x1 = report(1, "x", (0, 100));
        let y1 = Report { parent_id: span(1), ..report(3, "y", (1, 99)) };
        let x2 = report(2, "x", (2, 102));
        let y2 = Report { parent_id: span(2), ..report(4, "y", (3, 101)) };
        let new = Standing::default();
        let first = decide(&[x2, y1], &[new, new]);
        assert_eq!(first, [Verdict::Duplicate, Verdict::Counts], "they look like one");
        let (x2_known, y1_known) = (known(first[0]), known(first[1]));
        let rest = decide(&[x2, y1, x1, y2], &[x2_known, y1_known, new, new]);
        assert_eq!(rest.iter().filter(|verdict| **verdict == Verdict::Counts).count(), 2, "{rest:?}");
    }

    #[test]
    fn a_report_alone_is_decided_as_any_call_is() {
        for covered in [None, Some(false), Some(true)] {
            for (verdict, resolves) in [(None, false), (None, true), (Some(Verdict::Counts), false)] {
                let alone = Report { resolves, ..report(1, "x", (0, 100)) };
                let (reports, standings) = ([alone], [Standing { verdict, covered }]);
                let verdicts = vec![verdict.unwrap_or(Verdict::Duplicate)];
                let mut court = Court { reports: &reports, standings: &standings, verdicts };
                court.count(&[&[0]]);
                court.reprice(&[0]);
                assert_eq!(decide(&reports, &standings), court.verdicts, "{verdict:?} {covered:?} {resolves}");
            }
        }
    }

    #[test]
    fn what_a_counted_remote_agent_stands_for_counts_no_more_and_brings_the_value_that_it_lacked() {
        let (call, twin) = (report(1, "x", (0, 100)), report(2, "y", (0, 101)));
        let covered = |valued| Standing { verdict: None, covered: Some(valued) };
        assert_eq!(decide(&[call, twin], &[covered(true), covered(true)]), [Verdict::Duplicate, Verdict::Duplicate]);
        assert_eq!(decide(&[call, twin], &[covered(false), covered(false)]), [Verdict::Repriced, Verdict::Duplicate]);
    }
}
