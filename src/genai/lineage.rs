//! Who is above whom among the spans of one request. Knows ids alone; of what lies beyond the request only the one id
//! that leads there. Deep trees and cycles cost a few steps a span: beyond those nothing is climbed twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use super::keyed::{Keyed, KeyedHasher};
use super::report::{SpanId, TraceId};
use crate::otlp::{Extent, Field, PlainField, Reader, SpanAt, Value, WireError, parent_id, value, walk};

/// Steps that are climbed without a note of where one was: traces are seldom deeper within one request.
const SHALLOW: usize = 16;

/// A span's id in its trace.
pub type SpanKey = (TraceId, SpanId);

/// The parent of every span in a request. The spans stand in a row; those with one hash are looked up from its slot on.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    spans: Vec<(SpanKey, Option<SpanId>)>,
    /// Places in `spans`, one higher; 0 in slots that are free. At most half of them are taken.
    slots: Vec<u32>,
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
        let mut lineage = Self::with_capacity(spans);
        let mut of_trace: Option<(TraceId, KeyedHasher)> = None;
        walk(request, |at| {
            let Ids { key, parent } = ids(request, at.span)?;
            if parent.is_none() {
                root(*at);
            }
            if let Some(key) = key {
                // Spans of one trace often follow each other.
                let hasher = match of_trace {
                    Some((known, hasher)) if known == key.0 => hasher,
                    _ => of_trace.insert((key.0, hasher_of(key.0))).1,
                };
                lineage.insert(key, parent, hash_of(hasher, key.1));
            }
            Ok(())
        })?;
        Ok(lineage)
    }

    fn with_capacity(spans: usize) -> Self {
        Self { spans: Vec::with_capacity(spans), slots: vec![0; (2 * spans.max(1)).next_power_of_two()] }
    }

    /// Of a span that is there twice the last counts.
    #[inline]
    fn insert(&mut self, key: SpanKey, parent: Option<SpanId>, hash: u64) {
        if 2 * self.spans.len() >= self.slots.len() {
            self.grow();
        }
        let slot = self.slot(key, hash);
        match self.slots.get(slot).and_then(|at| self.spans.get_mut((*at as usize).wrapping_sub(1))) {
            Some(known) => known.1 = parent,
            None => {
                self.spans.push((key, parent));
                if let Some(free) = self.slots.get_mut(slot) {
                    *free = u32::try_from(self.spans.len()).unwrap_or_default();
                }
            }
        }
    }

    /// The slot of a span: its own, or the free one that is its.
    #[inline]
    fn slot(&self, key: SpanKey, hash: u64) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = usize::try_from(hash).unwrap_or_default() & mask;
        while let Some(at) = self.slots.get(slot)
            && let Some((known, _)) = self.spans.get((*at as usize).wrapping_sub(1))
            && *known != key
        {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[cold]
    fn grow(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        *self = Self::with_capacity(2 * spans.len());
        spans.into_iter().for_each(|(key, parent)| {
            self.insert(key, parent, hash_of(hasher_of(key.0), key.1));
        });
    }

    /// Of a span in the request its parent, where it has one.
    #[inline]
    fn get(&self, key: SpanKey) -> Option<Option<SpanId>> {
        let at = *self.slots.get(self.slot(key, hash_of(hasher_of(key.0), key.1)))?;
        self.spans.get((at as usize).wrapping_sub(1)).map(|(_, parent)| *parent)
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
            match self.get(at) {
                Some(Some(parent)) => at.1 = parent,
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
            match self.get(at) {
                Some(Some(parent)) => at.1 = parent,
                Some(None) => return None,
                None => return Some(at.1),
            }
        }
        self.climb(at, known, |key| self.get(key).is_none().then_some(key.1))
    }

    /// The parent of a span in the request.
    #[must_use]
    pub fn parent(&self, (trace_id, span_id): SpanKey) -> Option<SpanKey> {
        self.get((trace_id, span_id)).flatten().map(|parent| (trace_id, parent))
    }

    /// Every span in the request.
    pub fn spans(&self) -> impl Iterator<Item = SpanKey> {
        self.spans.iter().map(|(key, _)| *key)
    }
}

/// The hash of a span's key: what its trace brings to it, and then the whole.
#[inline]
fn hasher_of(trace_id: TraceId) -> KeyedHasher {
    let mut hasher = Keyed.build_hasher();
    trace_id.hash(&mut hasher);
    hasher
}

#[inline]
fn hash_of(mut of_trace: KeyedHasher, span_id: SpanId) -> u64 {
    span_id.hash(&mut of_trace);
    of_trace.finish()
}

/// The ids of one span, as far as they are valid.
#[derive(Debug, Clone, Copy)]
struct Ids {
    key: Option<SpanKey>,
    parent: Option<SpanId>,
}

#[inline]
fn ids(request: &[u8], span: Extent) -> Result<Ids, WireError> {
    let bytes = value::slice(request, span);
    if let Some((key, rest)) = leading_ids(bytes) {
        if let [0x22, 8, rest @ ..] = rest
            && let Some(parent) = rest.first_chunk::<8>().and_then(|id| SpanId::read(id))
        {
            return Ok(Ids { key: Some(key), parent: Some(parent) });
        }
        let parent = parent_behind(request, Extent { start: span.end - rest.len(), ..span })?;
        return Ok(Ids { key: Some(key), parent });
    }
    match trailing_ids(bytes) {
        Some(ids) => Ok(ids),
        None => any_ids(request, span),
    }
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

/// A child's ids where they stand last, as the Go Collector writes them.
fn trailing_ids(span: &[u8]) -> Option<Ids> {
    let ids = span.last_chunk::<38>()?;
    let (([0x22, 8], ids), is_first) = (ids.split_first_chunk()?, span.first() == Some(&0x0a)) else { return None };
    let (parent, ids) = ids.split_first_chunk::<8>()?;
    let ([0x12, 8], ids) = ids.split_first_chunk()? else { return None };
    let (span_id, ids) = ids.split_first_chunk::<8>()?;
    let trace_id = ids.strip_prefix(&[0x0a, 16]).filter(|_| !is_first)?;
    Some(Ids { key: TraceId::read(trace_id).zip(SpanId::read(span_id)), parent: Some(SpanId::read(parent)?) })
}

/// The parent, wherever it stands.
#[inline(never)]
fn parent_behind(request: &[u8], rest: Extent) -> Result<Option<SpanId>, WireError> {
    Ok(parent_id(request, rest)?.and_then(SpanId::read))
}

#[inline(never)]
fn any_ids(request: &[u8], span: Extent) -> Result<Ids, WireError> {
    let (mut trace_id, mut span_id, mut parent) = (None, None, None);
    let mut reader = Reader::within(request, span);
    loop {
        while let Some(PlainField { tag, content }) = reader.plain_field() {
            match tag {
                0x0a => trace_id = TraceId::read(content),
                0x12 => span_id = SpanId::read(content),
                0x22 => parent = SpanId::read(content),
                _ => {}
            }
        }
        let Some(Field { number, value }) = reader.field()? else { break };
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
