//! The same outputs of the EcoLogits package, this time as attributes of spans: the golden calls go through the
//! enricher as OTLP bytes.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::csv::{Row, rows};

/// 2026-11-01T00:00:00Z in nanoseconds.
const START_NS: u64 = 1_793_491_200_000_000_000;

fn span(row: &Row) -> Span {
    let attribute = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    let latency_s: f64 = row["request_latency_s"].parse().unwrap();
    // No limit is a span without times.
    let (start, end) = match latency_s.is_finite() {
        true => (START_NS, START_NS + u64::try_from(std::time::Duration::from_secs_f64(latency_s).as_nanos()).unwrap()),
        false => (0, 0),
    };
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: vec![
            attribute("gen_ai.operation.name", Value::StringValue("chat".to_owned())),
            attribute("gen_ai.provider.name", Value::StringValue(row["provider"].clone())),
            attribute("gen_ai.request.model", Value::StringValue(row["model"].clone())),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(1000)),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(row["output_tokens"].parse().unwrap())),
        ],
        ..Default::default()
    }
}

fn enriched(enricher: &Enricher, span: Span) -> Span {
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    let request = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    let bytes = enricher.enrich(&request, Instant::now()).unwrap().bytes;
    let mut request = ExportTraceServiceRequest::decode(bytes).unwrap();
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

fn double(span: &Span, key: &str) -> f64 {
    let pair = span.attributes.iter().find(|pair| pair.key == format!("gramtrace.{key}")).expect(key);
    match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::DoubleValue(double) => *double,
        other => panic!("{key} is {other:?}"),
    }
}

#[test]
fn spans_carry_what_the_package_computes() {
    let settings = EnrichSettings {
        significant_digits: 17,
        detail: gramtrace::enrich::Detail::Full,
        method: gramtrace::estimate::Method::EcoLogits,
        ..EnrichSettings::default()
    };
    let enricher = Enricher::new(Arc::new(Registry::builtin().unwrap()), &settings);
    let mut cases = 0;
    for row in rows(include_str!("data/ecologits.csv")) {
        // Without tokens a span says nothing; a zone is an argument of the package and no attribute.
        if !row["errors"].is_empty() || !row["zone_arg"].is_empty() || row["output_tokens"] == "0" {
            continue;
        }
        let span = enriched(&enricher, span(&row));
        for (key, column, scale) in [
            ("energy_low_wh", "energy_kwh_min", 1000.0),
            ("energy_high_wh", "energy_kwh_max", 1000.0),
            ("co2e_low_g", "gwp_usage_kg_min", 1000.0),
            ("co2e_high_g", "gwp_usage_kg_max", 1000.0),
            ("embodied_co2e_low_g", "gwp_embodied_kg_min", 1000.0),
            ("embodied_co2e_high_g", "gwp_embodied_kg_max", 1000.0),
            ("grid.g_per_kwh", "grid_gwp_kg_kwh", 1000.0),
        ] {
            let expected = row[column].parse::<f64>().unwrap() * scale;
            let got = double(&span, key);
            assert!((got - expected).abs() <= 1e-9 * expected, "{} {key}: {got}, not {expected}", row["case_id"]);
        }
        let mean = |low: &str, high: &str| f64::midpoint(row[low].parse().unwrap(), row[high].parse().unwrap());
        for (key, expected) in [
            ("energy_wh", mean("energy_kwh_min", "energy_kwh_max") * 1e3),
            ("co2e_g", mean("gwp_usage_kg_min", "gwp_usage_kg_max") * 1e3),
            ("embodied_co2e_g", mean("gwp_embodied_kg_min", "gwp_embodied_kg_max") * 1e3),
            ("pue", mean("pue_min", "pue_max")),
            ("water_ml", mean("wcf_l_min", "wcf_l_max") * 1e3),
        ] {
            let got = double(&span, key);
            assert!((got - expected).abs() <= 1e-9 * expected, "{} {key}: {got}, not {expected}", row["case_id"]);
        }
        cases += 1;
    }
    assert_eq!(cases, 75, "rows without an error, a zone argument, or zero tokens");
}
