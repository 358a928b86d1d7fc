//! Reading what came back for a gRPC call: the status in trailers or headers, the message, or what a proxy
//! said instead. <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
//! Nothing that a backend sends can panic here; nothing is read beyond the limit.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost::Message as _;
use tonic::Code;
use tonic_types::{RpcStatusExt as _, pb};

use super::answer;
use super::backend::{Backend, MAX_ANSWER_BYTES};
use super::outcome::Outcome;
use crate::otlp::Signal;
use crate::wire::frame::{self, PREFIX_LEN};
use crate::wire::{Encoding, InflateError};

/// The encodings of answers that are read here.
pub(super) const ACCEPTED: &str = "identity,gzip,zstd";

/// Peers may leave the padding out: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a call ended, as the backend puts it.
struct Status {
    code: Code,
    message: String,
    /// The wait in its `RetryInfo`; zero for one without a delay.
    retry_after: Option<Duration>,
}

/// Reads an answer to its end and says what it means.
pub(super) async fn read(backend: &Backend, signal: Signal, response: Response<tonic::body::Body>) -> Outcome {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_headers(&head.headers) {
        return status.outcome(backend, || Outcome::Delivered { response: Bytes::new() });
    }
    if head.status != StatusCode::OK || !is_grpc(&head.headers) {
        return backend.foreign(head.status, &foreign_words(head.status, &head.headers));
    }
    let collected = match Limited::new(body, MAX_ANSWER_BYTES + PREFIX_LEN).collect().await {
        Ok(collected) => collected,
        Err(error) if error.is::<LengthLimitError>() => return backend.answer_too_large(),
        Err(error) => return backend.unreachable(&*error),
    };
    let Some(status) = collected.trailers().and_then(Status::from_headers) else {
        return backend.broken_off();
    };
    status.outcome(backend, || delivered(backend, signal, &head.headers, &collected.to_bytes()))
}

fn delivered(backend: &Backend, signal: Signal, headers: &HeaderMap, body: &Bytes) -> Outcome {
    // An OK without a message is against the protocol, and an acknowledgement all the same.
    if body.is_empty() {
        return Outcome::Delivered { response: Bytes::new() };
    }
    let frame = match frame::decode_unary(body) {
        Ok(frame) => frame,
        Err(error) => return backend.answer_unreadable(&error),
    };
    let named = headers.get("grpc-encoding").map_or(Some("identity"), |name| name.to_str().ok());
    let encoding = match (frame.compressed, named.and_then(Encoding::from_name)) {
        (false, _) => Encoding::Identity,
        (true, Some(encoding)) if encoding != Encoding::Identity => encoding,
        (true, _) => return backend.answer_unreadable(&"it is compressed in an encoding that was not offered"),
    };
    let response = match encoding.inflate(frame.message, MAX_ANSWER_BYTES) {
        Ok(response) => response,
        Err(InflateError::TooLarge { .. }) => return backend.answer_too_large(),
        Err(error) => return backend.answer_unreadable(&error),
    };
    match answer::read(signal, &response) {
        Ok(_) => Outcome::Delivered { response },
        Err(error) => backend.answer_unreadable(&error),
    }
}

impl Status {
    /// tonic's own reader panics on details that are no base64, so this one is ours.
    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
        let message = headers.get("grpc-message").map_or_else(String::new, |message| {
            percent_encoding::percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned()
        });
        let retry_after = headers
            .get("grpc-status-details-bin")
            .and_then(|details| BASE64.decode(details.as_bytes()).ok())
            .and_then(|details| pb::Status::decode(&details[..]).ok())
            .and_then(|status| status.get_details_retry_info())
            .map(|info| info.retry_delay.unwrap_or_default());
        Some(Self { code, message, retry_after })
    }

    fn outcome(self, backend: &Backend, ok: impl FnOnce() -> Outcome) -> Outcome {
        match self.code {
            Code::Ok => ok(),
            code => backend.answered(code, &self.message, self.retry_after),
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn foreign_words(status: StatusCode, headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
    format!("HTTP {status} with {kind} instead of gRPC: is there a proxy in between, or is it an OTLP/HTTP port?")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_message_is_percent_decoded() {
        let status = Status::from_headers(&headers(&[("grpc-status", "3"), ("grpc-message", "50%25 f%C3%BCr %zz")]));
        assert_eq!(status.unwrap().message, "50% für %zz");
    }

    #[test]
    fn details_that_are_no_details_are_ignored() {
        for details in ["!!!", "AAAA", "", "CA"] {
            let trailers = headers(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]);
            let status = Status::from_headers(&trailers).unwrap();
            assert_eq!((status.code, status.retry_after), (Code::ResourceExhausted, None), "{details}");
        }
    }

    #[test]
    fn an_unknown_code_is_unknown() {
        assert_eq!(Status::from_headers(&headers(&[("grpc-status", "99")])).unwrap().code, Code::Unknown);
        assert_eq!(Status::from_headers(&headers(&[("grpc-status", "no")])).unwrap().code, Code::Unknown);
        assert!(Status::from_headers(&headers(&[])).is_none());
    }
}
