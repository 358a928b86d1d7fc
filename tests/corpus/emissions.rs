//! What was booked is what stands on the spans at the backend: every sum, by every label, whatever senders repeat.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher, LabelSettings, LabelledAttribute};
use gramtrace::factors::Registry;
use gramtrace::telemetry::{Metrics, TextFormat};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::bodies;
use super::retries::Hop;

/// Exact sums, rounded once: Shewchuk's, <https://doi.org/10.1007/PL00009321>.
#[derive(Debug, Default, Clone)]
struct Exact(Vec<f64>);

impl Exact {
    fn add(&mut self, term: f64) {
        let (mut term, mut kept) = (term, Vec::new());
        for &partial in &self.0 {
            let (large, small) = if term.abs() < partial.abs() { (partial, term) } else { (term, partial) };
            let sum = large + small;
            let lost = small - (sum - large);
            if lost != 0.0 {
                kept.push(lost);
            }
            term = sum;
        }
        kept.push(term);
        self.0 = kept;
    }

    fn value(&self) -> f64 {
        self.0.iter().rev().sum()
    }
}

type Labels = BTreeMap<String, String>;
type Sums = BTreeMap<(String, Labels), f64>;

fn enricher(labels: LabelSettings) -> Arc<Enricher> {
    let settings = EnrichSettings { significant_digits: 17, labels, ..EnrichSettings::default() };
    Arc::new(Enricher::new(Arc::new(Registry::builtin().unwrap()), &settings))
}

fn labelled(key: &str, label: &str, max_values: usize) -> LabelSettings {
    let attribute = LabelledAttribute { key: key.to_owned(), label: label.to_owned(), max_values };
    LabelSettings { attributes: vec![attribute], ..LabelSettings::default() }
}

/// The series of a family on the metrics page; labels of these tests have no quotes or commas in them.
fn page(metrics: &Metrics, family: &str) -> Sums {
    let text = metrics.encode();
    let lines = text.lines().filter_map(|line| line.strip_prefix(family)?.strip_prefix('{'));
    let series = lines.map(|line| {
        let (labels, value) = line.rsplit_once("} ").unwrap();
        let pairs = labels.split("\",").map(|pair| pair.trim_end_matches('"').split_once("=\"").unwrap());
        let labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        ((family.to_owned(), labels), value.parse().unwrap())
    });
    series.collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attributes.iter().rev().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(int) => Some(int.to_string()),
        _ => None,
    }
}

fn number(attributes: &[KeyValue], key: &str) -> Option<f64> {
    match attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::DoubleValue(double) => Some(*double),
        Value::IntValue(int) => Some(*int as f64),
        _ => None,
    }
}

/// Sums over the spans of what arrived, by service, model, zone, tier and one attribute.
#[derive(Default)]
struct AtBackend(BTreeMap<(String, Labels), Exact>);

impl AtBackend {
    fn take(&mut self, body: &Bytes, key: &str, label: &str) {
        let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
        for resource_spans in request.resource_spans {
            let resource = resource_spans.resource.unwrap_or_default().attributes;
            for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.take_span(&resource, &span, key, label);
            }
        }
    }

    fn take_span(&mut self, resource: &[KeyValue], span: &Span, key: &str, label: &str) {
        let of = |key: &str| text(&span.attributes, key).unwrap_or_else(|| "unknown".to_owned());
        let attribute = text(&span.attributes, key).or_else(|| text(resource, key));
        let labels: Labels = [
            ("service", text(resource, "service.name").unwrap_or_else(|| "unknown".to_owned())),
            ("model", of("gramtrace.model")),
            ("zone", of("gramtrace.grid.zone")),
            ("tier", of("gramtrace.tier")),
            (label, attribute.unwrap_or_else(|| "unknown".to_owned())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (family, attribute, scale) in FAMILIES {
            if let Some(number) = number(&span.attributes, attribute) {
                self.0.entry(((*family).to_owned(), labels.clone())).or_default().add(number * scale);
            }
        }
    }

    fn sums(&self, family: &str) -> Sums {
        let of_family = self.0.iter().filter(|((name, _), _)| name == family);
        of_family.map(|(key, sum)| (key.clone(), sum.value())).collect()
    }
}

const FAMILIES: &[(&str, &str, f64)] = &[
    ("gramtrace_energy_joules_total", "gramtrace.energy_wh", 3600.0),
    ("gramtrace_co2e_grams_total", "gramtrace.co2e_g", 1.0),
    ("gramtrace_co2e_low_grams_total", "gramtrace.co2e_low_g", 1.0),
    ("gramtrace_co2e_high_grams_total", "gramtrace.co2e_high_g", 1.0),
    ("gramtrace_embodied_co2e_grams_total", "gramtrace.embodied_co2e_g", 1.0),
];

#[tokio::test]
async fn every_sum_is_that_over_the_spans_at_the_backend_whatever_is_sent_again() {
    let enricher = enricher(labelled("telemetry.sdk.language", "language", 10));
    let metrics = Metrics::new();
    let (mut hop, mut gone) = (Hop::new(&enricher, &metrics), Hop::new(&enricher, &metrics));
    gone.arrived.close();
    let mut at_backend = AtBackend::default();
    for (name, body) in bodies("traces") {
        assert_eq!(gone.send(&body).await, None, "{name}");
        at_backend.take(&hop.send(&body).await.unwrap(), "telemetry.sdk.language", "language");
        // The sender never hears of it, and sends it again and again.
        for _ in 0..5 {
            hop.send(&body).await.unwrap();
        }
    }
    for (family, ..) in FAMILIES {
        let mut booked = Sums::new();
        for ((name, mut labels), value) in page(&metrics, family) {
            // Spans do not tell it as the registry names it.
            labels.remove("provider");
            *booked.entry((name, labels)).or_default() += value;
        }
        assert!(booked.len() > 10, "{family}: {}", booked.len());
        assert_eq!(booked.keys().collect::<Vec<_>>(), at_backend.sums(family).keys().collect::<Vec<_>>(), "{family}");
        for (key, expected) in at_backend.sums(family) {
            let off = (booked[&key] - expected).abs();
            assert!(off <= f64::EPSILON * expected, "{key:?}: {} and {expected}", booked[&key]);
        }
    }
}

#[tokio::test]
async fn a_retry_storm_moves_no_counter_also_of_calls_without_usage() {
    let (enricher, metrics) = (enricher(LabelSettings::default()), Metrics::new());
    let mut hop = Hop::new(&enricher, &metrics);
    for (_, body) in bodies("traces") {
        hop.send(&body).await.unwrap();
    }
    let counted = |metrics: &Metrics| -> Vec<Sums> {
        let families = ["gramtrace_calls_total", "gramtrace_tokens_total"].into_iter();
        families.chain(FAMILIES.iter().map(|(family, ..)| *family)).map(|family| page(metrics, family)).collect()
    };
    let before = counted(&metrics);
    let without_usage = |(_, labels): &&(String, Labels)| matches!(&*labels["status"], "no_tokens" | "error");
    assert!(before[0].keys().filter(without_usage).count() > 0);
    assert!(before.iter().all(|family| !family.is_empty()));
    for _ in 0..10 {
        for (_, body) in bodies("traces") {
            hop.send(&body).await.unwrap();
        }
    }
    assert_eq!(counted(&metrics), before);
}

#[tokio::test]
async fn tokens_are_those_on_the_spans_at_the_backend_and_calls_are_the_spans_that_count() {
    let (enricher, metrics) = (enricher(LabelSettings::default()), Metrics::new());
    let mut hop = Hop::new(&enricher, &metrics);
    let (mut input, mut output, mut calls) = (0.0, 0.0, 0.0);
    for (_, body) in bodies("traces") {
        let request = ExportTraceServiceRequest::decode(hop.send(&body).await.unwrap()).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            input += number(&span.attributes, "gramtrace.tokens.input").unwrap_or(0.0);
            output += number(&span.attributes, "gramtrace.tokens.output").unwrap_or(0.0);
            let status = text(&span.attributes, "gramtrace.status");
            calls += f64::from(u8::from(status.is_some_and(|it| ["ok", "unknown_model", "no_model"].contains(&&*it))));
        }
    }
    let sum = |family: &str, label: &str, values: &[&str]| -> f64 {
        let series = page(&metrics, family).into_iter();
        series.filter(|((_, labels), _)| values.contains(&&*labels[label])).map(|(_, value)| value).sum()
    };
    let classes = [["input", "cache_read", "cache_write"].as_slice(), &["output", "reasoning"]];
    assert_eq!(classes.map(|of| sum("gramtrace_tokens_total", "class", of)), [input, output]);
    assert_eq!(sum("gramtrace_calls_total", "status", &["ok", "unknown_model", "no_model"]), calls);
    assert!(input > 0.0 && calls > 0.0);
}

/// A request of one call a value of `user`, numbered from `first`.
fn calls(first: u64, users: impl Iterator<Item = Value>) -> Bytes {
    let pair = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    let string = |value: &str| Value::StringValue(value.to_owned());
    let span = |(number, user): (u64, Value)| Span {
        trace_id: vec![7; 16],
        span_id: (number + 1).to_be_bytes().into(),
        attributes: vec![
            pair("gen_ai.operation.name", string("chat")),
            pair("gen_ai.provider.name", string("openai")),
            pair("gen_ai.request.model", string("gpt-4o")),
            pair("gen_ai.response.id", string(&format!("r{number}"))),
            pair("gen_ai.usage.input_tokens", Value::IntValue(100)),
            pair("gen_ai.usage.output_tokens", Value::IntValue(10)),
            pair("user", user),
        ],
        ..Span::default()
    };
    let spans = (first..).zip(users).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    request.encode_to_vec().into()
}

#[tokio::test]
async fn hostile_values_of_a_label_are_bounded_cleaned_and_lose_no_call() {
    let (enricher, metrics) = (enricher(labelled("user", "user", 5)), Metrics::new());
    let mut hop = Hop::new(&enricher, &metrics);
    let hostile = [
        Value::StringValue("x".repeat(100_000)),
        Value::StringValue("a\"b\\c\nd\0".to_owned()),
        Value::BytesValue(vec![0xff; 300]),
        Value::IntValue(-5),
        Value::StringValue(String::new()),
    ];
    hop.send(&calls(0, hostile.into_iter())).await.unwrap();
    hop.send(&calls(100, (0..5_000).map(|user| Value::StringValue(format!("user-{user}"))))).await.unwrap();
    let page = metrics.encode();
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with("gramtrace_calls_total{")).collect();
    let count = |value: &str| {
        let label = format!("user=\"{value}\"");
        let found = lines.iter().find(|line| line.contains(&label)).unwrap_or_else(|| panic!("{value}: {lines:#?}"));
        found.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(lines.len(), 6);
    // What is no text is not known; the fifth value is the first of the flood.
    let values = ["x".repeat(128), "a\\\"b\\\\c\u{fffd}d\u{fffd}".to_owned(), "-5".to_owned(), "user-0".to_owned()];
    assert_eq!(values.map(|value| count(&value)), [1; 4]);
    assert_eq!((count("unknown"), count("other")), (2, 4_999));
    assert!(page.contains("gramtrace_emissions_over_capacity_total{label=\"user\"} 4999\n"), "{page}");
}

#[tokio::test]
async fn the_costliest_call_of_a_request_is_its_series_exemplar() {
    let (enricher, metrics) = (enricher(LabelSettings::default()), Metrics::new());
    let mut hop = Hop::new(&enricher, &metrics);
    hop.send(&calls(0, [Value::IntValue(1)].into_iter())).await.unwrap();
    let page = metrics.encode_as(TextFormat::OpenMetrics);
    let line = page.lines().find(|line| line.starts_with("gramtrace_co2e_grams_total{")).unwrap();
    let trace = "07".repeat(16);
    assert!(line.contains(&format!(" # {{trace_id=\"{trace}\",span_id=\"0000000000000001\"}} 0.")), "{line}");
    assert!(page.ends_with("# EOF\n"));
}
