//! What a request is booked as once it has been acknowledged, and what it has in the memory until then: where it never
//! is, its reports leave again. Knows numbers; nothing of the metrics that they end in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Enricher;
use super::emission::{self, Emission, Share};
use super::plan::{Plan, PlannedSpan};
use super::service::Services;
use super::settle::Reports;
use super::tally::Tally;
use super::traces::TraceClaim;
use crate::genai::{Claims, Dialect, Memory, Role, SpanId, Status, TraceId};
use crate::trace::ledger::PassedRoot;

/// The memory of calls. Shared by everything that must count a call once, and kept when a configuration is reloaded.
pub type SharedMemory = Arc<Mutex<Memory>>;

/// A thread that panicked with the memory in its hands has at worst lost a report.
pub(super) fn lock(memory: &SharedMemory) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an acknowledged request is booked as.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Books {
    /// Spans.
    pub tally: Tally,
    /// What calls took, an item for each combination of labels.
    pub emissions: Vec<Emission>,
    /// Models that the registry does not know, with their provider: a call each.
    pub unknown_models: Vec<(String, Option<String>)>,
    /// Roots that passed, where traces are summed up.
    pub passed_roots: Vec<PassedRoot>,
    /// Whether some of its calls were booked with another request.
    pub has_repeats: bool,
}

/// A request that is enriched and not answered yet. Unless it is acknowledged its reports leave the memory again: then
/// another report of the call, or the same one sent again, counts.
#[derive(Debug)]
#[must_use = "dropping it takes the request's reports out of the memory"]
pub struct Claim {
    spans: u64,
    enriched_before: u64,
    /// By their labels, with nothing added yet.
    emissions: Vec<Emission>,
    bookings: Vec<Booking>,
    /// Where the request has reports: what the memory is to be told.
    memory: Option<(SharedMemory, Claims)>,
    /// What the totals of traces get.
    traces: Option<TraceClaim>,
    /// When it came.
    now: Instant,
}

/// One span's part of the books.
#[derive(Debug)]
struct Booking {
    status: Status,
    dialect: Dialect,
    /// Whether its operation is on no list.
    unlisted: bool,
    /// Where it is a call, or brings the value of one.
    share: Option<Share>,
    unknown_model: Option<Box<(String, Option<String>)>>,
    /// Which of the request's reports it is: one that was acknowledged before, with another request, is not booked again.
    report: Option<usize>,
    /// The ids of its trace and span, where it is a call that is no report: booked once, too.
    sighting: Option<(TraceId, SpanId)>,
}

impl Booking {
    fn of(span: &PlannedSpan<'_>, share: Option<Share>) -> Self {
        let unknown_model = span.call.as_ref().filter(|_| span.status == Status::UnknownModel).and_then(|call| {
            let provider = span.served.stated.map(str::to_owned);
            Some(Box::new((call.name?.to_owned(), provider)))
        });
        Self {
            status: span.status,
            dialect: span.dialect,
            unlisted: span.role == Role::Unlisted,
            share,
            unknown_model,
            report: None,
            sighting: sighting(span),
        }
    }
}

impl Claim {
    pub(super) fn new<'a>(
        enricher: &Enricher,
        plan: &Plan<'a>,
        settled: Option<(SharedMemory, &Reports, Claims)>,
        (services, now): (&mut Services<'a>, Instant),
    ) -> Self {
        let (emissions, shares) = emission::of(enricher, plan, services);
        let mut bookings: Vec<Booking> =
            plan.spans().iter().zip(shares).map(|(span, share)| Booking::of(span, share)).collect();
        let memory = settled.map(|(memory, reports, claims)| {
            for (report, span) in reports.planned().enumerate() {
                if let Some(booking) = span.and_then(|span| bookings.get_mut(span)) {
                    booking.report = Some(report);
                }
            }
            (memory, claims)
        });
        let (spans, enriched_before) = (plan.total, plan.enriched_before);
        Self { spans, enriched_before, emissions, bookings, memory, traces: None, now }
    }

    /// The same, with what the totals of traces get.
    pub(super) fn with_traces(mut self, traces: Option<TraceClaim>) -> Self {
        self.traces = traces;
        self
    }

    /// The request was acknowledged: its reports stay, and this is what is to be booked.
    pub fn acknowledge(mut self) -> Books {
        let passed_roots = self.traces.as_mut().map(TraceClaim::take_passed).unwrap_or_default();
        let is_new = self.confirm();
        let emissions = std::mem::take(&mut self.emissions);
        let mut books = Books { tally: Tally::new(self.spans, self.enriched_before), emissions, ..Books::default() };
        for (booking, is_new) in std::mem::take(&mut self.bookings).into_iter().zip(is_new) {
            books.has_repeats |= !is_new;
            if is_new {
                books.add(booking);
            }
        }
        books.emissions.retain(|emission| !emission.is_empty());
        books.passed_roots = passed_roots;
        books
    }
}

impl Claim {
    /// Confirms the reports, and books what is new of them for traces. Both in one: nobody finds a report confirmed, and
    /// not in the totals of its trace. Gives for each span whether it is new.
    fn confirm(&mut self) -> Vec<bool> {
        let traces = self.traces.take();
        let book = |is_first: &[bool]| traces.into_iter().for_each(|traces| traces.book(is_first));
        let Some((memory, claims)) = self.memory.take() else {
            book(&[]);
            return vec![true; self.bookings.len()];
        };
        let mut memory = lock(&memory);
        let is_first = memory.confirm(&claims);
        book(&is_first);
        let is_new = |booking: &Booking| match (booking.report, booking.sighting) {
            (Some(report), _) => is_first.get(report).copied().unwrap_or(true),
            (None, Some(ids)) => memory.is_first_sighting(ids, self.now),
            (None, None) => true,
        };
        self.bookings.iter().map(is_new).collect()
    }
}

impl PlannedSpan<'_> {
    /// Its ids, where both are valid.
    pub(super) fn ids(&self) -> Option<(TraceId, SpanId)> {
        TraceId::read(self.fields.trace_id).zip(SpanId::read(self.fields.span_id))
    }
}

/// The ids of a call that carries no usage, where they are valid: without usage it is no report.
pub(super) fn sighting(span: &PlannedSpan<'_>) -> Option<(TraceId, SpanId)> {
    let is_call = matches!(span.status, Status::NoTokens | Status::Error);
    if is_call { span.ids() } else { None }
}

impl Books {
    fn add(&mut self, booking: Booking) {
        self.tally.add(booking.status, booking.dialect);
        self.tally.unlisted += u64::from(booking.unlisted);
        if let Some(share) = &booking.share
            && let Some(emission) = self.emissions.get_mut(share.emission)
        {
            emission.add(share);
        }
        self.unknown_models.extend(booking.unknown_model.map(|model| *model));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((memory, claims)) = self.memory.take() {
            lock(&memory).release(claims);
        }
    }
}
