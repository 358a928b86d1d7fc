//! One glance at a span: is there an attribute whose key is one of some? Nearly every span passes without one, so this
//! decides what they cost. Goes from field to field by their lengths and looks at the head of each key alone. Knows the
//! wire; nothing of what keys mean.
//!
//! A pass over all bytes in search of the keys' beginnings (memmem, Teddy) costs 8 to 25 instructions for each 32 bytes
//! and each needle or set of needles. This costs about 20 an attribute, and an attribute has 45 bytes on average.

use super::reader::{Extent, Field, Reader, Value, WireError, WireErrorKind, behind_short_field, short_content};
use super::value::{head_of_key, plain_key_value, slice};

/// `Span.attributes`, and `KeyValue.key`.
const ATTRIBUTES: u32 = 9;
const KEY: u8 = 1;
/// The tags of a span's ids, each with its length; `Span.parent_span_id`.
const TRACE_ID: [u8; 2] = [0x0a, 16];
const SPAN_ID: [u8; 2] = [0x12, 8];
const PARENT: u8 = 4;
const PARENT_TAG: u8 = PARENT << 3 | 2;
const PARENT_ID: [u8; 2] = [PARENT_TAG, 8];
/// The tags of a span's name, kind, times and attributes.
const NAME: u8 = 0x2a;
const KIND: u8 = 0x30;
const START: u8 = 0x39;
const END: u8 = 0x41;
const ATTRIBUTE: u8 = 0x4a;
const KEY_TAG: u8 = 0x0a;

/// Of the first four bytes of an attribute below 128 bytes, those that tell whether its key or its value stands in front,
/// and that what stands there is below 128 bytes, too: the attribute's tag and length, and that one's tag and length.
const PAIR_MASK: u32 = 0x80ff_80ff;
const KEY_FIRST: u32 = 0x000a_004a;
const VALUE_FIRST: u32 = 0x0012_004a;
/// Shorter attributes have no room for a key. Taken away from one of them, the length wraps, and the mask shows it.
const LEAST_PAIR: u32 = 3 << 8;
/// With so much of a request left, an attribute below 128 bytes is sure to be in it.
const ROOM: usize = 0x102;

/// Whether a span has an attribute whose key `is` one of some. `may_be` is asked first, for the key's first byte and its
/// length where that is below 128, and has to be true of all of those. A key that is written twice in one attribute,
/// which no encoder does, is taken by its first.
///
/// # Errors
/// [`WireError`] for broken bytes, as far as they are looked at.
#[inline(always)]
pub fn any_attribute(
    request: &[u8],
    span: Extent,
    may_be: impl Fn(u8, u8) -> bool,
    is: impl Fn(&[u8]) -> bool,
) -> Result<bool, WireError> {
    let (Some(mut rest), Some(behind)) = (request.get(span.start..), request.len().checked_sub(span.end)) else {
        return Ok(false);
    };
    rest = behind_lead(rest);
    loop {
        rest = behind_keys_first(rest, behind, &may_be);
        if rest.first() == Some(&ATTRIBUTE) {
            rest = behind_values_first(rest, behind, &may_be);
        }
        if rest.len() <= behind {
            break;
        }
        rest = match behind_field(rest, &may_be) {
            Some(next) => next,
            None => {
                if let Some((key, next)) = plain_key(rest)
                    && next.len() >= behind
                {
                    if is(key) {
                        return Ok(true);
                    }
                    rest = next;
                    continue;
                }
                let mut reader = Reader::within(request, Extent { start: request.len() - rest.len(), ..span });
                if is_here(request, &mut reader, &is)? {
                    return Ok(true);
                }
                request.get(reader.offset()..).unwrap_or_default()
            }
        };
    }
    if rest.len() == behind { Ok(false) } else { any_attribute_slowly(request, span, is) }
}

/// `Span.parent_span_id`, looked for at a glance; the last where it is written again. For this field alone: others are
/// passed over together, ids behind a parent's and the start behind the end.
///
/// # Errors
/// [`WireError`], also where that field is not length-delimited.
pub fn parent_id(request: &[u8], span: Extent) -> Result<Option<&[u8]>, WireError> {
    let (Some(mut rest), Some(behind)) = (request.get(span.start..), request.len().checked_sub(span.end)) else {
        return Ok(None);
    };
    let mut found = None;
    loop {
        rest = behind_keys_first(rest, behind, |_, _| false);
        let Some(tag) = rest.first().filter(|_| rest.len() > behind) else { break };
        let passed = if tag >> 3 == PARENT { None } else { behind_field(rest, |_, _| false) };
        rest = match passed {
            Some(next) => next,
            None => {
                let at = Reader::within(request, Extent { start: request.len() - rest.len(), ..span });
                let (field, behind) = at.any_field()?;
                match field {
                    Field { number: here, value: Value::Bytes(extent) } if here == u32::from(PARENT) => {
                        found = Some(slice(request, extent));
                    }
                    Field { number: here, .. } if here == u32::from(PARENT) => {
                        return Err(at.error(WireErrorKind::WrongWireType));
                    }
                    _ => {}
                }
                request.get(behind.offset()..).unwrap_or_default()
            }
        };
    }
    if rest.len() == behind {
        return Ok(found);
    }
    // Something goes beyond the span: field by field it is found out.
    let mut reader = Reader::within(request, span);
    while let Some((content, _)) = reader.find(PARENT)? {
        found = Some(content);
    }
    Ok(found)
}

/// What stands behind a span's ids, name, kind and times where they stand in front in the usual order, as nearly always.
#[inline(always)]
fn behind_lead(span: &[u8]) -> &[u8] {
    let Some(ids) = span.first_chunk::<40>() else { return span };
    if !ids.starts_with(&TRACE_ID) || ids[18..20] != SPAN_ID {
        return span;
    }
    let len = if ids[28..30] == PARENT_ID { 38 } else { 28 };
    let rest = span.get(len..).unwrap_or_default();
    let [NAME, name @ ..0x80, ..] = *rest else { return rest };
    let Some(rest) = rest.get(2 + usize::from(name)..) else { return rest };
    match rest.first_chunk::<20>() {
        Some([KIND, ..0x80, START, _, _, _, _, _, _, _, _, END, ..]) => rest.get(20..).unwrap_or_default(),
        _ => rest,
    }
}

/// What stands behind usual attributes that cannot be one of those, which is what most of a span is.
#[inline(always)]
fn behind_keys_first(mut rest: &[u8], behind: usize, may_be: impl Fn(u8, u8) -> bool) -> &[u8] {
    let least = behind.max(ROOM);
    while rest.len() > least
        && let (Some(head), Some(first)) = (rest.first_chunk::<4>(), rest.get(4))
    {
        let word = u32::from_le_bytes(*head);
        if (word | word.wrapping_sub(LEAST_PAIR)) & PAIR_MASK != KEY_FIRST || may_be(*first, (word >> 24) as u8) {
            break;
        }
        match rest.get(2 + (word >> 8 & 0x7f) as usize..) {
            Some(next) => rest = next,
            None => break,
        }
    }
    rest
}

/// The same of those with the value in front.
#[inline(always)]
fn behind_values_first(mut rest: &[u8], behind: usize, may_be: impl Fn(u8, u8) -> bool) -> &[u8] {
    let least = behind.max(ROOM);
    while rest.len() > least
        && let Some(head) = rest.first_chunk::<4>()
    {
        let word = u32::from_le_bytes(*head);
        let (len, value_len) = ((word >> 8 & 0x7f) as usize, (word >> 24 & 0x7f) as usize);
        if word & PAIR_MASK != VALUE_FIRST || len < value_len + 5 {
            break;
        }
        match (rest.get(4 + value_len..).and_then(|key| key.first_chunk::<3>()), rest.get(2 + len..)) {
            (Some(&[KEY_TAG, key_len @ ..0x80, first]), Some(next)) if !may_be(first, key_len) => rest = next,
            _ => break,
        }
    }
    rest
}

/// What stands behind any field; `None` for an attribute that `may_be` one of those, for what is seldom written so, for
/// what is broken, and at the end.
#[inline(always)]
fn behind_field(rest: &[u8], may_be: impl Fn(u8, u8) -> bool) -> Option<&[u8]> {
    let [tag, ref content @ ..] = *rest else { return None };
    match tag {
        ATTRIBUTE => {
            let (pair, behind) = short_content(content)?;
            let (first, key_len) = head_of_key(pair)?;
            if may_be(first, key_len) { None } else { Some(behind) }
        }
        // The last field first: times, and ids at the end.
        END if content.get(8) == Some(&START) => content.get(17..),
        PARENT_TAG => match content.first_chunk::<37>() {
            Some(ids) if ids[0] == 8 && ids[9..11] == SPAN_ID && ids[19..21] == TRACE_ID => content.get(37..),
            _ => behind_short_field(tag, content),
        },
        _ if tag < 8 || u32::from(tag >> 3) == ATTRIBUTES => None,
        _ => behind_short_field(tag, content),
    }
}

/// The key of an attribute in a usual form, and what stands behind it.
#[inline(always)]
fn plain_key(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let [ATTRIBUTE, content @ ..] = rest else { return None };
    let (pair, behind) = short_content(content)?;
    Some((plain_key_value(pair)?.0, behind))
}

/// Reads one field, however it is written, and says whether it is an attribute whose key `is` one of some.
#[inline(never)]
fn is_here(request: &[u8], reader: &mut Reader<'_>, is: impl Fn(&[u8]) -> bool) -> Result<bool, WireError> {
    let (field, rest) = reader.any_field()?;
    let at = std::mem::replace(reader, rest);
    match field {
        Field { number: ATTRIBUTES, value: Value::Bytes(pair) } => {
            Ok(Reader::within(request, pair).find(KEY)?.is_some_and(|(key, _)| is(key)))
        }
        Field { number: ATTRIBUTES, .. } => Err(at.error(WireErrorKind::WrongWireType)),
        _ => Ok(false),
    }
}

/// The same field by field: what goes beyond its span is found out.
#[cold]
#[inline(never)]
fn any_attribute_slowly(request: &[u8], span: Extent, is: impl Fn(&[u8]) -> bool) -> Result<bool, WireError> {
    let mut reader = Reader::within(request, span);
    while reader.offset() < span.end {
        if is_here(request, &mut reader, &is)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::otlp::value::append_varint;

    /// What protobuf says, without a glance: whether some attribute's first key is one of those.
    fn read(request: &[u8], span: Extent, is: impl Fn(&[u8]) -> bool) -> Result<bool, WireError> {
        let mut reader = Reader::within(request, span);
        while let Some((_, pair)) = reader.find(9)? {
            if Reader::within(request, pair).find(KEY)?.is_some_and(|(key, _)| is(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn delimited(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        append_varint(&mut out, content.len() as u64);
        out.extend_from_slice(content);
        out
    }

    /// One whose length takes two bytes.
    fn long_key() -> String {
        "g".repeat(130)
    }

    /// A key and a value, in either order, now and then with a key that is looked for.
    fn attribute() -> impl Strategy<Value = Vec<u8>> {
        let key = prop_oneof![8 => "[a-h]{0,9}", 1 => Just("gen_ai.x".to_owned()), 1 => "[g-h]{120,140}", 1 => Just(long_key())];
        let value = prop_oneof![4 => prop::collection::vec(any::<u8>(), 0..20), 1 => Just(vec![7; 200])];
        (key, value, any::<bool>()).prop_map(|(key, value, key_first)| {
            let (key, value) = (delimited(1, key.as_bytes()), delimited(2, &delimited(1, &value)));
            delimited(9, &if key_first { [key, value].concat() } else { [value, key].concat() })
        })
    }

    /// Any field of a span, in its usual form or in another.
    fn field() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            12 => attribute(),
            1 => Just(delimited(1, &[1; 16])),
            1 => Just(delimited(2, &[2; 8])),
            1 => Just(delimited(4, &[3; 8])),
            1 => ".{0,40}".prop_map(|name| delimited(5, name.as_bytes())),
            1 => Just(vec![0x30, 3, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x41, 1, 2, 3, 4, 5, 6, 7, 8]),
            1 => Just(vec![0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x30, 3]),
            1 => Just([delimited(4, &[3; 8]), delimited(2, &[2; 8]), delimited(1, &[1; 16])].concat()),
            1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(|event| delimited(11, &event)),
            1 => Just(vec![0x50, 0x81, 0x02]),
            1 => Just(vec![0x85, 1, 1, 1, 0, 0]),
            1 => Just(vec![0x7a, 0]),
            1 => Just(vec![0xca, 0, 2, 0x0a, 0]),
        ]
    }

    fn lead() -> impl Strategy<Value = Vec<u8>> {
        let ids = |parent: bool| {
            let parent = if parent { delimited(4, &[3; 8]) } else { Vec::new() };
            [delimited(1, &[1; 16]), delimited(2, &[2; 8]), parent].concat()
        };
        prop_oneof![Just(ids(true)), Just(ids(false)), Just(Vec::new())]
    }

    /// What protobuf says, without a glance: the last parent.
    fn read_parent(request: &[u8], span: Extent) -> Result<Option<&[u8]>, WireError> {
        let (mut reader, mut parent) = (Reader::within(request, span), None);
        while let Some((id, _)) = reader.find(PARENT)? {
            parent = Some(id);
        }
        Ok(parent)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Also where the ids are written again and again, in any order, and some of them are longer.
        #[test]
        fn a_glance_finds_the_parent_that_reading_finds(
            lead in lead(),
            fields in prop::collection::vec(prop_oneof![4 => field(), 1 => Just(delimited(4, &[9; 8])), 1 => Just(delimited(4, &[5; 7]))], 0..12),
            broken in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
            (before, behind) in (0usize..3, prop_oneof![Just(0usize), 0usize..9, 100usize..600]),
        ) {
            let mut span = [lead, fields.concat()].concat();
            if let Some((at, byte)) = broken
                && !span.is_empty()
            {
                let at = at.index(span.len());
                span[at] = byte;
            }
            let request = [vec![0x4a; before], span.clone(), vec![0x4a; behind]].concat();
            let extent = Extent { prefix: before, start: before, end: before + span.len() };
            match (read_parent(&request, extent), parent_id(&request, extent)) {
                (Err(_), glance) => prop_assert!(broken.is_some(), "{glance:?}"),
                (read, glance) => prop_assert_eq!(glance, read),
            }
        }

        /// Spans as anybody may write them, some of them with a byte that does not belong there, in a request with more
        /// or less behind them.
        #[test]
        fn a_glance_finds_what_reading_finds(
            lead in lead(),
            fields in prop::collection::vec(field(), 0..12),
            broken in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
            (before, behind) in (0usize..3, prop_oneof![Just(0usize), 0usize..9, 100usize..600]),
        ) {
            let mut span = [lead, fields.concat()].concat();
            if let Some((at, byte)) = broken
                && !span.is_empty()
            {
                let at = at.index(span.len());
                span[at] = byte;
            }
            let request = [vec![0x4a; before], span.clone(), vec![0x4a; behind]].concat();
            let extent = Extent { prefix: before, start: before, end: before + span.len() };
            let may_be = |first, len: u8| first == b'g' && (len == 8 || len == 7);
            let is = |key: &[u8]| key == b"gen_ai.x" || key == b"ggggggg" || key == long_key().as_bytes();
            let glance = any_attribute(&request, extent, may_be, is);
            match (read(&request, extent, is), glance) {
                // Inside attributes that cannot be one of those nothing is looked at: what is broken there goes unseen, or is
                // seen where the fields behind it do not fit.
                (Err(_), Ok(_)) => prop_assert!(broken.is_some()),
                (Err(read), Err(glance)) => prop_assert!(broken.is_some() && glance.offset >= read.offset),
                (read, glance) => prop_assert_eq!(glance, read),
            }
        }
    }
}
