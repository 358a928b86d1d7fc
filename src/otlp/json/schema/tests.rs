//! The table against the descriptors that protoc made of the .proto files, which opentelemetry-proto ships.
//! Knows the table and the descriptors; nothing of the decoder.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use super::{Enum, Field, Kind, Label, Message, Signal, request};

/// Every message and enum of the descriptors under its full name, as in `.opentelemetry.proto.trace.v1.Span`.
#[derive(Default)]
struct Descriptors {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
}

impl Descriptors {
    fn of_opentelemetry_proto() -> Self {
        let set = FileDescriptorSet::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
        let mut all = Self::default();
        for file in set.file {
            let package = format!(".{}", file.package());
            file.enum_type.into_iter().for_each(|item| all.add_enum(&package, item));
            file.message_type.into_iter().for_each(|item| all.add_message(&package, item));
        }
        all
    }

    fn add_enum(&mut self, scope: &str, item: EnumDescriptorProto) {
        self.enums.insert(format!("{scope}.{}", item.name()), item);
    }

    fn add_message(&mut self, scope: &str, item: DescriptorProto) {
        let name = format!("{scope}.{}", item.name());
        item.enum_type.iter().for_each(|inner| self.add_enum(&name, inner.clone()));
        item.nested_type.iter().for_each(|inner| self.add_message(&name, inner.clone()));
        self.messages.insert(name, item);
    }
}

/// <https://protobuf.dev/programming-guides/json/>: lowerCamelCase.
fn json_name(field: &FieldDescriptorProto) -> String {
    let mut parts = field.name().split('_');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

fn expected_label(field: &FieldDescriptorProto) -> Label {
    if field.label() == ProtoLabel::Repeated {
        Label::Repeated
    } else if field.oneof_index.is_some() || field.r#type() == Type::Message {
        Label::Explicit
    } else {
        Label::Implicit
    }
}

fn check_type(descriptors: &Descriptors, described: &FieldDescriptorProto, field: &Field, seen: &mut BTreeSet<String>) {
    let name = described.name();
    let expected = match field.kind {
        Kind::Id => {
            assert!(name.ends_with("_id"), "{name} is in hex");
            Type::Bytes
        }
        Kind::Bytes => {
            assert!(!name.ends_with("_id"), "{name} is in base64");
            Type::Bytes
        }
        Kind::String => Type::String,
        Kind::Bool => Type::Bool,
        Kind::Int32 => Type::Int32,
        Kind::Sint32 => Type::Sint32,
        Kind::Uint32 => Type::Uint32,
        Kind::Int64 => Type::Int64,
        Kind::Uint64 => Type::Uint64,
        Kind::Fixed32 => Type::Fixed32,
        Kind::Fixed64 => Type::Fixed64,
        Kind::Sfixed64 => Type::Sfixed64,
        Kind::Double => Type::Double,
        Kind::Enum(item) => {
            check_enum(&descriptors.enums[described.type_name()], item);
            Type::Enum
        }
        Kind::Message(message) => {
            check_message(descriptors, described.type_name(), message, seen);
            Type::Message
        }
    };
    assert_eq!(described.r#type(), expected, "type of {name}");
}

fn check_enum(described: &EnumDescriptorProto, item: &Enum) {
    assert_eq!(item.name, described.name());
    let expected: Vec<(i32, &str)> = described.value.iter().map(|value| (value.number(), value.name())).collect();
    let actual: Vec<(i32, &str)> = (0..).zip(item.values.iter().copied()).collect();
    assert_eq!(actual, expected);
}

fn check_message(descriptors: &Descriptors, name: &str, message: &Message, seen: &mut BTreeSet<String>) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let described = &descriptors.messages[name];
    assert!(message.fields.len() <= 32, "{name}: the decoder's set of seen fields has 32 bits");
    assert_eq!(message.fields.len(), described.field.len(), "fields of {name}");
    for expected in &described.field {
        let found = message.find(&json_name(expected)).map(|(_, field)| field);
        let field = found.unwrap_or_else(|| panic!("{name} lacks {}", expected.name()));
        assert_eq!(i64::from(field.number), i64::from(expected.number()), "number of {name}.{}", field.name);
        assert_eq!(field.label, expected_label(expected), "label of {name}.{}", field.name);
        check_type(descriptors, expected, field, seen);
    }
}

#[test]
fn every_message_of_the_three_requests_is_as_protoc_describes_it() {
    let descriptors = Descriptors::of_opentelemetry_proto();
    let mut seen = BTreeSet::new();
    for (signal, name) in [
        (Signal::Traces, ".opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest"),
        (Signal::Metrics, ".opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"),
        (Signal::Logs, ".opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"),
    ] {
        check_message(&descriptors, name, request(signal), &mut seen);
    }
    // Requests, common, resource, trace, logs, metrics; counted in the .proto files.
    assert_eq!(seen.len(), 3 + 6 + 1 + 6 + 3 + 15, "{seen:?}");
}
