//! The messages of `opentelemetry/proto/logs/v1/logs.proto`: their part of the table.
//! Data only: knows nothing of how JSON is read or protobuf written.

use super::{ANY_VALUE, Enum, INSTRUMENTATION_SCOPE, KEY_VALUE, Kind, Message, RESOURCE, one, part, parts};

pub(super) static RESOURCE_LOGS: Message = Message {
    fields: &[part(1, "resource", &RESOURCE), parts(2, "scopeLogs", &SCOPE_LOGS), one(3, "schemaUrl", Kind::String)],
};

static SCOPE_LOGS: Message = Message {
    fields: &[
        part(1, "scope", &INSTRUMENTATION_SCOPE),
        parts(2, "logRecords", &LOG_RECORD),
        one(3, "schemaUrl", Kind::String),
    ],
};

static LOG_RECORD: Message = Message {
    fields: &[
        one(1, "timeUnixNano", Kind::Fixed64),
        one(11, "observedTimeUnixNano", Kind::Fixed64),
        one(2, "severityNumber", Kind::Enum(&SEVERITY_NUMBER)),
        one(3, "severityText", Kind::String),
        part(5, "body", &ANY_VALUE),
        parts(6, "attributes", &KEY_VALUE),
        one(7, "droppedAttributesCount", Kind::Uint32),
        one(8, "flags", Kind::Fixed32),
        one(9, "traceId", Kind::Id),
        one(10, "spanId", Kind::Id),
        one(12, "eventName", Kind::String),
    ],
};

static SEVERITY_NUMBER: Enum = Enum {
    name: "SeverityNumber",
    values: &[
        "SEVERITY_NUMBER_UNSPECIFIED",
        "SEVERITY_NUMBER_TRACE",
        "SEVERITY_NUMBER_TRACE2",
        "SEVERITY_NUMBER_TRACE3",
        "SEVERITY_NUMBER_TRACE4",
        "SEVERITY_NUMBER_DEBUG",
        "SEVERITY_NUMBER_DEBUG2",
        "SEVERITY_NUMBER_DEBUG3",
        "SEVERITY_NUMBER_DEBUG4",
        "SEVERITY_NUMBER_INFO",
        "SEVERITY_NUMBER_INFO2",
        "SEVERITY_NUMBER_INFO3",
        "SEVERITY_NUMBER_INFO4",
        "SEVERITY_NUMBER_WARN",
        "SEVERITY_NUMBER_WARN2",
        "SEVERITY_NUMBER_WARN3",
        "SEVERITY_NUMBER_WARN4",
        "SEVERITY_NUMBER_ERROR",
        "SEVERITY_NUMBER_ERROR2",
        "SEVERITY_NUMBER_ERROR3",
        "SEVERITY_NUMBER_ERROR4",
        "SEVERITY_NUMBER_FATAL",
        "SEVERITY_NUMBER_FATAL2",
        "SEVERITY_NUMBER_FATAL3",
        "SEVERITY_NUMBER_FATAL4",
    ],
};
