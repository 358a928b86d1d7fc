//! Settle: which reports of a request count, by what it says itself and by what other requests said lately. The only
//! step with a state, which is passed in, as is the time.

use std::time::Instant;

use super::plan::{Plan, PlannedSpan};
use crate::genai::{Batch, Claims, Fingerprint, Fingerprints, Memory, Report, Role, SpanId, Status, TraceId, Verdict};
use crate::otlp::WireError;
use crate::units::TokenUsage;

/// The reports of calls in a plan.
#[derive(Debug, Default)]
pub struct Reports {
    batch: Batch,
    /// Of which span each report is.
    spans: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Planned(usize),
    Enriched(usize),
}

impl Reports {
    /// Whether there is nothing to settle.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

impl Plan<'_> {
    /// The spans with usage as reports of calls. Those with an invalid trace id are none: nothing can be compared with
    /// them, so they stand for themselves.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`, which [`super::Enricher::plan`] would have found.
    pub fn reports(&mut self, names: &Fingerprints) -> Result<Reports, WireError> {
        let mut reports = Reports::default();
        let planned = self.spans.iter().enumerate().map(|(index, span)| (Place::Planned(index), span));
        let enriched = self.enriched.iter().enumerate().map(|(index, span)| (Place::Enriched(index), span));
        let mut scopes = Scopes { names, last: None };
        for (place, span) in planned.chain(enriched) {
            if let Some(mut report) = report_of(span, &mut scopes) {
                if let Place::Enriched(_) = place {
                    report.decided = verdict_of(span.status);
                    report.resolves = matches!(span.status, Status::Ok | Status::Repriced);
                }
                reports.batch.reports.push(report);
                reports.spans.push(place);
            }
        }
        // Above roots there is nothing; below a remote agent there may be.
        if reports.batch.reports.iter().any(|report| report.parent_id.is_some() || report.remote_agent) {
            let mut roots = self.roots.is_none().then(Vec::new);
            let spans = usize::try_from(self.total).unwrap_or_default();
            reports.batch.place_in_tree(self.request, spans, |at| roots.iter_mut().for_each(|roots| roots.push(at)))?;
            self.roots = self.roots.take().or(roots);
        }
        Ok(reports)
    }

    /// Decides which reports count, whatever the order of spans in the request. Gives what the memory has to be told when
    /// the request has been answered.
    pub fn settle(&mut self, reports: &Reports, memory: &mut Memory, now: Instant) -> Claims {
        let settled = memory.settle(&reports.batch, now);
        for (place, verdict) in reports.spans.iter().zip(settled.verdicts) {
            if let Place::Planned(index) = place
                && let Some(span) = self.spans.get_mut(*index)
            {
                span.give(verdict);
            }
        }
        settled.claims
    }
}

impl PlannedSpan<'_> {
    fn give(&mut self, verdict: Verdict) {
        self.status = match verdict {
            Verdict::Counts => return,
            Verdict::Repriced if self.status == Status::Ok => Status::Repriced,
            Verdict::Repriced | Verdict::Duplicate => Status::Duplicate,
            Verdict::Aggregate => Status::Aggregate,
        };
    }
}

impl Reports {
    /// For each claim of the memory, the span of the plan that it is for.
    pub(super) fn planned(&self) -> impl Iterator<Item = Option<usize>> {
        self.spans.iter().map(|place| match place {
            Place::Planned(index) => Some(*index),
            Place::Enriched(_) => None,
        })
    }

    /// For each span of the plan, those that came enriched behind the others, which of the reports it is.
    pub(super) fn of_spans(&self, planned: usize, enriched: usize) -> Vec<Option<usize>> {
        let mut reports = vec![None; planned + enriched];
        for (report, place) in self.spans.iter().enumerate() {
            let (Place::Planned(at) | Place::Enriched(at)) = *place;
            let at = if let Place::Enriched(_) = place { planned + at } else { at };
            if let Some(known) = reports.get_mut(at) {
                *known = Some(report);
            }
        }
        reports
    }
}

/// The fingerprints of scopes: spans of one scope follow each other.
struct Scopes<'a> {
    names: &'a Fingerprints,
    last: Option<(&'a str, Fingerprint)>,
}

impl<'a> Scopes<'a> {
    fn of(&mut self, scope: &'a str) -> Fingerprint {
        match self.last {
            Some((known, fingerprint)) if std::ptr::eq(known, scope) => fingerprint,
            _ => self.last.insert((scope, self.names.of(scope))).1,
        }
    }
}

/// The span as a report of a call, if it is one.
fn report_of<'a>(span: &PlannedSpan<'a>, scopes: &mut Scopes<'a>) -> Option<Report> {
    let call = span.call.as_ref()?;
    Some(Report {
        trace_id: TraceId::read(span.fields.trace_id)?,
        span_id: SpanId::read(span.fields.span_id),
        parent_id: SpanId::read(span.fields.parent_id),
        outside_id: None,
        scope: scopes.of(call.scope),
        time_ns: (span.fields.start_ns, span.fields.end_ns),
        totals: (call.usage.input.get(), call.usage.output.get()),
        response_id: call.response_id.map(|id| scopes.names.of(id)),
        resolves: call.priced.is_some(),
        detailed: is_detailed(&call.usage),
        remote_agent: span.role == Role::RemoteAgent,
        decided: None,
    })
}

fn is_detailed(usage: &TokenUsage) -> bool {
    usage.cache_read.or(usage.cache_write).or(usage.reasoning).is_some()
}

fn verdict_of(status: Status) -> Option<Verdict> {
    match status {
        Status::Ok | Status::UnknownModel | Status::NoModel => Some(Verdict::Counts),
        Status::Duplicate => Some(Verdict::Duplicate),
        Status::Repriced => Some(Verdict::Repriced),
        Status::Aggregate | Status::NoTokens | Status::Error => None,
    }
}
