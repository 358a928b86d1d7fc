//! What must hold whatever the bytes: each function is a target for a fuzzer, and panics where something does not hold.
//! Knows no fuzzer.

#[path = "../json/writer.rs"]
mod writer;

use std::io::Read;
use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::config::Config;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use gramtrace::otlp::{Signal, count, json, walk};
use gramtrace::wire::{Encoding, InflateError};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A target, and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Target; 5] = [
    ("walk", walking),
    ("splice", splicing),
    ("json", reading_json),
    ("inflate", inflating),
    ("configuration", configuring),
];

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];
/// What may come out of a compressed body.
const LIMIT: usize = 1 << 20;

static ENRICHER: LazyLock<Enricher> =
    LazyLock::new(|| Enricher::new(Registry::builtin().expect("it is built in").into(), &EnrichSettings::default()));

fn spans(request: &ExportTraceServiceRequest) -> Vec<&Span> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).collect()
}

/// A request as far as it is walked; the rest is bytes.
#[derive(Clone, PartialEq, Message)]
struct Envelopes {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceEnvelope>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceEnvelope {
    #[prost(bytes = "vec", tag = "1")]
    resource: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeEnvelope>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeEnvelope {
    #[prost(bytes = "vec", tag = "1")]
    scope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    spans: Vec<Vec<u8>>,
}

/// What prost can read is walked, span for span and byte for byte, what it cannot is not, and extents lie inside of each
/// other.
pub fn walking(data: &[u8]) {
    let mut seen = 0;
    let mut walked_spans = Vec::new();
    let walked = walk(data, |at| {
        seen += 1;
        walked_spans.push(data[at.span.start..at.span.end].to_vec());
        assert!(at.resource_spans.start <= at.scope_spans.prefix && at.scope_spans.end <= at.resource_spans.end);
        assert!(
            at.scope_spans.start <= at.span.prefix && at.span.end <= at.scope_spans.end && at.span.end <= data.len()
        );
        Ok(())
    });
    for signal in SIGNALS {
        let _ = count(signal, data);
    }
    let envelopes = Envelopes::decode(data);
    assert_eq!(walked.is_ok(), envelopes.is_ok(), "{walked:?}, {envelopes:?}");
    if let Ok(envelopes) = envelopes {
        let scopes = envelopes.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        assert_eq!(walked_spans, scopes.flat_map(|scope| scope.spans).collect::<Vec<_>>());
    }
    if let Ok(decoded) = ExportTraceServiceRequest::decode(data) {
        assert_eq!(walked, Ok(spans(&decoded).len() as u64));
        assert_eq!(count(Signal::Traces, data), walked);
        assert_eq!(walked, Ok(seen));
    }
}

/// A request that prost can read is the same behind the splice, but for receipts that were appended to its spans; one
/// without receipts is the very bytes that came.
pub fn splicing(data: &[u8]) {
    let request = Bytes::copy_from_slice(data);
    let Ok(enriched) = ENRICHER.enrich(&request, Instant::now()) else { return };
    drop(enriched.claim);
    let Ok(before) = ExportTraceServiceRequest::decode(data) else { return };
    let mut after = ExportTraceServiceRequest::decode(&enriched.bytes[..]).expect("it could be read before");
    let lengths: Vec<usize> = spans(&before).iter().map(|span| span.attributes.len()).collect();
    assert_eq!(spans(&after).len(), lengths.len());
    let appended = spans(&after).into_iter().zip(&lengths).flat_map(|(span, length)| &span.attributes[*length..]);
    let mut receipts = 0;
    for attribute in appended {
        receipts += 1;
        let is_ours = ["gramtrace.", "gen_ai.footprint."].iter().any(|prefix| attribute.key.starts_with(prefix));
        assert!(is_ours && attribute.value.is_some(), "{attribute:?}");
    }
    if receipts == 0 {
        assert_eq!((enriched.bytes.as_ptr(), enriched.bytes.len()), (request.as_ptr(), request.len()));
    }
    let scopes = after.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for (span, length) in scopes.flat_map(|scope| &mut scope.spans).zip(lengths) {
        span.attributes.truncate(length);
    }
    // By their bytes: a NaN is not equal to itself.
    assert_eq!(after.encode_to_vec(), before.encode_to_vec());
}

/// What is read from JSON is a request that prost can read, and says the same when that is written as JSON again.
pub fn reading_json(data: &[u8]) {
    for signal in SIGNALS {
        let Ok(bytes) = json::decode(signal, data) else { continue };
        assert!(count(signal, &bytes).is_ok(), "{}", signal.name());
        match signal {
            Signal::Traces => written_again(signal, &bytes, |it| writer::PLAIN.traces(it)),
            Signal::Metrics => written_again(signal, &bytes, |it| writer::PLAIN.metrics(it)),
            Signal::Logs => written_again(signal, &bytes, |it| writer::PLAIN.logs(it)),
        }
    }
}

fn written_again<M: Message + Default>(signal: Signal, bytes: &[u8], write: impl Fn(&M) -> String) {
    let request = M::decode(bytes).expect("what is made of JSON can be read");
    let text = write(&request);
    let again = json::decode(signal, text.as_bytes()).expect("what is written by the specification can be read");
    let again = M::decode(&again[..]).expect("what is made of JSON can be read");
    // By their bytes: a NaN is not equal to itself.
    assert_eq!(again.encode_to_vec(), request.encode_to_vec(), "{text}");
}

/// Nothing inflates beyond its limit, other readers of the same encoding agree, and what was deflated inflates to itself.
pub fn inflating(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let inflated = encoding.inflate(body.clone(), LIMIT);
        assert!(inflated.as_ref().map_or(0, Bytes::len) <= LIMIT);
        match (plainly(encoding, data), &inflated) {
            (Some(expected), Ok(inflated)) => assert_eq!(inflated, &expected),
            (Some(expected), Err(InflateError::TooLarge { .. })) => assert!(expected.len() > LIMIT),
            (Some(_), Err(error)) => assert_eq!(*error, InflateError::WindowTooLarge),
            (None, inflated) => assert!(inflated.is_err(), "{encoding:?}: nobody else reads it"),
        }
        if let Some(len) = encoding.announced(data).filter(|len| *len <= LIMIT)
            && let Some(at_once) = encoding.inflate_at_once(data, len)
        {
            assert_eq!(inflated, Ok(at_once));
        }
        let deflated = encoding.deflate(&body, 1).expect("memory takes everything");
        if data.len() <= LIMIT {
            assert_eq!(encoding.inflate(deflated, LIMIT), Ok(body.clone()));
        }
    }
}

/// What the libraries make of a body by themselves, at most one byte more than the limit.
fn plainly(encoding: Encoding, data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let most = LIMIT as u64 + 1;
    let read = match encoding {
        Encoding::Gzip => flate2::read::MultiGzDecoder::new(data).take(most).read_to_end(&mut out),
        _ => zstd::stream::read::Decoder::with_buffer(data).ok()?.take(most).read_to_end(&mut out),
    };
    read.ok().map(|_| out)
}

/// Loading ends, with a configuration or with errors of which each says what is wrong, and where: on a line that is there.
pub fn configuring(data: &[u8]) {
    let environment = |name: &str| (name == "A").then(|| "[1, {b: c}]".to_owned());
    let Err(errors) = Config::parse("gramtrace.yaml", data, &environment) else { return };
    assert!(!errors.0.is_empty());
    // Both end a line in YAML, and the end of a file that ends within one is behind it.
    let lines = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 2;
    for error in errors.0 {
        assert!(!error.message.is_empty());
        assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{lines} lines: {error}");
        // What is missing altogether stands nowhere.
        assert!(error.line.is_some() || error.path.is_empty() || !error.path.contains("::"), "{error}");
    }
}
