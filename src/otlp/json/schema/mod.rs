//! The messages of opentelemetry-proto that the three export requests can hold: a field's JSON name, number and type.
//! <https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto>. Data only: a test compares it,
//! field by field, with the descriptors that protoc made. Profiles are not here, since they do not pass.

mod logs;
mod metrics;
#[cfg(test)]
mod tests;
mod trace;

use super::super::Signal;
use super::wire::WireType;
use logs::RESOURCE_LOGS;
use metrics::RESOURCE_METRICS;
use trace::RESOURCE_SPANS;

/// A message: its fields, those that senders write most first.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: &'static [Field],
}

/// A field of a message. `name` is its JSON name, lowerCamelCase.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) label: Label,
}

/// When a field is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// Unless it has its type's default value.
    Implicit,
    /// Whenever it is set: `optional`, members of a `oneof`, and messages.
    Explicit,
    /// Once an element; numbers packed.
    Repeated,
}

/// The type of a field's value. `Id` is `bytes` that JSON writes in hex.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    String,
    Bytes,
    Id,
    Bool,
    Int32,
    Sint32,
    Uint32,
    Int64,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Enum(&'static Enum),
    Message(&'static Message),
}

/// An enum whose values count from 0 without a gap.
#[derive(Debug)]
pub(super) struct Enum {
    pub(super) name: &'static str,
    pub(super) values: &'static [&'static str],
}

impl Message {
    /// The field of a JSON name, and its place in the table.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &'static Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name == name)
    }
}

impl Kind {
    pub(super) const fn wire_type(self) -> WireType {
        match self {
            Self::String | Self::Bytes | Self::Id | Self::Message(_) => WireType::Len,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::Fixed64,
            Self::Fixed32 => WireType::Fixed32,
            Self::Bool | Self::Int32 | Self::Sint32 | Self::Uint32 => WireType::Varint,
            Self::Int64 | Self::Uint64 | Self::Enum(_) => WireType::Varint,
        }
    }
}

/// The request of a signal.
pub(super) const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
    }
}

/// A plain field.
const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Implicit }
}

/// A field that is written even when it has its default value.
const fn set(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Explicit }
}

/// A field that holds a message.
const fn part(number: u32, name: &'static str, message: &'static Message) -> Field {
    Field { number, name, kind: Kind::Message(message), label: Label::Explicit }
}

/// A list.
const fn list(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Repeated }
}

/// A list of messages.
const fn parts(number: u32, name: &'static str, message: &'static Message) -> Field {
    list(number, name, Kind::Message(message))
}

// opentelemetry/proto/collector/*/v1/*_service.proto

static TRACES_REQUEST: Message = Message { fields: &[parts(1, "resourceSpans", &RESOURCE_SPANS)] };
static METRICS_REQUEST: Message = Message { fields: &[parts(1, "resourceMetrics", &RESOURCE_METRICS)] };
static LOGS_REQUEST: Message = Message { fields: &[parts(1, "resourceLogs", &RESOURCE_LOGS)] };

// opentelemetry/proto/common/v1/common.proto

pub(super) static ANY_VALUE: Message = Message {
    fields: &[
        set(1, "stringValue", Kind::String),
        set(3, "intValue", Kind::Int64),
        set(4, "doubleValue", Kind::Double),
        set(2, "boolValue", Kind::Bool),
        part(5, "arrayValue", &ARRAY_VALUE),
        part(6, "kvlistValue", &KEY_VALUE_LIST),
        set(7, "bytesValue", Kind::Bytes),
        set(8, "stringValueStrindex", Kind::Int32),
    ],
};

static ARRAY_VALUE: Message = Message { fields: &[parts(1, "values", &ANY_VALUE)] };

static KEY_VALUE_LIST: Message = Message { fields: &[parts(1, "values", &KEY_VALUE)] };

static KEY_VALUE: Message = Message {
    fields: &[one(1, "key", Kind::String), part(2, "value", &ANY_VALUE), one(3, "keyStrindex", Kind::Int32)],
};

static INSTRUMENTATION_SCOPE: Message = Message {
    fields: &[
        one(1, "name", Kind::String),
        one(2, "version", Kind::String),
        parts(3, "attributes", &KEY_VALUE),
        one(4, "droppedAttributesCount", Kind::Uint32),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        one(1, "schemaUrl", Kind::String),
        one(2, "type", Kind::String),
        list(3, "idKeys", Kind::String),
        list(4, "descriptionKeys", Kind::String),
    ],
};

// opentelemetry/proto/resource/v1/resource.proto

static RESOURCE: Message = Message {
    fields: &[
        parts(1, "attributes", &KEY_VALUE),
        one(2, "droppedAttributesCount", Kind::Uint32),
        parts(3, "entityRefs", &ENTITY_REF),
    ],
};
