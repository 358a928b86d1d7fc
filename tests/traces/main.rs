//! Totals of traces, from what a backend gets and from what the ledger says: captured exports, hand-made traces, and
//! random ones against a slow oracle that adds up what stands on the spans.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public
#![allow(clippy::cast_possible_truncation)] // the numbers of these tests are small

mod corpus;
mod oracle;
mod roots;
mod soak;
mod spans;
mod summary;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use gramtrace::trace::ledger::LedgerSettings;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Loading it takes longer than most of what is tested here.
static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::builtin().unwrap()));

/// A hop whose backend acknowledges what it is told to.
struct Hop {
    enricher: Enricher,
    now: Instant,
}

impl Hop {
    fn new(traces: LedgerSettings) -> Self {
        let settings = EnrichSettings { significant_digits: 17, traces, ..EnrichSettings::default() };
        Self { enricher: Enricher::new(Arc::clone(&REGISTRY), &settings), now: Instant::now() }
    }

    /// What the backend gets, and acknowledges.
    fn send(&self, request: &ExportTraceServiceRequest) -> ExportTraceServiceRequest {
        self.send_bytes(&request.encode_to_vec().into())
    }

    fn send_bytes(&self, request: &Bytes) -> ExportTraceServiceRequest {
        let enriched = self.enricher.enrich(request, self.now).unwrap();
        enriched.claim.acknowledge();
        ExportTraceServiceRequest::decode(enriched.bytes).unwrap()
    }

    /// What a backend gets that does not acknowledge it.
    fn send_in_vain(&self, request: &ExportTraceServiceRequest) -> ExportTraceServiceRequest {
        let enriched = self.enricher.enrich(&request.encode_to_vec().into(), self.now).unwrap();
        ExportTraceServiceRequest::decode(enriched.bytes).unwrap()
    }
}

/// The captured bodies of a set, in their order.
fn captured(set: &str) -> Vec<Bytes> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(set);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut bodies: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "pb"))
        .filter(|file| file.to_str().unwrap().contains("-traces-"))
        .collect();
    bodies.sort();
    bodies.into_iter().map(|file| std::fs::read(file).unwrap().into()).collect()
}
