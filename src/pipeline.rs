//! The life of one export request after its receiver has unpacked it: enrich, send, and turn what the
//! backends said into the sender's answer. Direct mode: acknowledged means that every backend acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::enrich::{Enriched, Enricher};
use crate::exporter::{Delivery, Destination, Outcome};
use crate::otlp::{Signal, count};
use crate::rejection::{Failure, Rejection};
use crate::telemetry::{Journal, Loss, Metrics, ReceiverMetrics, Sending, TraceLevel};
use crate::trace::ledger::LedgerLevel;

/// One export request, unpacked: inflated protobuf, where it came in, and how long its sender waits.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the body carries.
    pub signal: Signal,
    /// The `Export*ServiceRequest` as protobuf.
    pub body: Bytes,
    /// When the sender gives up, where it said so.
    pub deadline: Option<Instant>,
    /// The counters of the receiver that it came in by.
    pub origin: ReceiverMetrics,
}

/// Where requests of one signal go, and what is done to them on the way.
#[derive(Debug)]
pub struct Pipeline {
    enricher: Option<Arc<Enricher>>,
    deliveries: Vec<Arc<Delivery>>,
    metrics: Metrics,
}

/// The pipelines that one receiver feeds; a signal without one is not served.
pub type Pipelines = BTreeMap<Signal, Arc<Pipeline>>;

impl Pipeline {
    /// A pipeline that sends to every one of `destinations`, and enriches traces before where there is an enricher.
    #[must_use]
    pub fn new<D: Into<Destination>>(enricher: Option<Arc<Enricher>>, destinations: Vec<D>, metrics: Metrics) -> Self {
        let delivery = |destination: D| Arc::new(Delivery::new(destination.into(), &metrics));
        Self { enricher, deliveries: destinations.into_iter().map(delivery).collect(), metrics }
    }

    /// Sends `export` on and gives the backend's answer as protobuf: empty for full success, else with
    /// `partial_success`.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for a body that is no OTLP, [`Rejection::Backend`] where a backend did not take it.
    pub async fn export(&self, export: Export) -> Result<Bytes, Rejection> {
        let Export { signal, body, deadline, origin } = export;
        let journal = Journal::current();
        journal.reads(&body);
        let prepared = self.prepare(signal, body)?;
        journal.holds(prepared.items);
        // Dropped without a word, by a failure or because the sender hung up, it counts the items as refused.
        let inside = origin.receive(signal, prepared.items);
        let response = self.deliver(signal, &prepared, deadline).await.map_err(Rejection::Backend)?;
        inside.acknowledged(0);
        if let (Some(enriched), Some(enricher)) = (prepared.enriched, &self.enricher) {
            self.book(enriched, enricher);
        }
        Ok(response)
    }

    fn prepare(&self, signal: Signal, body: Bytes) -> Result<Prepared, Rejection> {
        let malformed = |error| Rejection::Malformed(format!("{} request: {error}", signal.name()));
        match &self.enricher {
            Some(enricher) if signal == Signal::Traces => {
                let enriched = enricher.enrich(&body, Instant::now()).map_err(malformed)?;
                Ok(Prepared { body: enriched.bytes.clone(), items: enriched.spans, enriched: Some(enriched) })
            }
            _ => Ok(Prepared { items: count(signal, &body).map_err(malformed)?, body, enriched: None }),
        }
    }

    /// Books what a request held, once it is acknowledged.
    fn book(&self, enriched: Enriched, enricher: &Enricher) {
        let books = enriched.claim.acknowledge();
        let (remembered, evicted) = enricher.remembered();
        self.metrics.memory(enricher.name(), remembered, evicted);
        let LedgerLevel { traces, receipts, bytes, evicted, .. } = enricher.traces().level();
        self.metrics.traces(enricher.name(), TraceLevel { traces, receipts, bytes, evicted });
        let tally = &books.tally;
        tally.by_status().for_each(|(status, spans)| self.metrics.spans(status, spans));
        tally.by_dialect().for_each(|(dialect, spans)| self.metrics.dialect(dialect, spans));
        self.metrics.unlisted(tally.unlisted);
        tally.calls().for_each(|(status, calls)| self.metrics.calls(status, calls));
        tally.tokens().for_each(|(class, tokens)| self.metrics.tokens(class, tokens));
        for (name, provider) in &books.unknown_models {
            self.metrics.unknown_model(name, provider.as_deref());
        }
    }

    async fn deliver(&self, signal: Signal, prepared: &Prepared, deadline: Option<Instant>) -> Result<Bytes, Failure> {
        let journal = Journal::current();
        if let [only] = &self.deliveries[..] {
            let delivering = only.deliver(signal, prepared.body.clone(), prepared.items, deadline);
            return conclude([recorded(journal.sends(only.name()), delivering).await]);
        }
        let mut sends = JoinSet::new();
        for delivery in &self.deliveries {
            let (delivery, body, items) = (Arc::clone(delivery), prepared.body.clone(), prepared.items);
            let sending = journal.sends(delivery.name());
            sends.spawn(async move { recorded(sending, delivery.deliver(signal, body, items, deadline)).await });
        }
        conclude(sends.join_all().await)
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
    body: Bytes,
    items: u64,
    /// Dropped with the request unless the backend acknowledges it.
    enriched: Option<Enriched>,
}

/// One answer from all: success if every backend took it, with the first partial success there is. A passing failure
/// outweighs a lasting one, since the sender's repeat may still reach a backend that had the passing one; the others
/// receive the repeat too.
fn conclude(outcomes: impl IntoIterator<Item = Outcome>) -> Result<Bytes, Failure> {
    let mut answer = Bytes::new();
    let (mut passing, mut lasting): (Option<Failure>, Option<Failure>) = (None, None);
    for outcome in outcomes {
        match outcome {
            Outcome::Delivered { response } if answer.is_empty() => answer = response,
            Outcome::Delivered { .. } => {}
            Outcome::Retry(failure) | Outcome::OurFault(failure) => {
                let longest = passing.as_ref().map(|failure| failure.retry_after).max(Some(failure.retry_after));
                passing = Some(Failure { retry_after: longest.flatten(), ..passing.unwrap_or(failure) });
            }
            Outcome::Refused(failure) | Outcome::TooLarge(failure) => lasting = lasting.or(Some(failure)),
        }
    }
    passing.or(lasting).map_or(Ok(answer), Err)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;

    fn failure(code: Code, retry_after: Option<u64>) -> Failure {
        Failure { code, message: code.to_string(), retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn every_backend_must_acknowledge() {
        let delivered = |bytes: &'static [u8]| Outcome::Delivered { response: Bytes::from_static(bytes) };
        assert_eq!(conclude([delivered(b""), delivered(b"partial")]), Ok(Bytes::from_static(b"partial")));
        let refused = failure(Code::InvalidArgument, None);
        assert_eq!(conclude([delivered(b""), Outcome::Refused(refused.clone())]), Err(refused));
    }

    #[test]
    fn a_passing_failure_outweighs_a_lasting_one_and_the_longest_delay_holds() {
        let outcomes = [
            Outcome::Refused(failure(Code::InvalidArgument, None)),
            Outcome::Retry(failure(Code::Unavailable, Some(2))),
            Outcome::Retry(failure(Code::Aborted, Some(7))),
        ];
        assert_eq!(
            conclude(outcomes),
            Err(failure(Code::Unavailable, Some(7))).map_err(|mut failure: Failure| {
                failure.message = Code::Unavailable.to_string();
                failure
            })
        );
    }
}
