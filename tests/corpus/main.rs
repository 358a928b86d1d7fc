//! Captured exports of real instrumentations through the enricher: what counts, how many tokens, and that nothing else
//! is touched. The truth is that of `README.md` beside this file, from the model server, not from this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public

mod counting;
mod detail;
mod emissions;
mod hop;
#[allow(dead_code)] // each test binary uses its part
#[path = "../service/process.rs"]
mod process;
mod retries;
#[path = "../support/rewritten.rs"]
mod rewritten;
#[path = "../support/sender.rs"]
mod sender;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{Detail, EnrichSettings, Enricher, Tally};
use gramtrace::factors::Registry;
use gramtrace::otlp::{Signal, count};
use hop::Arrival;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// What is appended begins with one of these.
const OURS: &[&str] = &["gramtrace.", "gen_ai.footprint."];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// A captured export.
#[derive(Debug)]
struct Capture {
    /// Path below the corpus of the body as protobuf.
    file: String,
    /// The body as it was sent: protobuf, or JSON.
    sent: Bytes,
    /// The body as protobuf.
    protobuf: Bytes,
}

impl Capture {
    /// `grpc`, `httpproto` or `httpjson`.
    fn transport(&self) -> &str {
        self.file.trim_end_matches(".pb").rsplit('-').next().unwrap()
    }

    fn signal(&self) -> Signal {
        Signal::ALL.into_iter().find(|signal| self.file.contains(&format!("-{}-", signal.name()))).unwrap()
    }
}

/// Every capture, in the order of the captures.
fn captures() -> Vec<Capture> {
    let mut captures: Vec<Capture> = ["traces", "metrics", "logs"]
        .into_iter()
        .flat_map(bodies)
        .map(|(file, protobuf)| {
            let json = corpus().join(file.replace(".pb", ".otlp-http.json"));
            let sent = std::fs::read(json).map_or(protobuf.clone(), Bytes::from);
            Capture { file, sent, protobuf }
        })
        .collect();
    captures.sort_by(|a, b| a.file.cmp(&b.file));
    captures
}

/// Every captured body as protobuf, with its path below the corpus, in the order of the captures.
fn bodies(signal: &str) -> Vec<(String, Bytes)> {
    let mut found: Vec<_> = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|set| std::fs::read_dir(set).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "pb"))
        .map(|file| (file.strip_prefix(corpus()).unwrap().to_str().unwrap().to_owned(), file))
        .filter(|(name, _)| name.contains(&format!("-{signal}-")))
        .map(|(name, file)| (name, Bytes::from(std::fs::read(file).unwrap())))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn enricher(detail: Detail) -> Enricher {
    let settings = EnrichSettings { detail, ..EnrichSettings::default() };
    Enricher::new(Arc::new(Registry::builtin().unwrap()), &settings)
}

#[test]
fn with_the_appended_attributes_taken_out_the_bytes_out_are_the_bytes_in() {
    for detail in [Detail::Headline, Detail::Standard, Detail::Full] {
        let enricher = enricher(detail);
        let mut changed = 0;
        for (name, body) in bodies("traces") {
            let enriched = enricher.enrich(&body, Instant::now()).unwrap().bytes;
            changed += usize::from(enriched != body);
            assert_eq!(rewritten::without_attributes(&enriched, OURS), body, "{name} at {detail:?}");
        }
        assert!(changed > 20, "{changed} bodies were enriched");
    }
}

#[test]
fn through_the_real_receivers_all_arrives_as_it_was_but_for_what_is_appended() {
    let mut signals = BTreeMap::new();
    for Arrival { capture, bytes } in hop::arrivals() {
        *signals.entry(capture.signal().name()).or_insert(0) += 1;
        let bare = match capture.signal() {
            Signal::Traces => rewritten::without_attributes(bytes, OURS),
            Signal::Metrics | Signal::Logs => bytes.to_vec(),
        };
        if capture.transport() == "httpjson" {
            assert_eq!(
                meaning(capture.signal(), &bare),
                meaning(capture.signal(), &capture.protobuf),
                "{}",
                capture.file
            );
        } else {
            assert_eq!(bare, capture.protobuf, "{}", capture.file);
        }
    }
    assert_eq!(signals, BTreeMap::from([("traces", 29), ("metrics", 11), ("logs", 8)]));
}

/// What a body says, whatever the order of its fields.
fn meaning(signal: Signal, body: &[u8]) -> String {
    match signal {
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(body).unwrap()),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(body).unwrap()),
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(body).unwrap()),
    }
}

#[test]
fn o_44_a_span_that_is_enriched_is_left_alone() {
    let enricher = enricher(Detail::Full);
    for (name, body) in bodies("traces") {
        let first = enricher.enrich(&body, Instant::now()).unwrap();
        let second = enricher.enrich(&first.bytes, Instant::now()).unwrap();
        assert_eq!(first.bytes, second.bytes, "{name}");
        let (first, second) = (first.claim.acknowledge(), second.claim.acknowledge());
        let spans = |tally: &Tally| tally.by_status().map(|(_, spans)| spans).sum::<u64>();
        assert_eq!(second.tally.enriched_before, spans(&first.tally), "{name}");
        assert_eq!(spans(&second.tally), 0, "{name}");
    }
}

#[test]
fn a_body_cut_at_any_byte_is_refused_or_enriched_and_never_worse() {
    let enricher = enricher(Detail::Full);
    for (name, body) in bodies("traces").into_iter().filter(|(_, body)| body.len() < 8000) {
        for cut in 1..body.len() {
            assert!(
                enricher.enrich(&body.slice(..cut), Instant::now()).is_err(),
                "{name} has one resource: cut at {cut} it is broken"
            );
        }
    }
}

#[test]
fn items_of_every_signal_are_counted_as_the_index_counts_them() {
    let mut index = csv::Reader::from_path(corpus().join("index.csv")).unwrap();
    for row in index.records() {
        let row = row.unwrap();
        let (file, signal, records) = (&row[0], &row[1], row[6].parse::<u64>().unwrap());
        let body = std::fs::read(corpus().join(file)).unwrap();
        match signal {
            "traces" => assert_eq!(count(Signal::Traces, &body), Ok(records), "{file}"),
            "logs" => assert_eq!(count(Signal::Logs, &body), Ok(records), "{file}"),
            // The index counts metrics, of which each has one or more points.
            _ => assert!(count(Signal::Metrics, &body).unwrap() >= records, "{file}"),
        }
    }
}
