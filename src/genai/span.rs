//! One span read from its bytes: the fields that counting needs, and the attributes that mean something. One pass,
//! nothing copied, nothing allocated for spans without such attributes.

use std::cell::Cell;

use smallvec::SmallVec;

use super::keys::{KeyTable, Meaning};
use crate::otlp::value::{self, Any};
use crate::otlp::{Extent, Field, PlainField, Reader, Value, WireError, any_attribute};

/// `Span.kind` of a call to a remote service.
const KIND_CLIENT: u64 = 3;
/// `Status.code` of a failed span.
const STATUS_ERROR: u64 = 2;

/// An attribute that means something: what, its rank in its list, and its value.
#[derive(Debug)]
struct Hit<'a> {
    key: &'a [u8],
    meaning: Meaning,
    rank: u8,
    /// An `AnyValue`.
    value: &'a [u8],
    /// The non-empty string in it, where that has been found out.
    text: Cell<Option<&'a str>>,
}

/// The attributes of one span that mean something, in the order of the wire. Reused from span to span.
#[derive(Debug, Default)]
pub struct Hits<'a> {
    hits: Vec<Hit<'a>>,
    /// Those of the span before: spans of one scope follow each other, and often have the same keys in the same order.
    before: Vec<Hit<'a>>,
    /// By meaning, which of the first attributes have it: bit n for the nth.
    places: [u32; Meaning::MANY],
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
    hits: &mut Hits<'a>,
) -> Result<SpanFields<'a>, WireError> {
    hits.clear();
    let mut fields = SpanFields::default();
    let mut reader = Reader::within(request, span);
    loop {
        let Some(PlainField { tag, content }) = reader.plain_field() else {
            let Some(field) = reader.field()? else { return Ok(fields) };
            read_field(request, field, keys, (&mut fields, hits))?;
            continue;
        };
        match (tag, content) {
            (0x4a, pair) => hits.read(request, pair, reader.offset(), keys)?,
            (0x0a, id) => fields.trace_id = id,
            (0x12, id) => fields.span_id = id,
            (0x1a, state) => fields.trace_state = state,
            (0x22, id) => fields.parent_id = id,
            (0x2a, name) => fields.name = name,
            (0x30, &[kind]) => fields.client = u64::from(kind) == KIND_CLIENT,
            (0x39, time) => fields.start_ns = ns(time),
            (0x41, time) => fields.end_ns = ns(time),
            (0x7a, status) => fields.error = is_error(request, before(status, reader.offset()))?,
            _ => {}
        }
    }
}

/// Reads a field, however it is written.
#[inline(never)]
fn read_field<'a>(
    request: &'a [u8],
    Field { number, value }: Field,
    keys: &KeyTable,
    (fields, hits): (&mut SpanFields<'a>, &mut Hits<'a>),
) -> Result<(), WireError> {
    match (number, value) {
        (9, Value::Bytes(pair)) => hits.read(request, value::slice(request, pair), pair.end, keys)?,
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
    Ok(())
}

fn ns(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// Where a content stands that ends at `end`.
fn before(content: &[u8], end: usize) -> Extent {
    Extent { prefix: end - content.len(), start: end - content.len(), end }
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

impl<'a> Hits<'a> {
    fn clear(&mut self) {
        std::mem::swap(&mut self.hits, &mut self.before);
        self.hits.clear();
        self.places = [0; Meaning::MANY];
        self.present = 0;
        self.gen_ai = false;
    }

    /// Reads an attribute that ends at `end`.
    #[inline(always)]
    fn read(&mut self, request: &'a [u8], pair: &'a [u8], end: usize, keys: &KeyTable) -> Result<(), WireError> {
        // Most keys mean nothing, and are not looked at but for whether they are of the conventions' own.
        if let Some((first, len)) = value::head_of_key(pair)
            && !keys.may_mean(first, len)
            && (self.gen_ai || first != b'g')
        {
            return Ok(());
        }
        match value::plain_key_value(pair) {
            Some((key, value)) => self.push(key, value, keys),
            None => {
                let (key, value) = value::key_value(request, before(pair, end))?;
                match value {
                    Some(value) => self.push(key, value::slice(request, value), keys),
                    None => self.gen_ai |= key.starts_with(b"gen_ai."),
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, key: &'a [u8], value: &'a [u8], keys: &KeyTable) {
        self.gen_ai |= key.starts_with(b"gen_ai.");
        let known = self.before.get(self.hits.len()).filter(|before| before.key == key);
        if let Some((meaning, rank)) = known.map(|before| (before.meaning, before.rank)).or_else(|| keys.get(key)) {
            self.present |= bit(meaning);
            // Beyond the first 32 nothing is left of the bit.
            self.places[meaning as usize] |=
                u32::try_from(self.hits.len()).ok().and_then(|at| 1u32.checked_shl(at)).unwrap_or_default();
            self.hits.push(Hit { key, meaning, rank, value, text: Cell::new(None) });
        }
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
    pub fn string(&self, meaning: Meaning) -> Option<&'a str> {
        self.first(meaning, |at, hit| self.text(at, hit))
    }

    /// Every non-empty string with this meaning, by rank, then by order.
    #[must_use]
    pub fn strings(&self, meaning: Meaning) -> SmallVec<[&'a str; 4]> {
        let mut ranked: SmallVec<[(u8, &str); 4]> = SmallVec::new();
        self.each(meaning, |at, hit| ranked.extend(self.text(at, hit).map(|string| (hit.rank, string))));
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, string)| string).collect()
    }

    /// Whether an attribute with this key has a value that `holds`: `None` for one that is no string.
    pub fn any_at(&self, key: (Meaning, u8), holds: impl Fn(Option<&str>) -> bool) -> bool {
        let mut any = false;
        self.each(key.0, |at, hit| any = any || (hit.rank == key.1 && holds(self.text(at, hit))));
        any
    }

    /// The non-empty string in an attribute: what was one in the span before is one here.
    fn text(&self, at: usize, hit: &Hit<'a>) -> Option<&'a str> {
        if let Some(text) = hit.text.get() {
            return Some(text);
        }
        let before = self.before.get(at).filter(|before| before.value == hit.value);
        let text = before.and_then(|before| before.text.get()).or_else(|| non_empty_string(hit.value))?;
        hit.text.set(Some(text));
        Some(text)
    }

    /// Appends every attribute with one of `meanings` as it came, in the order of the wire, so that what is read from them
    /// is the same wherever these bytes are.
    pub fn append_signature(&self, meanings: Meanings, out: &mut Vec<u8>) {
        for hit in self.hits.iter().filter(|hit| meanings.0 & bit(hit.meaning) != 0) {
            let [len @ .., _, _] = hit.value.len().to_le_bytes();
            let mut head = [hit.meaning as u8, hit.rank, 0, 0, 0, 0, 0, 0];
            head[2..].copy_from_slice(&len);
            out.extend_from_slice(&head);
            out.extend_from_slice(hit.value);
        }
    }

    /// The first value with this meaning that `parse` takes, by rank, then by order.
    pub fn parse<T>(&self, meaning: Meaning, parse: impl Fn(Any<'a>) -> Option<T>) -> Option<T> {
        self.first(meaning, |_, hit| value::any_in(hit.value).and_then(&parse))
    }

    /// Every value with this meaning that can be read, by rank, then by order.
    pub fn values(&self, meaning: Meaning) -> SmallVec<[Any<'a>; 4]> {
        let mut ranked: SmallVec<[(u8, Any<'a>); 4]> = SmallVec::new();
        self.each(meaning, |_, hit| ranked.extend(value::any_in(hit.value).map(|any| (hit.rank, any))));
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, any)| any).collect()
    }

    fn first<T>(&self, meaning: Meaning, read: impl Fn(usize, &Hit<'a>) -> Option<T>) -> Option<T> {
        let mut best: Option<(u8, T)> = None;
        self.each(meaning, |at, hit| {
            if best.as_ref().is_none_or(|(rank, _)| hit.rank < *rank)
                && let Some(value) = read(at, hit)
            {
                best = Some((hit.rank, value));
            }
        });
        best.map(|(_, value)| value)
    }

    /// Goes over the attributes with this meaning, in the order of the wire: the place of each, and it.
    #[inline(always)]
    fn each(&self, meaning: Meaning, mut with: impl FnMut(usize, &Hit<'a>)) {
        let mut places = self.places[meaning as usize];
        while places != 0 {
            let at = places.trailing_zeros() as usize;
            if let Some(hit) = self.hits.get(at) {
                with(at, hit);
            }
            places &= places - 1;
        }
        if self.hits.len() > 32 {
            let rest = self.hits.iter().enumerate().skip(32);
            rest.filter(|(_, hit)| hit.meaning == meaning).for_each(|(at, hit)| with(at, hit));
        }
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

fn non_empty_string(value: &[u8]) -> Option<&str> {
    match value::any_in(value) {
        Some(Any::String(bytes)) => std::str::from_utf8(bytes).ok().filter(|string| !string.is_empty()),
        _ => None,
    }
}
