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

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn span(id: u64) -> Span {
    Span {
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
    }
}

fn of_resource(attributes: Vec<KeyValue>, spans: Vec<Span>) -> ResourceSpans {
    let scope = ScopeSpans { spans, ..Default::default() };
    let resource = Resource { attributes, ..Default::default() };
    ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..Default::default() }
}

/// A request of these calls, each in a trace of its own, all of one service.
pub(crate) fn request(ids: std::ops::Range<u64>) -> Bytes {
    let resource = of_resource(vec![pair("service.name", text("shop"))], ids.map(span).collect());
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// A request of these calls, each of the service and the team that `who` gives.
pub(crate) fn request_of_many(ids: std::ops::Range<u64>, who: impl Fn(u64) -> (String, String)) -> Bytes {
    let resource = |id| {
        let (service, team) = who(id);
        of_resource(vec![pair("service.name", text(&service)), pair("team.name", text(&team))], vec![span(id)])
    };
    ExportTraceServiceRequest { resource_spans: ids.map(resource).collect() }.encode_to_vec().into()
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
