//! The tracker's method against outputs of api_emissions_tracker, bit for bit: by call, and on spans.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::estimate::{Method, ModelCall};
use gramtrace::factors::{PlaceQuery, Registry, RegistryFile};
use gramtrace::units::{TokenUsage, Tokens};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("data/golden_tracker.json")).unwrap()
}

/// The built-in registry with one of the golden file's sets of factors laid over it.
fn registry(set: &str) -> Registry {
    let mut files = RegistryFile::builtin();
    let own = serde_json::to_vec(&golden()["factor_sets"][set]).unwrap();
    files.push(RegistryFile::new("emission_factors.json", own));
    Registry::load(&files).unwrap_or_else(|errors| panic!("{errors}"))
}

fn grams(registry: &Registry, model: &str, input: u64, output: u64) -> Option<f64> {
    let model = Method::Tracker.resolve(registry, model, None, None)?.model;
    let usage = TokenUsage { input: Tokens::new(input), output: Tokens::new(output), ..TokenUsage::default() };
    let place = registry.place(&PlaceQuery::default());
    let call = ModelCall { model: Some(model), place, usage, duration_s: None, metered: None };
    let estimate = Method::Tracker.estimate(registry, &call)?;
    assert_eq!((estimate.energy_wh, estimate.grid, estimate.pue), (None, None, None), "a grid is baked in");
    Some(estimate.co2e_g.value().get())
}

#[test]
fn grams_are_those_of_the_tracker_to_the_bit() {
    let golden = golden();
    let sets = ["default", "seed-notebook-custom"].map(|set| (set, registry(set)));
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        let (_, registry) = sets.iter().find(|(set, _)| case["factors"] == *set).unwrap();
        let tokens = |key: &str| case[key].as_u64().unwrap();
        let got =
            grams(registry, case["model"].as_str().unwrap(), tokens("prompt_tokens"), tokens("completion_tokens"));
        // A name without a factor has no value.
        assert_eq!(got.map(f64::to_bits), case["co2e_in_g"].as_f64().map(f64::to_bits), "{case}");
    }
    assert_eq!(cases.len(), 136);
}

#[test]
fn a_name_is_looked_up_exactly() {
    let registry = registry("default");
    assert_eq!(grams(&registry, "gpt-4o-2024-08-06", 1, 1), None);
    assert_eq!(grams(&registry, "GPT-4o", 1, 1), None);
    assert_eq!(grams(&registry, "my-model", 1, 1), None);
}

fn usages_as_spans() -> (Vec<serde_json::Value>, Bytes) {
    let usages: Vec<serde_json::Value> = serde_json::from_str(include_str!("data/stub_ai_usage.json")).unwrap();
    let span = |(index, usage): (usize, &serde_json::Value)| {
        let attribute = |key: &str, value| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..Default::default()
        };
        let tokens = |key: &str| Value::IntValue(usage[key].as_i64().unwrap());
        Span {
            trace_id: vec![1; 16],
            span_id: u64::try_from(index + 1).unwrap().to_be_bytes().to_vec(),
            attributes: vec![
                attribute("gen_ai.operation.name", Value::StringValue("chat".to_owned())),
                attribute("gen_ai.provider.name", Value::StringValue("openai".to_owned())),
                attribute(
                    "gen_ai.response.model",
                    Value::StringValue(usage["response_model"].as_str().unwrap().to_owned()),
                ),
                attribute("gen_ai.response.id", Value::StringValue(format!("answer-{index}"))),
                attribute("gen_ai.usage.input_tokens", tokens("prompt_tokens")),
                attribute("gen_ai.usage.output_tokens", tokens("completion_tokens")),
            ],
            ..Default::default()
        }
    };
    let spans = usages.iter().enumerate().map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
    (usages, Bytes::from(request.encode_to_vec()))
}

#[test]
fn spans_carry_the_trackers_grams_to_the_bit() {
    let (usages, request) = usages_as_spans();
    assert_eq!(usages.len(), 66);
    let golden = golden();
    for set in ["default", "seed-notebook-custom"] {
        let settings = EnrichSettings { significant_digits: 17, method: Method::Tracker, ..EnrichSettings::default() };
        let enricher = Enricher::new(Arc::new(registry(set)), &settings);
        let bytes = enricher.enrich(&request, Instant::now()).unwrap().bytes;
        let mut answer = ExportTraceServiceRequest::decode(bytes).unwrap();
        let spans = answer.resource_spans.remove(0).scope_spans.remove(0).spans;
        for (usage, span) in usages.iter().zip(spans) {
            let is_case = |case: &&serde_json::Value| {
                case["factors"] == set
                    && case["model"] == usage["response_model"]
                    && case["prompt_tokens"] == usage["prompt_tokens"]
                    && case["completion_tokens"] == usage["completion_tokens"]
            };
            let case = golden["cases"].as_array().unwrap().iter().find(is_case).unwrap();
            let co2e = span.attributes.iter().find(|pair| pair.key == "gramtrace.co2e_g").unwrap();
            let expected = Value::DoubleValue(case["co2e_in_g"].as_f64().unwrap());
            assert_eq!(co2e.value.as_ref().unwrap().value, Some(expected), "{usage}");
            let absent = ["gramtrace.energy_wh", "gramtrace.grid.zone", "gramtrace.pue"];
            assert!(!span.attributes.iter().any(|pair| absent.contains(&pair.key.as_str())), "{usage}");
        }
    }
}
