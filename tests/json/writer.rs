//! Requests as OTLP/JSON, written by hand from the specification, in each of the ways in which a sender may write them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Variant;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// How a field with its default value is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Defaults {
    Omitted,
    Written,
    Null,
}

/// The choices that the specification leaves to a sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    numbers_in_strings: bool,
    upper_case_ids: bool,
    url_safe_base64: bool,
    unknown_members: bool,
    ascii_only: bool,
    indented: bool,
    defaults: Defaults,
}

/// As most senders write it.
pub(crate) const PLAIN: Style = Style {
    numbers_in_strings: true,
    upper_case_ids: false,
    url_safe_base64: false,
    unknown_members: false,
    ascii_only: false,
    indented: false,
    defaults: Defaults::Omitted,
};

pub(crate) fn style() -> BoxedStrategy<Style> {
    let defaults = prop_oneof![Just(Defaults::Omitted), Just(Defaults::Written), Just(Defaults::Null)];
    (any::<[bool; 6]>(), defaults)
        .prop_map(|(flags, defaults)| {
            let [numbers_in_strings, upper_case_ids, url_safe_base64, unknown_members, ascii_only, indented] = flags;
            Style {
                numbers_in_strings,
                upper_case_ids,
                url_safe_base64,
                unknown_members,
                ascii_only,
                indented,
                defaults,
            }
        })
        .boxed()
}

/// A member's value, and whether it must be written: it is neither the default nor unset.
type Member = (Value, bool);

impl Style {
    pub(crate) fn traces(self, request: &ExportTraceServiceRequest) -> String {
        let resources = request.resource_spans.iter().map(|item| {
            let scopes = item.scope_spans.iter().map(|item| {
                let spans = item.spans.iter().map(|span| self.span(span)).collect();
                self.envelope(("scope", self.scope(&item.scope)), ("spans", spans), &item.schema_url)
            });
            self.envelope(
                ("resource", self.resource(&item.resource)),
                ("scopeSpans", scopes.collect()),
                &item.schema_url,
            )
        });
        self.print(&self.object([("resourceSpans", list(resources.collect()))]))
    }

    pub(crate) fn logs(self, request: &ExportLogsServiceRequest) -> String {
        let resources = request.resource_logs.iter().map(|item| {
            let scopes = item.scope_logs.iter().map(|item| {
                let records = item.log_records.iter().map(|record| self.record(record)).collect();
                self.envelope(("scope", self.scope(&item.scope)), ("logRecords", records), &item.schema_url)
            });
            self.envelope(
                ("resource", self.resource(&item.resource)),
                ("scopeLogs", scopes.collect()),
                &item.schema_url,
            )
        });
        self.print(&self.object([("resourceLogs", list(resources.collect()))]))
    }

    pub(crate) fn metrics(self, request: &ExportMetricsServiceRequest) -> String {
        let resources = request.resource_metrics.iter().map(|item| {
            let scopes = item.scope_metrics.iter().map(|item| {
                let metrics = item.metrics.iter().map(|metric| self.metric(metric)).collect();
                self.envelope(("scope", self.scope(&item.scope)), ("metrics", metrics), &item.schema_url)
            });
            self.envelope(
                ("resource", self.resource(&item.resource)),
                ("scopeMetrics", scopes.collect()),
                &item.schema_url,
            )
        });
        self.print(&self.object([("resourceMetrics", list(resources.collect()))]))
    }

    fn print(self, value: &Value) -> String {
        let text = if self.indented { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let text = text.unwrap();
        if !self.ascii_only {
            return text;
        }
        let mut ascii = String::new();
        for character in text.chars() {
            if character.is_ascii() {
                ascii.push(character);
            } else {
                let mut units = [0; 2];
                ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        ascii
    }

    fn object<const N: usize>(self, members: [(&str, Member); N]) -> Value {
        let mut object = Map::new();
        for (name, (value, written)) in members {
            match (written, self.defaults) {
                (true, _) => object.insert(name.to_owned(), value),
                (false, Defaults::Omitted) => None,
                (false, Defaults::Written) if value.is_null() => None,
                (false, Defaults::Written) => object.insert(name.to_owned(), value),
                (false, Defaults::Null) => object.insert(name.to_owned(), Value::Null),
            };
        }
        if self.unknown_members {
            object.insert("trace_id".into(), json!("not hex"));
            object.insert("madeUp".into(), json!([{"name": [1.5, null, "]}", {}]}, "x", true, [[]]]));
        }
        Value::Object(object)
    }

    fn envelope(self, head: (&str, Member), items: (&str, Vec<Value>), schema_url: &str) -> Value {
        self.object([head, (items.0, list(items.1)), ("schemaUrl", text(schema_url))])
    }

    fn u64(self, value: u64) -> Member {
        (if self.numbers_in_strings { value.to_string().into() } else { value.into() }, value != 0)
    }

    fn i64(self, value: i64) -> Value {
        if self.numbers_in_strings { value.to_string().into() } else { value.into() }
    }

    fn i32(self, value: i32) -> Member {
        (self.i64(value.into()), value != 0)
    }

    fn u32(self, value: u32) -> Member {
        self.u64(value.into())
    }

    fn double(self, value: f64) -> Value {
        if value.is_nan() {
            return "NaN".into();
        }
        match value {
            f64::INFINITY => "Infinity".into(),
            f64::NEG_INFINITY => "-Infinity".into(),
            _ if self.numbers_in_strings => json!(value).to_string().into(),
            _ => value.into(),
        }
    }

    fn doubles(self, values: &[f64]) -> Member {
        list(values.iter().map(|value| self.double(*value)).collect())
    }

    fn counts(self, values: &[u64]) -> Member {
        list(values.iter().map(|value| self.u64(*value).0).collect())
    }

    fn id(self, bytes: &[u8]) -> Member {
        let digits =
            bytes.iter().map(|byte| if self.upper_case_ids { format!("{byte:02X}") } else { format!("{byte:02x}") });
        (digits.collect::<String>().into(), !bytes.is_empty())
    }

    fn any_value(self, value: &AnyValue) -> Value {
        let (name, value) = match &value.value {
            None => return self.object([]),
            Some(Variant::StringValue(value)) => ("stringValue", value.as_str().into()),
            Some(Variant::BoolValue(value)) => ("boolValue", (*value).into()),
            Some(Variant::IntValue(value)) => ("intValue", self.i64(*value)),
            Some(Variant::DoubleValue(value)) => ("doubleValue", self.double(*value)),
            Some(Variant::StringValueStrindex(value)) => ("stringValueStrindex", self.i32(*value).0),
            Some(Variant::BytesValue(bytes)) => {
                let base64 = if self.url_safe_base64 { URL_SAFE_NO_PAD.encode(bytes) } else { STANDARD.encode(bytes) };
                ("bytesValue", base64.into())
            }
            Some(Variant::ArrayValue(array)) => {
                let values = array.values.iter().map(|value| self.any_value(value)).collect();
                ("arrayValue", self.object([("values", list(values))]))
            }
            Some(Variant::KvlistValue(pairs)) => {
                ("kvlistValue", self.object([("values", self.attributes(&pairs.values))]))
            }
        };
        self.object([(name, (value, true))])
    }

    fn attributes(self, pairs: &[KeyValue]) -> Member {
        let pairs = pairs.iter().map(|pair| {
            self.object([
                ("key", text(&pair.key)),
                ("value", optional(pair.value.as_ref().map(|value| self.any_value(value)))),
                ("keyStrindex", self.i32(pair.key_strindex)),
            ])
        });
        list(pairs.collect())
    }

    fn resource(self, resource: &Option<Resource>) -> Member {
        optional(resource.as_ref().map(|resource| {
            let entities = resource.entity_refs.iter().map(|entity| {
                self.object([
                    ("schemaUrl", text(&entity.schema_url)),
                    ("type", text(&entity.r#type)),
                    ("idKeys", list(entity.id_keys.iter().cloned().map(Value::from).collect())),
                    ("descriptionKeys", list(entity.description_keys.iter().cloned().map(Value::from).collect())),
                ])
            });
            self.object([
                ("attributes", self.attributes(&resource.attributes)),
                ("droppedAttributesCount", self.u32(resource.dropped_attributes_count)),
                ("entityRefs", list(entities.collect())),
            ])
        }))
    }

    fn scope(self, scope: &Option<InstrumentationScope>) -> Member {
        optional(scope.as_ref().map(|scope| {
            self.object([
                ("name", text(&scope.name)),
                ("version", text(&scope.version)),
                ("attributes", self.attributes(&scope.attributes)),
                ("droppedAttributesCount", self.u32(scope.dropped_attributes_count)),
            ])
        }))
    }

    fn span(self, span: &Span) -> Value {
        let events = span.events.iter().map(|event| {
            self.object([
                ("timeUnixNano", self.u64(event.time_unix_nano)),
                ("name", text(&event.name)),
                ("attributes", self.attributes(&event.attributes)),
                ("droppedAttributesCount", self.u32(event.dropped_attributes_count)),
            ])
        });
        let links = span.links.iter().map(|link| {
            self.object([
                ("traceId", self.id(&link.trace_id)),
                ("spanId", self.id(&link.span_id)),
                ("traceState", text(&link.trace_state)),
                ("attributes", self.attributes(&link.attributes)),
                ("droppedAttributesCount", self.u32(link.dropped_attributes_count)),
                ("flags", self.u32(link.flags)),
            ])
        });
        let status = span.status.as_ref().map(|status| {
            self.object([("message", text(&status.message)), ("code", (status.code.into(), status.code != 0))])
        });
        self.object([
            ("traceId", self.id(&span.trace_id)),
            ("spanId", self.id(&span.span_id)),
            ("traceState", text(&span.trace_state)),
            ("parentSpanId", self.id(&span.parent_span_id)),
            ("flags", self.u32(span.flags)),
            ("name", text(&span.name)),
            ("kind", (span.kind.into(), span.kind != 0)),
            ("startTimeUnixNano", self.u64(span.start_time_unix_nano)),
            ("endTimeUnixNano", self.u64(span.end_time_unix_nano)),
            ("attributes", self.attributes(&span.attributes)),
            ("droppedAttributesCount", self.u32(span.dropped_attributes_count)),
            ("events", list(events.collect())),
            ("droppedEventsCount", self.u32(span.dropped_events_count)),
            ("links", list(links.collect())),
            ("droppedLinksCount", self.u32(span.dropped_links_count)),
            ("status", optional(status)),
        ])
    }

    fn record(self, record: &LogRecord) -> Value {
        self.object([
            ("timeUnixNano", self.u64(record.time_unix_nano)),
            ("observedTimeUnixNano", self.u64(record.observed_time_unix_nano)),
            ("severityNumber", (record.severity_number.into(), record.severity_number != 0)),
            ("severityText", text(&record.severity_text)),
            ("body", optional(record.body.as_ref().map(|body| self.any_value(body)))),
            ("attributes", self.attributes(&record.attributes)),
            ("droppedAttributesCount", self.u32(record.dropped_attributes_count)),
            ("flags", self.u32(record.flags)),
            ("traceId", self.id(&record.trace_id)),
            ("spanId", self.id(&record.span_id)),
            ("eventName", text(&record.event_name)),
        ])
    }

    fn metric(self, metric: &Metric) -> Value {
        let (name, data) = match &metric.data {
            None => ("gauge", None),
            Some(Data::Gauge(gauge)) => {
                let points = gauge.data_points.iter().map(|point| self.number_point(point)).collect();
                ("gauge", Some(self.object([("dataPoints", list(points))])))
            }
            Some(Data::Sum(sum)) => {
                let points = sum.data_points.iter().map(|point| self.number_point(point)).collect();
                let monotonic = ("isMonotonic", (sum.is_monotonic.into(), sum.is_monotonic));
                let members = [("dataPoints", list(points)), temporality(sum.aggregation_temporality), monotonic];
                ("sum", Some(self.object(members)))
            }
            Some(Data::Histogram(histogram)) => {
                let points = histogram.data_points.iter().map(|point| self.histogram_point(point)).collect();
                let members = [("dataPoints", list(points)), temporality(histogram.aggregation_temporality)];
                ("histogram", Some(self.object(members)))
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let points = histogram.data_points.iter().map(|point| self.exponential_point(point)).collect();
                let members = [("dataPoints", list(points)), temporality(histogram.aggregation_temporality)];
                ("exponentialHistogram", Some(self.object(members)))
            }
            Some(Data::Summary(summary)) => {
                let points = summary.data_points.iter().map(|point| self.summary_point(point)).collect();
                ("summary", Some(self.object([("dataPoints", list(points))])))
            }
        };
        self.object([
            ("name", text(&metric.name)),
            ("description", text(&metric.description)),
            ("unit", text(&metric.unit)),
            (name, optional(data)),
            ("metadata", self.attributes(&metric.metadata)),
        ])
    }

    fn number_point(self, point: &NumberDataPoint) -> Value {
        let (name, value) = match point.value {
            None => ("asInt", None),
            Some(number_data_point::Value::AsInt(value)) => ("asInt", Some(self.i64(value))),
            Some(number_data_point::Value::AsDouble(value)) => ("asDouble", Some(self.double(value))),
        };
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            (name, optional(value)),
            ("exemplars", self.exemplars(&point.exemplars)),
            ("flags", self.u32(point.flags)),
        ])
    }

    fn exemplars(self, exemplars: &[Exemplar]) -> Member {
        let exemplars = exemplars.iter().map(|exemplar| {
            let (name, value) = match exemplar.value {
                None => ("asDouble", None),
                Some(exemplar::Value::AsInt(value)) => ("asInt", Some(self.i64(value))),
                Some(exemplar::Value::AsDouble(value)) => ("asDouble", Some(self.double(value))),
            };
            self.object([
                ("filteredAttributes", self.attributes(&exemplar.filtered_attributes)),
                ("timeUnixNano", self.u64(exemplar.time_unix_nano)),
                (name, optional(value)),
                ("spanId", self.id(&exemplar.span_id)),
                ("traceId", self.id(&exemplar.trace_id)),
            ])
        });
        list(exemplars.collect())
    }

    fn histogram_point(self, point: &HistogramDataPoint) -> Value {
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("count", self.u64(point.count)),
            ("sum", optional(point.sum.map(|value| self.double(value)))),
            ("bucketCounts", self.counts(&point.bucket_counts)),
            ("explicitBounds", self.doubles(&point.explicit_bounds)),
            ("exemplars", self.exemplars(&point.exemplars)),
            ("flags", self.u32(point.flags)),
            ("min", optional(point.min.map(|value| self.double(value)))),
            ("max", optional(point.max.map(|value| self.double(value)))),
        ])
    }

    fn buckets(self, buckets: &Option<Buckets>) -> Member {
        optional(buckets.as_ref().map(|buckets| {
            let counts = self.counts(&buckets.bucket_counts);
            self.object([("offset", self.i32(buckets.offset)), ("bucketCounts", counts)])
        }))
    }

    fn exponential_point(self, point: &ExponentialHistogramDataPoint) -> Value {
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("count", self.u64(point.count)),
            ("sum", optional(point.sum.map(|value| self.double(value)))),
            ("scale", self.i32(point.scale)),
            ("zeroCount", self.u64(point.zero_count)),
            ("positive", self.buckets(&point.positive)),
            ("negative", self.buckets(&point.negative)),
            ("flags", self.u32(point.flags)),
            ("exemplars", self.exemplars(&point.exemplars)),
            ("min", optional(point.min.map(|value| self.double(value)))),
            ("max", optional(point.max.map(|value| self.double(value)))),
            ("zeroThreshold", (self.double(point.zero_threshold), point.zero_threshold != 0.0)),
        ])
    }

    fn summary_point(self, point: &SummaryDataPoint) -> Value {
        let quantiles = point.quantile_values.iter().map(|at| {
            self.object([
                ("quantile", (self.double(at.quantile), at.quantile != 0.0)),
                ("value", (self.double(at.value), at.value != 0.0)),
            ])
        });
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("count", self.u64(point.count)),
            ("sum", (self.double(point.sum), point.sum != 0.0)),
            ("quantileValues", list(quantiles.collect())),
            ("flags", self.u32(point.flags)),
        ])
    }
}

fn text(value: &str) -> Member {
    (value.into(), !value.is_empty())
}

fn list(items: Vec<Value>) -> Member {
    let any = !items.is_empty();
    (Value::Array(items), any)
}

fn optional(value: Option<Value>) -> Member {
    let set = value.is_some();
    (value.unwrap_or(Value::Null), set)
}

fn temporality(value: i32) -> (&'static str, Member) {
    ("aggregationTemporality", (value.into(), value != 0))
}
