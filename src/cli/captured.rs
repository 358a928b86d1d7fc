//! Captured exports of traces as files hold them: protobuf, JSON, or JSON with a request a line.
//! Knows envelopes; nothing of model calls.

use std::io::Read;

use bytes::Bytes;

use crate::otlp::{Reader, Signal, SpanAt, json, walk};

/// What is to be written instead.
const WANTED: &str = "write an ExportTraceServiceRequest, in protobuf or JSON, as exporters send it";

/// What other signals begin with in JSON.
const OTHERS: [&str; 2] = ["resourceMetrics", "resourceLogs"];

/// More is no capture that anyone reads.
const MOST_BYTES: u64 = 1 << 30;

/// The requests in a file, in protobuf whatever it was written in.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(super) fn requests(input: &mut dyn Read) -> Result<Vec<Bytes>, String> {
    let mut bytes = Vec::new();
    let read = input.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}; write a file"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err("larger than 1 GiB; write it in several files".to_owned());
    }
    let requests = if is_json(&bytes) { of_json(&bytes)? } else { vec![bytes.into()] };
    requests.iter().try_for_each(|request| check(request))?;
    Ok(requests)
}

/// One request, or as the Collector's file exporter writes them, a line each.
fn of_json(bytes: &[u8]) -> Result<Vec<Bytes>, String> {
    let whole = match from_json(bytes) {
        Ok(request) => return Ok(vec![request]),
        Err(whole) => whole,
    };
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
    let decoded: Vec<_> = lines.map(|(at, line)| (at, from_json(line))).collect();
    let is_lines = decoded.len() > 1 && decoded.first().is_some_and(|(_, first)| first.is_ok());
    let of_lines = decoded
        .into_iter()
        .map(|(at, line)| line.map_err(|error| if is_lines { format!("line {at}: {error}") } else { whole.clone() }));
    of_lines.collect()
}

/// Whether bytes are meant to be JSON.
fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// A request of traces in JSON as protobuf.
///
/// # Errors
/// What is wrong with it.
fn from_json(text: &[u8]) -> Result<Bytes, String> {
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
fn check(request: &[u8]) -> Result<(), String> {
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
