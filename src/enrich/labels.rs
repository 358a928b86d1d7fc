//! What spans are told apart by in metrics: the service that called, and attributes that the operator chose. Reads
//! resources once where spans of one follow each other; knows no metric.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::scope::Places;
use super::service::Services;
use crate::otlp::value::{self, Any};
use crate::otlp::{Extent, Field, Reader, SpanAt, Value};

/// `Resource.attributes` and `Span.attributes`.
const OF_RESOURCE: u32 = 1;
const OF_SPAN: u32 = 9;
/// The longest value that is kept, in bytes; the rest is cut off.
pub const LONGEST_LABEL: usize = 128;

/// The longest value that a scope's pattern is held against, in bytes: a longer one is like none but `*`. It is to take no
/// time that a sender could make long.
pub(super) const LONGEST_SCOPED: usize = 4096;

/// By what calls are told apart in metrics, beside what the registry knows of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSettings {
    /// Attributes of spans or resources; a span's goes before its resource's.
    pub attributes: Vec<LabelledAttribute>,
    /// How many values of `service` are told apart.
    pub max_services: usize,
    /// How many combinations of labels are told apart.
    pub max_series: usize,
}

/// An attribute that is a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledAttribute {
    /// Its key.
    pub key: String,
    /// The label's name.
    pub label: String,
    /// How many values are told apart.
    pub max_values: usize,
}

impl Default for LabelSettings {
    fn default() -> Self {
        Self { attributes: Vec::new(), max_services: 200, max_series: 2000 }
    }
}

/// A value as a label has it: at most [`LONGEST_LABEL`] bytes. Empty where there is none.
pub(super) type Text<'a> = Cow<'a, str>;
/// Values of the configured attributes, in their order.
pub(super) type Values<'a> = SmallVec<[Text<'a>; 4]>;

/// What a span is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Labels<'a> {
    pub(super) service: Text<'a>,
    pub(super) attributes: Values<'a>,
}

/// What a span says of itself, as far as anybody asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Said<'a> {
    pub(super) labels: Labels<'a>,
    /// The values that scopes ask for, in the order of their keys, up to [`LONGEST_SCOPED`]: whole, and so not cut where a
    /// label is.
    pub(super) scoped: Values<'a>,
}

/// What a span says of itself, kept until its call is booked: its labels, and the scopes that it falls into.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    service: Text<'a>,
    attributes: Vec<Text<'a>>,
    budgets: Places,
}

impl<'a> Kept<'a> {
    pub(super) fn new(labels: Labels<'a>, budgets: Places) -> Self {
        Self { service: labels.service, attributes: labels.attributes.into_vec(), budgets }
    }

    pub(super) fn said(&self) -> (Labels<'a>, Places) {
        let attributes = self.attributes.iter().cloned().collect();
        (Labels { service: self.service.clone(), attributes }, self.budgets.clone())
    }
}

/// Reads the labels of the spans of one request.
#[derive(Debug)]
pub(super) struct LabelReader<'s, 'a> {
    settings: &'s LabelSettings,
    /// More attributes.
    scoped: &'s [String],
    request: &'a [u8],
    services: &'s mut Services<'a>,
    /// The resource that was read last, by where it starts.
    last: Option<(usize, Said<'a>)>,
}

impl<'s, 'a> LabelReader<'s, 'a> {
    pub(super) const fn new(
        settings: &'s LabelSettings,
        scoped: &'s [String],
        request: &'a [u8],
        services: &'s mut Services<'a>,
    ) -> Self {
        Self { settings, scoped, request, services, last: None }
    }

    /// What the span at `at` says.
    pub(super) fn read(&mut self, at: &SpanAt) -> Said<'a> {
        if !self.has_attributes() {
            let labels = Labels { service: self.services.of(at.resource), ..Labels::default() };
            return Said { labels, ..Said::default() };
        }
        let mut said = self.of_resource(at.resource);
        self.read_attributes(at.span, OF_SPAN, &mut said);
        said
    }

    /// Whether anybody asks for more than the service.
    fn has_attributes(&self) -> bool {
        !self.settings.attributes.is_empty() || !self.scoped.is_empty()
    }

    fn of_resource(&mut self, resource: Option<Extent>) -> Said<'a> {
        let nothing = |many: usize| -> Values<'a> { (0..many).map(|_| Text::default()).collect() };
        let labels = Labels { attributes: nothing(self.settings.attributes.len()), ..Labels::default() };
        let none = Said { labels, scoped: nothing(self.scoped.len()) };
        let Some(resource) = resource else { return none };
        match &self.last {
            Some((start, said)) if *start == resource.start => said.clone(),
            _ => {
                let mut said = none;
                said.labels.service = self.services.of(Some(resource));
                self.read_attributes(resource, OF_RESOURCE, &mut said);
                self.last = Some((resource.start, said.clone()));
                said
            }
        }
    }

    /// Of an attribute that stands twice the last counts, as in protobuf's maps. Broken bytes have been refused before.
    fn read_attributes(&self, message: Extent, number: u32, said: &mut Said<'a>) {
        let mut reader = Reader::within(self.request, message);
        while let Ok(Some(field)) = reader.field() {
            let Field { number: found, value: Value::Bytes(pair) } = field else { continue };
            if found != number {
                continue;
            }
            let Ok((key, Some(value))) = value::key_value(self.request, pair) else { continue };
            for (chosen, label) in self.settings.attributes.iter().zip(&mut said.labels.attributes) {
                if chosen.key.as_bytes() == key {
                    *label = shortened(text(self.request, value));
                }
            }
            for (_, scoped) in self.scoped.iter().zip(&mut said.scoped).filter(|(it, _)| it.as_bytes() == key) {
                *scoped = text(self.request, value);
            }
        }
    }
}

/// A value as text; bytes, lists and maps are none. What is not UTF-8 is replaced.
pub(super) fn text<'a>(request: &'a [u8], value: Extent) -> Text<'a> {
    match value::any(request, value) {
        Ok(Any::String(bytes)) => String::from_utf8_lossy(bytes),
        Ok(Any::Bool(flag)) => if flag { "true" } else { "false" }.into(),
        Ok(Any::Int(int)) => int.to_string().into(),
        Ok(Any::Double(double)) => double.to_string().into(),
        Ok(Any::Other | Any::Empty) | Err(_) => Text::default(),
    }
}

/// A text as a label has it.
pub(super) fn shortened(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(whole) => cut(whole).into(),
        Cow::Owned(whole) if whole.len() > LONGEST_LABEL => cut(&whole).to_owned().into(),
        Cow::Owned(whole) => whole.into(),
    }
}

/// At most [`LONGEST_LABEL`] bytes of `text`.
pub(super) fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(LONGEST_LABEL);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(bytes: &[u8]) -> String {
        // A string value, as an `AnyValue` has it.
        let mut value = vec![0x0a];
        value::append_varint(&mut value, bytes.len() as u64);
        value.extend_from_slice(bytes);
        let extent = Extent { prefix: 0, start: 0, end: value.len() };
        shortened(text(&value, extent)).into_owned()
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(label("é".repeat(100).as_bytes()), "é".repeat(64));
        assert_eq!(label(format!("a{}", "é".repeat(100)).as_bytes()), format!("a{}", "é".repeat(63)));
        assert_eq!(label(&[b'x'; LONGEST_LABEL]), "x".repeat(LONGEST_LABEL));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_stay_within_the_length() {
        assert_eq!(label(b"ab\xffcd"), "ab\u{fffd}cd");
        assert!(label(&[0xff; 1000]).len() <= LONGEST_LABEL);
    }
}
