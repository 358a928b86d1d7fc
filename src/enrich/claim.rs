//! What a request is booked as once it has been acknowledged, and what it has in the memory until then: where it never
//! is, its reports leave again. Knows numbers; nothing of the metrics that they end in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan::{Plan, PlannedSpan};
use super::settle::Reports;
use super::tally::Tally;
use super::traces::TraceClaim;
use crate::genai::{Claims, Dialect, Memory, Role, Status, adjusted_count};
use crate::units::TokenUsage;

/// The memory of calls. Shared by everything that must count a call once, and kept when a configuration is reloaded.
pub type SharedMemory = Arc<Mutex<Memory>>;

/// A thread that panicked with the memory in its hands has at worst lost a report.
pub(super) fn lock(memory: &SharedMemory) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an acknowledged request is booked as.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Books {
    /// Numbers.
    pub tally: Tally,
    /// Models that the registry does not know, with their provider: a call each.
    pub unknown_models: Vec<(String, Option<String>)>,
}

/// A request that is enriched and not answered yet. Unless it is acknowledged its reports leave the memory again: then
/// another report of the call, or the same one sent again, counts.
#[derive(Debug)]
#[must_use = "dropping it takes the request's reports out of the memory"]
pub struct Claim {
    spans: u64,
    enriched_before: u64,
    bookings: Vec<Booking>,
    /// Where the request has reports: what the memory is to be told.
    memory: Option<(SharedMemory, Claims)>,
    /// What the totals of traces get.
    traces: Option<TraceClaim>,
}

/// One span's part of the books.
#[derive(Debug)]
struct Booking {
    status: Status,
    dialect: Dialect,
    /// Whether its operation is on no list.
    unlisted: bool,
    weight: f64,
    /// Where its tokens count.
    usage: Option<TokenUsage>,
    unknown_model: Option<Box<(String, Option<String>)>>,
    /// Which of the request's reports it is: one that was acknowledged before, with another request, is not booked again.
    report: Option<usize>,
}

impl Booking {
    fn of(span: &PlannedSpan<'_>) -> Self {
        let counting = span.call.as_ref().filter(|_| span.status.counts());
        let unknown_model = counting.filter(|_| span.status == Status::UnknownModel).and_then(|call| {
            let provider = call.provider.map(str::to_owned);
            Some(Box::new((call.name?.to_owned(), provider)))
        });
        Self {
            status: span.status,
            dialect: span.dialect,
            unlisted: span.role == Role::Unlisted,
            weight: adjusted_count(span.fields.trace_state),
            usage: counting.map(|call| call.usage),
            unknown_model,
            report: None,
        }
    }
}

impl Claim {
    pub(super) fn new(plan: &Plan<'_>, settled: Option<(SharedMemory, &Reports, Claims)>) -> Self {
        let mut bookings: Vec<Booking> = plan.spans().iter().map(Booking::of).collect();
        let memory = settled.map(|(memory, reports, claims)| {
            for (report, span) in reports.planned().enumerate() {
                if let Some(booking) = span.and_then(|span| bookings.get_mut(span)) {
                    booking.report = Some(report);
                }
            }
            (memory, claims)
        });
        Self { spans: plan.total, enriched_before: plan.enriched_before, bookings, memory, traces: None }
    }

    /// The same, with what the totals of traces get.
    pub(super) fn with_traces(mut self, traces: Option<TraceClaim>) -> Self {
        self.traces = traces;
        self
    }

    /// The request was acknowledged: its reports stay, and this is what is to be booked.
    pub fn acknowledge(mut self) -> Books {
        let is_first = self.confirm();
        let mut books = Books { tally: Tally::new(self.spans, self.enriched_before), ..Books::default() };
        for booking in std::mem::take(&mut self.bookings) {
            if booking.report.is_none_or(|report| is_first.get(report).copied().unwrap_or(true)) {
                books.tally.add(booking.status, booking.dialect, booking.weight, booking.usage.as_ref());
                books.tally.unlisted += u64::from(booking.unlisted);
                books.unknown_models.extend(booking.unknown_model.map(|model| *model));
            }
        }
        books
    }
}

impl Claim {
    /// Confirms the reports, and books what is new of them for traces. Both in one: nobody finds a report confirmed, and
    /// not in the totals of its trace.
    fn confirm(&mut self) -> Vec<bool> {
        let traces = self.traces.take();
        let book = |is_first: &[bool]| traces.into_iter().for_each(|traces| traces.book(is_first));
        let Some((memory, claims)) = self.memory.take() else {
            book(&[]);
            return Vec::new();
        };
        let mut memory = lock(&memory);
        let is_first = memory.confirm(claims);
        book(&is_first);
        is_first
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((memory, claims)) = self.memory.take() {
            lock(&memory).release(claims);
        }
    }
}
