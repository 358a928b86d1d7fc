//! Who is above whom among the spans of one request. Knows ids alone; of what lies beyond the request only the one id
//! that leads there. Deep trees and cycles cost one step a span, since nothing is climbed twice.

use std::collections::HashMap;

use super::keyed::Keyed;
use super::report::{SpanId, TraceId};
use crate::otlp::{Extent, Field, Reader, SpanAt, Value, WireError, value, walk};

/// `Span.parent_span_id`.
const PARENT: u8 = 4;
/// Steps that are climbed without a note of where one was: traces are seldom deeper within one request.
const SHALLOW: usize = 16;

/// A span's id in its trace.
pub type SpanKey = (TraceId, SpanId);

/// The parent of every span in a request.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    parents: HashMap<SpanKey, Option<SpanId>, Keyed>,
}

/// What was found on the way up from spans, so that the next climb stops where one was before.
pub type Found<T> = HashMap<SpanKey, Option<T>, Keyed>;

impl Lineage {
    /// Reads the ids of every span in a request of about `spans` spans; those with invalid ids have no place in a tree.
    /// Those without a parent are given to `root`, whatever their ids.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn read(request: &[u8], spans: usize, mut root: impl FnMut(SpanAt)) -> Result<Self, WireError> {
        let mut parents = HashMap::with_capacity_and_hasher(spans, Keyed);
        walk(request, |at| {
            let Ids { key, parent } = ids(request, at.span)?;
            if parent.is_none() {
                root(at);
            }
            if let Some(key) = key {
                parents.insert(key, parent);
            }
            Ok(())
        })?;
        Ok(Self { parents })
    }

    /// The first thing that `find` finds at `from` or above it in the request, the id that leads out of it included.
    pub fn climb<T: Copy>(
        &self,
        from: SpanKey,
        known: &mut Found<T>,
        find: impl Fn(SpanKey) -> Option<T>,
    ) -> Option<T> {
        let (mut path, mut at) = (Vec::new(), from);
        let found = loop {
            if let Some(found) = known.get(&at) {
                break *found;
            }
            if let Some(found) = find(at) {
                break Some(found);
            }
            // Until it is known: a cycle finds nothing.
            known.insert(at, None);
            path.push(at);
            match self.parents.get(&at) {
                Some(Some(parent)) => at.1 = *parent,
                Some(None) | None => break None,
            }
        };
        if found.is_some() {
            known.extend(path.into_iter().map(|key| (key, found)));
        }
        found
    }

    /// The id above `from` that is of no span in the request; `None` below a root.
    pub fn outside(&self, from: SpanKey, known: &mut Found<SpanId>) -> Option<SpanId> {
        let mut at = from;
        for _ in 0..SHALLOW {
            match self.parents.get(&at) {
                Some(Some(parent)) => at.1 = *parent,
                Some(None) => return None,
                None => return Some(at.1),
            }
        }
        self.climb(at, known, |key| (!self.parents.contains_key(&key)).then_some(key.1))
    }

    /// The parent of a span in the request.
    #[must_use]
    pub fn parent(&self, (trace_id, span_id): SpanKey) -> Option<SpanKey> {
        self.parents.get(&(trace_id, span_id)).copied().flatten().map(|parent| (trace_id, parent))
    }

    /// Every span in the request.
    pub fn spans(&self) -> impl Iterator<Item = SpanKey> {
        self.parents.keys().copied()
    }
}

/// The ids of one span, as far as they are valid.
#[derive(Debug, Clone, Copy)]
struct Ids {
    key: Option<SpanKey>,
    parent: Option<SpanId>,
}

fn ids(request: &[u8], span: Extent) -> Result<Ids, WireError> {
    let Some((key, rest)) = leading_ids(value::slice(request, span)) else { return any_ids(request, span) };
    if let [0x22, 8, rest @ ..] = rest
        && let Some(parent) = rest.first_chunk::<8>().and_then(|id| SpanId::read(id))
    {
        return Ok(Ids { key: Some(key), parent: Some(parent) });
    }
    let parent = parent_behind(request, Extent { start: span.end - rest.len(), ..span })?;
    Ok(Ids { key: Some(key), parent })
}

/// The span's own ids where they stand first, as nearly always, and what comes behind them. One that is written again,
/// which no encoder does, is not looked for.
#[inline]
fn leading_ids(span: &[u8]) -> Option<(SpanKey, &[u8])> {
    let ([0x0a, 16], rest) = span.split_first_chunk()? else { return None };
    let (trace_id, rest) = rest.split_first_chunk::<16>()?;
    let ([0x12, 8], rest) = rest.split_first_chunk()? else { return None };
    let (span_id, rest) = rest.split_first_chunk::<8>()?;
    Some(((TraceId::read(trace_id)?, SpanId::read(span_id)?), rest))
}

/// The parent, wherever it stands.
#[inline(never)]
fn parent_behind(request: &[u8], rest: Extent) -> Result<Option<SpanId>, WireError> {
    let (mut reader, mut parent_id) = (Reader::within(request, rest), None);
    while let Some((id, _)) = reader.find(PARENT)? {
        parent_id = SpanId::read(id);
    }
    Ok(parent_id)
}

#[inline(never)]
fn any_ids(request: &[u8], span: Extent) -> Result<Ids, WireError> {
    let (mut trace_id, mut span_id, mut parent) = (None, None, None);
    let mut reader = Reader::within(request, span);
    while let Some(Field { number, value }) = reader.field()? {
        match (number, value) {
            (1, Value::Bytes(id)) => trace_id = TraceId::read(value::slice(request, id)),
            (2, Value::Bytes(id)) => span_id = SpanId::read(value::slice(request, id)),
            (4, Value::Bytes(id)) => parent = SpanId::read(value::slice(request, id)),
            _ => {}
        }
    }
    Ok(Ids { key: trace_id.zip(span_id), parent })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;

    fn trace() -> TraceId {
        TraceId::read(&[7; 16]).unwrap()
    }

    fn id(number: u64) -> SpanId {
        SpanId::read(&number.to_be_bytes()).unwrap()
    }

    /// Spans as (id, parent), where 0 is no parent.
    fn lineage(spans: &[(u64, u64)]) -> Lineage {
        let span = |&(id, parent): &(u64, u64)| Span {
            trace_id: vec![7; 16],
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        Lineage::read(&ExportTraceServiceRequest { resource_spans }.encode_to_vec(), spans.len(), |_| {}).unwrap()
    }

    #[test]
    fn the_way_out_is_the_first_id_that_is_not_there() {
        let lineage = lineage(&[(1, 2), (2, 3), (3, 99), (4, 0), (5, 4)]);
        let mut known = Found::default();
        let mut outside = |number| lineage.outside((trace(), id(number)), &mut known);
        assert_eq!([1, 3, 2, 4, 5].map(&mut outside), [Some(id(99)), Some(id(99)), Some(id(99)), None, None]);
    }

    #[test]
    fn a_cycle_leads_nowhere_and_ends() {
        let lineage = lineage(&[(1, 2), (2, 1), (3, 1)]);
        let mut known = Found::default();
        assert_eq!([1, 2, 3].map(|number| lineage.outside((trace(), id(number)), &mut known)), [None, None, None]);
    }

    #[test]
    fn a_deep_tree_costs_one_step_a_span() {
        let lineage = lineage(&(1..=20_000).map(|number| (number, number + 1)).collect::<Vec<_>>());
        let mut known = Found::default();
        let out = (1..=20_000).rev().map(|number| lineage.outside((trace(), id(number)), &mut known));
        assert!(out.into_iter().all(|outside| outside == Some(id(20_001))));
    }
}
