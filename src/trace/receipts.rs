//! Reading receipts from an export request as a backend received it, with the protocol's generated types.
//! Knows the keys that are written and nothing of how they came about.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::{DecodeError, Message};

use crate::hex;
use crate::semconv::out;

/// The resource attribute that names a service.
const SERVICE_NAME: &str = "service.name";

/// A figure with what it may really be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The low end, where it is told.
    pub low: Option<f64>,
    /// The figure itself.
    pub value: f64,
    /// The high end, where it is told.
    pub high: Option<f64>,
}

/// What one span says of the footprint of its call. What it does not say is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Receipt {
    /// Lower-case hex; as long as what arrived.
    pub trace_id: String,
    /// Lower-case hex; as long as what arrived.
    pub span_id: String,
    /// `service.name` of the resource.
    pub service: Option<String>,
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Name of the span.
    pub name: String,
    /// What became of the span: `ok`, `unknown_model` ...
    pub status: String,
    /// Registry id of the model.
    pub model: Option<String>,
    /// How the model's name matched.
    pub matched: Option<String>,
    /// Quality of the factor, `A` to `E`.
    pub tier: Option<String>,
    /// Id of the factor.
    pub factor: Option<String>,
    /// Id and version of the method.
    pub method: Option<String>,
    /// Version of the registry.
    pub registry: Option<String>,
    /// Input tokens, cached ones included.
    pub input_tokens: Option<u64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Wh, PUE included.
    pub energy_wh: Option<Range>,
    /// Grams of CO2e of the use phase.
    pub co2e_g: Option<Range>,
    /// Grams of CO2e of making the machines; not in `co2e_g`.
    pub embodied_co2e_g: Option<Range>,
    /// Zone of the grid.
    pub grid_zone: Option<String>,
    /// How the zone was decided.
    pub grid_basis: Option<String>,
    /// gCO2e/kWh.
    pub grid_g_per_kwh: Option<f64>,
    /// Power usage effectiveness.
    pub pue: Option<f64>,
    /// Every key with the prefix and its value as text, in the order in which they stand.
    pub keys: Vec<(String, String)>,
}

/// The receipts in one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Receipts {
    /// In the order of the spans.
    pub receipts: Vec<Receipt>,
    /// Spans without a receipt.
    pub other_spans: u64,
}

/// Reads the receipts of an `ExportTraceServiceRequest`; `prefix` with its dot, `gramtrace.` unless configured.
/// A span has one when it carries `<prefix>status` as a string. A value of another type, or a number that is
/// negative or not finite, is as if it were absent; of two equal keys the first counts.
///
/// # Errors
/// Whatever the generated decoder reports.
pub fn read(request: &[u8], prefix: &str) -> Result<Receipts, DecodeError> {
    let request = ExportTraceServiceRequest::decode(request)?;
    let mut read = Receipts::default();
    for group in &request.resource_spans {
        read_group(group, prefix, &mut read);
    }
    Ok(read)
}

fn read_group(group: &ResourceSpans, prefix: &str, read: &mut Receipts) {
    let attributes = group.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
    let service = attributes.iter().find(|attribute| attribute.key == SERVICE_NAME).and_then(string);
    for scope_spans in &group.scope_spans {
        let scope = scope_spans.scope.as_ref().map_or("", |scope| &scope.name);
        for span in &scope_spans.spans {
            match read_span(span, prefix) {
                Some(receipt) => {
                    read.receipts.push(Receipt { service: service.clone(), scope: scope.to_owned(), ..receipt });
                }
                None => read.other_spans += 1,
            }
        }
    }
}

fn read_span(span: &Span, prefix: &str) -> Option<Receipt> {
    let ours = || span.attributes.iter().filter_map(|attribute| Some((attribute.key.strip_prefix(prefix)?, attribute)));
    let first = |name: &str| ours().find(|(key, _)| *key == name).map(|(_, attribute)| attribute);
    let text = |name| first(name).and_then(string);
    let count = |name| first(name).and_then(whole);
    let figure = |name| first(name).and_then(number);
    let range = |low, value, high| Some(Range { low: figure(low), value: figure(value)?, high: figure(high) });
    Some(Receipt {
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        service: None,
        scope: String::new(),
        name: span.name.clone(),
        status: text(out::STATUS)?,
        model: text(out::MODEL),
        matched: text(out::MATCH),
        tier: text(out::TIER),
        factor: text(out::FACTOR),
        method: text(out::METHOD),
        registry: text(out::REGISTRY),
        input_tokens: count(out::TOKENS_INPUT),
        output_tokens: count(out::TOKENS_OUTPUT),
        energy_wh: range(out::ENERGY_LOW_WH, out::ENERGY_WH, out::ENERGY_HIGH_WH),
        co2e_g: range(out::CO2E_LOW_G, out::CO2E_G, out::CO2E_HIGH_G),
        embodied_co2e_g: range(out::EMBODIED_CO2E_LOW_G, out::EMBODIED_CO2E_G, out::EMBODIED_CO2E_HIGH_G),
        grid_zone: text(out::GRID_ZONE),
        grid_basis: text(out::GRID_BASIS),
        grid_g_per_kwh: figure(out::GRID_G_PER_KWH),
        pue: figure(out::PUE),
        keys: ours().map(|(_, attribute)| (attribute.key.clone(), shown(attribute))).collect(),
    })
}

fn value(attribute: &KeyValue) -> Option<&Value> {
    attribute.value.as_ref()?.value.as_ref()
}

fn string(attribute: &KeyValue) -> Option<String> {
    match value(attribute)? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn whole(attribute: &KeyValue) -> Option<u64> {
    match value(attribute)? {
        Value::IntValue(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn number(attribute: &KeyValue) -> Option<f64> {
    match value(attribute)? {
        Value::DoubleValue(number) => Some(*number).filter(|number| number.is_finite() && *number >= 0.0),
        _ => None,
    }
}

fn shown(attribute: &KeyValue) -> String {
    match value(attribute) {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;

    use super::*;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        attribute(key, Value::StringValue(value.to_owned()))
    }

    fn request(spans: Vec<Vec<KeyValue>>) -> Vec<u8> {
        let spans = spans.into_iter().map(|attributes| Span {
            trace_id: vec![0xab; 16],
            span_id: vec![0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
            name: "chat".to_owned(),
            attributes,
            ..Span::default()
        });
        let scope = InstrumentationScope { name: "openinference".to_owned(), ..InstrumentationScope::default() };
        let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.collect(), ..ScopeSpans::default() };
        let resource = Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() };
        let group =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec()
    }

    #[test]
    fn a_receipt_has_everything_that_its_span_says() {
        let body = request(vec![vec![
            text("gen_ai.request.model", "gpt-4o"),
            text("gramtrace.status", "ok"),
            attribute("gramtrace.co2e_g", Value::DoubleValue(0.5)),
            attribute("gramtrace.co2e_low_g", Value::DoubleValue(0.25)),
            attribute("gramtrace.co2e_high_g", Value::DoubleValue(2.0)),
            attribute("gramtrace.energy_wh", Value::DoubleValue(1.5)),
            attribute("gramtrace.embodied_co2e_g", Value::DoubleValue(0.125)),
            attribute("gramtrace.tokens.input", Value::IntValue(1200)),
            attribute("gramtrace.tokens.output", Value::IntValue(34)),
            text("gramtrace.model", "openai/gpt-4o"),
            text("gramtrace.match", "alias"),
            text("gramtrace.tier", "D"),
            text("gramtrace.grid.zone", "US-CAL-CISO"),
            text("gramtrace.grid.basis", "provider"),
        ]]);
        let read = read(&body, "gramtrace.").unwrap();
        assert_eq!((read.receipts.len(), read.other_spans), (1, 0));
        let receipt = &read.receipts[0];
        assert_eq!(receipt.trace_id, "abababababababababababababababab");
        assert_eq!(receipt.span_id, "0123456789abcdef");
        assert_eq!(receipt.service.as_deref(), Some("shop"));
        assert_eq!(
            (receipt.scope.as_str(), receipt.name.as_str(), receipt.status.as_str()),
            ("openinference", "chat", "ok")
        );
        assert_eq!(receipt.co2e_g, Some(Range { low: Some(0.25), value: 0.5, high: Some(2.0) }));
        assert_eq!(receipt.energy_wh, Some(Range { low: None, value: 1.5, high: None }));
        assert_eq!(receipt.embodied_co2e_g, Some(Range { low: None, value: 0.125, high: None }));
        assert_eq!((receipt.input_tokens, receipt.output_tokens), (Some(1200), Some(34)));
        assert_eq!(receipt.model.as_deref(), Some("openai/gpt-4o"));
        assert_eq!(receipt.matched.as_deref(), Some("alias"));
        assert_eq!(receipt.tier.as_deref(), Some("D"));
        assert_eq!(receipt.grid_zone.as_deref(), Some("US-CAL-CISO"));
        assert_eq!(receipt.grid_basis.as_deref(), Some("provider"));
        assert_eq!((receipt.pue, receipt.factor.clone(), receipt.grid_g_per_kwh), (None, None, None));
        assert_eq!(receipt.keys.len(), 13);
        assert_eq!(receipt.keys[1], ("gramtrace.co2e_g".to_owned(), "0.5".to_owned()));
    }

    #[test]
    fn spans_without_a_status_under_the_prefix_are_others() {
        let body = request(vec![
            vec![],
            vec![text("acme.status", "ok")],
            vec![attribute("gramtrace.status", Value::IntValue(1))],
            vec![text("gramtrace.trace.band", "low")],
        ]);
        let ours = read(&body, "gramtrace.").unwrap();
        assert_eq!((ours.receipts.len(), ours.other_spans), (0, 4));
        let theirs = read(&body, "acme.").unwrap();
        assert_eq!((theirs.receipts.len(), theirs.other_spans), (1, 3));
    }

    #[test]
    fn what_is_no_quantity_is_absent_and_never_zero() {
        let body = request(vec![vec![
            text("gramtrace.status", "ok"),
            attribute("gramtrace.co2e_g", Value::DoubleValue(f64::NAN)),
            attribute("gramtrace.energy_wh", Value::DoubleValue(-1.0)),
            attribute("gramtrace.tokens.input", Value::IntValue(-5)),
            text("gramtrace.tokens.output", "7"),
            KeyValue { key: "gramtrace.model".to_owned(), ..KeyValue::default() },
        ]]);
        let receipt = read(&body, "gramtrace.").unwrap().receipts.remove(0);
        assert_eq!((receipt.co2e_g, receipt.energy_wh), (None, None));
        assert_eq!((receipt.input_tokens, receipt.output_tokens, receipt.model), (None, None, None));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        assert!(read(&[0x0a, 0xff], "gramtrace.").is_err());
        assert_eq!(read(&[], "gramtrace."), Ok(Receipts::default()));
    }
}
