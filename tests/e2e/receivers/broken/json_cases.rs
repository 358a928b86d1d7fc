//! What is wrong with JSON: its grammar, its depth, and the types of what stands in it.

use gramtrace::wire::Encoding;

use super::{Case, deflated, post};

const JSON: &str = "content-type: application/json";

pub(super) fn cases() -> Vec<Case> {
    [grammar(), depth(), types()].into_iter().flatten().collect()
}

fn grammar() -> Vec<Case> {
    let case = |name, body: &[u8]| post(("JSON", name), "400", "/v1/traces", &[JSON], body);
    vec![
        case("nothing", b""),
        case("no JSON", b"]"),
        case("half an object", br#"{"resourceSpans":["#),
        case("something behind it", b"{} {}"),
        case("a list", b"[]"),
        case("null", b"null"),
        case("a comma too many", br#"{"resourceSpans":[],}"#),
        case("a name without quotes", b"{resourceSpans:[]}"),
        case("a number that is none", br#"{"a":01}"#),
        case("NaN", br#"{"a":NaN}"#),
        case("a line in a string", b"{\"a\":\"\n\"}"),
        case("an escape that there is not", br#"{"a":"\x"}"#),
        case("no UTF-8", b"{\"a\":\"\xff\xfe\"}"),
        case("UTF-16", b"\xff\xfe{\0}\0"),
        case("protobuf as JSON", b"\x0a\x00"),
    ]
}

fn depth() -> Vec<Case> {
    let case = |name, body: String| post(("JSON depth", name), "400", "/v1/traces", &[JSON], body.as_bytes());
    let lists = "{\"arrayValue\":{\"values\":[".repeat(200);
    let value = format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{lists}"#);
    let packed = deflated(Encoding::Gzip, "[".repeat(1 << 20).as_bytes());
    vec![
        case("a hundred thousand lists", "[".repeat(100_000)),
        case("a hundred thousand objects of an unknown name", "{\"a\":".repeat(100_000)),
        case("two hundred lists of values", value),
        post(
            ("JSON depth", "a million lists in gzip"),
            "400",
            "/v1/traces",
            &[JSON, "content-encoding: gzip"],
            &packed,
        ),
    ]
}

fn types() -> Vec<Case> {
    let span = |name, members: &str| {
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
        post(("JSON types", name), "400", "/v1/traces", &[JSON], body.as_bytes())
    };
    let case = |name, path: &str, body: &[u8]| post(("JSON types", name), "400", path, &[JSON], body);
    vec![
        span("a name that is a number", r#""name":1"#),
        span("an id in base64", r#""traceId":"W47/95gDgQPTabYzgT/GMg==""#),
        span("half a byte of an id", r#""spanId":"abc""#),
        span("a time of 2^64", r#""startTimeUnixNano":"18446744073709551616""#),
        span("a negative time", r#""startTimeUnixNano":-1"#),
        span("a kind that there is not", r#""kind":"SPAN_KIND_NOBODY""#),
        span("attributes as an object", r#""attributes":{"a":1}"#),
        span("a value as a string", r#""attributes":[{"key":"a","value":"b"}]"#),
        span("an integer with a fraction", r#""attributes":[{"key":"a","value":{"intValue":1.5}}]"#),
        span("bytes that are no base64", r#""attributes":[{"key":"a","value":{"bytesValue":"!"}}]"#),
        case("spans as a text", "/v1/traces", br#"{"resourceSpans":"x"}"#),
        case("logs as a text", "/v1/logs", br#"{"resourceLogs":"x"}"#),
        case("metrics as a number", "/v1/metrics", br#"{"resourceMetrics":[1]}"#),
    ]
}
