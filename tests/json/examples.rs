//! The examples of opentelemetry-proto, against structures that were written down from reading them.

use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::decode;

const HALF_PAST: u64 = 1_544_712_660_300_000_000;
const TRACE_ID: [u8; 16] = *b"\x5B\x8E\xFF\xF7\x98\x03\x81\x03\xD2\x69\xB6\x33\x81\x3F\xC6\x0C";
const SPAN_ID: [u8; 8] = *b"\xEE\xE1\x9B\x7E\xC3\xC1\xB1\x74";
const PARENT_SPAN_ID: [u8; 8] = *b"\xEE\xE1\x9B\x7E\xC3\xC1\xB1\x73";

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: vec![pair("service.name", text("my.service"))], ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "my.library".into(),
        version: "1.0.0".into(),
        attributes: vec![pair("my.scope.attribute", text("some scope attribute"))],
        ..InstrumentationScope::default()
    })
}

fn logs(record: LogRecord) -> ExportLogsServiceRequest {
    let scope_logs = ScopeLogs { scope: scope(), log_records: vec![record], ..ScopeLogs::default() };
    let resource_logs = ResourceLogs { resource: resource(), scope_logs: vec![scope_logs], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

#[test]
fn o_37_the_trace_example_decodes_to_its_one_server_span() {
    let span = Span {
        trace_id: TRACE_ID.into(),
        span_id: SPAN_ID.into(),
        parent_span_id: PARENT_SPAN_ID.into(),
        name: "I'm a server span".into(),
        kind: 2,
        start_time_unix_nano: 1_544_712_660_000_000_000,
        end_time_unix_nano: 1_544_712_661_000_000_000,
        attributes: vec![pair("my.span.attr", text("some value"))],
        ..Span::default()
    };
    let scope_spans = ScopeSpans { scope: scope(), spans: vec![span], ..ScopeSpans::default() };
    let resource_spans =
        ResourceSpans { resource: resource(), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    let expected = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
    let actual: ExportTraceServiceRequest = decode(Signal::Traces, include_str!("examples/trace.json"));
    assert_eq!(actual, expected);
}

#[test]
fn o_37_the_logs_example_decodes_to_its_one_record_with_every_type_of_attribute() {
    let many = [text("many"), text("values")].map(|value| AnyValue { value: Some(value) });
    let expected = logs(LogRecord {
        time_unix_nano: HALF_PAST,
        observed_time_unix_nano: HALF_PAST,
        severity_number: 10,
        severity_text: "Information".into(),
        trace_id: TRACE_ID.into(),
        span_id: SPAN_ID.into(),
        body: Some(AnyValue { value: Some(text("Example log record")) }),
        attributes: vec![
            pair("string.attribute", text("some string")),
            pair("boolean.attribute", Value::BoolValue(true)),
            pair("int.attribute", Value::IntValue(10)),
            pair("double.attribute", Value::DoubleValue(637.704)),
            pair("array.attribute", Value::ArrayValue(ArrayValue { values: many.into() })),
            pair(
                "map.attribute",
                Value::KvlistValue(KeyValueList { values: vec![pair("some.map.key", text("some value"))] }),
            ),
        ],
        ..LogRecord::default()
    });
    let actual: ExportLogsServiceRequest = decode(Signal::Logs, include_str!("examples/logs.json"));
    assert_eq!(actual, expected);
}

#[test]
fn the_events_example_decodes_to_its_event_with_a_structured_body() {
    let body = vec![
        pair("type", Value::IntValue(0)),
        pair("url", text("https://www.guidgenerator.com/online-guid-generator.aspx")),
        pair("referrer", text("https://wwww.google.com")),
        pair("title", text("Free Online GUID Generator")),
    ];
    let expected = logs(LogRecord {
        event_name: "browser.page_view".into(),
        time_unix_nano: HALF_PAST,
        observed_time_unix_nano: HALF_PAST,
        severity_number: 9,
        severity_text: "test severity text".into(),
        attributes: vec![pair("event.attribute", text("some event attribute"))],
        body: Some(AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: body })) }),
        ..LogRecord::default()
    });
    let actual: ExportLogsServiceRequest = decode(Signal::Logs, include_str!("examples/events.json"));
    assert_eq!(actual, expected);
}

fn metric(name: &str, description: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        description: description.into(),
        unit: "1".into(),
        data: Some(data),
        ..Metric::default()
    }
}

fn point(key: &str, start_time_unix_nano: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![pair(key, text("some value"))],
        start_time_unix_nano,
        time_unix_nano: HALF_PAST,
        value: Some(Number::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn histogram() -> Data {
    let point = HistogramDataPoint {
        attributes: vec![pair("my.histogram.attr", text("some value"))],
        start_time_unix_nano: HALF_PAST,
        time_unix_nano: HALF_PAST,
        count: 2,
        sum: Some(2.0),
        bucket_counts: vec![1, 1],
        explicit_bounds: vec![1.0],
        min: Some(0.0),
        max: Some(2.0),
        ..HistogramDataPoint::default()
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 1 })
}

fn exponential_histogram() -> Data {
    let point = ExponentialHistogramDataPoint {
        attributes: vec![pair("my.exponential.histogram.attr", text("some value"))],
        start_time_unix_nano: HALF_PAST,
        time_unix_nano: HALF_PAST,
        count: 3,
        sum: Some(10.0),
        scale: 0,
        zero_count: 1,
        positive: Some(Buckets { offset: 1, bucket_counts: vec![0, 2] }),
        min: Some(0.0),
        max: Some(5.0),
        zero_threshold: 0.0,
        ..ExponentialHistogramDataPoint::default()
    };
    Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![point], aggregation_temporality: 1 })
}

#[test]
fn o_37_the_metrics_example_decodes_to_its_four_metrics() {
    let counter = point("my.counter.attr", HALF_PAST, 5.0);
    let sum = Sum { data_points: vec![counter], aggregation_temporality: 1, is_monotonic: true };
    let gauge = Gauge { data_points: vec![point("my.gauge.attr", 0, 10.0)] };
    let metrics = vec![
        metric("my.counter", "I am a Counter", Data::Sum(sum)),
        metric("my.gauge", "I am a Gauge", Data::Gauge(gauge)),
        metric("my.histogram", "I am a Histogram", histogram()),
        metric("my.exponential.histogram", "I am an Exponential Histogram", exponential_histogram()),
    ];
    let scope_metrics = ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() };
    let resource_metrics =
        ResourceMetrics { resource: resource(), scope_metrics: vec![scope_metrics], ..ResourceMetrics::default() };
    let expected = ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] };
    let actual: ExportMetricsServiceRequest = decode(Signal::Metrics, include_str!("examples/metrics.json"));
    assert_eq!(actual, expected);
}
