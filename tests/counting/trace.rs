//! Traces to count: spans with the attributes that an instrumentation would write, and what became of them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use gramtrace::genai::Extensions;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

pub const CLIENT: i32 = 3;
const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_790_000_000 * SECOND;

/// A span and the scope that wrote it.
#[derive(Debug, Clone)]
pub struct Reported {
    pub scope: String,
    pub span: Span,
}

/// A span of the one trace there is, by its number, from second 0 to second 1.
pub fn span(scope: &str, number: u8) -> Reported {
    let span = Span {
        trace_id: vec![9; 16],
        span_id: vec![0, 0, 0, 0, 0, 0, 0, number],
        start_time_unix_nano: START,
        end_time_unix_nano: START + SECOND,
        ..Default::default()
    };
    Reported { scope: scope.to_owned(), span }
}

impl Reported {
    fn attribute(mut self, key: &str, value: Value) -> Self {
        let value = Some(AnyValue { value: Some(value) });
        self.span.attributes.push(KeyValue { key: key.to_owned(), value, ..Default::default() });
        self
    }

    pub fn text(self, key: &str, text: &str) -> Self {
        self.attribute(key, Value::StringValue(text.to_owned()))
    }

    pub fn int(self, key: &str, int: i64) -> Self {
        self.attribute(key, Value::IntValue(int))
    }

    pub fn usage(self, input: i64, output: i64) -> Self {
        self.int("gen_ai.usage.input_tokens", input).int("gen_ai.usage.output_tokens", output)
    }

    pub fn chat(self, model: &str) -> Self {
        self.text("gen_ai.operation.name", "chat").text("gen_ai.request.model", model)
    }

    pub fn below(mut self, parent: u8) -> Self {
        self.span.parent_span_id = vec![0, 0, 0, 0, 0, 0, 0, parent];
        self
    }

    pub fn kind(mut self, kind: i32) -> Self {
        self.span.kind = kind;
        self
    }

    pub fn failed(mut self) -> Self {
        self.span.status = Some(Status { code: 2, message: String::new() });
        self
    }

    /// Seconds from the start of the trace.
    pub fn time(mut self, from: u64, to: u64) -> Self {
        self.span.start_time_unix_nano = START + from * SECOND;
        self.span.end_time_unix_nano = START + to * SECOND;
        self
    }
}

pub fn request(spans: &[Reported]) -> Bytes {
    let scope_spans = spans.iter().map(|reported| ScopeSpans {
        scope: Some(InstrumentationScope { name: reported.scope.clone(), ..Default::default() }),
        spans: vec![reported.span.clone()],
        ..Default::default()
    });
    let resource_spans = vec![ResourceSpans { scope_spans: scope_spans.collect(), ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// What became of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counted {
    /// Status by the number of the span.
    pub status: BTreeMap<u8, String>,
    pub calls: usize,
    pub input: i64,
    pub output: i64,
    /// A plain sum over spans.
    pub co2e_g: f64,
    /// Zone of the grid by the number of the span.
    pub zone: BTreeMap<u8, String>,
    /// Spans whose operation is on no list, as booked.
    pub unlisted: u64,
}

/// An enricher with an empty memory. The registry takes a while to load, and never changes.
fn enricher(extensions: Extensions) -> Enricher {
    static REGISTRY: OnceLock<Arc<Registry>> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Arc::new(Registry::builtin().unwrap()));
    let settings = EnrichSettings { significant_digits: 17, extensions, ..EnrichSettings::default() };
    Enricher::new(Arc::clone(registry), &settings)
}

/// Sends requests one after the other, each acknowledged, and adds up what stands on the spans.
pub fn count(requests: &[Vec<Reported>]) -> Counted {
    count_with(Extensions::default(), requests)
}

/// The same with names and rules beside the built-in ones.
pub fn count_with(extensions: Extensions, requests: &[Vec<Reported>]) -> Counted {
    let enricher = enricher(extensions);
    let mut counted = Counted::default();
    for spans in requests {
        let enriched = enricher.enrich(&request(spans), Instant::now()).unwrap();
        counted.unlisted += enriched.claim.acknowledge().tally.unlisted;
        let request = ExportTraceServiceRequest::decode(enriched.bytes).unwrap();
        for span in request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans) {
            add(&mut counted, &span);
        }
    }
    counted
}

fn add(counted: &mut Counted, span: &Span) {
    for pair in &span.attributes {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        match (pair.key.as_str(), value) {
            ("gramtrace.status", Some(Value::StringValue(status))) => {
                counted.calls += usize::from(["ok", "unknown_model", "no_model"].contains(&status.as_str()));
                counted.status.insert(span.span_id[7], status.clone());
            }
            ("gramtrace.grid.zone", Some(Value::StringValue(zone))) => {
                counted.zone.insert(span.span_id[7], zone.clone());
            }
            ("gramtrace.tokens.input", Some(Value::IntValue(tokens))) => counted.input += tokens,
            ("gramtrace.tokens.output", Some(Value::IntValue(tokens))) => counted.output += tokens,
            ("gramtrace.co2e_g", Some(Value::DoubleValue(grams))) => counted.co2e_g += grams,
            _ => {}
        }
    }
}
