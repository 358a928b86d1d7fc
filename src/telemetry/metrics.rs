//! Counters of the hop itself, by closed sets of labels, and their text form. The names are a contract:
//! those of the Collector exactly, so that its dashboards work, and this project's own under `gramtrace_`.
//! Booking takes no lock and, once a receiver or exporter is known, allocates nothing.

use std::array;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::budgets::Watched;
use super::counting::Counting;
use super::emissions::{EmissionBook, EmissionSettings, Emissions};
use super::exporter::{self, ExporterMetrics};
use super::families as name;
use super::flow::{Flows, InFlight, Level, Loss, place};
use super::keeping::{StoreMetrics, TargetMetrics, Targets};
use super::memories::{LevelReader, Memories, SummaryOutcome};
use super::memory::MemoryLevels;
use super::registries::RegistriesInUse;
use super::reloads::Reloads;
use super::roll::{OTHER, Roll};
use super::tally::Tally;
use super::text::{Exposition, Reading, TextFormat};
use super::unknown_models::UnknownModelList;
use crate::budget::Budgets;
use crate::otlp::Signal;

/// Every counter of this process. Cheap to clone: clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Registered>);

#[derive(Debug)]
struct Registered {
    started: Instant,
    receivers: Roll<ReceiverMetrics>,
    exporters: Roll<ExporterMetrics>,
    counting: Counting,
    emissions: Arc<Emissions>,
    registries: RegistriesInUse,
    budgets: Watched,
    store: StoreMetrics,
    targets: Targets,
    reloads: Reloads,
    memories: Memories,
    memory: Arc<MemoryLevels>,
    other_receiver: ReceiverMetrics,
    other_exporter: ExporterMetrics,
    over_capacity: AtomicU64,
}

/// The counters of one receiver and transport. Cheap to clone: clones count together.
#[derive(Debug, Clone)]
pub struct ReceiverMetrics {
    receiver: Arc<str>,
    transport: &'static str,
    flows: Arc<Flows>,
    /// A tally a signal, and one for requests that name none.
    requests: Arc<[Tally; Signal::ALL.len() + 1]>,
    handshakes: Arc<Tally>,
    reloads: Arc<Tally>,
}

/// One figure of a reading.
pub(super) type Figure = fn(Level) -> u64;

impl Default for Registered {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            receivers: Roll::default(),
            exporters: Roll::default(),
            counting: Counting::default(),
            emissions: Arc::default(),
            registries: RegistriesInUse::default(),
            budgets: Watched::default(),
            store: StoreMetrics::default(),
            targets: Targets::default(),
            reloads: Reloads::default(),
            memories: Memories::default(),
            memory: Arc::default(),
            other_receiver: ReceiverMetrics::new(OTHER, OTHER),
            other_exporter: ExporterMetrics::new(OTHER),
            over_capacity: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Nothing counted yet; the uptime begins now.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counters of a receiver's transport, all of them standing at 0 on `/metrics` from now on.
    #[must_use]
    pub fn receiver(&self, receiver: &str, transport: &'static str) -> ReceiverMetrics {
        self.find_receiver(receiver, transport).clone()
    }

    /// The counters of an exporter, all of them standing at 0 on `/metrics` from now on.
    #[must_use]
    pub fn exporter(&self, exporter: &str) -> ExporterMetrics {
        self.find_exporter(exporter).clone()
    }

    /// Counts one export request and its end: `ok` or [`crate::rejection::Rejection::reason`].
    pub fn request(&self, receiver: &str, transport: &'static str, signal: Option<Signal>, outcome: &'static str) {
        self.find_receiver(receiver, transport).request(signal, outcome);
    }

    /// Counts items of a request that was acknowledged.
    pub fn accepted(&self, receiver: &str, transport: &'static str, signal: Signal, items: u64) {
        let flows = &self.find_receiver(receiver, transport).flows;
        flows.admit(signal, items);
        flows.pass(signal, items);
    }

    /// Counts items of a request that was refused after it was understood.
    pub fn refused(&self, receiver: &str, transport: &'static str, signal: Signal, items: u64) {
        let flows = &self.find_receiver(receiver, transport).flows;
        flows.admit(signal, items);
        flows.fail(signal, items, Loss::Refused);
    }

    /// Counts items that an exporter's backend acknowledged, without those it rejected.
    pub fn sent(&self, exporter: &str, signal: Signal, items: u64) {
        self.find_exporter(exporter).send(signal, items).acknowledged(0);
    }

    /// Counts items that an exporter's backend refused for good.
    pub fn send_failed(&self, exporter: &str, signal: Signal, items: u64) {
        self.find_exporter(exporter).send(signal, items).failed(Loss::Refused);
    }

    /// Counts items that a backend rejected in a partial success.
    pub fn rejected_by_backend(&self, exporter: &str, signal: Signal, items: u64) {
        self.find_exporter(exporter).send(signal, items).acknowledged(items);
    }

    /// Counts spans of the GenAI kind by their `gramtrace.status`. Booking 0 makes the status stand on `/metrics`.
    pub fn spans(&self, status: &'static str, spans: u64) {
        self.0.counting.spans.add(status, spans);
    }

    /// Counts spans of the GenAI kind by the family of names that they use.
    pub fn dialect(&self, dialect: &'static str, spans: u64) {
        self.0.counting.dialects.add(dialect, spans);
    }

    /// Counts spans whose operation is on no list and that carry tokens.
    pub fn unlisted(&self, spans: u64) {
        self.0.counting.unlisted.fetch_add(spans, Ordering::Relaxed);
    }

    /// Where a processor books what acknowledged calls took. The same settings open the same book.
    #[must_use]
    pub fn emission_book(&self, settings: &EmissionSettings) -> EmissionBook {
        EmissionBook::open(&self.0.emissions, settings)
    }

    /// The page tells how these stand from now on.
    pub fn watch(&self, budgets: Budgets) {
        self.0.budgets.watch(budgets);
    }

    /// The figures of the store of budgets.
    #[must_use]
    pub fn store(&self) -> StoreMetrics {
        self.0.store.clone()
    }

    /// The figures of one who is told of budgets, standing at 0 on the page from now on.
    #[must_use]
    pub fn target(&self, target: &str) -> TargetMetrics {
        self.0.targets.find(target)
    }

    pub(super) fn emissions(&self) -> &Arc<Emissions> {
        &self.0.emissions
    }

    /// Lists a call of a model that the registry does not know. A name that is new is logged, at a limited rate.
    pub fn unknown_model(&self, name: &str, provider: Option<&str>) {
        self.0.counting.unknown_models.add(name, provider, Instant::now());
    }

    /// The models that the registry does not know.
    #[must_use]
    pub fn unknown_models(&self) -> UnknownModelList {
        self.0.counting.unknown_models.list()
    }

    /// The registries that are in use from now on: the label of each processor's.
    pub fn registries(&self, labels: BTreeMap<String, String>) {
        self.0.registries.set(labels);
    }

    /// The processors that there are from now on, by their ids: the page asks how full their memories are.
    pub fn watch_memories(&self, readers: BTreeMap<String, LevelReader>) {
        self.0.memories.watch(readers);
    }

    /// Counts summaries of a processor's traces by what became of them.
    pub fn summaries(&self, processor: &str, outcome: SummaryOutcome, summaries: u64) {
        self.0.memories.summaries(processor, outcome, summaries);
    }

    /// What requests in flight may take of memory, and what they have reserved.
    #[must_use]
    pub fn memory_levels(&self) -> Arc<MemoryLevels> {
        Arc::clone(&self.0.memory)
    }

    /// The first configuration is in force from `now` on.
    pub fn configuration_started(&self, now: SystemTime) {
        self.0.reloads.started(now);
    }

    /// Another configuration is in force from `now` on.
    pub fn configuration_reloaded(&self, now: SystemTime) {
        self.0.reloads.succeeded(now);
    }

    /// Another configuration was to come into force and did not.
    pub fn configuration_refused(&self) {
        self.0.reloads.failed();
    }

    /// Everything in the Prometheus text format 0.0.4.
    #[must_use]
    pub fn encode(&self) -> String {
        self.encode_as(TextFormat::Prometheus)
    }

    /// Everything in a text format.
    #[must_use]
    pub fn encode_as(&self, format: TextFormat) -> String {
        let mut text = String::new();
        self.exposition(self.0.started.elapsed(), resident_bytes()).write(format, &mut text);
        self.0.emissions.encode(format, &mut text);
        text.push_str(format.end());
        text
    }

    /// The same for other formats.
    pub(super) fn readings(&self) -> Vec<Reading> {
        self.exposition(self.0.started.elapsed(), resident_bytes()).into_readings()
    }

    fn find_receiver(&self, receiver: &str, transport: &'static str) -> &ReceiverMetrics {
        let is = |known: &ReceiverMetrics| &*known.receiver == receiver && known.transport == transport;
        self.0.receivers.find_or_add(is, || ReceiverMetrics::new(receiver, transport)).unwrap_or_else(|| {
            self.0.over_capacity.fetch_add(1, Ordering::Relaxed);
            &self.0.other_receiver
        })
    }

    fn find_exporter(&self, exporter: &str) -> &ExporterMetrics {
        let is = |known: &ExporterMetrics| known.name() == exporter;
        self.0.exporters.find_or_add(is, || ExporterMetrics::new(exporter)).unwrap_or_else(|| {
            self.0.over_capacity.fetch_add(1, Ordering::Relaxed);
            &self.0.other_exporter
        })
    }

    fn exposition(&self, uptime: Duration, resident_bytes: Option<u64>) -> Exposition {
        let mut text = Exposition::default();
        text.family(name::BUILD_INFO, [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)]);
        self.0.registries.encode(&mut text);
        text.family(name::UPTIME, [(vec![], format!("{:.3}", uptime.as_secs_f64()))]);
        text.family(name::RESIDENT, resident_bytes.map(|bytes| (vec![], bytes)));
        self.encode_receivers(&mut text);
        self.0.memory.encode(&mut text);
        self.encode_exporters(&mut text);
        self.0.counting.encode(&mut text);
        self.0.memories.encode(&mut text);
        self.0.emissions.encode_books(&mut text);
        self.0.budgets.encode(&mut text);
        self.0.store.encode(&mut text);
        self.0.targets.encode(&mut text);
        self.0.reloads.encode(&mut text);
        text.family(name::OVER_CAPACITY, [(vec![], self.0.over_capacity.load(Ordering::Relaxed))]);
        text
    }

    fn encode_receivers(&self, text: &mut Exposition) {
        let mut receivers: Vec<_> = self.0.receivers.iter().collect();
        if self.0.over_capacity.load(Ordering::Relaxed) > 0 {
            receivers.push(&self.0.other_receiver);
        }
        // One reading a flow, so that the figures of one scrape add up.
        let levels: Vec<_> =
            receivers.iter().map(|known| Signal::ALL.map(|signal| known.flows.level(signal))).collect();
        let read = || receivers.iter().zip(&levels);
        for signal in Signal::ALL {
            let at = place(signal);
            text.family(name::ACCEPTED[at], read().map(|(known, level)| (known.labels(), level[at].passed)));
            text.family(name::REFUSED[at], read().map(|(known, level)| (known.labels(), level[at].failed)));
        }
        for (family, figure) in
            [(name::RECEIVED, (|level| level.admitted) as Figure), (name::INSIDE, |level| level.in_flight)]
        {
            let samples = read().flat_map(|(known, level)| {
                Signal::ALL.map(|signal| (known.labels_with(signal.name()), figure(level[place(signal)])))
            });
            text.family(family, samples);
        }
        text.family(name::REQUESTS, receivers.iter().flat_map(|known| known.request_samples()));
        text.family(name::HANDSHAKES, receivers.iter().flat_map(|known| known.by_outcome(&known.handshakes)));
        text.family(name::TLS_RELOADS, receivers.iter().flat_map(|known| known.by_outcome(&known.reloads)));
    }

    fn encode_exporters(&self, text: &mut Exposition) {
        let mut exporters: Vec<_> = self.0.exporters.iter().collect();
        if self.0.over_capacity.load(Ordering::Relaxed) > 0 {
            exporters.push(&self.0.other_exporter);
        }
        exporter::encode(&exporters, text);
    }
}

impl ReceiverMetrics {
    fn new(receiver: &str, transport: &'static str) -> Self {
        Self {
            receiver: receiver.into(),
            transport,
            flows: Arc::default(),
            requests: Arc::new(array::from_fn(|_| Tally::default())),
            handshakes: Arc::default(),
            reloads: Arc::default(),
        }
    }

    /// Counts one export request and its end: `ok` or [`crate::rejection::Rejection::reason`].
    pub fn request(&self, signal: Option<Signal>, outcome: &'static str) {
        self.requests[signal.map_or(Signal::ALL.len(), place)].add(outcome, 1);
    }

    /// Counts one TLS handshake and its end: a closed set.
    pub fn handshake(&self, outcome: &'static str) {
        self.handshakes.add(outcome, 1);
    }

    /// Counts one reading of new TLS files: whether they are used from now on.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.add(outcome, 1);
    }

    /// Counts items that came in and were understood. They are accepted when they are said to be acknowledged
    /// (also those that a backend rejected: `acknowledged(0)`), else refused.
    pub fn receive(&self, signal: Signal, items: u64) -> InFlight {
        InFlight::admit(Arc::clone(&self.flows), signal, items)
    }

    fn labels(&self) -> Vec<(&'static str, &str)> {
        vec![("receiver", &self.receiver), ("transport", self.transport)]
    }

    fn labels_with<'a>(&'a self, signal: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![("receiver", &self.receiver), ("transport", self.transport), ("signal", signal)]
    }

    fn by_outcome<'a>(&'a self, tally: &'a Tally) -> impl Iterator<Item = (Vec<(&'static str, &'a str)>, u64)> {
        tally.readings().map(|(outcome, count)| {
            let mut labels = self.labels();
            labels.push(("outcome", outcome));
            (labels, count)
        })
    }

    fn request_samples(&self) -> impl Iterator<Item = (Vec<(&'static str, &str)>, u64)> {
        let signals = Signal::ALL.map(Signal::name).into_iter().chain(["none"]);
        signals.zip(self.requests.iter()).flat_map(move |(signal, tally)| {
            tally.readings().map(move |(outcome, requests)| {
                let mut labels = self.labels_with(signal);
                labels.push(("outcome", outcome));
                (labels, requests)
            })
        })
    }
}

/// The memory that this process holds, where the system says so in `/proc`.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::telemetry::Attempt;

    /// Reads the text format as its documentation says, by splitting: a sample to its value, a name to its type.
    fn parse(text: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "{name} has one type");
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                assert!(types.contains_key(name), "{name} has its type before its samples");
                assert_eq!(samples.insert(sample.to_owned(), value.parse().unwrap()), None, "{sample} stands once");
            }
        }
        (samples, types)
    }

    fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
        parse(&metrics.encode()).0
    }

    #[test]
    fn the_collectors_names_stand_as_they_are_without_a_suffix() {
        let metrics = Metrics::new();
        metrics.accepted("otlp", "grpc", Signal::Traces, 5);
        metrics.refused("otlp", "grpc", Signal::Metrics, 6);
        metrics.sent("otlp_http", Signal::Logs, 7);
        metrics.send_failed("otlp_http", Signal::Traces, 8);
        let (samples, types) = parse(&metrics.encode());
        assert_eq!(samples["otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"}"], 5.0);
        assert_eq!(samples["otelcol_receiver_refused_metric_points{receiver=\"otlp\",transport=\"grpc\"}"], 6.0);
        assert_eq!(samples["otelcol_exporter_sent_log_records{exporter=\"otlp_http\"}"], 7.0);
        assert_eq!(samples["otelcol_exporter_send_failed_spans{exporter=\"otlp_http\"}"], 8.0);
        for (name, kind) in types {
            let expected = if name.starts_with("otelcol_") {
                "untyped"
            } else if name.ends_with("_total") {
                "counter"
            } else {
                "gauge"
            };
            assert_eq!(kind, expected, "{name}");
        }
    }

    #[test]
    fn requests_are_counted_by_where_they_came_in_and_how_they_ended() {
        let metrics = Metrics::new();
        metrics.request("otlp", "http", Some(Signal::Traces), "ok");
        metrics.request("otlp", "http", Some(Signal::Traces), "ok");
        metrics.request("otlp", "http", Some(Signal::Traces), "too_large");
        metrics.request("otlp/2", "http", None, "not_found");
        let samples = samples(&metrics);
        let count = |labels: &str| samples[&format!("gramtrace_receiver_requests_total{{{labels}}}")];
        assert_eq!(count(r#"receiver="otlp",transport="http",signal="traces",outcome="ok""#), 2.0);
        assert_eq!(count(r#"receiver="otlp",transport="http",signal="traces",outcome="too_large""#), 1.0);
        assert_eq!(count(r#"receiver="otlp/2",transport="http",signal="none",outcome="not_found""#), 1.0);
    }

    #[test]
    fn what_went_in_is_what_came_out_and_what_is_inside() {
        let metrics = Metrics::new();
        let exporter = metrics.exporter("otlp");
        exporter.send(Signal::Traces, 100).acknowledged(4);
        exporter.send(Signal::Traces, 30).failed(Loss::Timeout);
        let underway = exporter.send(Signal::Traces, 6);
        metrics.sent("otlp", Signal::Traces, 1);
        metrics.rejected_by_backend("otlp", Signal::Traces, 2);
        let samples = samples(&metrics);
        assert_eq!(samples["gramtrace_exporter_admitted_items_total{exporter=\"otlp\",signal=\"traces\"}"], 139.0);
        assert_eq!(samples["otelcol_exporter_sent_spans{exporter=\"otlp\"}"], 97.0);
        assert_eq!(samples["otelcol_exporter_send_failed_spans{exporter=\"otlp\"}"], 30.0);
        assert_eq!(samples["gramtrace_exporter_rejected_items_total{exporter=\"otlp\",signal=\"traces\"}"], 6.0);
        assert_eq!(samples["gramtrace_exporter_in_flight_items{exporter=\"otlp\",signal=\"traces\"}"], 6.0);
        drop(underway);
    }

    #[test]
    fn what_was_not_delivered_is_counted_by_why_and_sendings_by_what_they_were() {
        let metrics = Metrics::new();
        let exporter = metrics.exporter("otlp");
        exporter.send(Signal::Logs, 5).failed(Loss::TooLarge);
        drop(exporter.send(Signal::Logs, 2));
        exporter.attempt(Signal::Logs, Attempt::First);
        exporter.attempt(Signal::Logs, Attempt::Retry);
        exporter.attempt(Signal::Logs, Attempt::Retry);
        let samples = samples(&metrics);
        let logs = |name: &str, label: &str| samples[&format!("{name}{{exporter=\"otlp\",signal=\"logs\",{label}}}")];
        assert_eq!(logs("gramtrace_exporter_failed_items_total", "reason=\"too_large\""), 5.0);
        assert_eq!(logs("gramtrace_exporter_failed_items_total", "reason=\"abandoned\""), 2.0);
        assert_eq!(logs("gramtrace_exporter_failed_items_total", "reason=\"timeout\""), 0.0);
        assert_eq!(samples["otelcol_exporter_send_failed_log_records{exporter=\"otlp\"}"], 7.0);
        assert_eq!(logs("gramtrace_exporter_attempts_total", "attempt=\"first\""), 1.0);
        assert_eq!(logs("gramtrace_exporter_attempts_total", "attempt=\"retry\""), 2.0);
        assert_eq!(samples["otelcol_exporter_queue_size{exporter=\"otlp\",data_type=\"logs\"}"], 0.0);
    }

    #[test]
    fn a_request_that_nobody_answered_is_refused() {
        let metrics = Metrics::new();
        let receiver = metrics.receiver("otlp", "grpc");
        drop(receiver.receive(Signal::Logs, 3));
        receiver.receive(Signal::Logs, 4).acknowledged(0);
        let samples = samples(&metrics);
        let labels = "{receiver=\"otlp\",transport=\"grpc\"";
        assert_eq!(samples[&format!("otelcol_receiver_refused_log_records{labels}}}")], 3.0);
        assert_eq!(samples[&format!("otelcol_receiver_accepted_log_records{labels}}}")], 4.0);
        assert_eq!(samples[&format!("gramtrace_receiver_received_items_total{labels},signal=\"logs\"}}")], 7.0);
    }

    #[test]
    fn what_is_known_stands_at_zero_before_anything_happens() {
        let metrics = Metrics::new();
        let _receiver = metrics.receiver("otlp", "grpc");
        metrics.spans("ok", 0);
        let samples = samples(&metrics);
        assert_eq!(samples["otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"}"], 0.0);
        assert_eq!(samples["gramtrace_spans_total{status=\"ok\"}"], 0.0);
        assert!(!metrics.encode().contains("otelcol_exporter_"));
    }

    #[test]
    fn names_beyond_the_cap_are_other_and_that_is_counted() {
        let metrics = Metrics::new();
        for at in 0..70 {
            metrics.sent(&format!("otlp/{at}"), Signal::Traces, 1);
        }
        let samples = samples(&metrics);
        assert_eq!(samples["otelcol_exporter_sent_spans{exporter=\"other\"}"], 6.0);
        assert_eq!(samples["gramtrace_labels_over_capacity_total"], 6.0);
        let sent = samples.keys().filter(|sample| sample.starts_with("otelcol_exporter_sent_spans")).count();
        assert_eq!(sent, 65);
    }

    #[test]
    fn clones_count_together_and_the_process_is_described() {
        let metrics = Metrics::new();
        metrics.clone().spans("ok", 2);
        metrics.spans("ok", 3);
        let mut text = String::new();
        metrics.exposition(Duration::from_millis(61_250), Some(4096)).write(TextFormat::Prometheus, &mut text);
        let (samples, _) = parse(&text);
        assert_eq!(samples["gramtrace_spans_total{status=\"ok\"}"], 5.0);
        assert_eq!(samples["otelcol_process_uptime"], 61.25);
        assert_eq!(samples["otelcol_process_memory_rss"], 4096.0);
        assert_eq!(samples[concat!("gramtrace_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")], 1.0);
    }
}
