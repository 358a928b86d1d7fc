//! What a receiver must take although no exporter should write it, and what the specification leaves open.

use gramtrace::otlp::{Signal, json};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::decode;

fn span(members: &str) -> Span {
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    let mut request: ExportTraceServiceRequest = decode(Signal::Traces, body);
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

fn record(members: &str) -> LogRecord {
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#);
    let mut request: ExportLogsServiceRequest = decode(Signal::Logs, body);
    request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
}

/// What a log record's body of these members holds.
fn value(members: &str) -> Option<Value> {
    record(&format!(r#""body":{{{members}}}"#)).body.expect("a body").value
}

fn metric(member: &str) -> Option<Data> {
    let body = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{member}}}]}}]}}]}}"#);
    let mut request: ExportMetricsServiceRequest = decode(Signal::Metrics, body);
    request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0).data
}

fn gauge_value(members: &str) -> Option<number_data_point::Value> {
    match metric(&format!(r#""gauge":{{"dataPoints":[{{{members}}}]}}"#)) {
        Some(Data::Gauge(gauge)) => gauge.data_points[0].value,
        other => panic!("{other:?}"),
    }
}

fn histogram_point(members: &str) -> HistogramDataPoint {
    match metric(&format!(r#""histogram":{{"dataPoints":[{{{members}}}]}}"#)) {
        Some(Data::Histogram(histogram)) => histogram.data_points[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn string(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.to_owned()))
}

#[test]
fn an_empty_request_is_an_empty_message() {
    for (signal, body) in [
        (Signal::Traces, "{}"),
        (Signal::Metrics, r#" { "resourceMetrics" : [ ] } "#),
        (Signal::Logs, "\r\n{\t\"resourceLogs\":null}\n"),
        (Signal::Traces, r#"{"resourceLogs":[{"schemaUrl":"of another signal"}]}"#),
    ] {
        assert!(json::decode(signal, body.as_bytes()).unwrap().is_empty(), "{body}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert!(json::decode(Signal::Traces, "\u{feff}{}".as_bytes()).unwrap().is_empty());
}

#[test]
fn o_31_ids_are_hex_in_any_case_and_of_any_length() {
    let span = span(r#""traceId":"5b8EFFf7","spanId":"aF","parentSpanId":"""#);
    assert_eq!(span.trace_id, [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!(span.span_id, [0xaf]);
    assert!(span.parent_span_id.is_empty());
}

#[test]
fn o_33_snake_case_names_are_unknown() {
    let span = span(r#""trace_id":7,"start_time_unix_nano":"5","Name":"n","name":"kept""#);
    assert_eq!(span, Span { name: "kept".into(), ..Span::default() });
}

#[test]
fn o_34_unknown_members_are_passed_over_whatever_they_hold() {
    let span = span(r#""x":{"name":"no","y":[[{}],"]}\"",-1.5E+3,true,false,null]},"name":"yes","z":"\u12aB\/""#);
    assert_eq!(span, Span { name: "yes".into(), ..Span::default() });
}

#[test]
fn a_name_may_be_escaped() {
    assert_eq!(span(r#""\u006eam\u0065":"x""#).name, "x");
}

#[test]
fn o_36_null_is_a_field_that_is_not_there() {
    let span = span(
        r#""traceId":null,"flags":null,"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,
           "events":[null],"links":[null,{"flags":1}],"status":null"#,
    );
    assert_eq!(span.links.len(), 1);
    assert_eq!(Span { links: Vec::new(), ..span }, Span::default());
    assert_eq!(gauge_value(r#""asInt":null"#), None);
    assert_eq!(histogram_point(r#""sum":null,"bucketCounts":null"#), HistogramDataPoint::default());
}

#[test]
fn o_36_empty_values_keep_their_key_and_their_place() {
    let attributes =
        span(r#""attributes":[{"key":"a","value":{}},{"key":"b","value":null},{"key":"c"},{}]"#).attributes;
    let pair = |key: &str, value| KeyValue { key: key.into(), value, ..KeyValue::default() };
    let expected = [pair("a", Some(AnyValue::default())), pair("b", None), pair("c", None), pair("", None)];
    assert_eq!(attributes, expected);

    let one = AnyValue { value: Some(Value::IntValue(1)) };
    let values = vec![AnyValue::default(), one, AnyValue::default()];
    let actual = value(r#""arrayValue":{"values":[null,{"intValue":1},{}]}"#);
    assert_eq!(actual, Some(Value::ArrayValue(ArrayValue { values })));
}

#[test]
fn a_default_value_is_kept_where_being_set_means_something() {
    assert_eq!(value(r#""intValue":0"#), Some(Value::IntValue(0)));
    assert_eq!(value(r#""doubleValue":0"#), Some(Value::DoubleValue(0.0)));
    assert_eq!(value(r#""boolValue":false"#), Some(Value::BoolValue(false)));
    assert_eq!(value(r#""stringValue":"""#), string(""));
    assert_eq!(value(r#""bytesValue":"""#), Some(Value::BytesValue(Vec::new())));
    assert_eq!(value(r#""arrayValue":{}"#), Some(Value::ArrayValue(ArrayValue::default())));
    assert_eq!(gauge_value(r#""asInt":"0""#), Some(number_data_point::Value::AsInt(0)));
    assert_eq!(gauge_value(r#""asDouble":0.0"#), Some(number_data_point::Value::AsDouble(0.0)));
    let point = histogram_point(r#""sum":0,"min":0,"max":0"#);
    assert_eq!((point.sum, point.min, point.max), (Some(0.0), Some(0.0), Some(0.0)));
    assert_eq!(span(r#""status":{}"#).status, Some(Status::default()));
}

#[test]
fn o_35_whole_numbers_are_read_to_the_last_digit_however_they_are_written() {
    for (text, expected) in [
        ("1795464806429000001", 1_795_464_806_429_000_001),
        (r#""1795464806429000001""#, 1_795_464_806_429_000_001),
        ("1795464806429000001.0", 1_795_464_806_429_000_001),
        ("1.795464806429000001e18", 1_795_464_806_429_000_001),
        ("1.7e18", 1_700_000_000_000_000_000),
        (r#""1.7E+18""#, 1_700_000_000_000_000_000),
        ("18446744073709551615", u64::MAX),
        ("1844674407370955161500e-2", u64::MAX),
        ("0.00000000000000000000005e23", 5),
        ("10e-1", 1),
        ("-0", 0),
        ("-0.00e99999999999999999999", 0),
        ("0e-99999999999999999999", 0),
    ] {
        assert_eq!(span(&format!(r#""endTimeUnixNano":{text}"#)).end_time_unix_nano, expected, "{text}");
    }
    assert_eq!(value(r#""intValue":"-9223372036854775808""#), Some(Value::IntValue(i64::MIN)));
    assert_eq!(value(r#""intValue":-9.223372036854775808e18"#), Some(Value::IntValue(i64::MIN)));
    assert_eq!(value(r#""intValue":-5.0"#), Some(Value::IntValue(-5)));
    assert_eq!(span(r#""flags":"257""#).flags, 257);
}

#[test]
fn o_36_doubles_are_numbers_or_strings() {
    for (text, expected) in [
        ("1", 1.0),
        (r#""1.5e3""#, 1500.0),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
        ("0.1", 0.1),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("5e-324", 5e-324),
        ("1e-999", 0.0),
    ] {
        assert_eq!(value(&format!(r#""doubleValue":{text}"#)), Some(Value::DoubleValue(expected)), "{text}");
    }
    assert!(matches!(value(r#""doubleValue":"NaN""#), Some(Value::DoubleValue(value)) if value.is_nan()));
    assert!(matches!(value(r#""doubleValue":-0.0"#), Some(Value::DoubleValue(value)) if value.is_sign_negative()));
}

#[test]
fn o_36_base64_is_of_either_alphabet_padded_or_not() {
    for text in ["+/+/AA==", "-_-_AA==", "+/+/AA", "-_-_AA", "+/+/AB=="] {
        let expected = Some(Value::BytesValue(vec![0xfb, 0xff, 0xbf, 0]));
        assert_eq!(value(&format!(r#""bytesValue":"{text}""#)), expected, "{text}");
    }
}

#[test]
fn o_32_enums_are_integers_known_or_not_or_names() {
    assert_eq!(span(r#""kind":3"#).kind, 3);
    assert_eq!(span(r#""kind":77"#).kind, 77);
    assert_eq!(span(r#""kind":-1"#).kind, -1);
    assert_eq!(span(r#""kind":"SPAN_KIND_CONSUMER""#).kind, 5);
    assert_eq!(record(r#""severityNumber":"SEVERITY_NUMBER_FATAL4""#).severity_number, 24);
    assert_eq!(span(r#""status":{"code":"STATUS_CODE_ERROR"}"#).status.unwrap().code, 2);
}

#[test]
fn escapes_become_their_characters_and_half_a_surrogate_pair_becomes_the_replacement_character() {
    for (escaped, text) in [
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0000\u00e9\u20AC", "\0é€"),
        (r"a\ud83c\udf0Db", "a🌍b"),
        (r"cut \ud83c", "cut \u{fffd}"),
        (r"\udf0d\ud83c", "\u{fffd}\u{fffd}"),
        (r"\ud83c\ud83c\udf0d", "\u{fffd}🌍"),
        (r"\udf0d\udf0d", "\u{fffd}\u{fffd}"),
        (r"\ud83c\n", "\u{fffd}\n"),
        (r"\ud83cé", "\u{fffd}é"),
        ("🌍\u{7f}\u{2028}", "🌍\u{7f}\u{2028}"),
    ] {
        assert_eq!(value(&format!(r#""stringValue":"{escaped}""#)), string(text), "{escaped}");
    }
}

#[test]
fn of_a_name_that_comes_twice_protobuf_decides() {
    let span = span(
        r#""kind":2,"kind":0,"name":"a","name":"","flags":1,"flags":2,"flags":null,
           "events":[{"name":"1"}],"events":[{"name":"2"}],"status":{"message":"m"},"status":{"code":2}"#,
    );
    assert_eq!((span.kind, span.name.as_str(), span.flags), (0, "", 2));
    assert_eq!(span.events.iter().map(|event| event.name.as_str()).collect::<String>(), "12");
    assert_eq!(span.status, Some(Status { message: "m".into(), code: 2 }));
}

#[test]
fn of_the_members_of_a_oneof_the_last_that_is_set_counts() {
    assert_eq!(value(r#""stringValue":"a","intValue":0"#), Some(Value::IntValue(0)));
    assert_eq!(value(r#""intValue":1,"stringValue":"","boolValue":null"#), string(""));
    assert_eq!(gauge_value(r#""asDouble":1,"asInt":2"#), Some(number_data_point::Value::AsInt(2)));
    assert!(matches!(metric(r#""gauge":{},"summary":{}"#), Some(Data::Summary(_))));
}

#[test]
fn lists_of_numbers_are_packed_and_empty_ones_are_not_written() {
    let body = |members: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{{members}}}]}}}}]}}]}}]}}"#
        )
    };
    let bytes = json::decode(Signal::Metrics, body(r#""bucketCounts":[1,"2"]"#).as_bytes()).unwrap();
    // Each message's tag and length by hand: field 6, sixteen bytes.
    let packed = b"\x32\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0";
    assert_eq!(bytes[..], [b"\x0a\x1a\x12\x18\x12\x16\x4a\x14\x0a\x12".as_slice(), packed].concat());
    let bytes = json::decode(Signal::Metrics, body(r#""bucketCounts":[]"#).as_bytes()).unwrap();
    assert_eq!(bytes[..], *b"\x0a\x08\x12\x06\x12\x04\x4a\x02\x0a\x00");
}
