//! Who sent a span: `service.name` of its resource, read by one rule for whatever needs it, and once a resource for a
//! request. Of several the last counts, as in protobuf's maps; numbers and flags are as good as text. Knows no span.

use std::collections::HashMap;

use super::labels::{Text, shortened, text};
use crate::keyed::Keyed;
use crate::otlp::{Extent, Reader, value};
use crate::semconv::read;

/// The service of a resource, whole; empty where nobody says.
pub(super) fn service<'a>(request: &'a [u8], resource: Option<Extent>) -> Text<'a> {
    let mut service = Text::default();
    let Some(resource) = resource else { return service };
    let mut reader = Reader::within(request, resource);
    // Broken bytes have been refused before.
    while let Ok(Some((_, pair))) = reader.find(1) {
        if let Ok((key, Some(value))) = value::key_value(request, pair)
            && key == read::SERVICE_NAME.as_bytes()
        {
            service = text(request, value);
        }
    }
    service
}

/// The services of one request's resources, each at most as long as a label.
#[derive(Debug)]
pub(super) struct Services<'a> {
    request: &'a [u8],
    /// The resource that was asked for last, by where it starts: spans of one follow each other.
    last: Option<(Option<usize>, Text<'a>)>,
    known: HashMap<usize, Text<'a>, Keyed>,
}

impl<'a> Services<'a> {
    pub(super) fn new(request: &'a [u8]) -> Self {
        Self { request, last: None, known: HashMap::default() }
    }

    /// Reads a resource now, so that asking for its service is a look-up from then on.
    pub(super) fn read(&mut self, resource: Option<Extent>) {
        let start = resource.map(|resource| resource.start);
        if self.last.as_ref().is_none_or(|(last, _)| *last != start) {
            self.of(resource);
        }
    }

    /// The service of a resource: what is told of it in metrics, in the ledger and on the page, and by which it is told
    /// from others.
    pub(super) fn of(&mut self, resource: Option<Extent>) -> Text<'a> {
        let start = resource.map(|resource| resource.start);
        if let Some((_, service)) = self.last.as_ref().filter(|(last, _)| *last == start) {
            return service.clone();
        }
        let read = || shortened(service(self.request, resource));
        let told = match start {
            Some(start) => self.known.entry(start).or_insert_with(read).clone(),
            None => Text::default(),
        };
        self.last = Some((start, told.clone()));
        told
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use prost::Message;

    use super::*;

    fn resource(values: Vec<Value>) -> Vec<u8> {
        let attribute = |value| KeyValue {
            key: "service.name".to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        };
        Resource { attributes: values.into_iter().map(attribute).collect(), ..Resource::default() }.encode_to_vec()
    }

    fn read(values: Vec<Value>) -> (String, String) {
        let bytes = resource(values);
        let extent = Some(Extent { prefix: 0, start: 0, end: bytes.len() });
        (service(&bytes, extent).into_owned(), Services::new(&bytes).of(extent).into_owned())
    }

    #[test]
    fn the_last_name_counts_whatever_its_kind_and_nothing_said_is_empty() {
        let text = |text: &str| Value::StringValue(text.to_owned());
        assert_eq!(read(vec![text("shop"), text("checkout")]).0, "checkout");
        assert_eq!(read(vec![text("shop"), Value::IntValue(7)]).1, "7");
        assert_eq!(read(vec![]), (String::new(), String::new()));
        assert_eq!(service(&[], None), "");
    }

    #[test]
    fn a_long_name_is_whole_for_sites_and_cut_where_services_are_told_apart() {
        let long = "é".repeat(100);
        assert_eq!(read(vec![Value::StringValue(long.clone())]), (long, "é".repeat(64)));
    }
}
