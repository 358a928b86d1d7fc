//! The same request with the fields of every message in descending order, as the Go Collector writes them. Repeated
//! fields keep their order. Uses prost's primitives only.

use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint, skip_field};

/// A message of the trace protocol: which of its fields hold which messages.
struct Kind(&'static [(u32, &'static Kind)]);

static ANY_VALUE: Kind = Kind(&[(5, &ARRAY), (6, &PAIRS)]);
static ARRAY: Kind = Kind(&[(1, &ANY_VALUE)]);
static PAIRS: Kind = Kind(&[(1, &PAIR)]);
static PAIR: Kind = Kind(&[(2, &ANY_VALUE)]);
static RESOURCE: Kind = Kind(&[(1, &PAIR)]);
static SCOPE: Kind = Kind(&[(3, &PAIR)]);
static EVENT: Kind = Kind(&[(3, &PAIR)]);
static LINK: Kind = Kind(&[(4, &PAIR)]);
static STATUS: Kind = Kind(&[]);
static SPAN: Kind = Kind(&[(9, &PAIR), (11, &EVENT), (13, &LINK), (15, &STATUS)]);
static SCOPE_SPANS: Kind = Kind(&[(1, &SCOPE), (2, &SPAN)]);
static RESOURCE_SPANS: Kind = Kind(&[(1, &RESOURCE), (2, &SCOPE_SPANS)]);
static REQUEST: Kind = Kind(&[(1, &RESOURCE_SPANS)]);

pub(super) fn descending(request: &[u8]) -> Vec<u8> {
    reordered(request, &REQUEST)
}

fn reordered(mut bytes: &[u8], kind: &Kind) -> Vec<u8> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    while bytes.has_remaining() {
        let whole = bytes;
        let (number, wire_type) = decode_key(&mut bytes).expect("prost wrote it");
        let inner = kind.0.iter().find(|(field, _)| *field == number).map(|(_, kind)| *kind);
        let mut ahead = bytes;
        skip_field(wire_type, number, &mut bytes, DecodeContext::default()).expect("prost wrote it");
        let raw = match (inner, wire_type) {
            (Some(inner), WireType::LengthDelimited) => {
                let len = usize::try_from(decode_varint(&mut ahead).expect("prost wrote it")).expect("it is in memory");
                delimited(number, &reordered(&ahead[..len], inner))
            }
            _ => whole[..whole.len() - bytes.len()].to_vec(),
        };
        fields.push((number, raw));
    }
    fields.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    fields.into_iter().flat_map(|(_, raw)| raw).collect()
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    encode_varint(u64::from(number << 3 | 2), &mut out);
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}
