//! `KeyValue` and `AnyValue`: reading them in place, and appending new ones. Nothing is decoded that is not asked
//! for. <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto>

use super::reader::{Extent, Field, Reader, Value, WireError, short_content};

/// The tag of `Span.attributes` (field 9, length-delimited).
const SPAN_ATTRIBUTE_TAG: u8 = 0x4a;
/// The tags of `KeyValue.key` and `KeyValue.value`.
const KEY_TAG: u8 = 0x0a;
const VALUE_TAG: u8 = 0x12;
/// The tags of `AnyValue.string_value` and `AnyValue.int_value`.
const STRING_TAG: u8 = 0x0a;
const INT_TAG: u8 = 0x18;

/// An attribute's value, as far as it is read here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Any<'a> {
    /// `string_value`; `None`-like nonsense inside is the reader's to judge. Not checked to be UTF-8.
    String(&'a [u8]),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// An array, a list of pairs, bytes, or a kind that is newer than this program.
    Other,
    /// `{}`: present and without a value.
    Empty,
}

/// Splits a `KeyValue` into key and value. A repeated field counts as protobuf says: the last.
///
/// # Errors
/// [`WireError`] for broken bytes.
#[inline]
pub fn key_value(request: &[u8], pair: Extent) -> Result<(&[u8], Option<Extent>), WireError> {
    // As nearly everybody writes it: the key, the value, and nothing else.
    if let [KEY_TAG, behind @ ..] = slice(request, pair)
        && let Some((key, [VALUE_TAG, behind @ ..])) = short_content(behind)
        && let Some((value, [])) = short_content(behind)
    {
        let (prefix, start) = (pair.end - behind.len(), pair.end - value.len());
        return Ok((key, Some(Extent { prefix, start, end: pair.end })));
    }
    let (mut key, mut value) = (&[][..], None);
    let mut reader = Reader::within(request, pair);
    while let Some(field) = reader.field()? {
        match field {
            Field { number: 1, value: Value::Bytes(extent) } => key = slice(request, extent),
            Field { number: 2, value: Value::Bytes(extent) } => value = Some(extent),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The first byte of an attribute's key, and the key's length; `None` where it is not seen at a glance.
#[inline(always)]
#[must_use]
pub fn head_of_key(pair: &[u8]) -> Option<(u8, u8)> {
    match *pair {
        [KEY_TAG, len @ ..0x80, first, ..] => Some((first, len)),
        // The value first: the Go Collector's order.
        [VALUE_TAG, ref behind @ ..] => match *short_content(behind)?.1 {
            [KEY_TAG, len @ ..0x80, first, ..] => Some((first, len)),
            _ => None,
        },
        _ => None,
    }
}

/// A `KeyValue` as it is nearly always written: the key, the value, and nothing else, in either order.
#[inline(always)]
#[must_use]
pub fn plain_key_value(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&tag, behind) = pair.split_first()?;
    let (first, behind) = short_content(behind)?;
    let (&other, behind) = behind.split_first()?;
    match (tag, other, short_content(behind)?) {
        (KEY_TAG, VALUE_TAG, (value, [])) => Some((first, value)),
        (VALUE_TAG, KEY_TAG, (key, [])) => Some((key, first)),
        _ => None,
    }
}

/// Reads an `AnyValue`. Of several members of the oneof the last counts, as protobuf says.
///
/// # Errors
/// [`WireError`] for broken bytes.
#[inline]
pub fn any(request: &[u8], value: Extent) -> Result<Any<'_>, WireError> {
    match plain_any(slice(request, value)) {
        Some(any) => Ok(any),
        None => unusual_any(request, value),
    }
}

/// The same of bytes by themselves; `None` for broken ones.
#[inline]
#[must_use]
pub fn any_in(value: &[u8]) -> Option<Any<'_>> {
    plain_any(value).or_else(|| unusual_any(value, Extent { prefix: 0, start: 0, end: value.len() }).ok())
}

/// An `AnyValue` as nearly everybody writes it.
#[inline(always)]
fn plain_any(value: &[u8]) -> Option<Any<'_>> {
    match *value {
        [STRING_TAG, ref behind @ ..] => match short_content(behind)? {
            (string, []) => Some(Any::String(string)),
            _ => None,
        },
        [INT_TAG, int @ ..0x80] => Some(Any::Int(i64::from(int))),
        [INT_TAG, low, high @ ..0x80] => Some(Any::Int(i64::from(low & 0x7f) | i64::from(high) << 7)),
        _ => None,
    }
}

#[inline(never)]
fn unusual_any(request: &[u8], value: Extent) -> Result<Any<'_>, WireError> {
    let mut any = Any::Empty;
    let mut reader = Reader::within(request, value);
    while let Some(field) = reader.field()? {
        any = match field {
            Field { number: 1, value: Value::Bytes(extent) } => Any::String(slice(request, extent)),
            Field { number: 2, value: Value::Varint(flag) } => Any::Bool(flag != 0),
            Field { number: 3, value: Value::Varint(int) } => Any::Int(int.cast_signed()),
            Field { number: 4, value: Value::Fixed64(bits) } => Any::Double(f64::from_bits(bits)),
            Field { number: 1..=7, .. } => Any::Other,
            _ => continue,
        };
    }
    Ok(any)
}

/// The bytes of an extent; empty if it lies outside, which a reader's extents never do.
#[must_use]
pub fn slice(request: &[u8], extent: Extent) -> &[u8] {
    request.get(extent.start..extent.end).unwrap_or_default()
}

/// Appends one `Span.attributes` field with a string.
pub fn append_string(out: &mut Vec<u8>, key: &str, value: &str) {
    let inner = 1 + varint_len(value.len()) + value.len();
    begin(out, key, inner);
    out.push(0x0a);
    append_varint(out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends one `Span.attributes` field with a double.
pub fn append_double(out: &mut Vec<u8>, key: &str, value: f64) {
    begin(out, key, 9);
    out.push(0x21);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The key of attributes with a double, with everything that stands around it on the wire: encoded once, appended often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleKey(Box<[u8]>);

impl DoubleKey {
    /// Encodes a key.
    #[must_use]
    pub fn new(key: &str) -> Self {
        let mut encoded = Vec::new();
        append_double(&mut encoded, key, 0.0);
        encoded.truncate(encoded.len() - size_of::<f64>());
        Self(encoded.into())
    }

    /// Appends one `Span.attributes` field.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>, value: f64) {
        out.extend_from_slice(&self.0);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// The key of attributes with an integer, encoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntKey(Box<[u8]>);

impl IntKey {
    /// Encodes a key.
    #[must_use]
    pub fn new(key: &str) -> Self {
        let mut encoded = vec![KEY_TAG];
        append_varint(&mut encoded, key.len() as u64);
        encoded.extend_from_slice(key.as_bytes());
        encoded.push(VALUE_TAG);
        Self(encoded.into())
    }

    /// Appends one `Span.attributes` field.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>, value: i64) {
        let mut bits = value.cast_unsigned();
        let int_len = varint_len_u64(bits);
        out.push(SPAN_ATTRIBUTE_TAG);
        append_varint(out, (self.0.len() + 2 + int_len) as u64);
        out.extend_from_slice(&self.0);
        // The value's length, at most eleven, its tag, and the integer.
        let mut value = [0x80; 12];
        value[0] = u8::try_from(1 + int_len).unwrap_or_default();
        value[1] = INT_TAG;
        for byte in value.iter_mut().skip(2).take(int_len) {
            *byte |= (bits & 0x7f) as u8;
            bits >>= 7;
        }
        value[1 + int_len] &= 0x7f;
        out.extend_from_slice(&value[..2 + int_len]);
    }
}

/// An attribute with its value, encoded once.
#[must_use]
pub fn encoded_string(key: &str, value: &str) -> Box<[u8]> {
    let mut encoded = Vec::new();
    append_string(&mut encoded, key, value);
    encoded.into()
}

/// The same with a boolean.
#[must_use]
pub fn encoded_bool(key: &str, value: bool) -> Box<[u8]> {
    let mut encoded = Vec::new();
    append_bool(&mut encoded, key, value);
    encoded.into()
}

/// Appends one `Span.attributes` field with an integer.
pub fn append_int(out: &mut Vec<u8>, key: &str, value: i64) {
    let bits = value.cast_unsigned();
    begin(out, key, 1 + varint_len_u64(bits));
    out.push(0x18);
    append_varint(out, bits);
}

/// Appends one `Span.attributes` field with a boolean.
pub fn append_bool(out: &mut Vec<u8>, key: &str, value: bool) {
    begin(out, key, 2);
    out.extend_from_slice(&[0x10, u8::from(value)]);
}

/// Appends the tags and lengths of one attribute whose `AnyValue` has `value_len` bytes.
fn begin(out: &mut Vec<u8>, key: &str, value_len: usize) {
    let pair = 1 + varint_len(key.len()) + key.len() + 1 + varint_len(value_len) + value_len;
    out.push(SPAN_ATTRIBUTE_TAG);
    append_varint(out, pair as u64);
    out.push(0x0a);
    append_varint(out, key.len() as u64);
    out.extend_from_slice(key.as_bytes());
    out.push(0x12);
    append_varint(out, value_len as u64);
}

/// Appends a varint in its shortest form.
pub fn append_varint(out: &mut Vec<u8>, value: u64) {
    append_padded_varint(out, value, 1);
}

/// Appends a varint of at least `width` bytes: longer than its shortest form it is padded, as some encoders do.
pub fn append_padded_varint(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut written = 1;
    while value >= 0x80 || written < width {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
        written += 1;
    }
    out.push((value & 0x7f) as u8);
}

/// Bytes that a length takes as a varint.
#[must_use]
pub const fn varint_len(value: usize) -> usize {
    varint_len_u64(value as u64)
}

const fn varint_len_u64(value: u64) -> usize {
    // 1 byte for every started 7 bits.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as ProstValue;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    use super::*;

    #[test]
    fn varints_have_the_length_that_prost_gives_them() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                append_varint(&mut out, value);
                assert_eq!(out.len(), varint_len_u64(value), "{value}");
                assert_eq!(prost::encoding::decode_varint(&mut &out[..]), Ok(value));
            }
        }
    }

    #[test]
    fn appended_attributes_are_what_prost_reads() {
        let mut out = Vec::new();
        append_string(&mut out, "s", &"x".repeat(200));
        append_double(&mut out, "d", 0.25);
        append_int(&mut out, "i", -1);
        append_bool(&mut out, "b", true);
        append_int(&mut out, &"k".repeat(130), 300);
        DoubleKey::new("e").append(&mut out, 1e-9);
        IntKey::new("j").append(&mut out, i64::MIN);
        IntKey::new(&"l".repeat(130)).append(&mut out, 7);
        out.extend_from_slice(&encoded_string("t", "u"));
        let span = Span::decode(&out[..]).unwrap();
        let read: Vec<_> =
            span.attributes.into_iter().map(|pair| (pair.key, pair.value.unwrap().value.unwrap())).collect();
        let expected = vec![
            ("s".to_owned(), ProstValue::StringValue("x".repeat(200))),
            ("d".to_owned(), ProstValue::DoubleValue(0.25)),
            ("i".to_owned(), ProstValue::IntValue(-1)),
            ("b".to_owned(), ProstValue::BoolValue(true)),
            ("k".repeat(130), ProstValue::IntValue(300)),
            ("e".to_owned(), ProstValue::DoubleValue(1e-9)),
            ("j".to_owned(), ProstValue::IntValue(i64::MIN)),
            ("l".repeat(130), ProstValue::IntValue(7)),
            ("t".to_owned(), ProstValue::StringValue("u".to_owned())),
        ];
        assert_eq!(read, expected);
    }
}
