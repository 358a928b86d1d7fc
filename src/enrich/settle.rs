//! Settle: which reports of a request count. Remote agents with calls below them become aggregates, then each call
//! keeps one report.

use std::collections::HashMap;

use super::plan::{Plan, PlannedSpan};
use crate::genai::{Report, Role, Status, counted, remote_agents_with_children};
use crate::otlp::{Field, Reader, SpanAt, Value, WireError, value, walk};

/// Trace id and span id.
type SpanId<'a> = (&'a [u8], &'a [u8]);

impl Plan<'_> {
    /// Decides which reports count, whatever the order of spans in the request.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`, which [`super::Enricher::plan`] would have found.
    pub fn settle(&mut self) -> Result<(), WireError> {
        self.settle_remote_agents()?;
        let reports: Vec<usize> =
            (0..self.spans.len()).filter(|&index| report_of(&self.spans[index]).is_some()).collect();
        let counts = counted(&reports.iter().filter_map(|&index| report_of(&self.spans[index])).collect::<Vec<_>>());
        for (index, counts) in reports.into_iter().zip(counts) {
            if !counts {
                self.spans[index].status = Status::Duplicate;
            }
        }
        Ok(())
    }

    fn settle_remote_agents(&mut self) -> Result<(), WireError> {
        let is_agent = |span: &PlannedSpan<'_>| span.role == Role::RemoteAgent && span.call.is_some();
        let agents: Vec<usize> = (0..self.spans.len()).filter(|&index| is_agent(&self.spans[index])).collect();
        if agents.is_empty() {
            return Ok(());
        }
        let calls: Vec<_> = self.spans.iter().filter(|span| span.call.is_some()).map(id_of).collect();
        let ids: Vec<_> = agents.iter().map(|&index| id_of(&self.spans[index])).collect();
        let repeats = remote_agents_with_children(&ids, &calls, &parents(self.request)?);
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
