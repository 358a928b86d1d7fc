//! What became of one send to one backend, whichever transport carried it, and the tables that decide it.
//! Knows codes and statuses; nothing of sockets, bodies or words for people.
//!
//! Invariant: the code inside [`Outcome::Retry`] and [`Outcome::OurFault`] is one that senders retry, the code inside
//! [`Outcome::Refused`] and [`Outcome::TooLarge`] one that they do not, so that all survive the way back.

use bytes::Bytes;
use http::StatusCode;
use tonic::Code;

use crate::rejection::Failure;
use crate::telemetry::Loss;

/// The end of one attempt to deliver a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The backend acknowledged. `response` is its `Export*ServiceResponse` as protobuf: empty for full success,
    /// else it carries `partial_success`.
    Delivered {
        /// The backend's answer.
        response: Bytes,
    },
    /// A passing condition: the same may be sent again, from here or by the sender.
    Retry(Failure),
    /// Something that the configuration of this process has to cure: no fault of the sender, who may send the same
    /// again, and nothing that sending it again from here cures.
    OurFault(Failure),
    /// The backend refused for good.
    Refused(Failure),
    /// The backend takes no message of this size: parts of it may pass.
    TooLarge(Failure),
}

impl Outcome {
    /// Why the items did not get through; `None` where they did.
    #[must_use]
    pub const fn loss(&self) -> Option<Loss> {
        match self {
            Self::Delivered { .. } => None,
            Self::Retry(Failure { code: Code::DeadlineExceeded, .. }) => Some(Loss::Timeout),
            Self::Retry(Failure { code: Code::ResourceExhausted, .. }) => Some(Loss::Throttled),
            Self::Retry(_) => Some(Loss::Unavailable),
            Self::OurFault(_) => Some(Loss::Credentials),
            Self::Refused(Failure { code: Code::Unimplemented, .. }) => Some(Loss::Unserved),
            Self::Refused(_) => Some(Loss::Refused),
            Self::TooLarge(_) => Some(Loss::TooLarge),
        }
    }
}

/// What an answer that is no success means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same request may succeed later.
    Retry,
    /// The same request will fail again.
    Refused,
    /// The backend does not know this process: no fault of the sender, and cured by this process's configuration.
    OurCredentials,
}

/// The verdict on a gRPC code: <https://opentelemetry.io/docs/specs/otlp/#failures>. `retry_info`: the answer
/// carries a `RetryInfo`.
pub(super) const fn grpc_verdict(code: Code, retry_info: bool) -> Verdict {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::Retry,
        Code::ResourceExhausted if retry_info => Verdict::Retry,
        Code::Unauthenticated | Code::PermissionDenied => Verdict::OurCredentials,
        _ => Verdict::Refused,
    }
}

/// The verdict on an OTLP/HTTP status: <https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes>.
pub(super) fn http_verdict(status: StatusCode) -> Verdict {
    match status.as_u16() {
        429 | 502..=504 => Verdict::Retry,
        401 | 403 => Verdict::OurCredentials,
        _ => Verdict::Refused,
    }
}

/// The gRPC code of an OTLP/HTTP status. 429 is UNAVAILABLE and not RESOURCE_EXHAUSTED, which senders drop.
pub(super) fn http_code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 405 | 415 | 501 => Code::Unimplemented,
        413 => Code::ResourceExhausted,
        429 | 502..=504 => Code::Unavailable,
        500..=599 => Code::Internal,
        _ => Code::Unknown,
    }
}

/// The gRPC code of an HTTP status that came instead of a gRPC answer, from a proxy:
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
pub(super) fn proxy_code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The name of a code in the protocol's documents.
pub(super) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_25_the_codes_that_otlp_calls_retryable_are_retried() {
        let retried: Vec<i32> =
            (1..=16).filter(|code| grpc_verdict(Code::from(*code), false) == Verdict::Retry).collect();
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        assert_eq!(retried, [1, 4, 10, 11, 14, 15]);
    }

    #[test]
    fn o_25_retry_info_makes_resource_exhausted_retryable_and_nothing_else() {
        let changed: Vec<i32> = (1..=16)
            .filter(|code| grpc_verdict(Code::from(*code), true) != grpc_verdict(Code::from(*code), false))
            .collect();
        assert_eq!(changed, [8]);
    }

    #[test]
    fn o_26_the_statuses_that_otlp_calls_retryable_are_retried() {
        let retried: Vec<u16> = (300..600)
            .filter(|status| http_verdict(StatusCode::from_u16(*status).unwrap()) == Verdict::Retry)
            .collect();
        assert_eq!(retried, [429, 502, 503, 504]);
    }

    #[test]
    fn an_http_status_means_the_same_to_a_grpc_sender_as_to_an_http_sender() {
        for status in 300..600 {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(http_verdict(status), grpc_verdict(http_code(status), false), "{status}");
        }
    }

    #[test]
    fn every_code_has_the_name_that_the_protocol_gives_it() {
        for code in 0..=16 {
            let code = Code::from(code);
            let name: String = code_name(code).split('_').map(str::to_lowercase).collect();
            assert_eq!(name, format!("{code:?}").to_lowercase());
        }
    }
}
