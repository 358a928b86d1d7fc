//! Settle: which reports count. Remote agents with calls below them become aggregates, each call keeps one report of
//! those in the request, and what other requests reported has the last word. The only step with a state.

use std::collections::HashMap;
use std::time::Instant;

use super::plan::{Plan, PlannedSpan};
use crate::genai::{Entered, Memory, Report, Role, Status, calls_of, remote_agents_above};
use crate::otlp::{Field, Reader, SpanAt, Value, WireError, value, walk};

/// Trace id and span id.
type SpanId<'a> = (&'a [u8], &'a [u8]);

impl<'a> Plan<'a> {
    /// Whether something is to be settled: requests without reports never touch the memory.
    #[must_use]
    pub fn has_reports(&self) -> bool {
        self.spans.iter().any(|span| span.call.is_some())
    }

    /// Decides which reports count, whatever the order of spans in the request. Gives what entered the memory.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`, which [`super::Enricher::plan`] would have found.
    pub fn settle(&mut self, memory: &mut Memory, now: Instant) -> Result<Entered, WireError> {
        memory.expire(now);
        self.settle_remote_agents(memory)?;
        let indices: Vec<usize> = (0..self.spans.len()).filter(|&index| self.spans[index].call.is_some()).collect();
        let reports: Vec<_> = indices.iter().filter_map(|&index| report_of(&self.spans[index])).collect();
        let mut entered = Entered::default();
        let mut verdicts = Vec::with_capacity(reports.len());
        for call in calls_of(&reports) {
            let within: Vec<_> = (0..)
                .zip(&call)
                .map(|(rank, &at)| {
                    (reports[at], if rank == 0 { self.spans[indices[at]].status } else { Status::Duplicate })
                })
                .collect();
            let settled = memory.settle(&within, now, &mut entered);
            verdicts.extend(call.into_iter().map(|at| indices[at]).zip(settled));
        }
        for (index, verdict) in verdicts {
            self.spans[index].status = verdict.status;
            self.spans[index].is_repeat = verdict.is_repeat;
        }
        Ok(entered)
    }

    fn settle_remote_agents(&mut self, memory: &Memory) -> Result<(), WireError> {
        let is_agent = |span: &PlannedSpan<'_>| span.role == Role::RemoteAgent && span.call.is_some();
        let agents: Vec<usize> = (0..self.spans.len()).filter(|&index| is_agent(&self.spans[index])).collect();
        if agents.is_empty() {
            return Ok(());
        }
        let parents = parents(self.request)?;
        let above_calls = self.spans.iter().filter(|span| span.call.is_some()).map(|span| {
            let (trace_id, span_id) = id_of(span);
            (trace_id, parents.get(&(trace_id, span_id)).copied().unwrap_or_default())
        });
        // Calls that other requests reported are known by the span that is directly above them.
        let above_remembered =
            parents.keys().filter(|(trace_id, span_id)| memory.has_child(trace_id, span_id)).copied();
        let ids: Vec<_> = agents.iter().map(|&index| id_of(&self.spans[index])).collect();
        let repeats = remote_agents_above(&ids, above_calls.chain(above_remembered), &parents);
        for (index, repeats) in agents.into_iter().zip(repeats) {
            if repeats {
                self.spans[index].status = Status::Aggregate;
                self.spans[index].call = None;
            }
        }
        Ok(())
    }
}

fn id_of<'a>(span: &PlannedSpan<'a>) -> SpanId<'a> {
    (span.fields.trace_id, span.fields.span_id)
}

/// The span as a report of a call, if it is one.
fn report_of<'a>(span: &PlannedSpan<'a>) -> Option<Report<'a>> {
    let call = span.call.as_ref()?;
    Some(Report {
        trace_id: span.fields.trace_id,
        span_id: span.fields.span_id,
        parent_id: span.fields.parent_id,
        scope: call.scope,
        time_ns: (span.fields.start_ns, span.fields.end_ns),
        totals: (call.usage.input.get(), call.usage.output.get()),
        response_id: call.response_id,
        resolves: call.priced.is_some(),
        detailed: call.usage.cache_read.or(call.usage.cache_write).or(call.usage.reasoning).is_some(),
    })
}

/// The parent's span id of every span in a request. Only requests with a remote agent pay for it.
fn parents(request: &[u8]) -> Result<HashMap<SpanId<'_>, &[u8]>, WireError> {
    let mut parents = HashMap::new();
    walk(request, |SpanAt { span, .. }| {
        let (mut trace_id, mut span_id, mut parent_id) = (&[][..], &[][..], &[][..]);
        let mut reader = Reader::within(request, span);
        while let Some(Field { number, value }) = reader.field()? {
            match (number, value) {
                (1, Value::Bytes(id)) => trace_id = value::slice(request, id),
                (2, Value::Bytes(id)) => span_id = value::slice(request, id),
                (4, Value::Bytes(id)) => parent_id = value::slice(request, id),
                _ => {}
            }
        }
        parents.insert((trace_id, span_id), parent_id);
        Ok(())
    })?;
    Ok(parents)
}
