//! Arbitrary trace requests, as prost types.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        ".{0,40}".prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|flag| Some(Value::BoolValue(flag))),
        any::<i64>().prop_map(|int| Some(Value::IntValue(int))),
        (-1e300f64..1e300).prop_map(|double| Some(Value::DoubleValue(double))),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        Just(None),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3)
                .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            vec(pair(inner), 0..3)
                .prop_map(|values| AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }),
        ]
    })
}

fn pair(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (".{0,20}", proptest::option::of(value)).prop_map(|(key, value)| KeyValue { key, value, ..Default::default() })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(pair(any_value()), 0..4)
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (vec(any::<u8>(), 0..=16), vec(any::<u8>(), 0..=8), vec(any::<u8>(), 0..=8), ".{0,10}");
    let rest = (any::<u64>(), any::<u64>(), any::<u32>(), 0..6i32, ".{0,200}");
    let events = vec((any::<u64>(), ".{0,10}", attributes()), 0..2);
    (ids, rest, attributes(), events, proptest::option::of(("[a-z]{0,9}", 0..3i32))).prop_map(
        |(ids, rest, attributes, events, status)| Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state: ids.3,
            start_time_unix_nano: rest.0,
            end_time_unix_nano: rest.1,
            flags: rest.2,
            kind: rest.3,
            name: rest.4,
            attributes,
            events: events
                .into_iter()
                .map(|(time_unix_nano, name, attributes)| span::Event {
                    time_unix_nano,
                    name,
                    attributes,
                    dropped_attributes_count: 1,
                })
                .collect(),
            status: status.map(|(message, code)| Status { message, code }),
            ..Default::default()
        },
    )
}

fn scope_spans() -> impl Strategy<Value = ScopeSpans> {
    let scope = proptest::option::of((".{0,12}", ".{0,5}", attributes()));
    (scope, vec(span(), 0..4), ".{0,10}").prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope: scope.map(|(name, version, attributes)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count: 0,
        }),
        spans,
        schema_url,
    })
}

/// Requests of up to three resources, three scopes each, three spans each.
pub fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let resource = proptest::option::of(attributes());
    let resource_spans =
        (resource, vec(scope_spans(), 0..4), ".{0,10}").prop_map(|(resource, scope_spans, schema_url)| ResourceSpans {
            resource: resource.map(|attributes| Resource { attributes, ..Default::default() }),
            scope_spans,
            schema_url,
        });
    vec(resource_spans, 0..4).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

/// One request of two resources with a span each.
pub fn example() -> ExportTraceServiceRequest {
    let attribute = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    let resource_spans = |name: &str| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![attribute("service.name", Value::StringValue("shop".to_owned()))],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope { name: "scope".to_owned(), ..Default::default() }),
            spans: vec![Span {
                trace_id: vec![1; 16],
                span_id: vec![2; 8],
                name: name.to_owned(),
                start_time_unix_nano: 1,
                end_time_unix_nano: 2,
                attributes: vec![attribute("gen_ai.usage.input_tokens", Value::IntValue(300))],
                ..Default::default()
            }],
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans("chat"), resource_spans("embed")] }
}
