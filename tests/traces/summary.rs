//! Spans that sum up traces: when they come, what stands on them, and that no sender hears of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher, summary_span_id};
use gramtrace::exporter::{CaptureExporter, Exporter};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline, Summaries};
use gramtrace::telemetry::Metrics;
use gramtrace::trace::ledger::{LedgerSettings, PassedRoot, Roots, Summary, SummarySettings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::sync::mpsc;

use super::spans::{call, double, plain, request, spans, truth, whole};
use super::{Hop, REGISTRY, captured};

const MODEL: &str = "gpt-4o";
const QUIET: Duration = Duration::from_millis(40);

fn settings(quiet: Duration) -> SummarySettings {
    SummarySettings { quiet, ttl: Duration::from_secs(300), max_roots: 1000 }
}

fn watched() -> LedgerSettings {
    LedgerSettings { is_watched: true, ..LedgerSettings::default() }
}

/// A pipeline that sums up, and what its backend got.
struct Backend {
    pipeline: Pipeline,
    arrived: mpsc::Receiver<(Signal, Bytes)>,
    metrics: Metrics,
}

impl Backend {
    fn new() -> Self {
        let (sender, arrived) = mpsc::channel(100);
        let metrics = Metrics::new();
        let exporter = Arc::new(Exporter::Capture(CaptureExporter::new("backend", sender)));
        let settings_of_all = EnrichSettings { significant_digits: 17, traces: watched(), ..EnrichSettings::default() };
        let enricher = Arc::new(Enricher::new(Arc::clone(&REGISTRY), &settings_of_all));
        let summaries = Summaries::new("gramtrace", Arc::clone(enricher.traces()), settings(QUIET), metrics.clone());
        let pipeline = Pipeline::new(Some(enricher), vec![exporter], metrics.clone()).summing_up(&summaries, "traces");
        summaries.serve(settings(QUIET), [&pipeline]);
        Self { pipeline, arrived, metrics }
    }

    async fn send(&self, body: Bytes) -> bool {
        let origin = self.metrics.receiver("otlp", "grpc");
        let export = Export { signal: Signal::Traces, body, deadline: None, origin };
        self.pipeline.export(export).await.is_ok()
    }

    async fn next(&mut self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.arrived.recv().await.unwrap().1).unwrap()
    }

    async fn exchange(&mut self, sent: &ExportTraceServiceRequest) -> ExportTraceServiceRequest {
        assert!(self.send(sent.encode_to_vec().into()).await);
        self.next().await
    }
}

/// The one span of a summary, with what is around it checked.
fn summary(request: &ExportTraceServiceRequest, service: &str) -> Span {
    let all = spans(request);
    assert_eq!(all.len(), 1, "{request:?}");
    assert_eq!(all[0].0, service, "the root's resource");
    assert_eq!(request.resource_spans[0].scope_spans[0].scope.as_ref().unwrap().name, "gramtrace");
    let span = all[0].1.clone();
    assert!(span.attributes.iter().all(|attribute| attribute.key.starts_with("gramtrace.trace.")), "{span:?}");
    assert_eq!(span.start_time_unix_nano, span.end_time_unix_nano);
    span
}

#[tokio::test]
async fn a_quiet_trace_is_summed_up_under_its_root_and_again_when_a_call_comes_late() {
    let mut backend = Backend::new();
    let root = plain(1, 1, 0);
    backend.exchange(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10)), root.clone()])).await;
    let first = summary(&backend.next().await, "shop");
    assert_eq!(first.trace_id, root.trace_id);
    assert_eq!((&first.parent_span_id, first.end_time_unix_nano), (&root.span_id, root.end_time_unix_nano));
    assert_eq!(whole(&first, "gramtrace.trace.calls"), Some(1));
    assert_eq!(truth(&first, "gramtrace.trace.complete"), Some(true));
    backend.exchange(&request("gateway", vec![call(1, 3, 2, MODEL, (1000, 100))])).await;
    let second = summary(&backend.next().await, "shop");
    assert_eq!(second.span_id, first.span_id, "a repeat is the same span");
    assert_eq!(whole(&second, "gramtrace.trace.calls"), Some(2));
    assert_eq!(truth(&second, "gramtrace.trace.complete"), Some(false), "another service called, too");
    assert!(double(&second, "gramtrace.trace.co2e_g") > double(&first, "gramtrace.trace.co2e_g"));
    let page = backend.metrics.encode();
    assert!(page.contains("gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"taken\"} 2"), "{page}");
}

#[tokio::test]
async fn a_root_that_comes_before_every_call_is_summed_up_too() {
    let mut backend = Backend::new();
    let sent = request("shop", vec![plain(1, 1, 0)]);
    assert_eq!(backend.exchange(&sent).await, sent);
    backend.exchange(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))])).await;
    assert_eq!(whole(&summary(&backend.next().await, "shop"), "gramtrace.trace.calls"), Some(1));
}

#[tokio::test]
async fn the_captured_trace_of_two_services_has_its_total_in_the_summary() {
    let mut backend = Backend::new();
    let mut co2e_g = 0.0;
    for body in captured("litellm-proxy-2services") {
        assert!(backend.send(body).await);
        let got = backend.next().await;
        co2e_g += spans(&got).iter().filter_map(|(_, span)| double(span, "gramtrace.co2e_g")).sum::<f64>();
    }
    let got = backend.next().await;
    let total = spans(&got)[0].1;
    // The row of the captures' own table.
    assert_eq!(whole(total, "gramtrace.trace.calls"), Some(3));
    assert_eq!(whole(total, "gramtrace.trace.input_tokens"), Some(3398));
    assert_eq!(whole(total, "gramtrace.trace.output_tokens"), Some(612));
    let told = double(total, "gramtrace.trace.co2e_g").unwrap();
    assert!((told - co2e_g).abs() <= 1e-12 * co2e_g, "{told} and {co2e_g}");
}

#[tokio::test]
async fn a_summary_that_nobody_takes_is_counted_and_no_sender_hears_of_it() {
    let mut backend = Backend::new();
    backend.exchange(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10)), plain(1, 1, 0)])).await;
    backend.arrived.close();
    let failed = "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"failed\"} ";
    let count = || {
        let page = backend.metrics.encode();
        let line = page.lines().find_map(|line| line.strip_prefix(failed).map(str::to_owned));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    // It is said again and again, as long as the root is waited with.
    while count() < 2 {
        tokio::task::yield_now().await;
    }
}

fn due(roots: &mut Roots, hop: &Hop, at: Instant) -> Vec<Summary> {
    roots.due(&mut hop.enricher.traces().lock(), 100, at)
}

#[test]
fn a_trace_is_quiet_when_nothing_was_booked_for_so_long_and_is_said_once() {
    let mut hop = Hop::new(watched());
    let (start, quiet) = (hop.now, Duration::from_secs(30));
    let mut roots = Roots::new(settings(quiet), start);
    let root =
        PassedRoot { trace_id: [1; 16], span_id: [1; 8], end_ns: 5, service: "shop".into(), resource: Arc::new([]) };
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    roots.passed(root, 0, start);
    hop.now = start + quiet / 2;
    hop.send(&request("shop", vec![call(1, 3, 1, MODEL, (100, 10))]));
    assert_eq!(due(&mut roots, &hop, start + quiet), [], "a call came meanwhile");
    let said = due(&mut roots, &hop, start + quiet * 3 / 2);
    assert_eq!(said.iter().map(|summary| summary.account.calls()).collect::<Vec<_>>(), [2]);
    assert_eq!(due(&mut roots, &hop, start + quiet * 3), []);
    assert!(roots.is_idle());
    roots.failed([1; 16], start + quiet * 3);
    assert_eq!(due(&mut roots, &hop, start + quiet * 4).len(), 1, "what was not taken is said again");
    assert_eq!(due(&mut roots, &hop, start + Duration::from_secs(600)), [], "roots are forgotten");
}

#[test]
fn the_id_of_a_summary_depends_on_its_trace_alone() {
    assert_eq!(summary_span_id(&[1; 16]), summary_span_id(&[1; 16]));
    assert_ne!(summary_span_id(&[1; 16]), summary_span_id(&[2; 16]));
}
