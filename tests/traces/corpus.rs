//! Captured traces of real instrumentations: the totals on their roots and in the ledger are those that the model
//! server's own count gives.

use gramtrace::trace::ledger::{Gap, LedgerSettings};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::spans::{double, spans, truth, whole};
use super::{Hop, captured};

/// The totals of `litellm-proxy-2services` by the captures' own table: one trace, two services, four requests.
const TWO_SERVICES: (i64, i64, i64) = (3, 3398, 612);

#[test]
fn a_trace_of_two_services_in_four_requests_has_one_total() {
    let hop = Hop::new(LedgerSettings::default());
    let bodies = captured("litellm-proxy-2services");
    assert_eq!(bodies.len(), 4);
    let sent: Vec<_> = bodies.iter().map(|body| hop.send_bytes(body)).collect();
    let all: Vec<_> = sent.iter().flat_map(spans).collect();
    let is_of_call = |span: &Span| span.attributes.iter().any(|attribute| attribute.key == "gramtrace.status");
    let mut ids: Vec<_> = all.iter().filter(|(_, span)| is_of_call(span)).map(|(_, span)| &span.trace_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one trace with model calls");
    let co2e_g: f64 = all.iter().filter_map(|(_, span)| double(span, "gramtrace.co2e_g")).sum();
    let trace = hop.enricher.traces().lock().trace(&ids[0].as_slice().try_into().unwrap(), hop.now).unwrap();
    let account = trace.listed.account;
    let known = (account.calls(), account.input_tokens(), account.output_tokens());
    assert_eq!((i64::from(known.0), known.1 as i64, known.2 as i64), TWO_SERVICES);
    let total = account.co2e_g().unwrap().value;
    assert!((total - co2e_g).abs() <= 1e-12 * co2e_g, "{total} and {co2e_g}");
    assert!(account.gaps().any(|gap| gap == Gap::OtherServices), "the proxy's and the client's");
    assert_eq!(trace.missing, 0);
}

#[test]
fn on_the_root_stands_what_was_known_when_it_passed() {
    let hop = Hop::new(LedgerSettings::default());
    let (mut calls, mut co2e_g, mut roots) = (0, 0.0, 0);
    for body in captured("litellm-proxy-2services") {
        let sent = hop.send_bytes(&body);
        let counted = |span: &&Span| whole(span, "gramtrace.tokens.input").is_some();
        let spans: Vec<_> = spans(&sent).into_iter().map(|(_, span)| span).collect();
        calls += spans.iter().filter(|span| counted(span)).count();
        co2e_g += spans.iter().filter_map(|span| double(span, "gramtrace.co2e_g")).sum::<f64>();
        for root in spans.iter().filter(|span| span.parent_span_id.is_empty()) {
            if calls == 0 {
                assert_eq!(whole(root, "gramtrace.trace.calls"), None, "a trace without model calls: {}", root.name);
                continue;
            }
            roots += 1;
            assert_eq!(whole(root, "gramtrace.trace.calls"), Some(calls as i64));
            let total = double(root, "gramtrace.trace.co2e_g").unwrap_or(0.0);
            assert!((total - co2e_g).abs() <= 1e-12 * co2e_g, "{total} and {co2e_g}");
            assert_eq!(truth(root, "gramtrace.trace.complete"), Some(false));
        }
    }
    assert_eq!(roots, 1);
}

#[test]
fn every_sets_traces_add_up_to_its_row() {
    let expected = include_str!("../corpus/expected_totals.csv");
    for row in expected.lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        let hop = Hop::new(LedgerSettings::default());
        let mut ids = Vec::new();
        for body in captured(cells[0]) {
            ids.extend(spans(&hop.send_bytes(&body)).into_iter().map(|(_, span)| span.trace_id.clone()));
        }
        ids.sort();
        ids.dedup();
        let ledger = hop.enricher.traces().lock();
        let (mut calls, mut input, mut output) = (0, 0, 0);
        for id in ids {
            if let Ok(trace) = ledger.trace(&id.try_into().unwrap(), hop.now) {
                calls += u64::from(trace.listed.account.calls());
                input += trace.listed.account.input_tokens();
                output += trace.listed.account.output_tokens();
            }
        }
        assert_eq!([calls, input, output].map(|sum| sum.to_string()), cells[1..], "{}", cells[0]);
    }
}
