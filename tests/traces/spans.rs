//! Spans for these tests, and their attributes read back. Uses prost and none of the code under test.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// When everything starts.
const EPOCH_NS: u64 = 1_790_000_000_000_000_000;

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A span of no model call; `parent` 0 is none.
pub fn plain(trace: u8, span: u64, parent: u64) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: span.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: "step".to_owned(),
        // No two overlap, so no two are taken for one call.
        start_time_unix_nano: EPOCH_NS + span * 1_000_000,
        end_time_unix_nano: EPOCH_NS + span * 1_000_000 + 999_999,
        ..Span::default()
    }
}

/// A model call.
pub fn call(trace: u8, span: u64, parent: u64, model: &str, tokens: (i64, i64)) -> Span {
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", model),
        int("gen_ai.usage.input_tokens", tokens.0),
        int("gen_ai.usage.output_tokens", tokens.1),
    ];
    Span { attributes, name: "chat".to_owned(), ..plain(trace, span, parent) }
}

/// A request of one service.
pub fn request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    request_of(vec![(service, spans)])
}

/// A request of several services.
pub fn request_of(services: Vec<(&str, Vec<Span>)>) -> ExportTraceServiceRequest {
    let group = |(service, spans): (&str, Vec<Span>)| ResourceSpans {
        resource: Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: services.into_iter().map(group).collect() }
}

/// Every span, with its service.
pub fn spans(request: &ExportTraceServiceRequest) -> Vec<(String, &Span)> {
    let mut spans = Vec::new();
    for group in &request.resource_spans {
        let service = service(group);
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            spans.push((service.clone(), span));
        }
    }
    spans
}

fn service(group: &ResourceSpans) -> String {
    let attributes = group.resource.iter().flat_map(|resource| &resource.attributes);
    attributes.filter(|it| it.key == "service.name").find_map(|it| string(it.value.as_ref()?)).unwrap_or_default()
}

fn string(value: &AnyValue) -> Option<String> {
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// The one attribute with this key; two of them are a mistake.
pub fn value<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    let mut found = span.attributes.iter().filter(|attribute| attribute.key == key);
    let first = found.next()?;
    assert!(found.next().is_none(), "{key} stands twice");
    first.value.as_ref()?.value.as_ref()
}

pub fn double(span: &Span, key: &str) -> Option<f64> {
    match value(span, key)? {
        Value::DoubleValue(number) => Some(*number),
        other => panic!("{key} is {other:?}"),
    }
}

pub fn whole(span: &Span, key: &str) -> Option<i64> {
    match value(span, key)? {
        Value::IntValue(number) => Some(*number),
        other => panic!("{key} is {other:?}"),
    }
}

pub fn word(span: &Span, key: &str) -> Option<String> {
    match value(span, key)? {
        Value::StringValue(text) => Some(text.clone()),
        other => panic!("{key} is {other:?}"),
    }
}

pub fn truth(span: &Span, key: &str) -> Option<bool> {
    match value(span, key)? {
        Value::BoolValue(truth) => Some(*truth),
        other => panic!("{key} is {other:?}"),
    }
}
