//! Arbitrary requests: values that all three signals share, and the two signals without points.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Text that is often empty, often needs escaping, and now and then is long enough for a length of two bytes.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just(String::new()),
        Just("0".to_owned()),
        "[a-z.]{1,12}",
        vec(any::<char>(), 1..6).prop_map(String::from_iter),
        "[ -~\u{0}-\u{1f}]{120,140}",
        Just("🌍\\\"\u{7f}\u{2028}".to_owned()),
    ]
    .boxed()
}

/// Numbers at the edges of what doubles, varints and signs can do, and any other.
pub(crate) fn whole() -> BoxedStrategy<u64> {
    prop_oneof![Just(0), Just(1), Just(127), Just(128), Just(1 << 53 | 1), Just(u64::MAX), any::<u64>()].boxed()
}

pub(crate) fn double() -> BoxedStrategy<f64> {
    prop_oneof![
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MIN_POSITIVE / 2.0),
        Just(f64::MAX),
        Just(5.0),
        any::<f64>().prop_filter("NaN has one spelling", |value| !value.is_nan()),
    ]
    .boxed()
}

fn id(len: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), len), 1 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..20)].boxed()
}

pub(crate) fn trace_id() -> BoxedStrategy<Vec<u8>> {
    id(16)
}

pub(crate) fn span_id() -> BoxedStrategy<Vec<u8>> {
    id(8)
}

/// An `AnyValue` that may lack its value, as `{}` does, and may hold others.
pub(crate) fn any_value() -> BoxedStrategy<AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        whole().prop_map(|value| Value::IntValue(value.cast_signed())),
        double().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
        any::<i32>().prop_map(Value::StringValueStrindex),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value }).boxed();
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pairs = vec((text(), option::of(inner.clone())), 0..3).prop_map(|pairs| {
            let values = pairs.into_iter().map(|(key, value)| KeyValue { key, value, key_strindex: 0 }).collect();
            AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
        });
        let array =
            vec(inner, 0..3).prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) });
        prop_oneof![pairs, array]
    })
    .boxed()
}

pub(crate) fn attributes() -> BoxedStrategy<Vec<KeyValue>> {
    let pair = (text(), option::weighted(0.9, any_value()), prop_oneof![9 => Just(0), 1 => any::<i32>()]);
    vec(pair.prop_map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex }), 0..3).boxed()
}

pub(crate) fn resource() -> BoxedStrategy<Option<Resource>> {
    let entity = (text(), text(), vec(text(), 0..3), vec(text(), 0..2)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef { schema_url, r#type, id_keys, description_keys },
    );
    let resource = (attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    );
    option::of(resource).boxed()
}

pub(crate) fn scope() -> BoxedStrategy<Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    option::of(scope).boxed()
}

fn event() -> BoxedStrategy<Event> {
    (whole(), text(), attributes(), any::<u32>())
        .prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        })
        .boxed()
}

fn link() -> BoxedStrategy<Link> {
    (trace_id(), span_id(), text(), attributes(), any::<u32>(), any::<u32>())
        .prop_map(|(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        })
        .boxed()
}

fn status() -> BoxedStrategy<Option<Status>> {
    option::of((text(), -1..4_i32).prop_map(|(message, code)| Status { message, code })).boxed()
}

fn span() -> BoxedStrategy<Span> {
    let identity = (trace_id(), span_id(), span_id(), text(), text(), any::<u32>());
    let times = (-1..7_i32, whole(), whole(), any::<[u32; 3]>());
    (identity, times, attributes(), vec(event(), 0..2), vec(link(), 0..2), status())
        .prop_map(|(identity, times, attributes, events, links, status)| {
            let (trace_id, span_id, parent_span_id, trace_state, name, flags) = identity;
            let (kind, start_time_unix_nano, end_time_unix_nano, dropped) = times;
            let [dropped_attributes_count, dropped_events_count, dropped_links_count] = dropped;
            Span {
                trace_id,
                span_id,
                trace_state,
                parent_span_id,
                flags,
                name,
                kind,
                start_time_unix_nano,
                end_time_unix_nano,
                attributes,
                dropped_attributes_count,
                events,
                dropped_events_count,
                links,
                dropped_links_count,
                status,
            }
        })
        .boxed()
}

pub(crate) fn traces() -> BoxedStrategy<ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..3), text()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope,
        spans,
        schema_url,
    });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans }).boxed()
}

fn record() -> BoxedStrategy<LogRecord> {
    let identity = (trace_id(), span_id(), text(), text());
    let numbers = (whole(), whole(), -1..26_i32, any::<u32>(), any::<u32>());
    (identity, numbers, option::of(any_value()), attributes())
        .prop_map(|(identity, numbers, body, attributes)| {
            let (trace_id, span_id, severity_text, event_name) = identity;
            let (time_unix_nano, observed_time_unix_nano, severity_number, dropped_attributes_count, flags) = numbers;
            LogRecord {
                time_unix_nano,
                observed_time_unix_nano,
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        })
        .boxed()
}

pub(crate) fn logs() -> BoxedStrategy<ExportLogsServiceRequest> {
    let scope_logs = (scope(), vec(record(), 0..3), text()).prop_map(|(scope, log_records, schema_url)| ScopeLogs {
        scope,
        log_records,
        schema_url,
    });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs }).boxed()
}
