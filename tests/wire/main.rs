//! The byte walk and the splice against prost as the oracle: arbitrary requests, fields in any order, fields that
//! nobody knows, and bytes that end too soon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public

mod arbitrary;
#[path = "../support/rewritten.rs"]
mod rewritten;
mod split;

use bytes::Bytes;
use gramtrace::otlp::{Signal, Splice, count, value, walk};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use proptest::prelude::*;
use prost::Message;

/// Appends two attributes to every span for which `chosen` says so.
fn splice(request: &Bytes, mut chosen: impl FnMut() -> bool) -> Bytes {
    let mut splice = Splice::default();
    let walked = walk(request, |at| {
        if chosen() {
            splice.append([at.resource_spans, at.scope_spans], at.span, |out| {
                value::append_string(out, "appended.text", &"long ".repeat(40));
                value::append_double(out, "appended.number", 0.5);
            });
        }
        Ok(())
    });
    walked.expect("prost wrote it");
    splice.apply(request)
}

fn append_by_prost(request: &mut ExportTraceServiceRequest, mut chosen: impl FnMut() -> bool) {
    let pair = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    for resource in &mut request.resource_spans {
        for scope in &mut resource.scope_spans {
            for span in scope.spans.iter_mut().filter(|_| chosen()) {
                span.attributes.push(pair("appended.text", Value::StringValue("long ".repeat(40))));
                span.attributes.push(pair("appended.number", Value::DoubleValue(0.5)));
            }
        }
    }
}

/// The same coin flips for both sides.
fn flips(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 63 == 1
    }
}

proptest! {
    #[test]
    fn o_39_o_42_splicing_bytes_is_what_prost_would_have_done(request in arbitrary::request(), seed: u64) {
        let bytes = Bytes::from(request.encode_to_vec());
        let spliced = splice(&bytes, flips(seed));
        let mut expected = request;
        append_by_prost(&mut expected, flips(seed));
        prop_assert_eq!(ExportTraceServiceRequest::decode(&spliced[..]).unwrap(), expected);
    }

    #[test]
    fn fields_in_descending_order_are_spliced_the_same(request in arbitrary::request(), seed: u64) {
        let bytes = Bytes::from(rewritten::descending(&request.encode_to_vec()));
        prop_assert_eq!(&ExportTraceServiceRequest::decode(&bytes[..]).unwrap(), &request);
        let spliced = splice(&bytes, flips(seed));
        let mut expected = request;
        append_by_prost(&mut expected, flips(seed));
        prop_assert_eq!(ExportTraceServiceRequest::decode(&spliced[..]).unwrap(), expected);
    }

    #[test]
    fn o_41_fields_that_nobody_knows_survive(request in arbitrary::request(), seed: u64) {
        let strange = rewritten::with_unknown_fields(&request.encode_to_vec());
        let (unknown, _) = rewritten::without_unknown_fields(&strange);
        let spliced = splice(&Bytes::from(strange), flips(seed));
        let (survived, rest) = rewritten::without_unknown_fields(&spliced);
        prop_assert_eq!(survived, unknown);
        let mut expected = request;
        append_by_prost(&mut expected, flips(seed));
        prop_assert_eq!(ExportTraceServiceRequest::decode(&rest[..]).unwrap(), expected);
    }

    #[test]
    fn o_39_a_request_with_nothing_to_add_leaves_as_the_same_bytes(request in arbitrary::request()) {
        let bytes = Bytes::from(request.encode_to_vec());
        let spliced = splice(&bytes, || false);
        prop_assert_eq!(spliced.as_ptr(), bytes.as_ptr(), "not even a copy");
        prop_assert_eq!(spliced, bytes);
    }

    #[test]
    fn spans_are_counted_as_prost_counts_them(request in arbitrary::request()) {
        let bytes = request.encode_to_vec();
        let spans: usize =
            request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
        prop_assert_eq!(count(Signal::Traces, &bytes), Ok(spans as u64));
        prop_assert_eq!(walk(&bytes, |_| Ok(())), Ok(spans as u64));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_what_walks_splices(bytes: Vec<u8>) {
        if walk(&bytes, |_| Ok(())).is_ok() {
            let spliced = splice(&Bytes::from(bytes.clone()), || true);
            prop_assert!(walk(&spliced, |_| Ok(())).is_ok());
        }
        for signal in Signal::ALL {
            let _ = count(signal, &bytes);
        }
    }
}

#[test]
fn a_request_cut_at_any_byte_is_refused_or_was_complete_there() {
    let request = arbitrary::example();
    let bytes = request.encode_to_vec();
    let whole: Vec<usize> = request
        .resource_spans
        .iter()
        .scan(0, |at, resource| {
            *at += ExportTraceServiceRequest { resource_spans: vec![resource.clone()] }.encoded_len();
            Some(*at)
        })
        .collect();
    assert!(whole.len() > 1 && bytes.len() > 200);
    for cut in 1..bytes.len() {
        let walked = walk(&bytes[..cut], |_| Ok(()));
        assert_eq!(walked.is_ok(), whole.contains(&cut), "cut at {cut}: {walked:?}");
    }
}

#[test]
fn a_length_prefix_that_was_wider_than_needed_keeps_its_width() {
    // ResourceSpans > ScopeSpans > Span with a name, each length written in five bytes.
    let wide = |tag: u8, content: &[u8]| {
        let mut out = vec![tag];
        value::append_padded_varint(&mut out, content.len() as u64, 5);
        out.extend_from_slice(content);
        out
    };
    let request = wide(0x0a, &wide(0x12, &wide(0x12, b"\x2a\x04name")));
    let spliced = splice(&Bytes::from(request.clone()), || true);
    let decoded = ExportTraceServiceRequest::decode(&spliced[..]).unwrap();
    assert_eq!(decoded.resource_spans[0].scope_spans[0].spans[0].attributes.len(), 2);
    let added = spliced.len() - request.len();
    let mut expected = ExportTraceServiceRequest::decode(&request[..]).unwrap();
    let before = expected.resource_spans[0].scope_spans[0].spans[0].encoded_len();
    append_by_prost(&mut expected, || true);
    assert_eq!(added, expected.resource_spans[0].scope_spans[0].spans[0].encoded_len() - before);
}
