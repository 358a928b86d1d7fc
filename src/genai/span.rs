//! One span read from its bytes: the fields that counting needs, and the attributes that mean something. One pass,
//! nothing copied, nothing allocated for spans without such attributes.

use smallvec::SmallVec;

use super::keys::{KeyTable, Meaning};
use crate::otlp::value::{self, Any};
use crate::otlp::{Extent, Field, Reader, Value, WireError, any_attribute};

/// `Span.kind` of a call to a remote service.
const KIND_CLIENT: u64 = 3;
/// `Status.code` of a failed span.
const STATUS_ERROR: u64 = 2;

/// An attribute that means something: what, its rank in its list, and where its value stands.
#[derive(Debug, Clone, Copy)]
struct Hit {
    meaning: Meaning,
    rank: u8,
    value: Extent,
}

/// The attributes of one span that mean something, in the order of the wire. Reused from span to span.
#[derive(Debug, Default)]
pub struct Hits {
    hits: SmallVec<[Hit; 32]>,
    /// A bit for each meaning that some attribute has.
    present: u32,
    /// Whether some key begins with `gen_ai.`.
    gen_ai: bool,
}

/// The fields of a span that counting needs. Ids are as they came: valid ones have 16 and 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpanFields<'a> {
    /// `trace_id`.
    pub trace_id: &'a [u8],
    /// `span_id`.
    pub span_id: &'a [u8],
    /// `parent_span_id`; empty on a root.
    pub parent_id: &'a [u8],
    /// `trace_state`, as it came.
    pub trace_state: &'a [u8],
    /// `name`, as it came.
    pub name: &'a [u8],
    /// `start_time_unix_nano`; 0 where unknown.
    pub start_ns: u64,
    /// `end_time_unix_nano`; 0 where unknown.
    pub end_ns: u64,
    /// Whether the kind is CLIENT.
    pub client: bool,
    /// Whether the status is ERROR.
    pub error: bool,
}

impl SpanFields<'_> {
    /// From start to end in seconds; `None` where either is unknown or the end comes first.
    #[must_use]
    pub fn duration_s(&self) -> Option<f64> {
        if self.start_ns == 0 {
            return None;
        }
        self.end_ns.checked_sub(self.start_ns).map(|ns| ns as f64 / 1e9)
    }
}

/// Whether a span has a key that tells: only then is it worth a [`scan`]. Most spans have none, so this decides what
/// gramtrace costs.
///
/// # Errors
/// [`WireError`] for broken bytes.
#[inline(never)]
pub fn tells(request: &[u8], span: Extent, keys: &KeyTable) -> Result<bool, WireError> {
    any_attribute(request, span, |first, len| keys.may_tell(first, len), |key| keys.tells(key))
}

/// Reads a span: its fields are returned, its telling attributes put into `hits`.
///
/// # Errors
/// [`WireError`] for broken bytes.
pub fn scan<'a>(
    request: &'a [u8],
    span: Extent,
    keys: &KeyTable,
    hits: &mut Hits,
) -> Result<SpanFields<'a>, WireError> {
    hits.clear();
    let mut fields = SpanFields::default();
    let mut reader = Reader::within(request, span);
    while let Some(Field { number, value }) = reader.field()? {
        match (number, value) {
            (9, Value::Bytes(pair)) => hits.read(request, pair, keys)?,
            (1, Value::Bytes(id)) => fields.trace_id = value::slice(request, id),
            (2, Value::Bytes(id)) => fields.span_id = value::slice(request, id),
            (3, Value::Bytes(state)) => fields.trace_state = value::slice(request, state),
            (4, Value::Bytes(id)) => fields.parent_id = value::slice(request, id),
            (5, Value::Bytes(name)) => fields.name = value::slice(request, name),
            (6, Value::Varint(kind)) => fields.client = kind == KIND_CLIENT,
            (7, Value::Fixed64(ns)) => fields.start_ns = ns,
            (8, Value::Fixed64(ns)) => fields.end_ns = ns,
            (15, Value::Bytes(status)) => fields.error = is_error(request, status)?,
            _ => {}
        }
    }
    Ok(fields)
}

/// `Status.code` is field 3.
fn is_error(request: &[u8], status: Extent) -> Result<bool, WireError> {
    let mut error = false;
    let mut reader = Reader::within(request, status);
    while let Some(field) = reader.field()? {
        if let Field { number: 3, value: Value::Varint(code) } = field {
            error = code == STATUS_ERROR;
        }
    }
    Ok(error)
}

impl Hits {
    fn clear(&mut self) {
        self.hits.clear();
        self.present = 0;
        self.gen_ai = false;
    }

    #[inline]
    fn read(&mut self, request: &[u8], pair: Extent, keys: &KeyTable) -> Result<(), WireError> {
        // Most keys mean nothing, and are not looked at but for whether they are of the conventions' own.
        if let Some((first, len)) = value::head_of_key(value::slice(request, pair))
            && !keys.may_mean(first, len)
            && (self.gen_ai || first != b'g')
        {
            return Ok(());
        }
        let (key, value) = value::key_value(request, pair)?;
        self.gen_ai |= key.starts_with(b"gen_ai.");
        if let (Some((meaning, rank)), Some(value)) = (keys.get(key), value) {
            self.present |= bit(meaning);
            self.hits.push(Hit { meaning, rank, value });
        }
        Ok(())
    }

    /// Whether the span has a key that begins with `gen_ai.`.
    #[must_use]
    pub const fn has_gen_ai_key(&self) -> bool {
        self.gen_ai
    }

    /// Whether some attribute has this meaning.
    #[must_use]
    pub fn has(&self, meaning: Meaning) -> bool {
        self.present & bit(meaning) != 0
    }

    /// The first non-empty string with this meaning, by rank, then by order. Strings that are not UTF-8 are passed over.
    #[must_use]
    pub fn string<'a>(&self, request: &'a [u8], meaning: Meaning) -> Option<&'a str> {
        self.first(meaning, |hit| non_empty_string(request, hit.value))
    }

    /// Every non-empty string with this meaning, by rank, then by order.
    #[must_use]
    pub fn strings<'a>(&self, request: &'a [u8], meaning: Meaning) -> SmallVec<[&'a str; 4]> {
        let mut ranked: SmallVec<[(u8, &str); 4]> = self
            .hits
            .iter()
            .filter(|hit| hit.meaning == meaning)
            .filter_map(|hit| Some((hit.rank, non_empty_string(request, hit.value)?)))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, string)| string).collect()
    }

    /// Whether an attribute with this key has a value that `holds`: `None` for one that is no string.
    pub fn any_at(&self, request: &[u8], key: (Meaning, u8), holds: impl Fn(Option<&str>) -> bool) -> bool {
        self.has(key.0)
            && self
                .hits
                .iter()
                .filter(|hit| (hit.meaning, hit.rank) == key)
                .any(|hit| holds(non_empty_string(request, hit.value)))
    }

    /// Appends every attribute with one of `meanings` as it came, in the order of the wire, so that what is read from them
    /// is the same wherever these bytes are.
    pub fn append_signature(&self, request: &[u8], meanings: Meanings, out: &mut Vec<u8>) {
        for hit in self.hits.iter().filter(|hit| meanings.0 & bit(hit.meaning) != 0) {
            let bytes = value::slice(request, hit.value);
            out.extend_from_slice(&[hit.meaning as u8, hit.rank]);
            out.extend_from_slice(&bytes.len().to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }

    /// The first value with this meaning that `parse` takes, by rank, then by order.
    pub fn parse<T>(&self, request: &[u8], meaning: Meaning, parse: impl Fn(Any<'_>) -> Option<T>) -> Option<T> {
        self.first(meaning, |hit| value::any(request, hit.value).ok().and_then(&parse))
    }

    fn first<T>(&self, meaning: Meaning, read: impl Fn(&Hit) -> Option<T>) -> Option<T> {
        if !self.has(meaning) {
            return None;
        }
        let mut best: Option<(u8, T)> = None;
        for hit in self.hits.iter().filter(|hit| hit.meaning == meaning) {
            if best.as_ref().is_none_or(|(rank, _)| hit.rank < *rank)
                && let Some(value) = read(hit)
            {
                best = Some((hit.rank, value));
            }
        }
        best.map(|(_, value)| value)
    }
}

/// A set of meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meanings(u32);

impl Meanings {
    /// The set of these.
    #[must_use]
    pub const fn of(meanings: &[Meaning]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < meanings.len() {
            bits |= bit(meanings[at]);
            at += 1;
        }
        Self(bits)
    }
}

const fn bit(meaning: Meaning) -> u32 {
    1 << meaning as u32
}

fn non_empty_string(request: &[u8], value: Extent) -> Option<&str> {
    match value::any(request, value) {
        Ok(Any::String(bytes)) => std::str::from_utf8(bytes).ok().filter(|string| !string.is_empty()),
        _ => None,
    }
}
