//! The same requests, written by another hand: fields in descending order, as the Go Collector writes them, and with
//! fields of a version that nobody knows yet, or with attributes taken out again. Uses prost's primitives only, none of
//! the code under test.

#![allow(dead_code)] // each test binary uses its part

use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint, skip_field};

/// A field number that OTLP has not used, in every envelope.
const UNKNOWN: u32 = 777;
/// What the unknown field holds.
const STRANGE: &[u8] = b"from the future";

struct RawField {
    number: u32,
    raw: Vec<u8>,
    /// The content, where the field is length-delimited.
    content: Option<Vec<u8>>,
}

fn fields(mut bytes: &[u8]) -> Vec<RawField> {
    let mut fields = Vec::new();
    while bytes.has_remaining() {
        let whole = bytes;
        let (number, wire_type) = decode_key(&mut bytes).unwrap();
        let content = (wire_type == WireType::LengthDelimited).then(|| {
            let mut ahead = bytes;
            let len = usize::try_from(decode_varint(&mut ahead).unwrap()).unwrap();
            ahead[..len].to_vec()
        });
        skip_field(wire_type, number, &mut bytes, DecodeContext::default()).unwrap();
        fields.push(RawField { number, raw: whole[..whole.len() - bytes.len()].to_vec(), content });
    }
    fields
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(u64::from(number << 3 | 2), &mut out);
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

/// Which field of an envelope holds the envelopes inside: request, ResourceSpans, ScopeSpans.
const CHILDREN: [u32; 3] = [1, 2, 2];

fn rewrite(bytes: &[u8], level: usize, arrange: &impl Fn(Vec<Vec<u8>>, usize) -> Vec<Vec<u8>>) -> Vec<u8> {
    let parts = fields(bytes)
        .into_iter()
        .map(|field| match field.content {
            Some(content) if CHILDREN.get(level) == Some(&field.number) => {
                delimited(field.number, &rewrite(&content, level + 1, arrange))
            }
            _ => field.raw,
        })
        .collect();
    arrange(parts, level).concat()
}

/// Every message of the envelopes, spans included, with its fields in descending order; repeated fields keep theirs.
pub fn descending(bytes: &[u8]) -> Vec<u8> {
    rewrite(bytes, 0, &|mut parts, _| {
        parts.sort_by_key(|part| std::cmp::Reverse(decode_key(&mut &part[..]).unwrap().0));
        parts
    })
}

/// Every message of the envelopes, spans included, with an unknown field in front.
pub fn with_unknown_fields(bytes: &[u8]) -> Vec<u8> {
    rewrite(bytes, 0, &|mut parts, _| {
        parts.insert(0, delimited(UNKNOWN, STRANGE));
        parts
    })
}

/// `Span.attributes`.
const ATTRIBUTES: u32 = 9;

/// The request without the attributes whose key begins with one of `prefixes`, every length prefix set back.
pub fn without_attributes(bytes: &[u8], prefixes: &[&str]) -> Vec<u8> {
    rewrite(bytes, 0, &|parts, level| {
        let is_ours = |part: &Vec<u8>| {
            let field = fields(part).remove(0);
            level == CHILDREN.len()
                && field.number == ATTRIBUTES
                && fields(&field.content.unwrap()).iter().any(|inner| {
                    let key = inner.content.as_deref().unwrap_or_default();
                    inner.number == 1 && prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes()))
                })
        };
        parts.into_iter().filter(|part| !is_ours(part)).collect()
    })
}

/// How many unknown fields there are, and everything else in the order of the wire.
pub fn without_unknown_fields(bytes: &[u8]) -> (usize, Vec<u8>) {
    let found = std::cell::Cell::new(0);
    let rest = rewrite(bytes, 0, &|parts, _| {
        let (unknown, known): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| decode_key(&mut &part[..]).unwrap().0 == UNKNOWN);
        assert!(unknown.iter().all(|part| part.ends_with(STRANGE)), "an unknown field was changed");
        found.set(found.get() + unknown.len());
        known
    });
    (found.get(), rest)
}
