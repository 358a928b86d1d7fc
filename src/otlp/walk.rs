//! From a trace request to its spans: ResourceSpans -> ScopeSpans -> Span, in the order of the wire, without
//! allocating. Also counts items of the other signals. Reads envelopes only; attributes are read elsewhere.
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>

use super::Signal;
use super::reader::{Extent, Field, Reader, Value, WireError, WireErrorKind};

/// `ExportTraceServiceRequest.resource_spans`, and its like in the other signals.
const RESOURCE_ITEMS: u8 = 1;
/// `ResourceSpans.resource`.
const RESOURCE: u8 = 1;
/// `ResourceSpans.scope_spans`, and its like in the other signals.
const SCOPE_ITEMS: u8 = 2;
/// `ScopeSpans.scope`.
const SCOPE: u8 = 1;
/// `ScopeSpans.spans`, and its like in the other signals.
const ITEMS: u8 = 2;

/// A span inside its request, with the messages around it.
#[derive(Debug, Clone, Copy)]
pub struct SpanAt {
    /// The `ResourceSpans` it is in.
    pub resource_spans: Extent,
    /// The `ScopeSpans` it is in.
    pub scope_spans: Extent,
    /// The `Span` itself.
    pub span: Extent,
    /// The `Resource`, where there is one. Of several, which protobuf would merge, the last.
    pub resource: Option<Extent>,
}

impl SpanAt {
    /// The `InstrumentationScope`, where there is one. Of several, which protobuf would merge, the last. Few ask for it,
    /// and it takes a look at every span beside it.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ScopeSpans`.
    pub fn scope(&self, request: &[u8]) -> Result<Option<Extent>, WireError> {
        last(Reader::within(request, self.scope_spans), SCOPE)
    }
}

/// Calls `visit` for each span of a trace request, in the order of the wire, and gives the number of spans.
/// Fields may come in any order: the Go Collector writes a message's fields descending.
///
/// # Errors
/// [`WireError`] for bytes that are no `ExportTraceServiceRequest`, or what `visit` returns.
pub fn walk(request: &[u8], mut visit: impl FnMut(&SpanAt) -> Result<(), WireError>) -> Result<u64, WireError> {
    let mut spans = 0u64;
    each(Reader::new(request), RESOURCE_ITEMS, |resource_spans| {
        let resource = last(Reader::within(request, resource_spans), RESOURCE)?;
        each(Reader::within(request, resource_spans), SCOPE_ITEMS, |scope_spans| {
            let mut reader = Reader::within(request, scope_spans);
            let mut at = SpanAt { resource_spans, scope_spans, span: scope_spans, resource };
            while let Some((_, span)) = reader.find_beside(ITEMS, SCOPE)? {
                spans += 1;
                at.span = span;
                visit(&at)?;
            }
            Ok(())
        })
    })?;
    Ok(spans)
}

/// The number of items in a request: spans, log records, or data points of metrics.
///
/// # Errors
/// [`WireError`] for bytes that are no request of that signal, as far as the items' envelopes go.
pub fn count(signal: Signal, request: &[u8]) -> Result<u64, WireError> {
    count_inside(signal, request, 0, Extent { prefix: 0, start: 0, end: request.len() })
}

/// The number of items in a message: the request itself at `depth` 0, then its `Resource*`, `Scope*`, and an item.
pub(super) fn count_inside(signal: Signal, request: &[u8], depth: usize, message: Extent) -> Result<u64, WireError> {
    let number = match depth {
        0 => RESOURCE_ITEMS,
        1 => SCOPE_ITEMS,
        2 => ITEMS,
        _ if signal == Signal::Metrics => return data_points(request, message),
        _ => return Ok(1),
    };
    let mut items = 0u64;
    each(Reader::within(request, message), number, |child| {
        items += count_inside(signal, request, depth + 1, child)?;
        Ok(())
    })?;
    Ok(items)
}

/// `Metric.{gauge, sum, histogram, exponential_histogram, summary}`: in each, field 1 holds the data points.
fn data_points(request: &[u8], metric: Extent) -> Result<u64, WireError> {
    let mut points = 0u64;
    let mut reader = Reader::within(request, metric);
    while let Some(field) = reader.field()? {
        if let Field { number: 5 | 7 | 9 | 10 | 11, value } = field {
            each(Reader::within(request, message(value, metric)?), 1, |_| {
                points += 1;
                Ok(())
            })?;
        }
    }
    Ok(points)
}

#[inline]
fn each(
    mut reader: Reader<'_>,
    number: u8,
    mut visit: impl FnMut(Extent) -> Result<(), WireError>,
) -> Result<(), WireError> {
    while let Some((_, extent)) = reader.find(number)? {
        visit(extent)?;
    }
    Ok(())
}

fn last(mut reader: Reader<'_>, number: u8) -> Result<Option<Extent>, WireError> {
    let mut found = None;
    while let Some((_, extent)) = reader.find(number)? {
        found = Some(extent);
    }
    Ok(found)
}

fn message(value: Value, around: Extent) -> Result<Extent, WireError> {
    match value {
        Value::Bytes(extent) => Ok(extent),
        _ => Err(WireError { offset: around.start, kind: WireErrorKind::WrongWireType }),
    }
}
