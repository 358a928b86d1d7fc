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
    SummarySettings { quiet, ttl: Duration::from_secs(300), max_roots: 1000, max_bytes: 1 << 20 }
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
        let export = Export { signal: Signal::Traces, body: body.into(), deadline: None, origin };
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
    // Its backend may come back: it is said again and again, as long as the root is waited with.
    while count() < 2 {
        tokio::task::yield_now().await;
    }
}

/// A pipeline of one processor, whose backend takes `room` requests and then none until they are read.
fn pipeline_of(
    (enricher, summaries): (&Arc<Enricher>, &Summaries),
    (name, room): (&str, usize),
    metrics: &Metrics,
) -> (Pipeline, mpsc::Receiver<(Signal, Bytes)>) {
    let (sender, arrived) = mpsc::channel(room);
    let exporter = Arc::new(Exporter::Capture(CaptureExporter::new(name, sender)));
    let pipeline = Pipeline::new(Some(Arc::clone(enricher)), vec![exporter], metrics.clone());
    (pipeline.summing_up(summaries, name), arrived)
}

#[tokio::test]
async fn a_backend_that_takes_no_summaries_delays_those_of_its_own_pipeline_alone() {
    let metrics = Metrics::new();
    let enricher = Arc::new(Enricher::new(
        Arc::clone(&REGISTRY),
        &EnrichSettings { traces: watched(), ..EnrichSettings::default() },
    ));
    let summaries = Summaries::new("gramtrace", Arc::clone(enricher.traces()), settings(QUIET), metrics.clone());
    let (stuck, mut unread) = pipeline_of((&enricher, &summaries), ("stuck", 1), &metrics);
    let (sound, mut read) = pipeline_of((&enricher, &summaries), ("sound", 100), &metrics);
    summaries.serve(settings(QUIET), [&stuck, &sound]);
    let send = async |pipeline: &Pipeline, trace: u8| {
        let sent = request("shop", vec![call(trace, 2, 1, MODEL, (100, 10)), plain(trace, 1, 0)]);
        let (body, origin) = (Bytes::from(sent.encode_to_vec()), metrics.receiver("otlp", "grpc"));
        pipeline.export(Export { signal: Signal::Traces, body: body.into(), deadline: None, origin }).await.unwrap();
        sent
    };
    // Its request fills the backend: from now on a summary waits for room there.
    let first = send(&stuck, 1).await;
    for trace in 2..6 {
        send(&sound, trace).await;
        read.recv().await.unwrap();
        let (_, body) = read.recv().await.unwrap();
        let said = ExportTraceServiceRequest::decode(body).unwrap();
        assert_eq!(summary(&said, "shop").trace_id, plain(trace, 1, 0).trace_id);
    }
    assert_eq!(spans(&ExportTraceServiceRequest::decode(unread.recv().await.unwrap().1).unwrap()).len(), 2);
    let late = ExportTraceServiceRequest::decode(unread.recv().await.unwrap().1).unwrap();
    assert_eq!(summary(&late, "shop").trace_id, spans(&first)[0].1.trace_id, "it comes when there is room");
}

fn due(roots: &mut Roots, hop: &Hop, at: Instant) -> Vec<Summary> {
    let due = roots.due(&mut hop.enricher.traces().lock(), at);
    assert!(!due.is_more, "few at once");
    due.summaries
}

fn root(trace_id: [u8; 16], resource: &[u8]) -> PassedRoot {
    PassedRoot { trace_id, span_id: [1; 8], end_ns: 5, service: "shop".into(), resource: resource.into() }
}

#[test]
fn what_is_refused_for_good_is_given_up_until_there_is_more_to_say() {
    let mut hop = Hop::new(watched());
    let (start, quiet) = (hop.now, Duration::from_secs(1));
    let mut roots = Roots::new(settings(quiet), start);
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    roots.passed(root([1; 16], &[]), 0, start);
    let mut said = 0;
    let mut now = start;
    for _ in 0..10 {
        now += quiet;
        if due(&mut roots, &hop, now).len() == 1 {
            said += 1;
            assert_eq!(roots.failed([1; 16], true, now), said == 3, "the third time is the last");
        }
    }
    assert_eq!(said, 3);
    hop.now = now;
    hop.send(&request("shop", vec![call(1, 3, 1, MODEL, (100, 10))]));
    assert_eq!(due(&mut roots, &hop, now + quiet), [], "that something came is heard of now");
    assert_eq!(due(&mut roots, &hop, now + quiet * 2).len(), 1);
    assert!(roots.failed([1; 16], true, now + quiet * 2), "and said once");
}

#[test]
fn roots_are_bounded_by_bytes_and_a_resource_is_kept_once() {
    let start = Instant::now();
    let id = |number: u32| {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        id
    };
    let max_bytes = 64 << 10;
    let settings = SummarySettings { max_roots: 1_000_000, max_bytes, ..settings(QUIET) };
    let (mut of_one, mut of_many) = (Roots::new(settings, start), Roots::new(settings, start));
    for number in 0..100 {
        of_one.passed(root(id(number), &[7; 4096]), 0, start);
        let own = [number.to_be_bytes().as_slice(), &[7; 4092]].concat();
        of_many.passed(root(id(number), &own), 0, start);
        assert!(of_one.level().bytes <= max_bytes as u64 && of_many.level().bytes <= max_bytes as u64);
    }
    assert_eq!((of_one.level().roots, of_one.level().evicted), (100, 0));
    let level = of_many.level();
    assert!((10..=15).contains(&level.roots), "fifteen resources fit, with nothing else: {level:?}");
    assert_eq!(level.evicted, 100 - level.roots);
    of_many.passed(root(id(99), &[1; 100]), 0, start);
    assert!(of_many.level().bytes < level.bytes, "the resource that a root came with before is not kept");
}

#[test]
fn a_backlog_is_worked_off_in_stretches_and_nothing_is_left_out() {
    let mut hop = Hop::new(watched());
    let (start, quiet) = (hop.now, Duration::from_secs(30));
    let mut roots = Roots::new(SummarySettings { max_roots: 10_000, ..settings(quiet) }, start);
    let id = |number: u16| [number.to_be_bytes(); 8].concat();
    for number in 1..=2000u16 {
        let trace_id = id(number);
        roots.passed(root(trace_id.clone().try_into().unwrap(), &[]), 0, start);
        hop.send(&request("shop", vec![Span { trace_id, ..call(1, 2, 1, MODEL, (100, 10)) }]));
    }
    hop.now = start + quiet;
    let (mut said, mut looks) = (Vec::new(), 0);
    loop {
        let due = roots.due(&mut hop.enricher.traces().lock(), hop.now);
        assert!(due.summaries.len() <= 512, "{}", due.summaries.len());
        said.extend(due.summaries.into_iter().map(|summary| summary.root.trace_id.to_vec()));
        looks += 1;
        if !due.is_more {
            break;
        }
    }
    assert_eq!((said.len(), looks), (2000, 4));
    let later = start + Duration::from_secs(600);
    let looks = (1..).find(|_| !roots.due(&mut hop.enricher.traces().lock(), later).is_more).unwrap();
    assert_eq!((looks, roots.level().roots), (4, 0), "what is too old leaves in stretches, too");
}

#[test]
fn a_trace_is_quiet_when_nothing_was_booked_for_so_long_and_is_said_once() {
    let mut hop = Hop::new(watched());
    let (start, quiet) = (hop.now, Duration::from_secs(30));
    let mut roots = Roots::new(settings(quiet), start);
    hop.send(&request("shop", vec![call(1, 2, 1, MODEL, (100, 10))]));
    roots.passed(root([1; 16], &[]), 0, start);
    hop.now = start + quiet / 2;
    hop.send(&request("shop", vec![call(1, 3, 1, MODEL, (100, 10))]));
    assert_eq!(due(&mut roots, &hop, start + quiet), [], "a call came meanwhile");
    let said = due(&mut roots, &hop, start + quiet * 3 / 2);
    assert_eq!(said.iter().map(|summary| summary.account.calls()).collect::<Vec<_>>(), [2]);
    assert_eq!(due(&mut roots, &hop, start + quiet * 3), []);
    assert!(roots.is_idle());
    assert!(!roots.failed([1; 16], false, start + quiet * 3));
    assert_eq!(due(&mut roots, &hop, start + quiet * 4).len(), 1, "what was not taken is said again");
    assert_eq!(due(&mut roots, &hop, start + Duration::from_secs(600)), [], "roots are forgotten");
}

#[test]
fn the_id_of_a_summary_depends_on_its_trace_alone() {
    assert_eq!(summary_span_id(&[1; 16]), summary_span_id(&[1; 16]));
    assert_ne!(summary_span_id(&[1; 16]), summary_span_id(&[2; 16]));
}
