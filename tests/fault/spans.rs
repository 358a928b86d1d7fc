//! Requests of spans whose ids are numbers that no other span has.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// The span ids of a request.
pub(crate) type Ids = std::ops::Range<u64>;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// A request of these spans, each fifth of a model call, each with `padding` bytes of text.
pub(crate) fn request(ids: Ids, padding: usize) -> Bytes {
    let span = |id: u64| {
        let mut attributes = vec![pair("prompt", Value::StringValue("x".repeat(padding)))];
        if id.is_multiple_of(5) {
            attributes.push(pair("gen_ai.operation.name", Value::StringValue("chat".to_owned())));
            attributes.push(pair("gen_ai.provider.name", Value::StringValue("openai".to_owned())));
            attributes.push(pair("gen_ai.request.model", Value::StringValue("gpt-4o".to_owned())));
            attributes.push(pair("gen_ai.usage.input_tokens", Value::IntValue(100)));
            attributes.push(pair("gen_ai.usage.output_tokens", Value::IntValue(10)));
        }
        let trace_id = [(id / 7 + 1).to_be_bytes(), [7; 8]].concat();
        let (start_time_unix_nano, end_time_unix_nano) = (id * 1000, id * 1000 + 500);
        Span {
            trace_id,
            span_id: id.to_be_bytes().to_vec(),
            name: "chat".to_owned(),
            attributes,
            start_time_unix_nano,
            end_time_unix_nano,
            ..Default::default()
        }
    };
    let scope = ScopeSpans { spans: ids.map(span).collect(), ..Default::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// The ids of the spans in a request.
pub(crate) fn ids(body: &[u8]) -> Vec<u64> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = request.resource_spans.iter().flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans);
    spans.map(|span| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap())).collect()
}
