//! Requests taken apart: the parts together are the whole, item by item in its order, each in its envelopes, and no
//! part is larger than it has to be.

use bytes::Bytes;
use gramtrace::otlp::{Part, Signal, WireError, count, halves, split};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

use super::{arbitrary, rewritten};

fn parts_of(signal: Signal, request: &Bytes, max_bytes: usize) -> Vec<Part> {
    split(signal, request, max_bytes).collect::<Result<_, WireError>>().unwrap()
}

fn traces(request: &Bytes, max_bytes: usize) -> Vec<ExportTraceServiceRequest> {
    let parts = parts_of(Signal::Traces, request, max_bytes);
    parts.into_iter().map(|part| ExportTraceServiceRequest::decode(part.body).unwrap()).collect()
}

/// Numbers every envelope, so that two parts of one are told from two that are alike.
fn numbered(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    for (at, resource) in request.resource_spans.iter_mut().enumerate() {
        resource.schema_url = format!("resource {at} {}", resource.schema_url);
        for (at, scope) in resource.scope_spans.iter_mut().enumerate() {
            scope.schema_url = format!("scope {at} {}", scope.schema_url);
        }
    }
    request
}

/// Puts parts together again: what one part ends with, the next may go on with.
fn joined(parts: impl IntoIterator<Item = ExportTraceServiceRequest>) -> ExportTraceServiceRequest {
    let mut whole = ExportTraceServiceRequest::default();
    for resource in parts.into_iter().flat_map(|part| part.resource_spans) {
        match whole.resource_spans.last_mut() {
            Some(last) if last.schema_url == resource.schema_url => {
                assert_eq!(last.resource, resource.resource, "an envelope is repeated as it was");
                join_scopes(&mut last.scope_spans, resource.scope_spans);
            }
            _ => whole.resource_spans.push(resource),
        }
    }
    whole
}

fn join_scopes(into: &mut Vec<ScopeSpans>, scopes: Vec<ScopeSpans>) {
    for scope in scopes {
        match into.last_mut() {
            Some(last) if last.schema_url == scope.schema_url => {
                assert_eq!(last.scope, scope.scope, "an envelope is repeated as it was");
                last.spans.extend(scope.spans);
            }
            _ => into.push(scope),
        }
    }
}

fn spans_in(request: &ExportTraceServiceRequest) -> usize {
    request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len()).sum()
}

/// What cannot be taken apart: one span, or an envelope without anything inside.
fn leaves(request: &ExportTraceServiceRequest) -> usize {
    let of_scope = |scope: &ScopeSpans| scope.spans.len().max(1);
    let of_resource = |it: &ResourceSpans| it.scope_spans.iter().map(of_scope).sum::<usize>().max(1);
    request.resource_spans.iter().map(of_resource).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn o_52_the_parts_together_are_the_whole_in_its_order(request in arbitrary::request(), max_bytes in 1usize..4000) {
        let request = numbered(request);
        let bytes = Bytes::from(request.encode_to_vec());
        let parts = parts_of(Signal::Traces, &bytes, max_bytes);
        let mut decoded = Vec::new();
        for part in &parts {
            let request = ExportTraceServiceRequest::decode(part.body.clone()).unwrap();
            prop_assert_eq!(part.items, spans_in(&request) as u64);
            prop_assert!(part.body.len() <= max_bytes || leaves(&request) <= 1, "{} of {max_bytes}", part.body.len());
            decoded.push(request);
        }
        // As few as it takes: what a part begins with did not fit into the one before.
        prop_assert!(parts.windows(2).all(|two| two[0].body.len() + two[1].body.len() > max_bytes));
        prop_assert_eq!(joined(decoded), request);
    }

    #[test]
    fn o_52_the_order_of_fields_and_unknown_fields_change_nothing(
        request in arbitrary::request(),
        max_bytes in 100usize..4000,
    ) {
        let request = numbered(request);
        let bytes = rewritten::descending(&rewritten::with_unknown_fields(&request.encode_to_vec()));
        let parts = parts_of(Signal::Traces, &bytes.into(), max_bytes);
        let mut decoded = Vec::new();
        for part in parts {
            let request = ExportTraceServiceRequest::decode(part.body.clone()).unwrap();
            // One in the request, in each envelope and in each span, wherever they stand now.
            let scopes: usize = request.resource_spans.iter().map(|resource| resource.scope_spans.len()).sum();
            let messages = 1 + request.resource_spans.len() + scopes + spans_in(&request);
            prop_assert_eq!(rewritten::without_unknown_fields(&part.body).0, messages);
            decoded.push(request);
        }
        prop_assert_eq!(joined(decoded), request);
    }

    #[test]
    fn o_52_halves_are_smaller_than_the_whole_until_nothing_is_left_to_halve(request in arbitrary::request()) {
        let request = numbered(request);
        let bytes = Bytes::from(request.encode_to_vec());
        match halves(Signal::Traces, &bytes).unwrap() {
            None => prop_assert!(leaves(&request) <= 1),
            Some(parts) => {
                let parts: Vec<Part> = parts.collect::<Result<_, _>>().unwrap();
                prop_assert!(parts.len() >= 2, "{} leaves", leaves(&request));
                prop_assert!(parts.iter().all(|part| part.body.len() < bytes.len()));
                let decoded = parts.into_iter().map(|part| ExportTraceServiceRequest::decode(part.body).unwrap());
                prop_assert_eq!(joined(decoded), request);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_parts_and_never_panics(bytes: Vec<u8>, max_bytes in 0usize..40) {
        let bytes = Bytes::from(bytes);
        for signal in Signal::ALL {
            let parts: Result<Vec<Part>, WireError> = split(signal, &bytes, max_bytes).collect();
            // Where an envelope cannot be read, so cannot a part; where the whole counts, so do the parts.
            if let (Ok(parts), Ok(items)) = (&parts, count(signal, &bytes)) {
                prop_assert_eq!(parts.iter().map(|part| part.items).sum::<u64>(), items);
            }
            prop_assert!(parts.is_ok() || count(signal, &bytes).is_err());
        }
    }
}

fn spans(sizes: &[usize]) -> Vec<Span> {
    sizes.iter().map(|size| Span { name: "n".repeat(*size), ..Span::default() }).collect()
}

fn request_of(sizes: &[usize]) -> Bytes {
    let scope_spans = vec![ScopeSpans { spans: spans(sizes), schema_url: "scope".to_owned(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn sizes(request: &ExportTraceServiceRequest) -> Vec<usize> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).map(|span| span.name.len()).collect()
}

#[test]
fn o_52_a_request_that_fits_is_one_part_byte_for_byte() {
    let request = rewritten::descending(&arbitrary::example().encode_to_vec());
    let request = Bytes::from(rewritten::with_unknown_fields(&request));
    let parts = parts_of(Signal::Traces, &request, request.len());
    assert_eq!(parts, [Part { body: request, items: 2 }]);
}

#[test]
fn o_52_parts_are_filled_to_the_last_byte() {
    let request = request_of(&[100, 100, 100]);
    // Two spans in their envelopes: the whole without one span of 100 bytes, which takes 2 + 2 + 100.
    let two = request.len() - 104;
    assert_eq!(parts_of(Signal::Traces, &request, two).iter().map(|part| part.body.len()).collect::<Vec<_>>()[0], two);
    let cut = |max_bytes| traces(&request, max_bytes).iter().map(sizes).collect::<Vec<_>>();
    assert_eq!(cut(two), [vec![100, 100], vec![100]]);
    assert_eq!(cut(two - 1), [vec![100], vec![100], vec![100]]);
}

#[test]
fn o_52_a_span_that_is_larger_alone_stands_alone() {
    let request = request_of(&[10, 10, 1000, 10, 10]);
    let cut = traces(&request, 200).iter().map(sizes).collect::<Vec<_>>();
    assert_eq!(cut, [vec![10, 10], vec![1000], vec![10, 10]]);
}

#[test]
fn o_52_halves_of_equal_spans_are_two() {
    let halves = halves(Signal::Traces, &request_of(&[100; 8])).unwrap().unwrap();
    let cut: Vec<u64> = halves.map(|part| part.unwrap().items).collect();
    assert_eq!(cut, [4, 4]);
}

#[test]
fn o_52_large_envelopes_do_not_keep_halves_from_being_halves() {
    let scope_spans = vec![ScopeSpans { spans: spans(&[10; 8]), ..ScopeSpans::default() }];
    let resource = ResourceSpans { scope_spans, schema_url: "u".repeat(100_000), ..ResourceSpans::default() };
    let one = ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec();
    let cut: Vec<u64> = halves(Signal::Traces, &one.into()).unwrap().unwrap().map(|part| part.unwrap().items).collect();
    assert_eq!(cut, [4, 4]);
}

#[test]
fn o_52_a_request_of_one_span_cannot_be_halved() {
    assert!(halves(Signal::Traces, &request_of(&[1000])).unwrap().is_none());
    assert!(halves(Signal::Traces, &Bytes::new()).unwrap().is_none());
}

#[test]
fn o_52_log_records_and_metrics_are_not_taken_apart_inside() {
    let log_records: Vec<_> =
        (0..4).map(|at| LogRecord { severity_text: at.to_string().repeat(90), ..LogRecord::default() }).collect();
    let scope_logs = vec![ScopeLogs { log_records: log_records.clone(), ..ScopeLogs::default() }];
    let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    let parts = parts_of(Signal::Logs, &logs.encode_to_vec().into(), 220);
    assert_eq!(parts.iter().map(|part| part.items).collect::<Vec<_>>(), [2, 2]);
    let decoded = parts.into_iter().map(|part| ExportLogsServiceRequest::decode(part.body).unwrap());
    let records: Vec<_> = decoded
        .flat_map(|part| part.resource_logs)
        .flat_map(|it| it.scope_logs)
        .flat_map(|it| it.log_records)
        .collect();
    assert_eq!(records, log_records);

    let metric = |points: usize| Metric {
        data: Some(Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint { flags: 1, ..Default::default() }; points],
        })),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric(3), metric(50), metric(2)], ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
    let metrics = Bytes::from(ExportMetricsServiceRequest { resource_metrics }.encode_to_vec());
    let parts = parts_of(Signal::Metrics, &metrics, 60);
    // In data points.
    assert_eq!(parts.iter().map(|part| part.items).collect::<Vec<_>>(), [3, 50, 2]);
}

#[test]
fn o_52_a_hundred_thousand_small_spans_are_taken_apart_in_one_pass() {
    let request = request_of(&[1; 100_000]);
    let parts = parts_of(Signal::Traces, &request, 64);
    assert_eq!(parts.iter().map(|part| part.items).sum::<u64>(), 100_000);
    assert!(parts.iter().all(|part| part.body.len() <= 64));
}
