//! What must hold whatever the bytes: each function is a target for a fuzzer, and panics where something does not hold.
//! Knows no fuzzer.

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::config::Config;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use gramtrace::otlp::{Signal, count, json, walk};
use gramtrace::wire::Encoding;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
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

/// What prost can read is walked, span for span, and extents lie inside of each other.
pub fn walking(data: &[u8]) {
    let mut seen = 0;
    let walked = walk(data, |at| {
        seen += 1;
        assert!(at.resource_spans.start <= at.scope_spans.prefix && at.scope_spans.end <= at.resource_spans.end);
        assert!(
            at.scope_spans.start <= at.span.prefix && at.span.end <= at.scope_spans.end && at.span.end <= data.len()
        );
        Ok(())
    });
    for signal in SIGNALS {
        let _ = count(signal, data);
    }
    if let Ok(decoded) = ExportTraceServiceRequest::decode(data) {
        assert_eq!(walked, Ok(spans(&decoded).len() as u64));
        assert_eq!(count(Signal::Traces, data), walked);
        assert_eq!(walked, Ok(seen));
    }
}

/// A request that prost can read is the same behind the splice, but for what was appended to its spans; and it is
/// planned alike when it comes again.
pub fn splicing(data: &[u8]) {
    let request = Bytes::copy_from_slice(data);
    let Ok(enriched) = ENRICHER.enrich(&request, Instant::now()) else { return };
    drop(enriched.claim);
    let Ok(before) = ExportTraceServiceRequest::decode(data) else { return };
    let mut after = ExportTraceServiceRequest::decode(&enriched.bytes[..]).expect("it could be read before");
    let lengths: Vec<usize> = spans(&before).iter().map(|span| span.attributes.len()).collect();
    assert_eq!(spans(&after).len(), lengths.len());
    let scopes = after.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for (span, length) in scopes.flat_map(|scope| &mut scope.spans).zip(lengths) {
        span.attributes.truncate(length);
    }
    // By their bytes: a NaN is not equal to itself.
    assert_eq!(after.encode_to_vec(), before.encode_to_vec());
}

/// What is read from JSON is a request that prost can read.
pub fn reading_json(data: &[u8]) {
    for signal in SIGNALS {
        let Ok(bytes) = json::decode(signal, data) else { continue };
        let is_read = match signal {
            Signal::Traces => ExportTraceServiceRequest::decode(&bytes[..]).is_ok(),
            Signal::Metrics => ExportMetricsServiceRequest::decode(&bytes[..]).is_ok(),
            Signal::Logs => ExportLogsServiceRequest::decode(&bytes[..]).is_ok(),
        };
        assert!(is_read, "{}", signal.name());
        assert!(count(signal, &bytes).is_ok());
    }
}

/// Nothing inflates beyond its limit, and what was deflated inflates to itself.
pub fn inflating(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        if let Ok(inflated) = encoding.inflate(body.clone(), LIMIT) {
            assert!(inflated.len() <= LIMIT);
        }
        if data.len() <= LIMIT {
            let deflated = encoding.deflate(&body, 1).expect("memory takes everything");
            assert_eq!(encoding.inflate(deflated, LIMIT), Ok(body.clone()));
        }
    }
}

/// Loading ends, with a configuration or with errors that say where.
pub fn configuring(data: &[u8]) {
    let environment = |name: &str| (name == "A").then(|| "[1, {b: c}]".to_owned());
    let _ = Config::parse("gramtrace.yaml", data, &environment);
}
