//! The answer to a request that was taken: the backend's `Export*ServiceResponse`, as it came or as JSON, and never
//! larger than what every OTLP client accepts. The three responses have one shape on the wire.

use bytes::Bytes;
use serde::Serialize;

use crate::otlp::value::append_varint;
use crate::otlp::{Reader, Signal, Value, WireError};

/// Clients need not read a larger answer: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response>.
pub(super) const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Field tag of a length-delimited field 1 and 2, and of a varint field 1.
const TAG_PARTIAL_SUCCESS: u64 = 1 << 3 | 2;
const TAG_REJECTED: u64 = 1 << 3;
const TAG_MESSAGE: u64 = 2 << 3 | 2;

/// `Export*PartialSuccess`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct PartialSuccess {
    rejected: i64,
    message: String,
}

/// The answer as protobuf: the backend's own bytes wherever they fit.
pub(super) fn protobuf(response: Bytes) -> Bytes {
    if response.len() <= MAX_ANSWER_BYTES {
        return response;
    }
    match read(&response) {
        Ok(Some(mut partial)) => {
            // Two tags, two lengths and the count take fewer than 64 bytes.
            partial.shorten(MAX_ANSWER_BYTES - 64);
            partial.encode().into()
        }
        // The backend acknowledged; what it says beside that cannot be kept.
        Ok(None) | Err(_) => Bytes::new(),
    }
}

/// The answer as JSON. A backend that acknowledged with bytes that are no response has acknowledged all the same.
pub(super) fn json(signal: Signal, response: &[u8]) -> Bytes {
    let Ok(Some(mut partial)) = read(response) else {
        return Bytes::from_static(b"{}");
    };
    let text = partial.to_json(signal);
    if text.len() <= MAX_ANSWER_BYTES {
        return text.into();
    }
    // Each byte of the message is at least one byte of JSON.
    let excess = text.len() - MAX_ANSWER_BYTES;
    partial.shorten(partial.message.len().saturating_sub(excess));
    partial.to_json(signal).into()
}

fn read(response: &[u8]) -> Result<Option<PartialSuccess>, WireError> {
    let mut found: Option<PartialSuccess> = None;
    let mut fields = Reader::new(response);
    while let Some(field) = fields.field()? {
        let (1, Value::Bytes(extent)) = (field.number, field.value) else { continue };
        // A message that stands twice is merged: protobuf's rule.
        let partial = found.get_or_insert_default();
        let mut inner = Reader::within(response, extent);
        while let Some(field) = inner.field()? {
            match (field.number, field.value) {
                (1, Value::Varint(rejected)) => partial.rejected = rejected.cast_signed(),
                (2, Value::Bytes(text)) => {
                    partial.message = String::from_utf8_lossy(&response[text.start..text.end]).into_owned();
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

impl PartialSuccess {
    fn shorten(&mut self, longest: usize) {
        self.message.truncate(self.message.floor_char_boundary(longest));
    }

    fn encode(&self) -> Vec<u8> {
        let mut inner = Vec::with_capacity(self.message.len() + 32);
        append_varint(&mut inner, TAG_REJECTED);
        append_varint(&mut inner, self.rejected.cast_unsigned());
        append_varint(&mut inner, TAG_MESSAGE);
        append_varint(&mut inner, length(&self.message));
        inner.extend_from_slice(self.message.as_bytes());
        let mut out = Vec::with_capacity(inner.len() + 16);
        append_varint(&mut out, TAG_PARTIAL_SUCCESS);
        append_varint(&mut out, length(&inner));
        out.extend_from_slice(&inner);
        out
    }

    /// `{"partialSuccess":{"rejectedSpans":"1","errorMessage":".."}}`: defaults are left out, 64-bit integers are
    /// strings, as protobuf's JSON has it.
    fn to_json(&self, signal: Signal) -> Vec<u8> {
        let mut partial = serde_json::Map::new();
        if self.rejected != 0 {
            partial.insert(signal.rejected_json_name().to_owned(), self.rejected.to_string().into());
        }
        if !self.message.is_empty() {
            partial.insert("errorMessage".to_owned(), self.message.as_str().into());
        }
        serde_json::to_vec(&ResponseJson { partial_success: partial }).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct ResponseJson {
    #[serde(rename = "partialSuccess")]
    partial_success: serde_json::Map<String, serde_json::Value>,
}

fn length(bytes: impl AsRef<[u8]>) -> u64 {
    u64::try_from(bytes.as_ref().len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;

    use super::*;

    fn traces(rejected_spans: i64, error_message: impl Into<String>) -> ExportTraceServiceResponse {
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.into() };
        ExportTraceServiceResponse { partial_success: Some(partial) }
    }

    #[test]
    fn an_answer_that_fits_leaves_as_the_bytes_that_came() {
        // An unknown field 9 stays.
        let response = Bytes::from_static(b"\x0a\x02\x08\x01\x48\x05");
        assert_eq!(protobuf(response.clone()), response);
    }

    #[test]
    fn full_success_is_an_empty_object() {
        assert_eq!(json(Signal::Traces, b""), "{}");
        assert_eq!(json(Signal::Traces, b"\xff"), "{}");
    }

    #[test]
    fn partial_success_names_what_was_rejected_by_signal_with_the_count_as_a_string() {
        let response = traces(9_007_199_254_740_993, "too \"old\"").encode_to_vec();
        assert_eq!(
            json(Signal::Traces, &response),
            r#"{"partialSuccess":{"errorMessage":"too \"old\"","rejectedSpans":"9007199254740993"}}"#
        );
        let partial = ExportLogsPartialSuccess { rejected_log_records: 2, error_message: String::new() };
        let response = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(json(Signal::Logs, &response), r#"{"partialSuccess":{"rejectedLogRecords":"2"}}"#);
        assert_eq!(json(Signal::Metrics, &response), r#"{"partialSuccess":{"rejectedDataPoints":"2"}}"#);
    }

    #[test]
    fn o_15_an_answer_over_4_mib_keeps_its_count_and_as_much_text_as_fits() {
        let response: Bytes = traces(7, "\u{20ac}".repeat(2 << 20)).encode_to_vec().into();
        let shrunk = protobuf(response.clone());
        assert!(shrunk.len() <= MAX_ANSWER_BYTES && shrunk.len() > MAX_ANSWER_BYTES - 100, "{}", shrunk.len());
        let partial = ExportTraceServiceResponse::decode(&shrunk[..]).unwrap().partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 7);
        assert!(partial.error_message.chars().all(|char| char == '\u{20ac}'));

        let text = json(Signal::Traces, &response);
        assert!(text.len() <= MAX_ANSWER_BYTES && text.len() > MAX_ANSWER_BYTES - 100, "{}", text.len());
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["partialSuccess"]["rejectedSpans"], "7");
    }

    #[test]
    fn o_15_text_that_grows_in_json_still_fits() {
        let response = traces(1, "\u{1}".repeat(1 << 20)).encode_to_vec(); // one byte each, six in JSON
        let text = json(Signal::Traces, &response);
        assert!(text.len() <= MAX_ANSWER_BYTES);
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
    }
}
