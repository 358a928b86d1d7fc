//! Requests of model calls that are all alike but for their ids, which are numbers that no other call has.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// A request of these calls, each in a trace of its own.
pub(crate) fn request(ids: std::ops::Range<u64>) -> Bytes {
    let text = |text: &str| Value::StringValue(text.to_owned());
    let span = |id: u64| Span {
        trace_id: [id.to_be_bytes(), [7; 8]].concat(),
        span_id: (id + 1).to_be_bytes().to_vec(),
        name: "chat".to_owned(),
        attributes: vec![
            pair("gen_ai.operation.name", text("chat")),
            pair("gen_ai.provider.name", text("openai")),
            pair("gen_ai.request.model", text("gpt-4o")),
            pair("gen_ai.usage.input_tokens", Value::IntValue(100)),
            pair("gen_ai.usage.output_tokens", Value::IntValue(10)),
        ],
        start_time_unix_nano: 1_764_000_000_000_000_000 + id * 1000,
        end_time_unix_nano: 1_764_000_000_000_000_500 + id * 1000,
        ..Default::default()
    };
    let scope = ScopeSpans { spans: ids.map(span).collect(), ..Default::default() };
    let resource = Resource { attributes: vec![pair("service.name", text("shop"))], ..Default::default() };
    let resource = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// Every call of a request.
pub(crate) fn calls(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    request.resource_spans.iter().flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans)
}

/// The number of a call.
pub(crate) fn id(span: &Span) -> u64 {
    u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()) - 1
}

/// An attribute of a call.
pub(crate) fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}
