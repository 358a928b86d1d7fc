//! What stands on roots, one situation a test.

use gramtrace::trace::ledger::LedgerSettings;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::Hop;
use super::spans::{call, double, int, plain, request, request_of, spans, text, truth, value, whole, word};

const MODEL: &str = "gpt-4o";

fn hop() -> Hop {
    Hop::new(LedgerSettings::default())
}

/// The root among what a backend got.
fn root(request: &opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest) -> Span {
    let mut roots = spans(request).into_iter().map(|(_, span)| span).filter(|span| span.parent_span_id.is_empty());
    let root = roots.next().expect("a root").clone();
    assert!(roots.next().is_none(), "one root");
    root
}

fn keys(span: &Span) -> Vec<&str> {
    span.attributes.iter().map(|attribute| attribute.key.as_str()).filter(|key| key.contains(".trace.")).collect()
}

#[test]
fn a_root_has_the_sum_of_its_calls_whatever_the_order_of_spans() {
    let calls = || vec![call(1, 2, 1, MODEL, (100, 10)), call(1, 3, 1, MODEL, (2000, 300))];
    let root_of = |spans: Vec<Span>| root(&hop().send(&request("shop", spans)));
    let last = root_of([calls(), vec![plain(1, 1, 0)]].concat());
    let first = root_of([vec![plain(1, 1, 0)], calls()].concat());
    assert_eq!(first.attributes, last.attributes);
    let expected = [
        "gramtrace.trace.co2e_g",
        "gramtrace.trace.co2e_low_g",
        "gramtrace.trace.co2e_high_g",
        "gramtrace.trace.energy_wh",
        "gramtrace.trace.calls",
        "gramtrace.trace.unknown_calls",
        "gramtrace.trace.input_tokens",
        "gramtrace.trace.output_tokens",
        "gramtrace.trace.band",
        "gramtrace.trace.complete",
    ];
    assert_eq!(keys(&first), expected);
    assert_eq!(first.attributes.len(), expected.len(), "nothing else stands on a root that is no model call");
    assert_eq!(whole(&first, "gramtrace.trace.calls"), Some(2));
    assert_eq!(whole(&first, "gramtrace.trace.input_tokens"), Some(2100));
    assert_eq!(whole(&first, "gramtrace.trace.output_tokens"), Some(310));
    assert_eq!(whole(&first, "gramtrace.trace.unknown_calls"), Some(0));
    assert_eq!(truth(&first, "gramtrace.trace.complete"), Some(true));
}

#[test]
fn calls_of_earlier_requests_and_of_the_roots_own_add_up() {
    let hop = hop();
    let mut co2e_g = 0.0;
    for (span, parent) in [(2, 1), (3, 1)] {
        let sent = hop.send(&request("shop", vec![call(1, span, parent, MODEL, (100, 10))]));
        co2e_g += double(spans(&sent)[0].1, "gramtrace.co2e_g").unwrap();
    }
    let sent = hop.send(&request("shop", vec![plain(1, 1, 0), call(1, 4, 1, MODEL, (1, 1))]));
    co2e_g += double(spans(&sent)[1].1, "gramtrace.co2e_g").unwrap();
    let root = root(&sent);
    assert_eq!(double(&root, "gramtrace.trace.co2e_g"), Some(co2e_g));
    assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(3));
}

#[test]
fn a_root_that_is_a_model_call_itself_has_both() {
    let root = root(&hop().send(&request("shop", vec![call(1, 1, 0, MODEL, (100, 10))])));
    assert_eq!(double(&root, "gramtrace.trace.co2e_g"), double(&root, "gramtrace.co2e_g"));
    assert_eq!(word(&root, "gramtrace.trace.band"), word(&root, "gramtrace.band"));
}

#[test]
fn a_root_without_model_calls_stays_as_it_came() {
    let hop = hop();
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    let sent = request("shop", vec![plain(2, 1, 0), plain(2, 2, 1)]);
    assert_eq!(hop.send(&sent), sent);
}

#[test]
fn unknown_models_are_counted_and_their_trace_is_not_complete() {
    let spans = vec![call(1, 2, 1, "nobody-knows-this", (100, 10)), plain(1, 1, 0)];
    let root = root(&hop().send(&request("shop", spans)));
    assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(1));
    assert_eq!(whole(&root, "gramtrace.trace.unknown_calls"), Some(1));
    assert_eq!(value(&root, "gramtrace.trace.co2e_g"), None, "unknown is absent, never 0");
    assert_eq!(value(&root, "gramtrace.trace.band"), None);
    assert_eq!(truth(&root, "gramtrace.trace.complete"), Some(false));
}

#[test]
fn model_calls_of_another_service_than_the_roots_make_it_incomplete() {
    let together = vec![("gateway", vec![call(1, 2, 1, MODEL, (100, 10))]), ("shop", vec![plain(1, 1, 0)])];
    let together = root(&hop().send(&request_of(together)));
    let hop = hop();
    hop.send(&request("gateway", vec![call(1, 2, 1, MODEL, (100, 10))]));
    let apart = root(&hop.send(&request("shop", vec![plain(1, 1, 0)])));
    assert_eq!(together.attributes, apart.attributes);
    assert_eq!(truth(&apart, "gramtrace.trace.complete"), Some(false));
}

#[test]
fn a_service_is_one_however_long_its_name_is_and_whatever_it_is_written_as() {
    let long = "checkout-".repeat(40);
    let spans = || vec![call(1, 2, 1, MODEL, (100, 10)), plain(1, 1, 0)];
    assert_eq!(truth(&root(&hop().send(&request(&long, spans()))), "gramtrace.trace.complete"), Some(true));

    // In one request a number, in the other one two names, of which the last counts.
    let hop = hop();
    let mut call = request("first", vec![call(1, 2, 1, MODEL, (100, 10))]);
    call.resource_spans[0].resource.as_mut().unwrap().attributes.push(int("service.name", 7));
    hop.send(&call);
    let sent = hop.send(&request("7", vec![plain(1, 1, 0)]));
    assert_eq!(truth(&root(&sent), "gramtrace.trace.complete"), Some(true));
    let trace = hop.enricher.traces().lock().trace(&[1; 16], hop.now).unwrap();
    assert_eq!(&*trace.calls[0].service, "7");
}

#[test]
fn what_is_sent_again_counts_once() {
    let hop = hop();
    let calls = request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]);
    (0..3).for_each(|_| drop(hop.send(&calls)));
    let whole_trace =
        request("shop", vec![call(1, 2, 1, MODEL, (100, 10)), call(1, 3, 1, MODEL, (7, 7)), plain(1, 1, 0)]);
    hop.send_in_vain(&whole_trace);
    for _ in 0..3 {
        let root = root(&hop.send(&whole_trace));
        assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(2));
        assert_eq!(whole(&root, "gramtrace.trace.input_tokens"), Some(107));
    }
}

#[test]
fn what_nobody_acknowledged_is_in_no_later_total() {
    let hop = hop();
    hop.send_in_vain(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    let sent = request("shop", vec![plain(1, 1, 0)]);
    assert_eq!(hop.send(&sent), sent);
}

#[test]
fn a_later_report_that_brings_a_value_brings_it_to_the_total_and_no_second_call() {
    let hop = hop();
    let with_id = |mut span: Span| {
        span.attributes.push(text("gen_ai.response.id", "r-1"));
        span
    };
    hop.send(&request("client", vec![with_id(call(1, 2, 1, "fast", (100, 10)))]));
    let proxy = hop.send(&request("client", vec![with_id(call(1, 3, 2, MODEL, (100, 10)))]));
    let repriced = spans(&proxy)[0].1;
    assert_eq!(word(repriced, "gramtrace.status").as_deref(), Some("repriced"));
    let root = root(&hop.send(&request("client", vec![plain(1, 1, 0)])));
    assert_eq!(double(&root, "gramtrace.trace.co2e_g"), double(repriced, "gramtrace.co2e_g"));
    assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(1));
    assert_eq!(whole(&root, "gramtrace.trace.unknown_calls"), Some(0));
    assert_eq!(whole(&root, "gramtrace.trace.input_tokens"), Some(100));
    assert_eq!(truth(&root, "gramtrace.trace.complete"), Some(true));
}

#[test]
fn spans_that_came_enriched_are_in_the_total_and_a_root_that_has_one_keeps_it() {
    let (first, second) = (hop(), hop());
    let enriched = first.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    assert_eq!(second.send(&enriched), enriched);
    let later = second.send(&request("shop", vec![call(1, 3, 1, MODEL, (100, 10)), plain(1, 1, 0)]));
    let root_of_both = root(&later);
    assert_eq!(whole(&root_of_both, "gramtrace.trace.calls"), Some(2));
    let each = double(spans(&later)[0].1, "gramtrace.co2e_g").unwrap();
    assert_eq!(double(&root_of_both, "gramtrace.trace.co2e_g"), Some(each + each));
    assert_eq!(hop().send(&later), later, "a root with totals stays as it came");
}

#[test]
fn spans_with_invalid_ids_never_enter_a_total() {
    let hop = hop();
    let nowhere = Span { trace_id: vec![0; 16], ..call(1, 2, 0, MODEL, (100, 10)) };
    let nameless = Span { span_id: vec![1; 3], ..call(1, 2, 1, MODEL, (100, 10)) };
    let sent = hop.send(&request("shop", vec![nowhere, nameless, plain(1, 1, 0)]));
    assert!(spans(&sent).iter().all(|(_, span)| keys(span).is_empty()), "{sent:?}");
    assert_eq!(hop.enricher.traces().level().traces, 0);
}

#[test]
fn calls_without_usage_make_a_trace_incomplete() {
    let mut silent = call(1, 2, 1, MODEL, (100, 10));
    silent.attributes.retain(|attribute| !attribute.key.contains("usage"));
    let root = root(&hop().send(&request("shop", vec![silent, call(1, 3, 1, MODEL, (1, 1)), plain(1, 1, 0)])));
    assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(1));
    assert_eq!(truth(&root, "gramtrace.trace.complete"), Some(false));
}

#[test]
fn an_evicted_trace_is_incomplete() {
    let hop = Hop::new(LedgerSettings { max_traces: 1, ..LedgerSettings::default() });
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    hop.send(&request("shop", vec![call(2, 2, 1, MODEL, (100, 10))]));
    let root = root(&hop.send(&request("shop", vec![call(1, 3, 1, MODEL, (100, 10)), plain(1, 1, 0)])));
    assert_eq!(whole(&root, "gramtrace.trace.calls"), Some(1));
    assert_eq!(truth(&root, "gramtrace.trace.complete"), Some(false));
}

#[test]
fn with_totals_off_nothing_is_kept_and_nothing_is_written() {
    let hop = Hop::new(LedgerSettings { max_traces: 0, ..LedgerSettings::default() });
    let sent = hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10)), plain(1, 1, 0)]));
    assert_eq!(keys(&root(&sent)), Vec::<&str>::new());
    assert_eq!(hop.enricher.traces().level().traces, 0);
}

#[test]
fn a_request_with_a_known_root_is_otherwise_the_same_bytes() {
    let hop = hop();
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    let sent = request("shop", vec![plain(3, 9, 8), plain(1, 1, 0), plain(4, 1, 0)]);
    let mut got = hop.send(&sent);
    for span in &mut got.resource_spans[0].scope_spans[0].spans {
        span.attributes.clear();
    }
    assert_eq!(got.encode_to_vec(), sent.encode_to_vec());
}
