//! The memory by sentences: what it holds over requests, what it forgets, and that it stays within its bounds.
//! Reports are made by hand, without bytes.

use super::super::made::{name, report, span, trace};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn memory() -> Memory {
    Memory::new(MemorySettings::default())
}

fn batch(reports: &[Report]) -> Batch {
    Batch { reports: reports.to_vec(), lineage: Lineage::default() }
}

/// Settles and acknowledges; the verdicts and what is booked.
fn acknowledged(memory: &mut Memory, reports: &[Report], now: Instant) -> (Vec<Verdict>, Vec<bool>) {
    let settled = memory.settle(&batch(reports), now);
    (settled.verdicts, memory.confirm(&settled.claims))
}

fn verdict(memory: &mut Memory, report: Report, now: Instant) -> Verdict {
    acknowledged(memory, &[report], now).0[0]
}

#[test]
fn a_call_that_two_processes_report_counts_once() {
    let (mut memory, now) = (memory(), Instant::now());
    let client = Report { response_id: Some(name("r1")), ..report(1, "client", (0, 100)) };
    let proxy = Report { response_id: Some(name("r1")), totals: (100, 12), ..report(2, "proxy", (10, 90)) };
    let gateway = report(3, "gateway", (5, 95));
    assert_eq!(verdict(&mut memory, client, now), Verdict::Counts);
    assert_eq!(verdict(&mut memory, proxy, now + SECOND), Verdict::Duplicate, "by its response id");
    assert_eq!(verdict(&mut memory, gateway, now + SECOND), Verdict::Duplicate, "by its totals");
    let twin_of_proxy = Report { totals: (100, 12), ..report(4, "other", (12, 88)) };
    assert_eq!(verdict(&mut memory, twin_of_proxy, now), Verdict::Duplicate, "by a duplicate's totals");
    let elsewhere = Report { trace_id: trace(8), ..proxy };
    assert_eq!(verdict(&mut memory, elsewhere, now), Verdict::Counts);
}

#[test]
fn a_call_is_forgotten_when_its_time_is_over() {
    let now = Instant::now();
    let mut memory = Memory::new(MemorySettings { ttl: 120 * SECOND, ..MemorySettings::default() });
    let (one, twin) = (report(1, "x", (0, 100)), report(2, "y", (0, 100)));
    assert_eq!(verdict(&mut memory, one, now), Verdict::Counts);
    assert_eq!(verdict(&mut memory, twin, now + 119 * SECOND), Verdict::Duplicate);
    assert_eq!(memory.level().reports, 2);
    // The duplicate is younger, and shows that the call was counted no more.
    assert_eq!(verdict(&mut memory, report(3, "z", (0, 100)), now + 239 * SECOND), Verdict::Counts);
    assert_eq!(memory.level().reports, 1);
    assert_eq!(memory.level().evicted, 0, "that is no eviction");
}

#[test]
fn a_span_that_is_sent_again_keeps_its_verdict_and_is_booked_once() {
    let (mut memory, now) = (memory(), Instant::now());
    let reports = [report(1, "x", (0, 100)), Report { detailed: true, ..report(2, "y", (0, 100)) }];
    let first = acknowledged(&mut memory, &reports, now);
    assert_eq!(first, (vec![Verdict::Duplicate, Verdict::Counts], vec![true, true]));
    let again = acknowledged(&mut memory, &[reports[1], reports[0]], now + SECOND);
    assert_eq!(again, (vec![Verdict::Counts, Verdict::Duplicate], vec![false, false]));
    assert_eq!(memory.level().reports, 2);
}

#[test]
fn a_span_twice_in_one_request_is_booked_once() {
    let (mut memory, now) = (memory(), Instant::now());
    let one = report(1, "x", (0, 100));
    assert_eq!(acknowledged(&mut memory, &[one, one], now), (vec![Verdict::Counts; 2], vec![true, false]));
    // Two processes may share a span id (as B3 propagation does); then they are two reports.
    let shared = Report { scope: name("y"), ..one };
    assert_eq!(acknowledged(&mut memory, &[shared], now), (vec![Verdict::Duplicate], vec![true]));
}

#[test]
fn a_report_whose_request_was_not_acknowledged_leaves_again() {
    let (mut memory, now) = (memory(), Instant::now());
    let (one, twin) = (report(1, "x", (0, 100)), report(2, "y", (0, 100)));
    let failed = memory.settle(&batch(&[one]), now);
    memory.release(failed.claims);
    assert_eq!(memory.level().reports, 0);
    assert_eq!(acknowledged(&mut memory, &[twin], now), (vec![Verdict::Counts], vec![true]));
    assert_eq!(acknowledged(&mut memory, &[one], now), (vec![Verdict::Duplicate], vec![true]));
}

#[test]
fn a_failed_report_does_not_take_an_acknowledged_one_along() {
    let (mut memory, now) = (memory(), Instant::now());
    let (one, twin) = (report(1, "x", (0, 100)), report(2, "y", (0, 100)));
    let failing = memory.settle(&batch(&[one]), now);
    assert_eq!(verdict(&mut memory, twin, now), Verdict::Duplicate, "while the first is under way");
    memory.release(failing.claims);
    assert_eq!(verdict(&mut memory, one, now), Verdict::Counts, "sent again it counts, the twin is known as none");
    assert_eq!(verdict(&mut memory, report(3, "z", (0, 100)), now), Verdict::Duplicate);
}

#[test]
fn of_two_attempts_under_way_the_one_that_is_acknowledged_is_booked() {
    let (mut memory, now) = (memory(), Instant::now());
    let one = report(1, "x", (0, 100));
    let (first, second) = (memory.settle(&batch(&[one]), now), memory.settle(&batch(&[one]), now));
    assert_eq!((first.verdicts, second.verdicts), (vec![Verdict::Counts], vec![Verdict::Counts]));
    memory.release(first.claims);
    assert_eq!(memory.confirm(&second.claims), [true]);
    assert_eq!(acknowledged(&mut memory, &[one], now).1, [false]);
}

#[test]
fn a_value_that_was_missing_comes_with_a_later_report_once() {
    let (mut memory, now) = (memory(), Instant::now());
    let unknown = Report { resolves: false, response_id: Some(name("r")), ..report(1, "client", (0, 100)) };
    let proxy = Report { response_id: Some(name("r")), ..report(2, "proxy", (10, 90)) };
    assert_eq!(verdict(&mut memory, unknown, now), Verdict::Counts);
    assert_eq!(verdict(&mut memory, proxy, now), Verdict::Repriced);
    assert_eq!(verdict(&mut memory, Report { scope: name("z"), ..proxy }, now), Verdict::Duplicate);
    assert_eq!(verdict(&mut memory, proxy, now), Verdict::Repriced, "the same span again");
}

#[test]
fn o_44_what_came_enriched_was_counted_elsewhere() {
    let (mut memory, now) = (memory(), Instant::now());
    let came = |verdict, resolves| Report { decided: Some(verdict), resolves, ..report(1, "x", (0, 100)) };
    let twin = report(2, "y", (0, 100));
    let both = acknowledged(&mut memory, &[came(Verdict::Counts, true), twin], now);
    assert_eq!(both.0, [Verdict::Counts, Verdict::Duplicate]);
    assert_eq!(verdict(&mut memory, report(3, "z", (0, 100)), now), Verdict::Duplicate);

    let mut memory = Memory::new(MemorySettings::default());
    assert_eq!(acknowledged(&mut memory, &[came(Verdict::Counts, false), twin], now).0[1], Verdict::Repriced);
    let mut memory = Memory::new(MemorySettings::default());
    assert_eq!(acknowledged(&mut memory, &[came(Verdict::Duplicate, true), twin], now).0[1], Verdict::Duplicate);
}

#[test]
fn without_room_the_oldest_goes_and_that_is_counted() {
    let now = Instant::now();
    let mut memory = Memory::new(MemorySettings { max_bytes: 10 * Store::BYTES_A_REPORT, ttl: 60 * SECOND });
    for number in 1..=25 {
        let one = Report { totals: (number, 1), ..report(number, "x", (0, 100)) };
        verdict(&mut memory, one, now);
    }
    let level = memory.level();
    assert_eq!((level.reports, level.evicted), (10, 15));
    assert_eq!(level.bytes, 10 * Store::BYTES_A_REPORT as u64);
    let twin = |number| Report { totals: (number, 1), ..report(100 + number, "y", (0, 100)) };
    assert_eq!(verdict(&mut memory, twin(15), now), Verdict::Counts, "forgotten");
    assert_eq!(verdict(&mut memory, twin(25), now), Verdict::Duplicate, "remembered");
}

#[test]
fn without_a_time_to_live_each_request_stands_for_itself() {
    let now = Instant::now();
    let mut memory = Memory::new(MemorySettings { ttl: Duration::ZERO, ..MemorySettings::default() });
    let (one, twin) = (report(1, "x", (0, 100)), report(2, "y", (0, 100)));
    assert_eq!(
        acknowledged(&mut memory, &[one, twin], now),
        (vec![Verdict::Counts, Verdict::Duplicate], vec![true, true])
    );
    assert_eq!(acknowledged(&mut memory, &[one], now), (vec![Verdict::Counts], vec![true]));
    assert_eq!(memory.level(), MemoryLevel::default());
}

#[test]
fn what_leaves_at_either_end_leaves_no_trace() {
    let now = Instant::now();
    let mut memory = Memory::new(MemorySettings { max_bytes: 50 * Store::BYTES_A_REPORT, ttl: 60 * SECOND });
    let one = |number: u64| Report {
        totals: (number % 3, 1),
        response_id: Some(name(if number.is_multiple_of(2) { "a" } else { "b" })),
        outside_id: span(900 + number % 4),
        ..report(number, "x", (0, 100))
    };
    for round in 0..200u64 {
        let reports: Vec<_> = (1..=7).map(|number| one(round * 7 + number)).collect();
        let settled = memory.settle(&batch(&reports), now + Duration::from_millis(round));
        if round.is_multiple_of(3) { memory.release(settled.claims) } else { drop(memory.confirm(&settled.claims)) }
    }
    memory.settle(&Batch::default(), now + 61 * SECOND);
    assert_eq!(memory.level().reports, 0);
    assert_eq!(memory.store.keys(), 0, "every chain ended");
}

#[test]
fn a_flood_of_equal_calls_in_one_trace_costs_each_request_the_same() {
    let (mut memory, now) = (memory(), Instant::now());
    let flood: Vec<_> = (1..=5000).map(|number| report(number, "x", (0, 100))).collect();
    assert!(acknowledged(&mut memory, &flood, now).0.iter().all(|verdict| *verdict == Verdict::Counts));
    let one = report(6000, "y", (0, 100));
    assert_eq!(memory.related(&[one]).0.len(), MAX_WITH_ONE_KEY.0 + MAX_WITH_ONE_KEY.1);
    assert_eq!(verdict(&mut memory, one, now), Verdict::Duplicate, "the newest are looked at");
}
