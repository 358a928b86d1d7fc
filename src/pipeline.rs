//! The life of one export request after its receiver has unpacked it: enrich, send, and turn what the
//! backends said into the sender's answer. Direct mode: acknowledged means that every backend acknowledged; of metrics
//! and logs, every backend that takes them.

mod summaries;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use tokio::task::JoinSet;
use tonic::Code;

use crate::budget::{Budgets, CallScope, Consumption, unix_ms};
use crate::enrich::{Books, BudgetCall, Emission, Enriched, Enricher, LabelSettings};
use crate::exporter::{Delivery, Destination, Outcome, partial_success};
use crate::otlp::{Signal, count};
use crate::rejection::{Failure, Rejection};
use crate::store::Commits;
use crate::telemetry::{
    Booking, EmissionBook, EmissionSettings, Exemplar, Journal, Loss, Metrics, ReceiverMetrics, Sending,
};
use crate::units::{J_PER_WH, Sum};
use crate::wire::Payload;
use summaries::Passage;
pub use summaries::Summaries;

/// One export request, unpacked: inflated protobuf, where it came in, and how long its sender waits.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the body carries.
    pub signal: Signal,
    /// The `Export*ServiceRequest` as protobuf, and as it came.
    pub body: Payload,
    /// When the sender gives up, where it said so.
    pub deadline: Option<Instant>,
    /// The counters of the receiver that it came in by.
    pub origin: ReceiverMetrics,
}

/// Where requests of one signal go, and what is done to them on the way.
#[derive(Debug)]
pub struct Pipeline {
    enricher: Option<Arc<Enricher>>,
    /// Where there is an enricher.
    book: Option<EmissionBook>,
    budgets: Budgets,
    /// By which ids its calls are known there.
    calls: CallScope,
    /// Where budgets are kept.
    commits: Option<Commits>,
    deliveries: Vec<Arc<Delivery>>,
    /// Where its roots are told, where traces are summed up.
    passage: Option<Passage>,
    metrics: Metrics,
}

/// The pipelines that one receiver feeds; a signal without one is not served.
pub type Pipelines = BTreeMap<Signal, Arc<Pipeline>>;

impl Pipeline {
    /// A pipeline that sends to every one of `destinations`, and enriches traces before where there is an enricher.
    #[must_use]
    pub fn new<D: Into<Destination>>(enricher: Option<Arc<Enricher>>, destinations: Vec<D>, metrics: Metrics) -> Self {
        let delivery = |destination: D| Arc::new(Delivery::new(destination.into(), &metrics));
        let deliveries = destinations.into_iter().map(delivery).collect();
        let book = enricher.as_ref().map(|enricher| metrics.emission_book(&emission_settings(enricher.labels())));
        let calls = enricher.as_ref().map(|enricher| CallScope::of(enricher.name())).unwrap_or_default();
        Self { enricher, book, budgets: Budgets::default(), calls, commits: None, deliveries, passage: None, metrics }
    }

    /// The same, and each trace whose root goes through it is summed up by `summaries`, where this pipeline has the name
    /// `id`: once [`Summaries::serve`] has been told of it. Only where the enricher books in their ledger.
    #[must_use]
    pub fn summing_up(self, summaries: &Summaries, id: &str) -> Self {
        Self { passage: self.enricher.is_some().then(|| summaries.passage(id)), ..self }
    }

    /// The processor that enriches, with the label of its registry.
    #[must_use]
    pub fn registry(&self) -> Option<(&str, &str)> {
        let enricher = self.enricher.as_ref()?;
        Some((enricher.name(), enricher.registry()))
    }

    /// The same, booking in `budgets`, too, which are kept by `commits` where they are.
    #[must_use]
    pub fn with_budgets(self, budgets: Budgets, commits: Option<Commits>) -> Self {
        Self { budgets, commits, ..self }
    }

    /// Sends `export` on and gives the backend's answer as protobuf: empty for full success, else with
    /// `partial_success`.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for a body that is no OTLP, [`Rejection::Backend`] where a backend did not take it.
    pub async fn export(&self, export: Export) -> Result<Bytes, Rejection> {
        let Export { signal, body, deadline, origin } = export;
        let journal = Journal::current();
        journal.reads(body.bytes());
        let prepared = self.prepare(signal, body)?;
        journal.holds(prepared.items);
        // Dropped without a word, by a failure or because the sender hung up, it counts the items as refused.
        let inside = origin.receive(signal, prepared.items);
        let answer = self.deliver(signal, &prepared, deadline).await.map_err(Rejection::Backend)?;
        inside.acknowledged(0);
        if let Some(enriched) = prepared.enriched {
            let booking = self.book(enriched, answer.is_partial);
            if let (Some(booking), Some(commits)) = (booking, &self.commits) {
                commits.until(booking).await;
            }
        }
        Ok(answer.response)
    }

    fn prepare(&self, signal: Signal, body: Payload) -> Result<Prepared, Rejection> {
        let malformed = |error| Rejection::Malformed(format!("{} request: {error}", signal.name()));
        match &self.enricher {
            Some(enricher) if signal == Signal::Traces => {
                let enriched = enricher.enrich(body.bytes(), Instant::now()).map_err(malformed)?;
                let body = body.with_bytes(enriched.bytes.clone());
                Ok(Prepared { body, items: enriched.spans, enriched: Some(enriched) })
            }
            _ => Ok(Prepared { items: count(signal, body.bytes()).map_err(malformed)?, body, enriched: None }),
        }
    }

    /// Books what a request held, once it is acknowledged. A partial success does not say which spans it is about. Gives
    /// the number of the booking in the budgets by which all of it is booked, where there is one.
    fn book(&self, enriched: Enriched, is_partial: bool) -> Option<u64> {
        let books = enriched.claim.acknowledge();
        let tally = &books.tally;
        for (status, spans) in tally.by_status().filter(|(_, spans)| *spans > 0) {
            self.metrics.spans(status, spans);
        }
        for (dialect, spans) in tally.by_dialect().filter(|(_, spans)| *spans > 0) {
            self.metrics.dialect(dialect, spans);
        }
        self.metrics.unlisted(tally.unlisted);
        let booking = self.book_emissions(&books, is_partial);
        if let Some(passage) = &self.passage {
            passage.passed(books.passed_roots, Instant::now());
        }
        for (name, provider) in &books.unknown_models {
            self.metrics.unknown_model(name, provider.as_deref());
        }
        // What was booked before may still be on its way to the disk, where its sender did not wait for the answer.
        booking.or_else(|| books.has_repeats.then(|| self.budgets.last_booking()))
    }

    fn book_emissions(&self, books: &Books, is_partial: bool) -> Option<u64> {
        let book = self.book.as_ref().filter(|_| !books.emissions.is_empty())?;
        let now = SystemTime::now();
        book.add(books.emissions.iter().map(booking), is_partial, now);
        let is_budgeted = books.emissions.iter().any(|emission| !emission.origin.budgets.is_empty());
        is_budgeted.then(|| {
            let consumptions = books.emissions.iter().flat_map(|emission| consumptions(emission, self.calls));
            self.budgets.add(consumptions, unix_ms(now))
        })
    }

    async fn deliver(&self, signal: Signal, prepared: &Prepared, deadline: Option<Instant>) -> Result<Answer, Failure> {
        let journal = Journal::current();
        if let [only] = &self.deliveries[..] {
            let delivering = only.deliver(signal, prepared.body.clone(), prepared.items, deadline);
            return conclude(signal, [recorded(journal.sends(only.name()), delivering).await]);
        }
        let mut sends = JoinSet::new();
        for delivery in &self.deliveries {
            let (delivery, body, items) = (Arc::clone(delivery), prepared.body.clone(), prepared.items);
            let sending = journal.sends(delivery.name());
            sends.spawn(async move { recorded(sending, delivery.deliver(signal, body, items, deadline)).await });
        }
        conclude(signal, sends.join_all().await)
    }
}

/// A delivery with the span that it leaves, where it leaves one.
async fn recorded(sending: Option<Sending>, delivering: impl Future<Output = Outcome>) -> Outcome {
    let outcome = delivering.await;
    if let Some(sending) = sending {
        sending.ended(outcome.loss().map_or("ok", Loss::name));
    }
    outcome
}

/// A request ready to leave.
struct Prepared {
    body: Payload,
    items: u64,
    /// Dropped with the request unless the backend acknowledges it.
    enriched: Option<Enriched>,
}

/// What every backend's acknowledgement comes to.
#[derive(Debug, PartialEq, Eq, Default)]
struct Answer {
    /// The sender's answer.
    response: Bytes,
    /// Whether some backend rejected items of it.
    is_partial: bool,
}

fn emission_settings(labels: &LabelSettings) -> EmissionSettings {
    EmissionSettings {
        labels: labels.attributes.iter().map(|chosen| (chosen.label.clone(), chosen.max_values)).collect(),
        max_services: labels.max_services,
        max_series: labels.max_series,
    }
}

/// What calls of one origin took: together, or call by call where budgets are to know each again.
fn consumptions(emission: &Emission, scope: CallScope) -> Vec<Consumption<'_>> {
    let of = |call, [value, low, high]: [f64; 3], energy_j: f64| Consumption {
        budgets: &emission.origin.budgets,
        co2e_g: [low, value, high],
        energy_wh: energy_j / J_PER_WH,
        model: &emission.origin.model,
        service: &emission.origin.service,
        call,
    };
    match &emission.calls_of_budgets {
        Some(calls) => {
            let id = |call: &BudgetCall| call.ids.and_then(|(trace_id, span_id)| scope.call(&trace_id, &span_id));
            calls.iter().map(|call| of(id(call), call.co2e_g, call.energy_j)).collect()
        }
        None => {
            let co2e_g = emission.co2e_g.unwrap_or_default().map(Sum::value);
            vec![of(None, co2e_g, emission.energy_j.map_or(0.0, Sum::value))]
        }
    }
}

fn booking(emission: &Emission) -> Booking<'_> {
    let origin = &emission.origin;
    Booking {
        labels: [&origin.service, &origin.provider, &origin.model, &origin.zone, origin.tier],
        more_labels: &origin.attributes,
        calls: emission.calls().collect(),
        tokens: emission.tokens().collect(),
        energy_j: emission.energy_j,
        co2e_g: emission.co2e_g,
        embodied_co2e_g: emission.embodied_co2e_g,
        exemplar: emission.costliest.map(|call| Exemplar {
            trace_id: call.trace_id,
            span_id: call.span_id,
            co2e_g: call.co2e_g,
            energy_j: call.energy_j,
        }),
    }
}

/// One answer from all: success if every backend took it, with the first partial success there is. A passing failure
/// outweighs a lasting one, since the sender's repeat may still reach a backend that had the passing one; the others
/// receive the repeat too. A backend for traces alone, as Jaeger is, keeps nobody's metrics and logs from the others:
/// that it does not take them is its answer only where no other backend took them.
fn conclude(signal: Signal, outcomes: impl IntoIterator<Item = Outcome>) -> Result<Answer, Failure> {
    let mut delivered: Option<Answer> = None;
    let (mut passing, mut lasting, mut unserved): (Option<Failure>, Option<Failure>, Option<Failure>) =
        Default::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Delivered { response } => {
                let answer = delivered.get_or_insert_default();
                answer.is_partial |= partial_success(signal, &response).is_some_and(|partial| partial.rejected > 0);
                if answer.response.is_empty() {
                    answer.response = response;
                }
            }
            Outcome::Retry(failure) | Outcome::OurFault(failure) => {
                let longest = passing.as_ref().map(|failure| failure.retry_after).max(Some(failure.retry_after));
                passing = Some(Failure { retry_after: longest.flatten(), ..passing.unwrap_or(failure) });
            }
            Outcome::Refused(failure) if signal != Signal::Traces && failure.code == Code::Unimplemented => {
                unserved = unserved.or(Some(failure));
            }
            Outcome::Refused(failure) | Outcome::TooLarge(failure) => lasting = lasting.or(Some(failure)),
        }
    }
    match (passing.or(lasting), delivered) {
        (Some(failure), _) => Err(failure),
        (None, Some(answer)) => Ok(answer),
        (None, None) => unserved.map_or(Ok(Answer::default()), Err),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failure(code: Code, retry_after: Option<u64>) -> Failure {
        Failure { code, message: code.to_string(), retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn every_backend_must_acknowledge() {
        let delivered = |bytes: &'static [u8]| Outcome::Delivered { response: Bytes::from_static(bytes) };
        // Field 1, length 2: field 1 varint 3.
        let partial = Answer { response: Bytes::from_static(b"\x0a\x02\x08\x03"), is_partial: true };
        assert_eq!(conclude(Signal::Traces, [delivered(b""), delivered(b"\x0a\x02\x08\x03")]), Ok(partial));
        let warning = Answer { response: Bytes::from_static(b"\x0a\x02\x12\x00"), is_partial: false };
        assert_eq!(conclude(Signal::Traces, [delivered(b"\x0a\x02\x12\x00"), delivered(b"")]), Ok(warning));
        let refused = failure(Code::InvalidArgument, None);
        assert_eq!(conclude(Signal::Traces, [delivered(b""), Outcome::Refused(refused.clone())]), Err(refused));
    }

    #[test]
    fn a_passing_failure_outweighs_a_lasting_one_and_the_longest_delay_holds() {
        let outcomes = [
            Outcome::Refused(failure(Code::InvalidArgument, None)),
            Outcome::Retry(failure(Code::Unavailable, Some(2))),
            Outcome::Retry(failure(Code::Aborted, Some(7))),
        ];
        assert_eq!(
            conclude(Signal::Traces, outcomes),
            Err(failure(Code::Unavailable, Some(7))).map_err(|mut failure: Failure| {
                failure.message = Code::Unavailable.to_string();
                failure
            })
        );
    }

    #[test]
    fn a_backend_for_traces_alone_fails_no_metrics_and_logs_that_another_took() {
        let taken = || Outcome::Delivered { response: Bytes::new() };
        let unserved = failure(Code::Unimplemented, None);
        let refusing = || Outcome::Refused(failure(Code::Unimplemented, None));
        for signal in [Signal::Metrics, Signal::Logs] {
            assert_eq!(conclude(signal, [refusing(), taken()]), Ok(Answer::default()));
            assert_eq!(conclude(signal, [taken(), refusing()]), Ok(Answer::default()));
            assert_eq!(conclude(signal, [refusing(), refusing()]), Err(unserved.clone()), "nobody took it");
            let busy = failure(Code::Unavailable, None);
            assert_eq!(conclude(signal, [refusing(), Outcome::Retry(busy.clone()), taken()]), Err(busy));
        }
        assert_eq!(conclude(Signal::Traces, [refusing(), taken()]), Err(unserved), "a trace is lost to nobody unheard");
    }
}
