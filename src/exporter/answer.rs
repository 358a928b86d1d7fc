//! What a backend says with a success: its `Export*ServiceResponse`, as protobuf or JSON, and the partial
//! success inside. Knows no transport; the answer's bytes go back to the sender as they came.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::Value;

use crate::otlp::Signal;

/// What a backend did not take of a request that it acknowledged. Never sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Items that the backend rejected; 0 with a message is a warning.
    pub rejected: i64,
    /// The backend's words.
    pub message: String,
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// No `Export*ServiceResponse` in protobuf.
    #[error("it is no OTLP answer in protobuf: {0}")]
    Protobuf(String),
    /// No `Export*ServiceResponse` in JSON.
    #[error("it is no OTLP answer in JSON: {0}")]
    Json(String),
}

/// The partial success in `response`, where there is one: costs nothing for full success, whose answer is empty.
/// What cannot be read is none.
#[must_use]
pub fn partial_success(signal: Signal, response: &Bytes) -> Option<PartialSuccess> {
    read(signal, response).ok().flatten()
}

/// The partial success in an answer in protobuf.
pub(super) fn read(signal: Signal, response: &Bytes) -> Result<Option<PartialSuccess>, AnswerError> {
    if response.is_empty() {
        return Ok(None);
    }
    let read = match signal {
        Signal::Traces => ExportTraceServiceResponse::decode(response.clone())
            .map(|answer| answer.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))),
        Signal::Metrics => ExportMetricsServiceResponse::decode(response.clone())
            .map(|answer| answer.partial_success.map(|partial| (partial.rejected_data_points, partial.error_message))),
        Signal::Logs => ExportLogsServiceResponse::decode(response.clone())
            .map(|answer| answer.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))),
    };
    let said = read.map_err(|error| AnswerError::Protobuf(error.to_string()))?;
    Ok(said
        .map(|(rejected, message)| PartialSuccess { rejected, message })
        .filter(|partial| partial.rejected != 0 || !partial.message.is_empty()))
}

/// An answer in JSON as the same answer in protobuf.
pub(super) fn from_json(signal: Signal, body: &[u8]) -> Result<Bytes, AnswerError> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| AnswerError::Json(error.to_string()))?;
    let Value::Object(answer) = answer else {
        return Err(AnswerError::Json("not an object".to_owned()));
    };
    let partial = match answer.get("partialSuccess") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::Object(partial)) => partial,
        Some(_) => return Err(AnswerError::Json("`partialSuccess` is not an object".to_owned())),
    };
    let message = match partial.get("errorMessage") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(message)) => message.clone(),
        Some(_) => return Err(AnswerError::Json("`errorMessage` is not a string".to_owned())),
    };
    let rejected = rejected(partial.get(signal.rejected_json_name()))
        .ok_or_else(|| AnswerError::Json(format!("`{}` is not an integer", signal.rejected_json_name())))?;
    if rejected == 0 && message.is_empty() {
        return Ok(Bytes::new());
    }
    Ok(encode(signal, PartialSuccess { rejected, message }))
}

/// 64-bit integers are decimal strings in proto3 JSON, and numbers are tolerated (O-35).
fn rejected(value: Option<&Value>) -> Option<i64> {
    match value {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_i64(),
    }
}

/// An answer with a partial success.
pub(super) fn encode(signal: Signal, partial: PartialSuccess) -> Bytes {
    let PartialSuccess { rejected, message: error_message } = partial;
    let encoded = match signal {
        Signal::Traces => {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans: rejected, error_message });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Metrics => {
            let partial_success = Some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Logs => {
            let partial_success = Some(ExportLogsPartialSuccess { rejected_log_records: rejected, error_message });
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
    };
    encoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1, length 6: field 1 varint 3, field 2 "no".
    const THREE_REJECTED: &[u8] = b"\x0a\x06\x08\x03\x12\x02no";

    #[test]
    fn a_partial_success_is_read_from_any_signal() {
        for signal in Signal::ALL {
            let said = partial_success(signal, &Bytes::from_static(THREE_REJECTED));
            assert_eq!(said, Some(PartialSuccess { rejected: 3, message: "no".to_owned() }), "{signal:?}");
        }
    }

    #[test]
    fn full_success_is_no_partial_success() {
        for full in [&b""[..], b"\x0a\x00", b"\x0a\x02\x08\x00"] {
            assert_eq!(read(Signal::Traces, &Bytes::from_static(full)), Ok(None), "{full:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_no_partial_success() {
        let junk = Bytes::from_static(b"<html>");
        assert!(matches!(read(Signal::Traces, &junk), Err(AnswerError::Protobuf(_))));
        assert_eq!(partial_success(Signal::Traces, &junk), None);
    }

    #[test]
    fn an_answer_in_json_becomes_the_same_in_protobuf() {
        for (signal, json) in [
            (Signal::Traces, r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#),
            (Signal::Metrics, r#"{"partialSuccess":{"rejectedDataPoints":3,"errorMessage":"no"}}"#),
            (Signal::Logs, r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no","later":[]}}"#),
        ] {
            assert_eq!(from_json(signal, json.as_bytes()), Ok(Bytes::from_static(THREE_REJECTED)), "{signal:?}");
        }
    }

    #[test]
    fn full_success_in_json_is_empty() {
        for json in [
            "{}",
            r#"{"partialSuccess":null}"#,
            r#"{"partialSuccess":{}}"#,
            r#"{"partialSuccess":{"rejectedSpans":"0"}}"#,
        ] {
            assert_eq!(from_json(Signal::Traces, json.as_bytes()), Ok(Bytes::new()), "{json}");
        }
    }

    #[test]
    fn json_that_is_no_answer_is_an_error() {
        for json in ["", "[]", r#"{"partialSuccess":1}"#, r#"{"partialSuccess":{"rejectedSpans":"many"}}"#] {
            assert!(matches!(from_json(Signal::Traces, json.as_bytes()), Err(AnswerError::Json(_))), "{json}");
        }
    }
}
