//! Getting one request to one backend: in one piece where the backend takes it, in parts where it is too large, and
//! again where that is wanted. Books what became of the items. Knows outcomes; nothing of transports or of what is
//! inside a request.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;

use super::parts::InParts;
use super::retry::Backoff;
use super::{Exporter, MAX_REQUEST_BYTES, Outcome, RetrySettings, partial_success};
use crate::otlp::{Signal, halves, split};
use crate::rejection::Failure;
use crate::telemetry::{Attempt, ExporterMetrics, InFlight, Metrics, Throttle};
use crate::wire::Payload;

/// Warnings of one kind are written at most once in this time.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// How an exporter's requests are delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliverySettings {
    /// How the same is sent again; `None`: it is not, and the sender retries.
    pub retry: Option<RetrySettings>,
    /// Larger requests are sent in parts: bytes before compression, at most [`MAX_REQUEST_BYTES`].
    pub max_request_bytes: usize,
}

impl Default for DeliverySettings {
    /// Once, and as large as OTLP allows.
    fn default() -> Self {
        Self { retry: None, max_request_bytes: MAX_REQUEST_BYTES }
    }
}

/// An exporter, and how it is used: what a pipeline sends to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The exporter; pipelines share it.
    pub exporter: Arc<Exporter>,
    /// How its requests are delivered.
    pub delivery: DeliverySettings,
}

impl From<Arc<Exporter>> for Destination {
    fn from(exporter: Arc<Exporter>) -> Self {
        Self { exporter, delivery: DeliverySettings::default() }
    }
}

/// A destination with its counters.
#[derive(Debug)]
pub struct Delivery {
    exporter: Arc<Exporter>,
    settings: DeliverySettings,
    metrics: ExporterMetrics,
    warnings: Throttle,
    /// The signals of which it was said that the backend does not take them.
    unserved: [AtomicBool; Signal::ALL.len()],
}

/// What is the same for every attempt at one request and at its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    pub(super) signal: Signal,
    begun: Instant,
    deadline: Option<Instant>,
}

impl Delivery {
    /// Deliveries to `destination`, booked in `metrics`.
    #[must_use]
    pub fn new(destination: Destination, metrics: &Metrics) -> Self {
        let Destination { exporter, delivery: settings } = destination;
        let metrics = metrics.exporter(exporter.name());
        let warnings = Throttle::new(1, WARNING_INTERVAL);
        Self { exporter, settings, metrics, warnings, unserved: Default::default() }
    }

    /// The exporter's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        self.exporter.name()
    }

    /// Sends a request of `items` items until the backend has answered for all of them, or `deadline` is too near for
    /// another attempt. Never ends as [`Outcome::TooLarge`]: items that are too large alone are rejected in a partial
    /// success. Dropped before its end, it counts what is not answered for as abandoned.
    pub async fn deliver(
        &self,
        signal: Signal,
        body: impl Into<Payload>,
        items: u64,
        deadline: Option<Instant>,
    ) -> Outcome {
        let body = body.into();
        let mut in_flight = self.metrics.send(signal, items);
        let errand = Errand { signal, begun: now(), deadline };
        let outcome = if body.bytes().len() > self.limit() {
            let parts = split(signal, body.bytes(), self.limit());
            InParts::new(self, errand, body.bytes()).deliver(parts, &mut in_flight).await
        } else {
            self.deliver_whole(errand, body, &mut in_flight).await
        };
        match outcome {
            Outcome::Refused(failure) if failure.code == Code::Unimplemented => self.unserved(signal, failure),
            outcome => outcome,
        }
    }

    async fn deliver_whole(&self, errand: Errand, body: Payload, in_flight: &mut InFlight) -> Outcome {
        let outcome = self.attempts(errand, &body, Attempt::First).await;
        if let Outcome::TooLarge(failure) = &outcome {
            let body = body.bytes();
            self.warn_too_large(errand.signal, body.len(), failure);
            return match halves(errand.signal, body) {
                Ok(Some(parts)) => InParts::new(self, errand, body).deliver(parts, in_flight).await,
                Ok(None) | Err(_) => InParts::new(self, errand, body).alone(failure, in_flight),
            };
        }
        let items = in_flight.items();
        self.settle(errand.signal, in_flight.split_off(items), &outcome);
        outcome
    }

    /// Sends until there is an answer other than a passing failure, or no further attempt makes sense.
    pub(super) async fn attempts(&self, errand: Errand, body: &Payload, first: Attempt) -> Outcome {
        let Errand { signal, begun, deadline } = errand;
        let mut backoff = self.settings.retry.map(|settings| Backoff::new(settings, begun, deadline));
        let mut attempt = first;
        loop {
            self.metrics.attempt(signal, attempt);
            let outcome = self.exporter.pass_on(signal, body.clone(), deadline).await;
            let Outcome::Retry(failure) = &outcome else { return outcome };
            let wait = backoff.as_mut().and_then(|backoff| backoff.next(failure.retry_after, now(), chance()));
            let Some(wait) = wait else { return outcome };
            self.warn_again(signal, wait, failure);
            tokio::time::sleep(wait).await;
            attempt = Attempt::Retry;
        }
    }

    /// Books the end of some items.
    pub(super) fn settle(&self, signal: Signal, items: InFlight, outcome: &Outcome) {
        match (outcome, outcome.loss()) {
            (_, Some(loss)) => items.failed(loss),
            (Outcome::Delivered { response }, None) => {
                let rejected = partial_success(signal, response).map_or(0, |partial| partial.rejected);
                items.acknowledged(u64::try_from(rejected).unwrap_or(0));
            }
            (_, None) => items.acknowledged(0),
        }
    }

    /// The largest request that is sent in one piece.
    pub(super) fn limit(&self) -> usize {
        self.settings.max_request_bytes.min(self.exporter.max_request_bytes())
    }

    /// Says what to do about a backend that does not know a signal, to the sender each time, in the log once.
    fn unserved(&self, signal: Signal, failure: Failure) -> Outcome {
        let words = failure.message.to_lowercase();
        let cure = if words.contains("encoding") || words.contains("compress") {
            "does the backend know this `compression`? Else write `gzip` or `none`".to_owned()
        } else {
            format!("if the backend takes no {0}, take the exporter out of the {0} pipelines", signal.name())
        };
        let failure = Failure { message: format!("{}: {cure}", failure.message), ..failure };
        let said = Signal::ALL.iter().zip(&self.unserved).find(|(known, _)| **known == signal);
        if said.is_some_and(|(_, said)| !said.swap(true, Ordering::Relaxed)) {
            tracing::warn!(
                exporter = self.name(),
                signal = signal.name(),
                error = %failure.message.escape_debug(),
                "the backend does not take this signal; this is said once"
            );
        }
        Outcome::Refused(failure)
    }

    fn warn_again(&self, signal: Signal, wait: Duration, failure: &Failure) {
        let Some(left_out) = self.warnings.admit("retry", now()) else { return };
        tracing::warn!(
            exporter = self.name(),
            signal = signal.name(),
            ?wait,
            left_out,
            error = %failure.message.escape_debug(),
            "a request is sent again"
        );
    }

    fn warn_too_large(&self, signal: Signal, bytes: usize, failure: &Failure) {
        let Some(left_out) = self.warnings.admit("too_large", now()) else { return };
        tracing::warn!(
            exporter = self.name(),
            signal = signal.name(),
            bytes,
            left_out,
            error = %failure.message.escape_debug(),
            "a request is too large for the backend and goes in parts: set `max_request_body_size` to what it takes"
        );
    }

    /// Says that items are lost because each alone is larger than the backend takes.
    pub(super) fn warn_lost(&self, signal: Signal, items: u64, why: &str) {
        let Some(left_out) = self.warnings.admit("lost", now()) else { return };
        let error = why.escape_debug();
        tracing::warn!(exporter = self.name(), signal = signal.name(), items, left_out, %error, "too large, and lost");
    }
}

/// By the runtime's clock, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// From 0 to below 1. Jitter needs no better source than what keeps hash maps from being predictable.
fn chance() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_over_the_whole_range() {
        let drawn: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|chance| (0.0..1.0).contains(chance)));
        // Each tenth is missed by all of a thousand with a probability below 10^-44.
        assert!((0..10).all(|tenth| drawn.iter().any(|chance| (chance * 10.0).floor() == f64::from(tenth))));
    }
}
