//! Captured exports of traces as files hold them: protobuf, JSON, or JSON with a request a line.
//! Knows envelopes; nothing of model calls.

use bytes::Bytes;

use crate::otlp::{Reader, Signal, SpanAt, json, walk};

/// What is to be written instead.
const WANTED: &str = "write an ExportTraceServiceRequest, in protobuf or JSON, as exporters send it";

/// What other signals begin with in JSON.
const OTHERS: [&str; 2] = ["resourceMetrics", "resourceLogs"];

/// Whether bytes are meant to be JSON.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// A request of traces in JSON as protobuf.
///
/// # Errors
/// What is wrong with it.
pub(super) fn from_json(text: &[u8]) -> Result<Bytes, String> {
    let request = json::decode(Signal::Traces, text).map_err(|error| format!("no OTLP in JSON: {error}"))?;
    let other =
        OTHERS.iter().find(|other| request.is_empty() && memchr::memmem::find(text, other.as_bytes()).is_some());
    match other {
        Some(other) => Err(format!("no export of traces, but `{other}`; {WANTED}")),
        None => Ok(request),
    }
}

/// Refuses what is no export of traces. Metrics and logs have much the same envelopes, but what stands in them has no
/// trace id: so that a file of the wrong signal is not taken for one without model calls.
///
/// # Errors
/// What it is not, and what to write.
pub(super) fn check(request: &[u8]) -> Result<(), String> {
    let mut identified = 0u64;
    let spans = walk(request, |span| {
        identified += u64::from(has_trace_id(request, span));
        Ok(())
    });
    match spans {
        Err(_) => Err(format!("no export of traces: {WANTED}")),
        Ok(spans) if spans > 0 && identified == 0 => Err(format!(
            "no export of traces, but as it seems of metrics or logs: nothing in it has a trace id; {WANTED}"
        )),
        Ok(_) => Ok(()),
    }
}

/// `Span.trace_id`, field 1: 16 bytes.
fn has_trace_id(request: &[u8], span: &SpanAt) -> bool {
    let found = Reader::within(request, span.span).find(1);
    matches!(found, Ok(Some((_, id))) if id.end - id.start == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_other_signals_are_told_from_traces() {
        // resource_spans { scope_spans { spans { .. } } } around a trace id, and around a name, as of a metric.
        let around = |inner: &[u8]| {
            [0x12, 0x12, 0x0a]
                .iter()
                .fold(inner.to_vec(), |inner, tag| [&[*tag, u8::try_from(inner.len()).unwrap()], &inner[..]].concat())
        };
        assert_eq!(check(&around(&[&[0x0a, 16][..], &[7; 16]].concat())), Ok(()));
        assert!(check(&around(b"\x0a\x05calls")).unwrap_err().contains("metrics or logs"));
        // time_unix_nano of a log record.
        assert!(check(&around(b"\x09\0\0\0\0\0\0\0\0")).unwrap_err().contains("metrics or logs"));
        assert!(check(b"\xff").unwrap_err().starts_with("no export of traces: write"));
        assert_eq!(check(b""), Ok(()));
        assert!(from_json(br#"{"resourceMetrics":[]}"#).unwrap_err().contains("`resourceMetrics`"));
        assert_eq!(from_json(br#"{"resourceSpans":[]}"#), Ok(Bytes::new()));
    }
}
