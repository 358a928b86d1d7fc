//! Random traces against the oracle: late roots, lost roots, spans of several traces and services in one request, what
//! is sent twice, what nobody acknowledges, what is evicted. `GRAMTRACE_SOAK=5000` makes as many worlds; a failure
//! names the one that it happened in, and `GRAMTRACE_SOAK_FROM` begins there.

use std::num::Wrapping;

use gramtrace::trace::Range;
use gramtrace::trace::ledger::{Absence, LedgerSettings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::Hop;
use super::oracle::{Oracle, near};
use super::spans::{call, plain, request_of};

/// Worlds that every run of the tests makes.
const WORLDS: u64 = 60;
/// Services, by their names.
const SERVICES: [&str; 3] = ["shop", "gateway", "worker"];
/// Models, the last of which nobody knows.
const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "nobody-knows-this"];

/// Numbers that look like chance, the same for the same seed: <https://prng.di.unimi.it/splitmix64.c>.
struct Dice(Wrapping<u64>);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 += 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0;
        z = (z ^ (z >> 30)) * Wrapping(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)) * Wrapping(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The spans of one trace, with their services: mostly one, sometimes several; now and then the root is lost.
fn trace(dice: &mut Dice, number: u8) -> Vec<(&'static str, Span)> {
    let home = SERVICES[dice.below(3) as usize];
    let wanders = dice.one_in(3);
    let mut spans = Vec::new();
    if !dice.one_in(6) {
        spans.push((home, plain(number, 1, 0)));
    }
    for span in 2..2 + dice.below(9) {
        let service = if wanders && dice.one_in(2) { SERVICES[dice.below(3) as usize] } else { home };
        let parent = 1 + dice.below(span - 1);
        let tokens = (dice.below(5000) as i64 + 1, dice.below(900) as i64 + 1);
        let model = MODELS[(dice.below(9) as usize).min(10) % MODELS.len()];
        let is_call = !dice.one_in(3);
        spans.push((
            service,
            if is_call { call(number, span, parent, model, tokens) } else { plain(number, span, parent) },
        ));
    }
    spans
}

/// All spans of a world, cut into requests.
fn requests(dice: &mut Dice, traces: u8) -> Vec<ExportTraceServiceRequest> {
    let mut spans: Vec<_> = (1..=traces).flat_map(|number| trace(dice, number)).collect();
    // Nearly in order, or not at all.
    if dice.one_in(2) {
        dice.shuffle(&mut spans);
    } else {
        spans.chunks_mut(12).for_each(|chunk| dice.shuffle(chunk));
    }
    let mut requests = Vec::new();
    while !spans.is_empty() {
        let rest = spans.split_off((1 + dice.below(10) as usize).min(spans.len()));
        let groups = SERVICES.map(|service| {
            let of_service = spans.iter().filter(|(of, _)| *of == service).map(|(_, span)| span.clone());
            (service, of_service.collect::<Vec<_>>())
        });
        requests.push(request_of(groups.into_iter().filter(|(_, spans)| !spans.is_empty()).collect()));
        spans = rest;
    }
    requests
}

fn world(seed: u64) -> usize {
    let mut dice = Dice(Wrapping(seed));
    let traces = 1 + dice.below(30) as u8;
    let max_traces = if dice.one_in(2) { 1 + dice.below(12) as usize } else { 1000 };
    let hop = Hop::new(LedgerSettings { max_traces, ..LedgerSettings::default() });
    let mut oracle = Oracle::new(max_traces);
    let requests = requests(&mut dice, traces);
    for (at, request) in requests.iter().enumerate() {
        if dice.one_in(5) {
            oracle.takes(&hop.send_in_vain(request), false);
        }
        oracle.takes(&hop.send(request), true);
        if dice.one_in(4) {
            let again = &requests[dice.below(at as u64 + 1) as usize];
            oracle.takes(&hop.send(again), true);
        }
    }
    compare(&hop, &oracle, traces);
    oracle.roots_checked
}

/// A range of the ledger beside low end, value and high end of the oracle.
fn is_as_known(range: Option<Range>, known: [f64; 3], has_value: bool) {
    assert_eq!(range.is_some(), has_value);
    if let Some(Range { low, value, high }) = range {
        let told = [low, Some(value), high];
        assert!(told.iter().zip(known).all(|(told, known)| told.is_some_and(|told| near(told, known))), "{told:?}");
    }
}

/// At the end the ledger says of every trace what the oracle does.
fn compare(hop: &Hop, oracle: &Oracle, traces: u8) {
    let ledger = hop.enricher.traces().lock();
    for number in 1..=traces {
        let known = oracle.traces.iter().find(|known| known.trace_id == [number; 16]);
        match (ledger.trace(&[number; 16], hop.now), known) {
            (Ok(trace), Some(known)) => {
                let account = trace.listed.account;
                let counts = (i64::from(account.calls()), i64::from(account.unknown_calls()));
                assert_eq!(counts, (known.calls, known.unknown));
                let tokens = (account.input_tokens() as i64, account.output_tokens() as i64);
                assert_eq!(tokens, (known.input, known.output));
                is_as_known(account.co2e_g(), known.co2e_g, known.has_value);
                is_as_known(account.energy_wh(), known.energy_wh, known.has_value);
                let embodied = account.embodied_co2e_g().map(|range| range.value);
                assert_eq!(embodied.is_some(), known.has_value);
                assert!(embodied.is_none_or(|embodied| near(embodied, known.embodied_co2e_g)));
                assert_eq!(trace.calls.len() as i64, known.calls, "a receipt a call");
            }
            (Err(Absence::Evicted), None) => assert!(oracle.left.contains(&vec![number; 16])),
            (Err(Absence::NeverSeen), None) => assert!(!oracle.left.contains(&vec![number; 16])),
            (found, known) => panic!("trace {number}: {found:?} and {known:?}"),
        }
    }
}

#[test]
fn random_traces_add_up_as_the_oracle_says() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let from = number("GRAMTRACE_SOAK_FROM").unwrap_or(0);
    let mut roots = 0;
    for seed in from..from + number("GRAMTRACE_SOAK").unwrap_or(WORLDS) {
        let result = std::panic::catch_unwind(|| world(seed));
        roots += result.unwrap_or_else(|_| panic!("world {seed}"));
    }
    assert!(roots > 0, "roots were checked");
}
