//! Roots: finding them among the spans of a request, and what is written on one whose trace has model calls.
//! Knows nothing of how totals come about.

use super::receipt::Band;
use super::rounding::round_significant;
use crate::otlp::value::{self, DoubleKey, IntKey, encoded_bool, encoded_string};
use crate::otlp::{Extent, Reader, SpanAt, WireError, any_attribute, walk};
use crate::semconv::out;
use crate::trace::Range;
use crate::trace::ledger::Account;

/// `Span.parent_span_id`, its tag, and the bytes of one.
const PARENT: u8 = 4;
const PARENT_TAG: [u8; 2] = [0x22, 0x08];
/// What some write on a root.
const NO_PARENT: [u8; 8] = [0; 8];
/// A span's ids in front, as they are nearly always written, and at its end, where the last field comes first.
const TRACE_ID_TAG: [u8; 2] = [0x0a, 0x10];
const SPAN_ID_TAG: [u8; 2] = [0x12, 0x08];

/// Whether a span has a parent. What is decided by two bytes first is right for what protobuf libraries and the Go
/// Collector write, and costs next to nothing; everything else is read.
#[inline(always)]
pub(super) fn has_parent(request: &[u8], span: Extent) -> Result<bool, WireError> {
    let bytes = value::slice(request, span);
    if bytes.get(28..30) == Some(&PARENT_TAG)
        && bytes.starts_with(&TRACE_ID_TAG)
        && bytes.get(18..20) == Some(&SPAN_ID_TAG)
        && bytes.get(30..38).is_some_and(|parent| *parent != NO_PARENT)
    {
        return Ok(true);
    }
    is_child(request, span)
}

/// Whether a span has a parent, however it is written.
#[inline(never)]
fn is_child(request: &[u8], span: Extent) -> Result<bool, WireError> {
    let bytes = value::slice(request, span);
    // The last field first: parent, span id, trace id stand at the end.
    let tail = bytes.len().checked_sub(38).and_then(|start| bytes.get(start..)).unwrap_or_default();
    if tail.starts_with(&PARENT_TAG)
        && tail.get(10..12) == Some(&SPAN_ID_TAG)
        && tail.get(20..22) == Some(&TRACE_ID_TAG)
        && !bytes.starts_with(&TRACE_ID_TAG)
        && tail.get(2..10).is_some_and(|parent| *parent != NO_PARENT)
    {
        return Ok(true);
    }
    let mut reader = Reader::within(request, span);
    let mut parent = &[][..];
    while let Some((id, _)) = reader.find(PARENT)? {
        parent = id;
    }
    Ok(parent.len() == 8 && parent.iter().any(|byte| *byte != 0))
}

/// The roots of a request, in the order of the wire.
pub(super) fn find(request: &[u8]) -> Result<Vec<SpanAt>, WireError> {
    let mut roots = Vec::new();
    walk(request, |at| {
        if !has_parent(request, at.span)? {
            roots.push(*at);
        }
        Ok(())
    })?;
    Ok(roots)
}

/// `Span.trace_id`.
pub(super) fn trace_id(request: &[u8], span: Extent) -> Result<&[u8], WireError> {
    let bytes = value::slice(request, span);
    if let Some(id) = bytes.strip_prefix(&TRACE_ID_TAG).and_then(|rest| rest.get(..16)) {
        return Ok(id);
    }
    let (mut reader, mut trace_id) = (Reader::within(request, span), &[][..]);
    while let Some((id, _)) = reader.find(1)? {
        trace_id = id;
    }
    Ok(trace_id)
}

/// Writes totals on roots.
#[derive(Debug)]
pub(super) struct RootWriter {
    keys: Keys,
    band_bounds_g: [f64; 4],
    significant_digits: u8,
}

/// Every key that is written, with the prefix.
#[derive(Debug)]
struct Keys {
    /// What all of them begin with.
    family: String,
    co2e: [DoubleKey; 3],
    energy: DoubleKey,
    calls: IntKey,
    unknown_calls: IntKey,
    input_tokens: IntKey,
    output_tokens: IntKey,
    /// The whole attribute for each of [`Band::ALL`], in that order.
    bands: [Box<[u8]>; Band::ALL.len()],
    /// The whole attribute: whether nothing is known to be missing, no and yes.
    complete: [Box<[u8]>; 2],
}

impl RootWriter {
    pub(super) fn new(prefix: &str, band_bounds_g: [f64; 4], significant_digits: u8) -> Self {
        let key = |suffix: &str| format!("{prefix}{suffix}");
        let double = |suffix: &str| DoubleKey::new(&key(suffix));
        let int = |suffix: &str| IntKey::new(&key(suffix));
        let keys = Keys {
            family: key(out::TRACE),
            co2e: [out::TRACE_CO2E_LOW_G, out::TRACE_CO2E_G, out::TRACE_CO2E_HIGH_G].map(double),
            energy: double(out::TRACE_ENERGY_WH),
            calls: int(out::TRACE_CALLS),
            unknown_calls: int(out::TRACE_UNKNOWN_CALLS),
            input_tokens: int(out::TRACE_INPUT_TOKENS),
            output_tokens: int(out::TRACE_OUTPUT_TOKENS),
            bands: Band::ALL.map(|band| encoded_string(&key(out::TRACE_BAND), band.name())),
            complete: [false, true].map(|is| encoded_bool(&key(out::TRACE_COMPLETE), is)),
        };
        Self { keys, band_bounds_g, significant_digits }
    }

    /// Whether a root came with totals: they are another's, and stay alone.
    pub(super) fn has_totals(&self, request: &[u8], span: Extent) -> Result<bool, WireError> {
        let family = self.keys.family.as_bytes();
        let may_be = |first, len| Some(&first) == family.first() && usize::from(len) >= family.len();
        any_attribute(request, span, may_be, |key| key.starts_with(family))
    }

    /// Appends the totals of a trace. What is not known is left out.
    pub(super) fn write(&self, out: &mut Vec<u8>, account: &Account) {
        if let Some(Range { low, value, high }) = account.co2e_g() {
            self.double(out, &self.keys.co2e[1], value);
            if let (Some(low), Some(high)) = (low, high) {
                self.double(out, &self.keys.co2e[0], low);
                self.double(out, &self.keys.co2e[2], high);
            }
        }
        if let Some(energy) = account.energy_wh() {
            self.double(out, &self.keys.energy, energy.value);
        }
        self.keys.calls.append(out, i64::from(account.calls()));
        self.keys.unknown_calls.append(out, i64::from(account.unknown_calls()));
        self.keys.input_tokens.append(out, i64::try_from(account.input_tokens()).unwrap_or(i64::MAX));
        self.keys.output_tokens.append(out, i64::try_from(account.output_tokens()).unwrap_or(i64::MAX));
        if let Some(co2e_g) = account.co2e_g() {
            out.extend_from_slice(&self.keys.bands[self.band(co2e_g.value) as usize]);
        }
        out.extend_from_slice(&self.keys.complete[usize::from(account.is_complete())]);
    }

    /// The band of a total.
    pub(super) fn band(&self, co2e_g: f64) -> Band {
        Band::of(co2e_g, &self.band_bounds_g)
    }

    fn double(&self, out: &mut Vec<u8>, key: &DoubleKey, value: f64) {
        key.append(out, round_significant(value, self.significant_digits));
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    use super::*;

    fn is_child_of_any(bytes: &[u8]) -> bool {
        let extent = Extent { prefix: 0, start: 0, end: bytes.len() };
        let quick = has_parent(bytes, extent).unwrap();
        assert_eq!(quick, is_child(bytes, extent).unwrap());
        quick
    }

    fn span(parent_span_id: Vec<u8>) -> Span {
        Span {
            trace_id: vec![7; 16],
            span_id: vec![1; 8],
            parent_span_id,
            name: "\"\u{8}12345678".to_owned(),
            start_time_unix_nano: 5,
            ..Span::default()
        }
    }

    /// The fields of a span, the last first.
    fn descending(parent: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x39\x05\0\0\0\0\0\0\0\x2a\x04chat".to_vec();
        bytes.extend_from_slice(&[0x22, u8::try_from(parent.len()).unwrap()]);
        bytes.extend_from_slice(parent);
        bytes.extend_from_slice(b"\x12\x08\x01\x01\x01\x01\x01\x01\x01\x01\x0a\x10");
        bytes.extend_from_slice(&[7; 16]);
        bytes
    }

    #[test]
    fn a_root_is_a_span_without_a_parent_however_it_is_written() {
        assert!(is_child_of_any(&span(vec![2; 8]).encode_to_vec()));
        assert!(is_child_of_any(&Span { trace_state: "a=b".to_owned(), ..span(vec![2; 8]) }.encode_to_vec()));
        assert!(is_child_of_any(&descending(&[2; 8])));
        for root in [Vec::new(), vec![0; 8], vec![2; 7]] {
            assert!(!is_child_of_any(&span(root.clone()).encode_to_vec()), "{root:?}");
            assert!(!is_child_of_any(&descending(&root)), "{root:?}");
        }
        assert!(!is_child_of_any(&[]));
    }
}
