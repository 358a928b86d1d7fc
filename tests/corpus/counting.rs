//! Which spans count, and with how many tokens.

use std::collections::BTreeMap;

use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::corpus;
use super::hop::{Arrival, arrivals};

fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}

fn int(span: &Span, key: &str) -> Option<i64> {
    match attribute(span, key) {
        Some(Value::IntValue(int)) => Some(*int),
        None => None,
        other => panic!("{key} is {other:?}"),
    }
}

fn status(span: &Span) -> Option<&str> {
    match attribute(span, "gramtrace.status") {
        Some(Value::StringValue(status)) => Some(status),
        None => None,
        other => panic!("the status is {other:?}"),
    }
}

fn counts(span: &Span) -> bool {
    matches!(status(span), Some("ok" | "unknown_model" | "no_model"))
}

/// Every span at the backend by file and place in it (`resource/scope/span`): sent in file order to the real program.
fn enriched_spans() -> BTreeMap<(String, String), Span> {
    let mut spans = BTreeMap::new();
    for Arrival { capture, bytes } in arrivals() {
        if capture.signal() != Signal::Traces {
            continue;
        }
        let request = ExportTraceServiceRequest::decode(bytes.clone()).unwrap();
        for (r, resource) in request.resource_spans.into_iter().enumerate() {
            for (s, scope) in resource.scope_spans.into_iter().enumerate() {
                for (i, span) in scope.spans.into_iter().enumerate() {
                    spans.insert((capture.file.clone(), format!("{r}/{s}/{i}")), span);
                }
            }
        }
    }
    spans
}

#[test]
fn every_set_has_exactly_its_calls_and_tokens() {
    let mut totals: BTreeMap<String, (u64, i64, i64)> = BTreeMap::new();
    for ((file, _), span) in enriched_spans() {
        let set = file.split('/').next().unwrap().to_owned();
        let total = totals.entry(set).or_default();
        total.0 += u64::from(counts(&span));
        total.1 += int(&span, "gramtrace.tokens.input").unwrap_or(0);
        total.2 += int(&span, "gramtrace.tokens.output").unwrap_or(0);
    }
    let mut expected = csv::Reader::from_path(corpus().join("expected_totals.csv")).unwrap();
    let mut sets = 0;
    for row in expected.records() {
        let row = row.unwrap();
        let truth = (row[1].parse().unwrap(), row[2].parse().unwrap(), row[3].parse().unwrap());
        assert_eq!(totals.get(&row[0]), Some(&truth), "{}", &row[0]);
        sets += 1;
    }
    assert_eq!(sets, 24);
}

#[test]
fn every_span_has_its_role_and_counts_or_does_not_as_it_should() {
    let spans = enriched_spans();
    let mut rows = 0;
    let mut expected = csv::Reader::from_path(corpus().join("expected_spans.csv")).unwrap();
    for row in expected.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let (file, index) = (&row["file"], &row["index"]);
        let at = format!("{file} {index} {}", row["name"]);
        let span = &spans[&(file.clone(), index.clone())];
        if row["role"] == "aggregate" {
            assert_eq!(status(span), Some("aggregate"), "{at}");
        } else {
            assert!(status(span).is_some_and(|status| status != "aggregate"), "{at}: {:?}", status(span));
        }
        rows += 1;
        assert_eq!(counts(span), row["counts"] == "yes", "{at}: {:?}", status(span));
        // Where the instrumentation sent something else than the server's truth, its row says so.
        let is_exact = !["wrong", "cache_read_zero_but_was", "excludes"].iter().any(|q| row["quirks"].contains(q));
        if counts(span) && is_exact {
            let truth = |key: &str| row[key].parse().ok();
            assert_eq!(int(span, "gramtrace.tokens.input"), truth("expected_input_total"), "{at}");
            assert_eq!(int(span, "gramtrace.tokens.output"), truth("expected_output_total"), "{at}");
        }
    }
    assert!(rows > 150, "{rows} rows");
}

#[test]
fn a_call_that_left_without_a_value_gets_it_from_a_later_report() {
    // The client's `fast` and `claude` leave first, the proxy's `gpt-4o-mini` and `claude-..` later.
    let spans = enriched_spans();
    let of = |file: &str, index: &str| {
        let file = format!("litellm-proxy-2services/{file}-traces-httpproto.pb");
        status(&spans[&(file, index.to_owned())]).unwrap().to_owned()
    };
    assert_eq!([of("002", "0/1/0"), of("002", "0/1/1")], ["unknown_model", "unknown_model"]);
    assert_eq!(of("003", "0/1/0"), "no_tokens");
    assert_eq!([of("004", "0/0/2"), of("004", "0/0/9"), of("004", "0/0/16")], ["repriced", "repriced", "ok"]);
}

#[test]
fn a_span_without_a_row_never_counts() {
    let mut expected = csv::Reader::from_path(corpus().join("expected_spans.csv")).unwrap();
    let listed: std::collections::BTreeSet<(String, String)> =
        expected.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    for (at, span) in enriched_spans() {
        if !listed.contains(&at) {
            assert!(!counts(&span), "{at:?}: {:?}", status(&span));
        }
    }
}

#[test]
fn only_what_counts_has_summable_keys() {
    for (at, span) in enriched_spans() {
        let has = |suffix: &str| attribute(&span, &format!("gramtrace.{suffix}")).is_some();
        let is_ok = status(&span) == Some("ok");
        let has_value = is_ok || status(&span) == Some("repriced");
        for key in ["co2e_g", "energy_wh", "co2e_low_g", "embodied_co2e_g", "water_ml", "band", "model", "factor"] {
            assert_eq!(has(key), has_value, "{key} at {at:?}");
        }
        for key in ["tokens.input", "tokens.output"] {
            assert_eq!(has(key), counts(&span), "{key} at {at:?}");
        }
    }
}
