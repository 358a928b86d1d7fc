//! A rejection in the words of each transport: gRPC code and trailers, HTTP status and `google.rpc.Status` bodies,
//! and when to come back. Code to HTTP status as in the Collector's `receiver/otlpreceiver/internal/errors`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::rejection::Rejection;

/// The longest message in bytes. Percent-encoded and in the details again, the trailers stay below the 8 KiB of
/// headers that the strictest gRPC clients accept.
const LONGEST_MESSAGE: usize = 1024;

/// The encodings of gRPC messages that are spoken here.
pub(super) const GRPC_ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// The gRPC code of a rejection.
pub(super) fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::Malformed(_) | Rejection::Corrupt(_) | Rejection::UnsupportedMediaType { .. } => {
            Code::InvalidArgument
        }
        Rejection::UnsupportedEncoding(_)
        | Rejection::NotFound(_)
        | Rejection::NoPipeline { .. }
        | Rejection::MethodNotAllowed(_) => Code::Unimplemented,
        Rejection::Unauthenticated { .. } => Code::Unauthenticated,
        Rejection::TooLarge { .. } => Code::ResourceExhausted,
        Rejection::Overloaded { .. } | Rejection::MemoryLimit { .. } | Rejection::Interrupted(_) => Code::Unavailable,
        Rejection::DeadlineExceeded(_) => Code::DeadlineExceeded,
        // A failure is never a success, whatever a backend calls it.
        Rejection::Backend(failure) if failure.code == Code::Ok => Code::Unknown,
        Rejection::Backend(failure) => failure.code,
        Rejection::Protocol(_) | Rejection::Internal(_) => Code::Internal,
    }
}

/// The HTTP status of a rejection.
pub(super) fn http_status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::UnsupportedEncoding(_) | Rejection::UnsupportedMediaType { .. } => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        Rejection::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        Rejection::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        rejection => http_status_of(code(rejection)),
    }
}

fn http_status_of(code: Code) -> StatusCode {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => StatusCode::SERVICE_UNAVAILABLE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// How long the sender is asked to wait. An oversized request has none: sending it again cannot help.
pub(super) fn retry_delay(rejection: &Rejection) -> Option<Duration> {
    match rejection {
        Rejection::Overloaded { retry_after } | Rejection::MemoryLimit { retry_after } => Some(*retry_after),
        Rejection::Backend(failure) => failure.retry_after,
        _ => None,
    }
}

/// The value of `Retry-After`: whole seconds, rounded up, at least 1; only on 429 and 503.
pub(super) fn retry_after_seconds(rejection: &Rejection) -> Option<u64> {
    let status = http_status(rejection);
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let delay = retry_delay(rejection)?;
    Some(delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0)).max(1))
}

/// The trailers of a refused call.
pub(super) fn grpc_trailers(rejection: &Rejection) -> HeaderMap {
    let message = message(rejection);
    trailers(&match retry_delay(rejection) {
        Some(delay) => Status::with_error_details(code(rejection), message, ErrorDetails::with_retry_info(Some(delay))),
        None => Status::new(code(rejection), message),
    })
}

/// A status as trailers.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Percent-encoded text and base64 always are header values; were they not, the code still has to arrive.
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from(i32::from(status.code())));
    }
    trailers
}

/// The `google.rpc.Status` of a rejection as protobuf.
pub(super) fn protobuf_body(rejection: &Rejection) -> Bytes {
    let details = match retry_delay(rejection) {
        Some(delay) => ErrorDetails::with_retry_info(Some(delay)),
        None => ErrorDetails::new(),
    };
    Bytes::copy_from_slice(Status::with_error_details(code(rejection), message(rejection), details).details())
}

/// The `google.rpc.Status` of a rejection as JSON.
pub(super) fn json_body(rejection: &Rejection) -> Bytes {
    let details = retry_delay(rejection)
        .map(|delay| RetryInfoJson {
            type_url: "type.googleapis.com/google.rpc.RetryInfo",
            retry_delay: duration_json(delay),
        })
        .into_iter()
        .collect();
    let status = StatusJson { code: code(rejection).into(), message: message(rejection), details };
    serde_json::to_vec(&status).unwrap_or_default().into()
}

#[derive(Serialize)]
struct StatusJson {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<RetryInfoJson>,
}

#[derive(Serialize)]
struct RetryInfoJson {
    #[serde(rename = "@type")]
    type_url: &'static str,
    #[serde(rename = "retryDelay")]
    retry_delay: String,
}

/// A duration as protobuf's JSON writes it: seconds with 0, 3, 6 or 9 decimals.
/// <https://protobuf.dev/programming-guides/json/>
fn duration_json(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 {
        format!("{seconds}s")
    } else if nanos.is_multiple_of(1_000_000) {
        format!("{seconds}.{:03}s", nanos / 1_000_000)
    } else if nanos.is_multiple_of(1_000) {
        format!("{seconds}.{:06}s", nanos / 1_000)
    } else {
        format!("{seconds}.{nanos:09}s")
    }
}

fn message(rejection: &Rejection) -> String {
    let mut message = rejection.to_string();
    message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Failure;

    fn backend(code: Code, retry_after: Option<Duration>) -> Rejection {
        Rejection::Backend(Failure { code, message: "no".to_owned(), retry_after })
    }

    #[test]
    fn a_backends_code_is_kept_over_grpc_and_mapped_as_the_collector_does_over_http() {
        let expected = [
            (Code::Cancelled, 503),
            (Code::Unknown, 500),
            (Code::InvalidArgument, 400),
            (Code::DeadlineExceeded, 503),
            (Code::NotFound, 500),
            (Code::AlreadyExists, 500),
            (Code::PermissionDenied, 403),
            (Code::ResourceExhausted, 429),
            (Code::FailedPrecondition, 500),
            (Code::Aborted, 503),
            (Code::OutOfRange, 503),
            (Code::Unimplemented, 404),
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::DataLoss, 503),
            (Code::Unauthenticated, 401),
        ];
        for (code, status) in expected {
            let rejection = backend(code, None);
            assert_eq!(super::code(&rejection), code);
            assert_eq!(http_status(&rejection).as_u16(), status, "{code:?}");
        }
    }

    #[test]
    fn an_oversized_request_is_resource_exhausted_without_a_delay_and_413() {
        let rejection = Rejection::TooLarge { limit: 10 };
        assert_eq!(code(&rejection), Code::ResourceExhausted);
        assert_eq!(http_status(&rejection), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(!grpc_trailers(&rejection).contains_key("grpc-status-details-bin"));
        assert_eq!(retry_after_seconds(&rejection), None);
    }

    #[test]
    fn a_delay_is_rounded_up_to_whole_seconds_and_never_zero() {
        let seconds = |delay| retry_after_seconds(&Rejection::Overloaded { retry_after: delay });
        assert_eq!(seconds(Duration::ZERO), Some(1));
        assert_eq!(seconds(Duration::from_millis(20)), Some(1));
        assert_eq!(seconds(Duration::from_secs(2)), Some(2));
        assert_eq!(seconds(Duration::new(2, 1)), Some(3));
        assert_eq!(seconds(Duration::MAX), Some(u64::MAX));
    }

    #[test]
    fn retry_after_stands_on_429_and_503_only() {
        let delay = Some(Duration::from_secs(7));
        assert_eq!(retry_after_seconds(&backend(Code::ResourceExhausted, delay)), Some(7));
        assert_eq!(retry_after_seconds(&backend(Code::Unavailable, delay)), Some(7));
        assert_eq!(retry_after_seconds(&backend(Code::Internal, delay)), None);
    }

    #[test]
    fn a_backends_delay_is_kept_in_the_trailers() {
        let rejection = backend(Code::ResourceExhausted, Some(Duration::from_millis(1500)));
        let status = Status::from_header_map(&grpc_trailers(&rejection)).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.get_details_retry_info().and_then(|info| info.retry_delay),
            Some(Duration::from_millis(1500))
        );
    }

    #[test]
    fn the_json_status_carries_code_message_and_delay() {
        let rejection = backend(Code::Unavailable, Some(Duration::from_millis(1500)));
        assert_eq!(
            json_body(&rejection),
            r#"{"code":14,"message":"no","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}]}"#
        );
        assert_eq!(json_body(&backend(Code::InvalidArgument, None)), r#"{"code":3,"message":"no"}"#);
    }

    #[test]
    fn the_protobuf_status_is_what_the_schema_says() {
        // field 1 (code) = 3, field 2 (message) = "no"
        assert_eq!(&protobuf_body(&backend(Code::InvalidArgument, None))[..], b"\x08\x03\x12\x02no");
    }

    #[test]
    fn durations_are_written_as_protobuf_json_writes_them() {
        assert_eq!(duration_json(Duration::from_secs(3)), "3s");
        assert_eq!(duration_json(Duration::from_micros(1_000_001)), "1.000001s");
        assert_eq!(duration_json(Duration::from_nanos(5)), "0.000000005s");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let failure = Failure { code: Code::Internal, message: "\u{20ac}".repeat(1000), retry_after: None };
        let text = message(&Rejection::Backend(failure));
        assert_eq!(text, "\u{20ac}".repeat(341)); // 341 x 3 = 1023 bytes; one more would be 1026
    }

    #[test]
    fn a_failure_that_a_backend_calls_ok_is_still_a_failure() {
        assert_eq!(code(&backend(Code::Ok, None)), Code::Unknown);
    }
}
