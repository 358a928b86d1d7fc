//! The receipt that the README shows, against what the enricher writes for the call that it shows.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// The span of the README's script, enriched with what is configured by default.
fn receipt() -> Vec<(String, String)> {
    let attribute = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    let text = |text: &str| Value::StringValue(text.to_owned());
    let start = 1_790_000_000_000_000_000;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: start,
        end_time_unix_nano: start + 5_000_000_000,
        attributes: vec![
            attribute("gen_ai.operation.name", text("chat")),
            attribute("gen_ai.provider.name", text("openai")),
            attribute("gen_ai.response.model", text("gpt-4o-mini-2024-07-18")),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(1017)),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(213)),
        ],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    let request = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    let enricher = Enricher::new(Arc::new(Registry::builtin().unwrap()), &EnrichSettings::default());
    let bytes = enricher.enrich(&request, Instant::now()).unwrap().bytes;
    let mut answer = ExportTraceServiceRequest::decode(bytes).unwrap();
    let span = answer.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
    let written = |pair: KeyValue| match pair.value.unwrap().value.unwrap() {
        Value::StringValue(text) => (pair.key, text),
        Value::DoubleValue(double) => (pair.key, double.to_string()),
        Value::IntValue(int) => (pair.key, int.to_string()),
        Value::BoolValue(flag) => (pair.key, flag.to_string()),
        other => panic!("{} is {other:?}", pair.key),
    };
    span.attributes.into_iter().map(written).collect()
}

/// Keys and values of the table, as the README has them.
fn shown() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## What stands on a span").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let bare = |cell: &str| cell.split(", ").map(|each| each.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
    let rows = section.lines().filter(|line| line.starts_with("| `gramtrace."));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let (keys, values) = (bare(cells[1]), bare(cells[2]));
        assert_eq!(keys.len(), values.len(), "{row}");
        keys.into_iter().zip(values)
    })
    .collect()
}

#[test]
fn the_receipt_in_the_readme_is_what_is_written() {
    let receipt = receipt();
    let shown = shown();
    for (key, value) in &shown {
        let (_, written) = receipt.iter().find(|(written, _)| written == key).unwrap_or_else(|| panic!("no {key}"));
        match key.as_str() {
            // Its hash changes with every number of the registry.
            "gramtrace.registry" => assert!(written.starts_with("2026.1+") && value.starts_with("2026.1+")),
            _ => assert_eq!(written, value, "{key}"),
        }
    }
    // Totals of the trace have a table of their own.
    let is_of_call = |key: &str| key.starts_with("gramtrace.") && !key.starts_with("gramtrace.trace.");
    let ours = receipt.iter().filter(|(key, _)| is_of_call(key));
    for (key, value) in ours {
        assert!(shown.iter().any(|(shown, _)| shown == key), "{key} {value} is not in the README");
    }
}
