//! A backend in the words of outcomes: every message that a sender or an operator reads about one send is
//! made here, names the exporter, and says what to do. Knows no transport and no protocol buffers.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::cause::{self, Transport};
use super::outcome::{Outcome, Verdict, code_name, grpc_verdict, http_code, http_verdict, proxy_code};
use super::time_limit::{TimeLimit, Whose};
use super::too_large;
use crate::rejection::Failure;

/// The largest request that may be sent, in bytes before compression:
/// <https://opentelemetry.io/docs/specs/otlp/#request-size-limits>.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;

/// The largest answer that is read, in bytes on the wire and inflated.
pub(super) const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Longer messages of backends are cut: they travel in a header on the way back.
const MAX_MESSAGE_BYTES: usize = 2048;

/// Nobody waits longer for a retry; absurd values would overflow the sum with a clock.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Who the other side is, for messages.
#[derive(Debug)]
pub(super) struct Backend {
    /// The exporter's id as configured, `type[/name]`.
    pub(super) exporter: String,
    /// Where it sends, without user information and query.
    pub(super) endpoint: String,
    /// How it sends: hints name the key that cures.
    transport: Transport,
    /// Whether it ever answered: until then a lost connection is likely the wrong protocol.
    answered: AtomicBool,
}

impl Backend {
    pub(super) fn new(exporter: &str, endpoint: String, transport: Transport) -> Self {
        Self { exporter: exporter.to_owned(), endpoint, transport, answered: AtomicBool::new(false) }
    }

    /// Remembers that something was answered, whatever it was.
    pub(super) fn has_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// A gRPC status that is not OK.
    pub(super) fn answered(&self, code: Code, message: &str, retry_after: Option<Duration>) -> Outcome {
        let said = match message {
            "" => format!("{} answered {} without a message", self.endpoint, code_name(code)),
            message => message.to_owned(),
        };
        if too_large::grpc(code, message) {
            return self.too_large(&said);
        }
        self.judged(grpc_verdict(code, retry_after.is_some()), code, &said, retry_after)
    }

    /// An HTTP status that is no success, over OTLP/HTTP.
    pub(super) fn answered_http(&self, status: StatusCode, message: &str, retry_after: Option<Duration>) -> Outcome {
        let said = match message {
            "" => format!("{} answered HTTP {status} without a message", self.endpoint),
            message => format!("HTTP {}: {message}", status.as_u16()),
        };
        if too_large::http(status, message) {
            return self.too_large(&said);
        }
        self.judged(http_verdict(status), http_code(status), &said, retry_after)
    }

    /// No answer, because the request or the answer did not get through.
    pub(super) fn unreachable(&self, error: &(dyn Error + 'static)) -> Outcome {
        let causes = cause::in_words(error);
        let message = match cause::cure(error, self.transport).or_else(|| self.wrong_protocol(error)) {
            Some(cure) => format!("cannot reach {}: {causes}: {cure}", self.endpoint),
            None => format!("cannot reach {}: {causes}", self.endpoint),
        };
        Outcome::Retry(self.failure(Code::Unavailable, &message, None))
    }

    /// An answer that ended before it said how the request went. Not a refusal: the sender may try again.
    pub(super) fn broken_off(&self) -> Outcome {
        let message = format!("the answer of {} broke off before its grpc-status", self.endpoint);
        Outcome::Retry(self.failure(Code::Unavailable, &message, None))
    }

    /// No answer in time.
    pub(super) fn late(&self, limit: &TimeLimit) -> Outcome {
        let message = match (limit.left, limit.whose) {
            (None | Some(Duration::ZERO), _) => {
                format!("the sender's deadline passed before anything was sent to {}", self.endpoint)
            }
            (Some(left), Whose::Sender) => {
                format!("the sender's deadline passed: {} did not answer within {}", self.endpoint, in_ms(left))
            }
            (Some(left), Whose::Exporter) => {
                format!("{} did not answer within the exporter's `timeout` of {}", self.endpoint, in_ms(left))
            }
        };
        Outcome::Retry(self.failure(Code::DeadlineExceeded, &message, None))
    }

    /// A request over [`MAX_REQUEST_BYTES`], which is not sent.
    pub(super) fn request_too_large(&self, len: usize) -> Outcome {
        let message =
            format!("the request of {len} bytes is over OTLP's limit of {MAX_REQUEST_BYTES}: send smaller batches");
        self.too_large(&message)
    }

    /// An answer over [`MAX_ANSWER_BYTES`]: OTLP forbids to retry it.
    pub(super) fn answer_too_large(&self) -> Outcome {
        let message = format!(
            "the answer of {} is over {MAX_ANSWER_BYTES} bytes and was not read; the request may have been taken",
            self.endpoint
        );
        Outcome::Refused(self.failure(Code::ResourceExhausted, &message, None))
    }

    /// A success whose body says nothing that can be read.
    pub(super) fn answer_unreadable(&self, reason: &dyn std::fmt::Display) -> Outcome {
        let message = format!(
            "{} answered with success, but the answer cannot be read ({reason}); the request may have been taken",
            self.endpoint
        );
        Outcome::Refused(self.failure(Code::Internal, &message, None))
    }

    /// Something instead of an answer to a gRPC call, by something that does not speak the protocol.
    pub(super) fn foreign(&self, status: StatusCode, what: &str) -> Outcome {
        let said = format!("{} answered {what}", self.endpoint);
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return self.too_large(&said);
        }
        let code = proxy_code(status);
        self.judged(grpc_verdict(code, false), code, &said, None)
    }

    /// A request that could not be put together.
    pub(super) fn unsendable(&self, reason: &dyn std::fmt::Display) -> Outcome {
        let message = format!("the request cannot be sent: {reason}");
        Outcome::Refused(self.failure(Code::Internal, &message, None))
    }

    /// A signal that has no endpoint here.
    pub(super) fn not_served(&self, signal: &str) -> Outcome {
        let message = format!("no endpoint is configured for {signal}");
        Outcome::Refused(self.failure(Code::Unimplemented, &message, None))
    }

    /// The code is the one that no sender retries, whatever the backend says: tonic's OUT_OF_RANGE would be sent again
    /// for ever.
    fn too_large(&self, said: &str) -> Outcome {
        Outcome::TooLarge(self.failure(Code::ResourceExhausted, said, None))
    }

    fn wrong_protocol(&self, error: &(dyn Error + 'static)) -> Option<&'static str> {
        let plaintext = self.endpoint.starts_with("http://");
        let never_answered = !self.answered.load(Ordering::Relaxed);
        (plaintext && never_answered && cause::hung_up(error)).then(|| cause::no_http(self.transport))
    }

    fn judged(&self, verdict: Verdict, code: Code, said: &str, retry_after: Option<Duration>) -> Outcome {
        match verdict {
            Verdict::Retry => Outcome::Retry(self.failure(code, said, retry_after)),
            Verdict::Refused => Outcome::Refused(self.failure(code, said, None)),
            Verdict::OurCredentials => {
                let message = format!(
                    "gramtrace's own credentials for this exporter were refused by the backend ({}: {said}): check \
                     the exporter's `headers` and client certificate",
                    code_name(code)
                );
                Outcome::OurFault(self.failure(Code::Unavailable, &message, retry_after))
            }
        }
    }

    fn failure(&self, code: Code, said: &str, retry_after: Option<Duration>) -> Failure {
        let message = format!("exporter `{}`: {}", self.exporter, cut(said));
        Failure { code, message, retry_after: retry_after.map(|after| after.min(MAX_RETRY_AFTER)) }
    }
}

fn in_ms(duration: Duration) -> String {
    humantime::format_duration(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
        .to_string()
}

fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(MAX_MESSAGE_BYTES)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend() -> Backend {
        Backend::new("otlp_grpc/tempo", "http://tempo:4317".to_owned(), Transport::Grpc)
    }

    fn failure(outcome: Outcome) -> Failure {
        match outcome {
            Outcome::Delivered { .. } => panic!("delivered"),
            Outcome::Retry(failure) | Outcome::Refused(failure) => failure,
            Outcome::OurFault(failure) | Outcome::TooLarge(failure) => failure,
        }
    }

    #[test]
    fn a_message_of_the_backend_comes_back_after_the_exporters_name() {
        let outcome = backend().answered(Code::InvalidArgument, "span without name", None);
        assert_eq!(failure(outcome).message, "exporter `otlp_grpc/tempo`: span without name");
    }

    #[test]
    fn an_endless_message_is_cut_where_a_character_ends() {
        let outcome = backend().answered(Code::Internal, &"ä".repeat(4000), None);
        let expected = format!("exporter `otlp_grpc/tempo`: {}", "ä".repeat(1024));
        assert_eq!(failure(outcome).message, expected);
    }

    #[test]
    fn a_wait_of_centuries_is_a_day() {
        let outcome = backend().answered(Code::Unavailable, "later", Some(Duration::MAX));
        assert_eq!(failure(outcome).retry_after, Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_refusal_does_not_say_when_to_come_back() {
        let outcome = backend().answered(Code::InvalidArgument, "bad", Some(Duration::from_secs(1)));
        assert_eq!(failure(outcome).retry_after, None);
    }

    #[test]
    fn refused_credentials_are_this_hops_fault_and_passing() {
        for code in [Code::Unauthenticated, Code::PermissionDenied] {
            let outcome = backend().answered(code, "bad token", None);
            assert!(matches!(outcome, Outcome::OurFault(_)), "{code:?}");
            let failure = failure(outcome);
            assert_eq!(failure.code, Code::Unavailable);
            assert!(
                failure.message.contains("exporter `otlp_grpc/tempo`: gramtrace's own credentials"),
                "{}",
                failure.message
            );
            assert!(failure.message.contains("bad token"), "{}", failure.message);
        }
    }
}
