//! The description of the lookup API against what it answers: every answer fits the schema of its path and status, to the
//! last key, and every key that is described is seen. Knows the part of JSON Schema that the description is written in.

use std::collections::BTreeSet;

use gramtrace::admin::{LookupSettings, lookup_api};
use gramtrace::budget::{BudgetSettings, Budgets, CalendarUnit, Consumption, Count, Period, Rolling, unix_ms};
use gramtrace::telemetry::Metrics;
use gramtrace::trace::ledger::LedgerSettings;
use gramtrace::units::{Amount, GramsCo2e, WattHours};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use super::lookup::{Desk, call, hex, int, json, text};
use super::serve;

/// A description, and which of its properties were seen.
struct Description {
    document: Value,
    seen: BTreeSet<String>,
}

impl Description {
    fn schema(&self, reference: &Value) -> (String, Value) {
        let name = reference.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap().to_owned();
        let schema = self.document["components"]["schemas"][&name].clone();
        assert!(schema.is_object(), "there is no schema {name}");
        (name, schema)
    }

    /// Holds `value` to `schema`, which stands at `place`.
    fn hold(&mut self, value: &Value, schema: &Value, place: &str) {
        if let Some(reference) = schema.get("$ref") {
            let (name, schema) = self.schema(reference);
            return self.hold(value, &schema, &name);
        }
        if let Some(choices) = schema.get("oneOf") {
            let fits = |choice: &&Value| match choice.get("const") {
                Some(constant) => value == constant,
                None => is_of(value, &choice["type"]),
            };
            let choice = choices.as_array().unwrap().iter().find(fits).unwrap_or_else(|| panic!("{place}: {value}"));
            return self.hold(value, &choice.clone(), place);
        }
        let known = ["type", "properties", "required", "items", "enum", "pattern", "minimum", "const", "description"];
        let keywords = schema.as_object().unwrap().keys();
        assert!(keywords.clone().all(|key| known.contains(&&**key)), "{place}: {schema} is not understood here");
        if schema.get("const").is_none() {
            assert!(is_of(value, &schema["type"]), "{place}: {value} is no {}", schema["type"]);
        }
        if let Some(words) = schema.get("enum") {
            assert!(words.as_array().unwrap().contains(value), "{place}: {value} is not among {words}");
        }
        if let Some(least) = schema.get("minimum") {
            assert!(value.as_f64() >= least.as_f64(), "{place}: {value} is less than {least}");
        }
        if let Some(pattern) = schema.get("pattern") {
            let digits = pattern.as_str().unwrap().strip_prefix("^[0-9a-f]{").unwrap().strip_suffix("}$").unwrap();
            let text = value.as_str().unwrap();
            let is_hex = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            assert!(is_hex && text.len() == digits.parse::<usize>().unwrap(), "{place}: {value} is not {pattern}");
        }
        for item in value.as_array().into_iter().flatten() {
            self.hold(item, &schema["items"].clone(), place);
        }
        for (key, item) in value.as_object().into_iter().flatten() {
            let property = schema["properties"].get(key).unwrap_or_else(|| panic!("{place} has no `{key}`")).clone();
            self.seen.insert(format!("{place}.{key}"));
            self.hold(item, &property, &format!("{place}.{key}"));
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            assert!(value.get(key.as_str().unwrap()).is_some(), "{place} lacks {key}: {value}");
        }
    }

    /// Every property of every schema.
    fn all(&self) -> BTreeSet<String> {
        let schemas = self.document["components"]["schemas"].as_object().unwrap();
        let of = |(name, schema): (&String, &Value)| {
            let keys = schema["properties"].as_object().unwrap().keys();
            keys.map(|key| format!("{name}.{key}")).collect::<Vec<_>>()
        };
        schemas.iter().flat_map(of).collect()
    }
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("{other}"),
    }
}

fn budget(name: &str, limit: Amount, period: Period) -> BudgetSettings {
    let (thresholds, count) = (vec![50.0], Count::Value);
    BudgetSettings { name: name.to_owned(), limit, period, thresholds, burn_rates: true, count }
}

fn budgets() -> Budgets {
    let (budgets, now) = (Budgets::default(), unix_ms(std::time::SystemTime::now()));
    let of_energy = Amount::Energy(WattHours::new(10.0).unwrap());
    let of_co2e = Amount::Co2e(GramsCo2e::new(5.0).unwrap());
    budgets.apply(
        vec![
            budget("rolling", of_co2e, Period::Rolling(Rolling::Hour)),
            budget("calendar", of_energy, Period::Calendar(CalendarUnit::Month, jiff::tz::TimeZone::UTC)),
        ],
        now,
    );
    let names = ["rolling".into(), "calendar".into()];
    let (co2e_g, energy_wh, model, service) = ([1.0, 7.0, 9.0], 20.0, "openai/gpt-4o", "shop");
    budgets.add([Consumption { budgets: &names, co2e_g, energy_wh, model, service, call: None }], now);
    budgets
}

/// Calls of every status that a receipt can have, of one trace.
fn calls() -> Vec<Span> {
    let detailed = |mut span: Span| {
        span.attributes.push(int("gen_ai.usage.cache_read.input_tokens", 500));
        span.attributes.push(int("gen_ai.usage.cache_creation.input_tokens", 50));
        span.attributes.push(int("gen_ai.usage.reasoning.output_tokens", 5));
        span
    };
    let of_model = |mut span: Span, model: Option<&str>| {
        span.attributes.retain(|attribute| attribute.key != "gen_ai.request.model");
        span.attributes.extend(model.map(|model| text("gen_ai.request.model", model)));
        span
    };
    let without_usage = |mut span: Span| {
        span.attributes.retain(|attribute| !attribute.key.starts_with("gen_ai.usage."));
        span
    };
    vec![
        detailed(call(7, 1, 100)),
        of_model(call(7, 2, 100), Some("acme-internal-7")),
        of_model(call(7, 3, 100), None),
        without_usage(call(7, 4, 0)),
    ]
}

#[tokio::test]
async fn every_answer_is_as_it_is_described_and_everything_described_is_answered() {
    let desk = Desk::new(LedgerSettings { receipt_traces: 1, ..LedgerSettings::default() });
    desk.book(vec![call(8, 1, 10)]);
    desk.book(calls());
    let metrics = Metrics::new();
    metrics.unknown_model("acme-internal-7", Some("acme"));
    let address = serve(lookup_api(desk.lookup.clone(), budgets(), metrics, LookupSettings::default())).await;
    let (_, document) = json(address, "/api/v1/openapi.json").await;
    let mut description = Description { document, seen: BTreeSet::new() };
    let of_trace = "/api/v1/traces/{id}";
    let asked = [
        (format!("/api/v1/traces/{}", hex(7)), of_trace, 200),
        (format!("/api/v1/traces/{}", hex(8)), of_trace, 200),
        (format!("/api/v1/traces/{}", hex(9)), of_trace, 404),
        ("/api/v1/traces/x".to_owned(), of_trace, 400),
        ("/api/v1/traces/%FF".to_owned(), of_trace, 400),
        ("/api/v1/traces".to_owned(), "/api/v1/traces", 200),
        ("/api/v1/traces?sort=co2e&limit=1".to_owned(), "/api/v1/traces", 200),
        ("/api/v1/traces?sort=size".to_owned(), "/api/v1/traces", 400),
        ("/api/v1/conversations/talk%2F1%20%C3%A4".to_owned(), "/api/v1/conversations/{id}", 200),
        ("/api/v1/conversations/x".to_owned(), "/api/v1/conversations/{id}", 404),
        ("/api/v1/conversations/%FF".to_owned(), "/api/v1/conversations/{id}", 400),
        ("/api/v1/unknown-models".to_owned(), "/api/v1/unknown-models", 200),
        ("/api/v1/budgets".to_owned(), "/api/v1/budgets", 200),
    ];
    for (path, described, status) in asked {
        let (found, body) = json(address, &path).await;
        assert_eq!(found, status, "{path}: {body}");
        let answer = &description.document["paths"][described]["get"]["responses"][status.to_string()];
        let schema = answer["content"]["application/json"]["schema"].clone();
        assert!(schema.is_object(), "{described} {status} is not described");
        description.hold(&body, &schema, &path);
    }
    let lacking: Vec<_> = description.all().difference(&description.seen).cloned().collect();
    assert_eq!(lacking, Vec::<String>::new(), "described, and never answered");
    let paths: Vec<_> = description.document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths.len(), 6, "{paths:?}: each was asked above, and the description itself");
}
