//! What a sender's repeats do: a request that was not acknowledged leaves no trace in the memory, one that was is
//! enriched the same way again and booked once.

use std::sync::Arc;

use bytes::Bytes;
use gramtrace::enrich::{Detail, Enricher};
use gramtrace::exporter::{CaptureExporter, Exporter};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline};
use gramtrace::telemetry::Metrics;
use tokio::sync::mpsc;

use super::{bodies, enricher};

pub(super) struct Hop {
    pipeline: Pipeline,
    pub(super) arrived: mpsc::Receiver<(Signal, Bytes)>,
    metrics: Metrics,
}

impl Hop {
    pub(super) fn new(enricher: &Arc<Enricher>, metrics: &Metrics) -> Self {
        let (sender, arrived) = mpsc::channel(10);
        let exporter = Arc::new(Exporter::Capture(CaptureExporter::new("backend", sender)));
        let pipeline = Pipeline::new(Some(Arc::clone(enricher)), vec![exporter], metrics.clone());
        Self { pipeline, arrived, metrics: metrics.clone() }
    }

    pub(super) async fn send(&mut self, body: &Bytes) -> Option<Bytes> {
        let origin = self.metrics.receiver("otlp", "grpc");
        let export = Export { signal: Signal::Traces, body: body.clone().into(), deadline: None, origin };
        self.pipeline.export(export).await.ok()?;
        self.arrived.recv().await.map(|(_, body)| body)
    }
}

/// The sum over every series of a metric that has a label.
fn metric(metrics: &Metrics, name: &str, label: &str) -> f64 {
    let text = metrics.encode();
    let of_metric = || text.lines().filter(|line| line.starts_with(name));
    assert!(of_metric().next().is_some(), "no {name} in:\n{text}");
    let lines = of_metric().filter(|line| line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn what_was_acknowledged_is_enriched_the_same_again_and_booked_once() {
    let (enricher, metrics) = (Arc::new(enricher(Detail::Full)), Metrics::new());
    let mut hop = Hop::new(&enricher, &metrics);
    for (name, body) in bodies("traces") {
        let first = hop.send(&body).await.unwrap();
        assert_eq!(hop.send(&body).await.unwrap(), first, "{name}");
    }
    // expected_totals.csv, added up: what 24 sets hold once.
    let mut expected = csv::Reader::from_path(super::corpus().join("expected_totals.csv")).unwrap();
    let rows: Vec<_> = expected.records().map(Result::unwrap).collect();
    let sum = |column: usize| rows.iter().map(|row| row[column].parse::<f64>().unwrap()).sum::<f64>();
    let counted = ["ok", "unknown_model", "no_model"];
    let calls = |status: &&str| metric(&metrics, "gramtrace_calls_total", &format!("status=\"{status}\""));
    assert_eq!(counted.iter().map(calls).sum::<f64>(), sum(1));
    let tokens = |class: &&str| metric(&metrics, "gramtrace_tokens_total", &format!("class=\"{class}\""));
    assert_eq!(["input", "cache_read", "cache_write"].iter().map(tokens).sum::<f64>(), sum(2));
    assert_eq!(["output", "reasoning"].iter().map(tokens).sum::<f64>(), sum(3));
    let (remembered, evicted) = enricher.remembered();
    assert!(remembered > 0 && evicted == 0, "{remembered} reports are remembered, and {evicted} had to leave");
}

#[test]
fn books_say_whether_a_call_was_booked_before() {
    let enricher = enricher(Detail::Full);
    let (_, body) = bodies("traces").into_iter().find(|(name, _)| name.starts_with("otel-openai-v2")).unwrap();
    let has_repeats = || enricher.enrich(&body, std::time::Instant::now()).unwrap().claim.acknowledge().has_repeats;
    assert_eq!((has_repeats(), has_repeats()), (false, true));
}

#[tokio::test]
async fn what_was_not_acknowledged_leaves_the_memory_and_counts_when_it_comes_again() {
    let (enricher, metrics) = (Arc::new(enricher(Detail::Full)), Metrics::new());
    let mut gone = Hop::new(&enricher, &metrics);
    gone.arrived.close();
    let mut hop = Hop::new(&enricher, &metrics);
    for (name, body) in bodies("traces") {
        assert_eq!(gone.send(&body).await, None, "{name}: nobody is there");
        assert_eq!(enricher.remembered().0, 0, "{name}");
    }
    assert!(!metrics.encode().contains("gramtrace_calls_total"), "nothing is booked that nobody acknowledged");
    let (_, body) = bodies("traces").into_iter().find(|(name, _)| name.starts_with("otel-openai-v2")).unwrap();
    hop.send(&body).await.unwrap();
    assert_eq!(metric(&metrics, "gramtrace_calls_total", "status=\"ok\""), 6.0, "5 chats and an embedding");
}
