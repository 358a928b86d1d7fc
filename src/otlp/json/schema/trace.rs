//! The messages of `opentelemetry/proto/trace/v1/trace.proto`: their part of the table.
//! Data only: knows nothing of how JSON is read or protobuf written.

use super::{Enum, INSTRUMENTATION_SCOPE, KEY_VALUE, Kind, Message, RESOURCE, one, part, parts};

pub(super) static RESOURCE_SPANS: Message = Message {
    fields: &[part(1, "resource", &RESOURCE), parts(2, "scopeSpans", &SCOPE_SPANS), one(3, "schemaUrl", Kind::String)],
};

static SCOPE_SPANS: Message = Message {
    fields: &[part(1, "scope", &INSTRUMENTATION_SCOPE), parts(2, "spans", &SPAN), one(3, "schemaUrl", Kind::String)],
};

static SPAN: Message = Message {
    fields: &[
        one(1, "traceId", Kind::Id),
        one(2, "spanId", Kind::Id),
        one(4, "parentSpanId", Kind::Id),
        one(5, "name", Kind::String),
        one(6, "kind", Kind::Enum(&SPAN_KIND)),
        one(7, "startTimeUnixNano", Kind::Fixed64),
        one(8, "endTimeUnixNano", Kind::Fixed64),
        parts(9, "attributes", &KEY_VALUE),
        one(10, "droppedAttributesCount", Kind::Uint32),
        parts(11, "events", &SPAN_EVENT),
        one(12, "droppedEventsCount", Kind::Uint32),
        part(15, "status", &STATUS),
        parts(13, "links", &SPAN_LINK),
        one(14, "droppedLinksCount", Kind::Uint32),
        one(16, "flags", Kind::Fixed32),
        one(3, "traceState", Kind::String),
    ],
};

static SPAN_EVENT: Message = Message {
    fields: &[
        one(1, "timeUnixNano", Kind::Fixed64),
        one(2, "name", Kind::String),
        parts(3, "attributes", &KEY_VALUE),
        one(4, "droppedAttributesCount", Kind::Uint32),
    ],
};

static SPAN_LINK: Message = Message {
    fields: &[
        one(1, "traceId", Kind::Id),
        one(2, "spanId", Kind::Id),
        one(3, "traceState", Kind::String),
        parts(4, "attributes", &KEY_VALUE),
        one(5, "droppedAttributesCount", Kind::Uint32),
        one(6, "flags", Kind::Fixed32),
    ],
};

static STATUS: Message =
    Message { fields: &[one(3, "code", Kind::Enum(&STATUS_CODE)), one(2, "message", Kind::String)] };

static SPAN_KIND: Enum = Enum {
    name: "SpanKind",
    values: &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ],
};

static STATUS_CODE: Enum =
    Enum { name: "StatusCode", values: &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"] };
