//! Trace requests as a gateway sees them, made from the shapes of captured GenAI spans and of ordinary spans by the
//! semantic conventions. Deterministic: the same description gives the same bytes, on every machine.
//! Uses prost, and none of the code under test.

#![allow(dead_code)] // each benchmark uses its part

mod captured;
mod descending;
mod ordinary;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// Spans of one resource, as an SDK batches them.
const SPANS_A_RESOURCE: usize = 32;
/// Spans of one trace.
const SPANS_A_TRACE: usize = 8;
/// When the first span starts.
const EPOCH_NS: u64 = 1_790_000_000_000_000_000;
/// How long a span takes, and the time between two starts: no two overlap, so no two are taken for one call.
const SPAN_NS: u64 = 900_000_000;
const STEP_NS: u64 = 1_000_000_000;

/// How many of a request's spans are model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenAi {
    None,
    Fifth,
    All,
}

/// How many bytes a span has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 640 on average, resources and scopes included. Spans of model calls keep all their attributes, so they have more
    /// than others: of requests that have nothing else the average is higher.
    Usual,
    /// 4 to 32 KiB: prompts and answers are recorded.
    Long,
}

/// The order of fields in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By number, as every protobuf library writes them.
    Ascending,
    /// The other way round, in every message, as the Go Collector writes them.
    Descending,
}

/// What a request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub spans: usize,
    pub gen_ai: GenAi,
    pub size: Size,
    pub order: Order,
    /// Combinations of values that the attributes of [`ORIGIN_KEYS`] have on resources; 0 leaves them out.
    pub origins: usize,
}

/// Attributes by which calls can be told apart beside their service.
pub const ORIGIN_KEYS: [&str; 4] = ["team.name", "feature.name", "tenant.tier", "deployment.environment.name"];

/// The mix that the bars are about.
pub const MIX: Shape =
    Shape { spans: 512, gen_ai: GenAi::Fifth, size: Size::Usual, order: Order::Ascending, origins: 0 };

impl Shape {
    /// Spans of a request that are model calls.
    pub fn calls(&self) -> usize {
        (0..self.spans).filter(|&index| self.gen_ai.has(index)).count()
    }

    /// Bytes that the `index`th span should have.
    fn bytes(&self, index: usize) -> usize {
        match (self.size, self.gen_ai) {
            (Size::Usual, GenAi::Fifth) => 445,
            (Size::Usual, _) => 630,
            (Size::Long, _) => 4096 + index * 7919 % (28 * 1024 + 1),
        }
    }
}

impl GenAi {
    fn has(self, index: usize) -> bool {
        match self {
            Self::None => false,
            Self::Fifth => index % 5 == 2,
            Self::All => true,
        }
    }
}

/// Makes requests of one shape, each with traces of its own.
#[derive(Debug)]
pub struct Traffic {
    shape: Shape,
    sets: Vec<captured::Set>,
    ordinary: Vec<ordinary::Set>,
    made: u64,
}

impl Traffic {
    pub fn new(shape: Shape) -> Self {
        Self { shape, sets: captured::sets(), ordinary: ordinary::sets(), made: 0 }
    }

    /// The next request, encoded.
    pub fn request(&mut self) -> Vec<u8> {
        let bytes = self.message().encode_to_vec();
        match self.shape.order {
            Order::Ascending => bytes,
            Order::Descending => descending::descending(&bytes),
        }
    }

    /// A template for requests of this shape.
    pub fn template(&mut self) -> Template {
        Template(self.message())
    }

    fn message(&mut self) -> ExportTraceServiceRequest {
        let first = self.made * self.shape.spans as u64;
        self.made += 1;
        let resource_spans = (0..self.shape.spans)
            .step_by(SPANS_A_RESOURCE)
            .map(|start| self.resource_spans(first, start..self.shape.spans.min(start + SPANS_A_RESOURCE)))
            .collect();
        ExportTraceServiceRequest { resource_spans }
    }

    /// Where the `number`th resource is told to be from.
    fn origin(&self, number: u64) -> impl Iterator<Item = KeyValue> {
        let at = number.checked_rem(self.shape.origins as u64);
        let values = at.map(|at| [at % 10, at / 10 % 10, at / 100 % 10, at / 1000]);
        let pairs = ORIGIN_KEYS.into_iter().zip(values.into_iter().flatten());
        pairs.map(|(key, value)| text(key, format!("{}-{value}", key.split('.').next_back().unwrap_or_default())))
    }

    /// One service: its ordinary spans by scope, then its model calls, seen by one instrumentation.
    fn resource_spans(&self, first: u64, range: std::ops::Range<usize>) -> ResourceSpans {
        let number = range.start / SPANS_A_RESOURCE;
        let (calls, others): (Vec<_>, Vec<_>) = range.partition(|&index| self.shape.gen_ai.has(index));
        let stamped = |index: usize, template: &Span| {
            let mut span = template.clone();
            stamp(&mut span, first + index as u64);
            fill(&mut span, self.shape.bytes(index));
            span
        };
        let mut scope_spans = Vec::new();
        for (at, chunk) in others.chunks(others.len().div_ceil(2).max(1)).enumerate() {
            let set = &self.ordinary[(number * 2 + at) % self.ordinary.len()];
            let spans = chunk.iter().map(|&index| stamped(index, &set.spans[index % set.spans.len()]));
            scope_spans.push(in_scope(&set.scope, spans.collect()));
        }
        if !calls.is_empty() {
            let set = &self.sets[number % self.sets.len()];
            let spans = calls.iter().enumerate().map(|(at, &index)| stamped(index, &set.spans[at % set.spans.len()]));
            scope_spans.push(in_scope(&set.scope, spans.collect()));
        }
        let mut resource = resource(number);
        resource.attributes.extend(self.origin(first / SPANS_A_RESOURCE as u64 + number as u64));
        ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() }
    }
}

/// A request that is made once and sent often, each time with other traces.
#[derive(Debug)]
pub struct Template(ExportTraceServiceRequest);

impl Template {
    /// The spans of the template with numbers from `first` on, encoded, and the id of the first.
    pub fn request(&mut self, first: u64) -> (Vec<u8>, Vec<u8>) {
        let scopes = self.0.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        let spans = scopes.flat_map(|scope| &mut scope.spans);
        spans.zip(first..).for_each(|(span, number)| stamp(span, number));
        (self.0.encode_to_vec(), mixed(first + 1).to_be_bytes().to_vec())
    }
}

fn in_scope(scope: &InstrumentationScope, spans: Vec<Span>) -> ScopeSpans {
    ScopeSpans { scope: Some(scope.clone()), spans, schema_url: String::new() }
}

fn resource(number: usize) -> Resource {
    let attributes = [
        ("service.name", format!("checkout-{number}")),
        ("service.version", "2.14.1".to_owned()),
        ("k8s.pod.name", format!("checkout-{number}-6c5f9d7b4-x2v8q")),
        ("telemetry.sdk.language", "python".to_owned()),
        ("telemetry.sdk.name", "opentelemetry".to_owned()),
        ("telemetry.sdk.version", "1.39.0".to_owned()),
    ];
    Resource { attributes: attributes.into_iter().map(|(key, value)| text(key, value)).collect(), ..Default::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// Gives a span its ids and its time, and every id of an answer that it carries its number, so that all calls differ.
fn stamp(span: &mut Span, number: u64) {
    let trace = number / SPANS_A_TRACE as u64;
    span.trace_id = [mixed(trace).to_be_bytes(), mixed(!trace).to_be_bytes()].concat();
    span.span_id = mixed(number + 1).to_be_bytes().to_vec();
    span.parent_span_id = match number % SPANS_A_TRACE as u64 {
        0 => Vec::new(),
        _ => mixed(trace * SPANS_A_TRACE as u64 + 1).to_be_bytes().to_vec(),
    };
    span.start_time_unix_nano = EPOCH_NS + number * STEP_NS;
    span.end_time_unix_nano = span.start_time_unix_nano + SPAN_NS;
    for event in &mut span.events {
        event.time_unix_nano = span.start_time_unix_nano + SPAN_NS / 2;
    }
    for attribute in span.attributes.iter_mut().filter(|attribute| captured::RESPONSE_IDS.contains(&&*attribute.key)) {
        attribute.value =
            Some(AnyValue { value: Some(Value::StringValue(format!("chatcmpl-{:016x}", mixed(number)))) });
    }
}

/// Cuts the strings of a span that has more than `bytes`, longest first, or appends one to a span that has fewer.
fn fill(span: &mut Span, bytes: usize) {
    let mut limit = 4096;
    while span.encoded_len() > bytes && limit > 32 {
        limit = limit * 3 / 4;
        span.attributes.iter_mut().for_each(|attribute| captured::cut(attribute, limit));
    }
    let missing = bytes.saturating_sub(span.encoded_len());
    let is_call = span.attributes.iter().any(|attribute| attribute.key.starts_with("gen_ai."));
    let key = if is_call { "gen_ai.output.messages" } else { "exception.stacktrace" };
    if missing > key.len() + 16 {
        span.attributes.push(text(key, prose(missing - key.len() - 9)));
    }
}

/// `len` bytes of text that compresses about as well as text does.
fn prose(len: usize) -> String {
    const WORDS: [&str; 16] = [
        "the",
        "order",
        "answer",
        "is",
        "shipped",
        "tomorrow",
        "because",
        "warehouse",
        "Berlin",
        "of",
        "tokens",
        "model",
        "at",
        "io.netty.channel",
        "invoke",
        "and",
    ];
    let mut out = String::with_capacity(len + 20);
    let mut number = len as u64;
    while out.len() < len {
        number = mixed(number);
        out.push_str(WORDS[(number % 16) as usize]);
        out.push(if number.is_multiple_of(7) { '.' } else { ' ' });
    }
    out.truncate(len);
    out
}

/// A number that looks like none: splitmix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
