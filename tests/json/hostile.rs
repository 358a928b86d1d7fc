//! Bodies that nobody means well with: they cost an error at most, and what passes is always protobuf.

use gramtrace::otlp::Signal;
use gramtrace::otlp::json::{JsonError, MAX_DEPTH, ValueFault, decode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use prost::Message;

const TRACES: &[u8] = include_bytes!("../corpus/vercel-ai7-json/001-traces-httpjson.otlp-http.json");
const METRICS: &[u8] = include_bytes!("../corpus/vercel-ai7-json/002-metrics-httpjson.otlp-http.json");

/// The bytes that mean something in JSON, and two that mean nothing.
const GRAMMAR: &[u8] = b"{}[],:\"\\0eE.-+ntfu \x00\x7f";

/// Levels from the body to a span's attribute's value, the value's own object included: the body, two levels for each of
/// resourceSpans, scopeSpans, spans and attributes, and the value.
const LEVELS_TO_A_VALUE: usize = 10;

/// A span with one attribute, whose value is `open`, `levels` times, then `core`, then `close` as often.
fn nested(levels: usize, open: &str, core: &str, close: &str) -> String {
    let value = open.repeat(levels) + core + &close.repeat(levels);
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"deep","value":{value}}}]}}]}}]}}]}}"#
    )
}

/// Decodes for a signal; what passes must be within four times the body and must be read by prost.
fn survive(signal: Signal, body: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(bytes) = decode(signal, body) else { return Ok(false) };
    prop_assert!(bytes.len() <= 4 * body.len());
    let read = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).map(drop),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).map(drop),
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).map(drop),
    };
    prop_assert!(read.is_ok(), "{:?} from {}", read, String::from_utf8_lossy(body));
    Ok(true)
}

/// Text that is nearly OTLP/JSON: names, values and punctuation in any order.
fn nearly_json() -> BoxedStrategy<String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "d83d",
        "0",
        "-1",
        "1e3",
        ".5",
        "null",
        "true",
        "false",
        " ",
        "\n",
        "\"resourceSpans\":[{",
        "\"scopeSpans\":[{",
        "\"spans\":[{",
        "\"traceId\":\"ab\"",
        "\"attributes\":[{",
        "\"value\":{",
        "\"arrayValue\":{\"values\":[",
        "\"intValue\":\"7\"",
        "\"kind\":",
        "}]}]}]}",
        "é",
        "\u{0}",
    ];
    vec(select(words.to_vec()), 0..40).prop_map(|words| words.concat()).boxed()
}

/// `{"x": ...}` around a value that may nest: JSON that is right.
fn some_json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>().prop_filter("JSON has no NaN", |value| value.is_finite()).prop_map(|value| format!("{value:e}")),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        let members = vec((any::<String>(), inner.clone()), 0..3).prop_map(|members| {
            let members = members.iter().map(|(name, value)| format!("{} : {value}", serde_json::json!(name)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        });
        prop_oneof![members, vec(inner, 0..3).prop_map(|items| format!("[ {} ]", items.join("\n,")))]
    });
    value.prop_map(|value| format!("{{\"x\":{value}}}")).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            survive(signal, &body)?;
        }
    }

    #[test]
    fn words_of_otlp_in_any_order_never_panic(body in nearly_json()) {
        survive(Signal::Traces, body.as_bytes())?;
    }

    #[test]
    fn a_captured_body_with_one_byte_changed_is_refused_or_still_protobuf(at in any::<Index>(), byte in any::<u8>()) {
        for (signal, body) in [(Signal::Traces, TRACES), (Signal::Metrics, METRICS)] {
            let mut body = body.to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            survive(signal, &body)?;
            body.remove(at);
            survive(signal, &body)?;
        }
    }

    #[test]
    fn what_is_json_is_what_serde_json_says(body in some_json(), at in any::<Index>(), byte in select(GRAMMAR.to_vec())) {
        prop_assert!(survive(Signal::Traces, body.as_bytes())?, "{}", body);
        let mut changed = body.into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        // A request is an object; serde_json takes any value.
        let expected = std::str::from_utf8(&changed).is_ok_and(|text| {
            text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        });
        prop_assert_eq!(survive(Signal::Traces, &changed)?, expected, "{}", String::from_utf8_lossy(&changed));
    }
}

#[test]
fn values_nest_to_the_limit_and_stay_within_what_protobuf_parsers_allow() {
    let lists = (MAX_DEPTH - LEVELS_TO_A_VALUE) / 3;
    let arrays = nested(lists, r#"{"arrayValue":{"values":["#, "{}", "]}}");
    let maps = (MAX_DEPTH - LEVELS_TO_A_VALUE) / 4;
    let maps = nested(maps, r#"{"kvlistValue":{"values":[{"value":"#, "{}", "}]}}");
    for body in [arrays, maps] {
        let bytes = decode(Signal::Traces, body.as_bytes()).unwrap();
        ExportTraceServiceRequest::decode(bytes).unwrap();
    }
}

#[test]
fn nesting_is_refused_right_beyond_the_limit() {
    let unknown = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(decode(Signal::Logs, unknown(MAX_DEPTH - 1).as_bytes()), Ok(bytes::Bytes::new()));
    let error = decode(Signal::Logs, unknown(MAX_DEPTH).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the body: nested deeper than 128 levels; flatten the value");

    let lists = (MAX_DEPTH - LEVELS_TO_A_VALUE) / 3 + 1;
    let error = decode(Signal::Traces, nested(lists, r#"{"arrayValue":{"values":["#, "{}", "]}}").as_bytes());
    let Err(JsonError::Value { path, fault: ValueFault::Depth }) = error else { panic!("{error:?}") };
    let start = "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.arrayValue.values[0].arrayValue.";
    assert!(path.starts_with(start), "{path}");
}

#[test]
fn the_deepest_bodies_need_little_stack() {
    let bodies = [
        nested(200_000, r#"{"arrayValue":{"values":["#, "{}", "]}}"),
        nested(200_000, r#"{"kvlistValue":{"values":[{"value":"#, "{}", "}]}}"),
        nested(200_000, "[", "", "]"),
        "{\"x\":".to_owned() + &"{\"x\":".repeat(200_000),
    ];
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let decode_all = move || bodies.iter().all(|body| decode(Signal::Traces, body.as_bytes()).is_err());
    assert!(small.spawn(decode_all).unwrap().join().unwrap());
}

#[test]
fn the_densest_list_becomes_no_more_than_four_times_as_long() {
    let counts = vec!["1"; 100_000].join(",");
    let body = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}]}}]}}}}]}}]}}]}}"#
    );
    let bytes = decode(Signal::Metrics, body.as_bytes()).unwrap();
    assert!(bytes.len() > 800_000 && bytes.len() < 4 * body.len(), "{}", bytes.len());
}
