//! Delivering a request that a backend does not take in one piece: parts in the order of the wire, each of them in
//! smaller parts where it is still too large, down to single items. One answer from all. Knows nothing of transports.

use bytes::Bytes;
use tonic::Code;

use super::answer::{PartialSuccess, encode};
use super::delivery::{Delivery, Errand};
use super::{Outcome, partial_success};
use crate::otlp::{Part, Parts, WireError, halves};
use crate::rejection::Failure;
use crate::telemetry::{Attempt, InFlight, Loss};

/// What one request may cost the backend: this often, something is sent to it ..
const MAX_SENDINGS: usize = 1024;
/// .. and this many times the request's own bytes. Halving to one span in 32,768 takes 16 times.
const MAX_REPEATED: usize = 16;

/// Longer messages are cut: the answer is one of many that a sender keeps.
const MAX_MESSAGE_BYTES: usize = 1024;

/// A request on its way in parts.
#[derive(Debug)]
pub(super) struct InParts<'a> {
    delivery: &'a Delivery,
    errand: Errand,
    sendings_left: usize,
    bytes_left: usize,
    /// What was not taken of parts that were acknowledged.
    rejected: i64,
    messages: Vec<String>,
    refused: Option<Failure>,
}

impl<'a> InParts<'a> {
    pub(super) fn new(delivery: &'a Delivery, errand: Errand, request: &Bytes) -> Self {
        let bytes_left = request.len().saturating_mul(MAX_REPEATED);
        Self {
            delivery,
            errand,
            sendings_left: MAX_SENDINGS,
            bytes_left,
            rejected: 0,
            messages: Vec::new(),
            refused: None,
        }
    }

    /// Delivers every part. A passing failure ends it, since the sender's repeat brings the rest; a lasting one of one
    /// part does not keep the others from being delivered.
    pub(super) async fn deliver(mut self, parts: Parts, in_flight: &mut InFlight) -> Outcome {
        // Parts that are being taken apart themselves, the innermost last: a part's own come before those behind it.
        let mut open = vec![parts];
        while let Some(parts) = open.last_mut() {
            let outcome = match parts.next() {
                None => {
                    open.pop();
                    continue;
                }
                Some(Ok(part)) => self.one(part, in_flight, &mut open).await,
                Some(Err(error)) => Some(self.unreadable(error)),
            };
            if let Some(outcome) = outcome {
                let rest = in_flight.items();
                self.delivery.settle(self.errand.signal, in_flight.split_off(rest), &outcome);
                return outcome;
            }
        }
        self.answer()
    }

    /// Answers for a request that is one item, which is too large.
    pub(super) fn alone(mut self, failure: &Failure, in_flight: &mut InFlight) -> Outcome {
        self.lose(in_flight.items(), failure, in_flight);
        self.answer()
    }

    /// Sends one part; `Some` where that ends the whole.
    async fn one(&mut self, part: Part, in_flight: &mut InFlight, open: &mut Vec<Parts>) -> Option<Outcome> {
        let Part { body, items } = part;
        if body.len() > self.delivery.limit() {
            let failure = self.over_limit(body.len());
            self.lose(items, &failure, in_flight);
            return None;
        }
        if !self.may_send(body.len()) {
            in_flight.split_off(in_flight.items()).failed(Loss::TooLarge);
            return Some(Outcome::Refused(self.exhausted()));
        }
        let outcome = self.delivery.attempts(self.errand, &body.clone().into(), Attempt::Part).await;
        match outcome {
            Outcome::TooLarge(failure) => match halves(self.errand.signal, &body) {
                Ok(Some(parts)) => open.push(parts),
                Ok(None) => self.lose(items, &failure, in_flight),
                Err(error) => return Some(self.unreadable(error)),
            },
            Outcome::Retry(_) | Outcome::OurFault(_) => return Some(outcome),
            Outcome::Refused(_) | Outcome::Delivered { .. } => {
                self.delivery.settle(self.errand.signal, in_flight.split_off(items), &outcome);
                self.note(outcome);
            }
        }
        None
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered { response } => {
                if let Some(PartialSuccess { rejected, message }) = partial_success(self.errand.signal, &response) {
                    self.reject(rejected, message);
                }
            }
            Outcome::Refused(failure) => self.refused = self.refused.take().or(Some(failure)),
            Outcome::Retry(_) | Outcome::OurFault(_) | Outcome::TooLarge(_) => {}
        }
    }

    fn reject(&mut self, items: i64, message: String) {
        self.rejected = self.rejected.saturating_add(items);
        if !message.is_empty() && !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// Gives up items that are one piece and too large.
    fn lose(&mut self, items: u64, failure: &Failure, in_flight: &mut InFlight) {
        in_flight.split_off(items).failed(Loss::TooLarge);
        self.delivery.warn_lost(self.errand.signal, items, &failure.message);
        self.reject(i64::try_from(items).unwrap_or(i64::MAX), format!("too large alone: {}", failure.message));
    }

    fn may_send(&mut self, bytes: usize) -> bool {
        let left = (self.sendings_left.checked_sub(1), self.bytes_left.checked_sub(bytes));
        let (Some(sendings_left), Some(bytes_left)) = left else { return false };
        (self.sendings_left, self.bytes_left) = (sendings_left, bytes_left);
        true
    }

    fn answer(self) -> Outcome {
        if let Some(failure) = self.refused {
            return Outcome::Refused(failure);
        }
        let mut message = self.messages.join("; ");
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        let said = PartialSuccess { rejected: self.rejected, message };
        let response = match said.rejected == 0 && said.message.is_empty() {
            true => Bytes::new(),
            false => encode(self.errand.signal, said),
        };
        Outcome::Delivered { response }
    }

    fn over_limit(&self, bytes: usize) -> Failure {
        let limit = self.delivery.limit();
        self.failure(Code::ResourceExhausted, &format!("{bytes} bytes are over the limit of {limit} of a request"))
    }

    fn exhausted(&self) -> Failure {
        let why = "the backend takes no part of this request for small enough: send smaller batches";
        self.failure(Code::ResourceExhausted, why)
    }

    fn unreadable(&self, error: WireError) -> Outcome {
        Outcome::Refused(self.failure(Code::Internal, &format!("the request cannot be taken apart: {error}")))
    }

    fn failure(&self, code: Code, said: &str) -> Failure {
        let message = format!("exporter `{}`: {said}", self.delivery.name());
        Failure { code, message, retry_after: None }
    }
}
