//! The spans in the corpus that count as model calls, by the instrumentation that wrote them.

use std::collections::BTreeMap;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Keys whose value tells one answer of a model from another.
pub(super) const RESPONSE_IDS: [&str; 3] = ["gen_ai.response.id", "ai.response.id", "llm.openai.id"];

/// The calls that one instrumentation reported in one capture.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) scope: InstrumentationScope,
    pub(super) spans: Vec<Span>,
}

/// Every instrumentation of the corpus that reports calls which count, in the order of files and scopes.
pub(super) fn sets() -> Vec<Set> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut rows = csv::Reader::from_path(corpus.join("expected_spans.csv")).expect("the corpus has its rows");
    let mut sets: BTreeMap<(String, String), Set> = BTreeMap::new();
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("a row is one");
        if row["counts"] != "yes" || !row["file"].ends_with(".pb") {
            continue;
        }
        let body = std::fs::read(corpus.join(&row["file"])).expect("a row has its file");
        let request = ExportTraceServiceRequest::decode(&body[..]).expect("a capture is a request");
        let at: Vec<usize> = row["index"].split('/').map(|part| part.parse().expect("a place")).collect();
        let scope_spans = &request.resource_spans[at[0]].scope_spans[at[1]];
        let key = (row["file"].clone(), row["scope"].clone());
        let scope = || scope_spans.scope.clone().unwrap_or_default();
        sets.entry(key)
            .or_insert_with(|| Set { scope: scope(), spans: Vec::new() })
            .spans
            .push(simplified(&scope_spans.spans[at[2]]));
    }
    assert!(sets.len() > 20, "{} sets", sets.len());
    sets.into_values().collect()
}

/// Without the events, in which some instrumentations repeat their prompts.
fn simplified(span: &Span) -> Span {
    Span { events: Vec::new(), ..span.clone() }
}

/// Cuts a string that has more than `limit` bytes; what must be read as a whole stays whole.
pub(super) fn cut(attribute: &mut KeyValue, limit: usize) {
    let is_telling = attribute.key.contains("usage") || attribute.key.contains("model");
    let Some(value) = attribute.value.as_mut().and_then(|value| value.value.as_mut()) else { return };
    match value {
        Value::StringValue(text) if !is_telling => text.truncate(text.floor_char_boundary(limit)),
        Value::ArrayValue(array) => array.values.truncate(limit / 64),
        _ => {}
    }
}
