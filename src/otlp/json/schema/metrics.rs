//! The messages of `opentelemetry/proto/metrics/v1/metrics.proto`: their part of the table.
//! Data only: knows nothing of how JSON is read or protobuf written.

use super::{Enum, INSTRUMENTATION_SCOPE, KEY_VALUE, Kind, Message, RESOURCE, list, one, part, parts, set};

pub(super) static RESOURCE_METRICS: Message = Message {
    fields: &[
        part(1, "resource", &RESOURCE),
        parts(2, "scopeMetrics", &SCOPE_METRICS),
        one(3, "schemaUrl", Kind::String),
    ],
};

static SCOPE_METRICS: Message = Message {
    fields: &[
        part(1, "scope", &INSTRUMENTATION_SCOPE),
        parts(2, "metrics", &METRIC),
        one(3, "schemaUrl", Kind::String),
    ],
};

static METRIC: Message = Message {
    fields: &[
        one(1, "name", Kind::String),
        one(2, "description", Kind::String),
        one(3, "unit", Kind::String),
        part(5, "gauge", &GAUGE),
        part(7, "sum", &SUM),
        part(9, "histogram", &HISTOGRAM),
        part(10, "exponentialHistogram", &EXPONENTIAL_HISTOGRAM),
        part(11, "summary", &SUMMARY),
        parts(12, "metadata", &KEY_VALUE),
    ],
};

static GAUGE: Message = Message { fields: &[parts(1, "dataPoints", &NUMBER_DATA_POINT)] };

static SUM: Message = Message {
    fields: &[
        parts(1, "dataPoints", &NUMBER_DATA_POINT),
        one(2, "aggregationTemporality", Kind::Enum(&AGGREGATION_TEMPORALITY)),
        one(3, "isMonotonic", Kind::Bool),
    ],
};

static HISTOGRAM: Message = Message {
    fields: &[
        parts(1, "dataPoints", &HISTOGRAM_DATA_POINT),
        one(2, "aggregationTemporality", Kind::Enum(&AGGREGATION_TEMPORALITY)),
    ],
};

static EXPONENTIAL_HISTOGRAM: Message = Message {
    fields: &[
        parts(1, "dataPoints", &EXPONENTIAL_HISTOGRAM_DATA_POINT),
        one(2, "aggregationTemporality", Kind::Enum(&AGGREGATION_TEMPORALITY)),
    ],
};

static SUMMARY: Message = Message { fields: &[parts(1, "dataPoints", &SUMMARY_DATA_POINT)] };

static AGGREGATION_TEMPORALITY: Enum = Enum {
    name: "AggregationTemporality",
    values: &[
        "AGGREGATION_TEMPORALITY_UNSPECIFIED",
        "AGGREGATION_TEMPORALITY_DELTA",
        "AGGREGATION_TEMPORALITY_CUMULATIVE",
    ],
};

static NUMBER_DATA_POINT: Message = Message {
    fields: &[
        parts(7, "attributes", &KEY_VALUE),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        set(4, "asDouble", Kind::Double),
        set(6, "asInt", Kind::Sfixed64),
        parts(5, "exemplars", &EXEMPLAR),
        one(8, "flags", Kind::Uint32),
    ],
};

static HISTOGRAM_DATA_POINT: Message = Message {
    fields: &[
        parts(9, "attributes", &KEY_VALUE),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        set(5, "sum", Kind::Double),
        list(6, "bucketCounts", Kind::Fixed64),
        list(7, "explicitBounds", Kind::Double),
        parts(8, "exemplars", &EXEMPLAR),
        one(10, "flags", Kind::Uint32),
        set(11, "min", Kind::Double),
        set(12, "max", Kind::Double),
    ],
};

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message {
    fields: &[
        parts(1, "attributes", &KEY_VALUE),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        set(5, "sum", Kind::Double),
        one(6, "scale", Kind::Sint32),
        one(7, "zeroCount", Kind::Fixed64),
        part(8, "positive", &BUCKETS),
        part(9, "negative", &BUCKETS),
        one(10, "flags", Kind::Uint32),
        parts(11, "exemplars", &EXEMPLAR),
        set(12, "min", Kind::Double),
        set(13, "max", Kind::Double),
        one(14, "zeroThreshold", Kind::Double),
    ],
};

static BUCKETS: Message = Message { fields: &[one(1, "offset", Kind::Sint32), list(2, "bucketCounts", Kind::Uint64)] };

static SUMMARY_DATA_POINT: Message = Message {
    fields: &[
        parts(7, "attributes", &KEY_VALUE),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        one(5, "sum", Kind::Double),
        parts(6, "quantileValues", &VALUE_AT_QUANTILE),
        one(8, "flags", Kind::Uint32),
    ],
};

static VALUE_AT_QUANTILE: Message =
    Message { fields: &[one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)] };

static EXEMPLAR: Message = Message {
    fields: &[
        parts(7, "filteredAttributes", &KEY_VALUE),
        one(2, "timeUnixNano", Kind::Fixed64),
        set(3, "asDouble", Kind::Double),
        set(6, "asInt", Kind::Sfixed64),
        one(4, "spanId", Kind::Id),
        one(5, "traceId", Kind::Id),
    ],
};
