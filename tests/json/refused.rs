//! What is refused, each with the whole message: the path or the place, what is wrong there and what to send.

use gramtrace::otlp::Signal;
use gramtrace::otlp::json::{self, JsonError, SyntaxFault, ValueFault};

fn message(signal: Signal, body: &[u8]) -> String {
    json::decode(signal, body).expect_err("a bad body passed").to_string()
}

/// What is said of a span with these members, less the path of the span.
fn span(members: &str) -> String {
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{}},{{{members}}}]}}]}}]}}"#);
    let message = message(Signal::Traces, body.as_bytes());
    message.strip_prefix("resourceSpans[0].scopeSpans[0].spans[1].").expect("the path").to_owned()
}

/// What is said of a histogram's point with these members, less the path of the point.
fn point(members: &str) -> String {
    let body = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{{members}}}]}}}}]}}]}}]}}"#
    );
    let message = message(Signal::Metrics, body.as_bytes());
    let path = "resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].";
    message.strip_prefix(path).expect("the path").to_owned()
}

#[test]
fn an_id_must_be_hex() {
    assert_eq!(
        span(r#""traceId":"5B8EFFF798038103D269B633813FC6zz""#),
        "traceId: not hex; write ids as hex digits, not as base64"
    );
    assert_eq!(span(r#""spanId":"W47/95gDgQM=""#), "spanId: not hex; write ids as hex digits, not as base64");
    assert_eq!(
        span(r#""links":[{"spanId":"abc"}]"#),
        "links[0].spanId: an odd number of hex digits; write two for each byte of an id"
    );
    assert_eq!(span(r#""parentSpanId":"abg""#), "parentSpanId: not hex; write ids as hex digits, not as base64");
    assert_eq!(span(r#""traceId":12"#), "traceId: expected a string");
}

#[test]
fn a_value_must_be_of_its_fields_type() {
    assert_eq!(span(r#""name":1"#), "name: expected a string");
    assert_eq!(span(r#""attributes":{"a":1}"#), "attributes: expected a list");
    assert_eq!(span(r#""attributes":["a"]"#), "attributes[0]: expected an object");
    assert_eq!(span(r#""attributes":[{"key":"a","value":"b"}]"#), "attributes[0].value: expected an object");
    assert_eq!(span(r#""status":[]"#), "status: expected an object");
    assert_eq!(span(r#""kind":true"#), "kind: expected a number, or one in a string");
    assert_eq!(span(r#""flags":{}"#), "flags: expected a number, or one in a string");
    assert_eq!(point(r#""sum":[]"#), "sum: expected a number, or one in a string");
    assert_eq!(
        span(r#""attributes":[{"value":{"arrayValue":{"values":[{},{"boolValue":"true"}]}}}]"#),
        "attributes[0].value.arrayValue.values[1].boolValue: expected true or false"
    );
    assert_eq!(point(r#""bucketCounts":5"#), "bucketCounts: expected a list");
    assert_eq!(message(Signal::Traces, b"[]"), "the body: expected an object");
    assert_eq!(message(Signal::Traces, b"null"), "the body: expected an object");
    assert_eq!(message(Signal::Logs, br#"{"resourceLogs":"x"}"#), "resourceLogs: expected a list");
}

#[test]
fn a_number_must_be_one_that_its_type_holds() {
    assert_eq!(span(r#""endTimeUnixNano":18446744073709551616"#), "endTimeUnixNano: out of the range of fixed64");
    assert_eq!(span(r#""endTimeUnixNano":-1"#), "endTimeUnixNano: out of the range of fixed64");
    assert_eq!(span(r#""endTimeUnixNano":1e20"#), "endTimeUnixNano: out of the range of 64-bit integers");
    assert_eq!(
        span(r#""endTimeUnixNano":1e999999999999999999999"#),
        "endTimeUnixNano: out of the range of 64-bit integers"
    );
    assert_eq!(span(r#""endTimeUnixNano":1.5"#), "endTimeUnixNano: not a whole number");
    assert_eq!(span(r#""endTimeUnixNano":1e-1"#), "endTimeUnixNano: not a whole number");
    assert_eq!(span(r#""endTimeUnixNano":1e-999999999999999999999"#), "endTimeUnixNano: not a whole number");
    for text in ["", "now", "1 ", " 1", "+1", "0x10", "1_000", "01", "NaN"] {
        assert_eq!(span(&format!(r#""endTimeUnixNano":"{text}""#)), "endTimeUnixNano: not a number", "{text}");
    }
    assert_eq!(span(r#""flags":4294967296"#), "flags: out of the range of fixed32");
    assert_eq!(span(r#""droppedLinksCount":-1"#), "droppedLinksCount: out of the range of uint32");
    assert_eq!(
        span(r#""attributes":[{"value":{"intValue":"9223372036854775808"}}]"#),
        "attributes[0].value.intValue: out of the range of int64"
    );
    assert_eq!(point(r#""max":1e309"#), "max: out of the range of double");
    assert_eq!(point(r#""max":"inf""#), "max: not a number");
    assert_eq!(point(r#""explicitBounds":[1,"nan"]"#), "explicitBounds[1]: not a number");
}

#[test]
fn null_among_numbers_is_refused_since_the_others_would_move() {
    assert_eq!(
        point(r#""bucketCounts":[0,null]"#),
        "bucketCounts[1]: null among numbers; every element needs a number"
    );
}

#[test]
fn bytes_must_be_base64() {
    for text in ["a", "a===", "+-AA", "a b=", "é"] {
        let actual = span(&format!(r#""attributes":[{{"value":{{"bytesValue":"{text}"}}}}]"#));
        let expected = "attributes[0].value.bytesValue: not base64 (RFC 4648, standard or URL-safe)";
        assert_eq!(actual, expected, "{text}");
    }
}

#[test]
fn an_enums_name_must_exist() {
    assert_eq!(span(r#""kind":"SERVER""#), "kind: not a name of SpanKind; write enums as integers");
    assert_eq!(span(r#""kind":"2""#), "kind: not a name of SpanKind; write enums as integers");
    assert_eq!(span(r#""kind":2147483648"#), "kind: out of the range of SpanKind");
    assert_eq!(span(r#""status":{"code":"OK"}"#), "status.code: not a name of StatusCode; write enums as integers");
}

#[test]
fn json_that_is_none_is_refused_with_its_place() {
    let early = "the body ends too early; send it whole";
    for (body, place, fault) in [
        ("", "line 1, column 1", early),
        (" \n ", "line 2, column 2", early),
        (r#"{"resourceSpans":[{"schemaUrl":"é"#, "line 1, column 34", early),
        ("{\n \"é\" 1}", "line 2, column 6", "expected `:`"),
        ("{\"a\":1\n,}", "line 2, column 2", "expected a name in double quotes"),
        ("{a:1}", "line 1, column 2", "expected a name in double quotes"),
        ("{'a':1}", "line 1, column 2", "expected a name in double quotes"),
        (r#"{"a":1 "b":2}"#, "line 1, column 8", "expected `,` or `}`"),
        (r#"{"a":[1}"#, "line 1, column 8", "expected `,` or `]`"),
        (r#"{"a":[1,]}"#, "line 1, column 9", "expected a value"),
        (r#"{"a":}"#, "line 1, column 6", "expected a value"),
        (r#"{"a":NaN}"#, "line 1, column 6", "expected a value"),
        (r#"{"a":+1}"#, "line 1, column 6", "expected a value"),
        (r#"{"a":.5}"#, "line 1, column 6", "expected a value"),
        (r#"{"a":01}"#, "line 1, column 7", "expected `,` or `}`"),
        (r#"{"a":-}"#, "line 1, column 7", "expected a digit"),
        (r#"{"a":1.}"#, "line 1, column 8", "expected a digit"),
        (r#"{"a":1e+}"#, "line 1, column 9", "expected a digit"),
        (r#"{"a":nul}"#, "line 1, column 6", "expected null"),
        (r#"{"a":True}"#, "line 1, column 6", "expected a value"),
        (r#"{"a":falsy}"#, "line 1, column 6", "expected false"),
        ("{\"a\":\"\u{1f}\"}", "line 1, column 7", "a control character in a string must be escaped as \\u00XX"),
        ("{\"a\":\"\t\"}", "line 1, column 7", "a control character in a string must be escaped as \\u00XX"),
        (r#"{"a":"\x41"}"#, "line 1, column 7", "not an escape that JSON knows"),
        (r#"{"a":"\u12g4"}"#, "line 1, column 7", "not an escape that JSON knows"),
        (r#"{"a":"\u1"}"#, "line 1, column 7", "not an escape that JSON knows"),
        ("{} {}", "line 1, column 4", "expected the end of the body"),
        ("{}\n\0", "line 2, column 1", "expected the end of the body"),
    ] {
        assert_eq!(message(Signal::Traces, body.as_bytes()), format!("{place}: {fault}"), "{body}");
    }
}

#[test]
fn a_body_that_is_not_utf_8_is_refused_with_its_place() {
    let message = |body: &[u8]| message(Signal::Traces, body);
    assert_eq!(message(b"{\n\"a\xff\":1}"), "line 2, column 3: not UTF-8; OTLP/JSON is sent as UTF-8");
    assert_eq!(message(b"\x1f\x8b\x08"), "line 1, column 2: not UTF-8; OTLP/JSON is sent as UTF-8");
    assert_eq!(message(b"{\"a\":\"\xc3"), "line 1, column 7: the body ends too early; send it whole");
}

#[test]
fn an_error_can_be_taken_apart() {
    let error = json::decode(Signal::Traces, b"{\"resourceSpans\":[0]}").unwrap_err();
    let fault = ValueFault::Type("an object");
    assert_eq!(error, JsonError::Value { path: "resourceSpans[0]".into(), fault });
    let error = json::decode(Signal::Traces, b"{").unwrap_err();
    assert_eq!(error, JsonError::Syntax { line: 1, column: 2, fault: SyntaxFault::End });
}
