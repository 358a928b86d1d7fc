//! Summaries of traces as an export request: one span under each root, with the totals alone. The same trace is always
//! summed up by the same span. Knows the wire and the keys; nothing of when a trace is summed up, nor of who gets it.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Enricher;
use crate::otlp::value::append_varint;
use crate::trace::ledger::{SpanKey, Summary, TraceKey};

/// The instrumentation scope, and the name of the span.
const SCOPE: &str = "gramtrace";
const NAME: &str = "gramtrace.trace";
/// `Span.kind` INTERNAL.
const INTERNAL: u8 = 1;

/// The id of the span that sums a trace up: a repeat is the same span.
#[must_use]
pub fn summary_span_id(trace_id: &TraceKey) -> SpanKey {
    let digest = Sha256::new().chain_update(b"gramtrace summary span").chain_update(trace_id).finalize();
    let id = digest.first_chunk::<8>().copied().unwrap_or_default();
    // All zeros are no id.
    if id == [0; 8] { [1; 8] } else { id }
}

impl Enricher {
    /// An `ExportTraceServiceRequest` with a span for each summary: in the root's resource, in the scope `gramtrace`, at
    /// the root's end, with `trace.*` and nothing else.
    #[must_use]
    pub fn summarize(&self, summaries: &[Summary]) -> Bytes {
        let mut request = Vec::new();
        for of_resource in summaries.chunk_by(|one, other| one.root.resource == other.root.resource) {
            let mut scope_spans = Vec::new();
            let mut scope = Vec::new();
            delimited(&mut scope, 1, SCOPE.as_bytes());
            delimited(&mut scope_spans, 1, &scope);
            for summary in of_resource {
                delimited(&mut scope_spans, 2, &self.summary_span(summary));
            }
            let mut resource_spans = Vec::new();
            if let Some(Summary { root, .. }) = of_resource.first().filter(|it| !it.root.resource.is_empty()) {
                delimited(&mut resource_spans, 1, &root.resource);
            }
            delimited(&mut resource_spans, 2, &scope_spans);
            delimited(&mut request, 1, &resource_spans);
        }
        request.into()
    }

    fn summary_span(&self, Summary { root, account, .. }: &Summary) -> Vec<u8> {
        let mut span = Vec::with_capacity(512);
        delimited(&mut span, 1, &root.trace_id);
        delimited(&mut span, 2, &summary_span_id(&root.trace_id));
        delimited(&mut span, 4, &root.span_id);
        delimited(&mut span, 5, NAME.as_bytes());
        span.extend_from_slice(&[6 << 3, INTERNAL]);
        for number in [7, 8] {
            span.push(number << 3 | 1);
            span.extend_from_slice(&root.end_ns.to_le_bytes());
        }
        self.root_writer.write(&mut span, account);
        span
    }
}

/// A field with a length.
fn delimited(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    append_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}
