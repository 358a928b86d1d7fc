//! Instructions a span of plan, settle and splice, counted by callgrind: the same on a busy machine as on an idle one. The
//! last columns are what comes behind the acknowledgement.
//! `cargo bench --bench instructions` prints the table, with `-- TEXT` the rows with that text alone. Needs valgrind.

#![allow(clippy::expect_used, clippy::print_stdout)] // a benchmark that cannot go on says so, and prints
#![allow(unreachable_pub, missing_docs)] // modules of a binary have no public

mod traffic;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{Detail, EnrichSettings, Enricher};
use gramtrace::exporter::{CaptureExporter, Exporter};
use gramtrace::factors::{Registry, RegistryFile};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline};
use gramtrace::telemetry::Metrics;
use traffic::{GenAi, MIX, Order, Shape, Size, Traffic};

/// Set in the process that runs under callgrind.
const COUNTED: &str = "GRAMTRACE_COUNTED";

const DETAILS: [Detail; 3] = [Detail::Headline, Detail::Standard, Detail::Full];

/// A row of the table.
#[derive(Debug)]
struct Case {
    name: String,
    shape: Shape,
    /// Models in the registry beside those that are built in.
    more_models: usize,
}

fn cases() -> Vec<Case> {
    let case = |name: String, shape: Shape| Case { name, shape, more_models: 0 };
    let mut cases = Vec::new();
    for order in [Order::Ascending, Order::Descending] {
        for (name, gen_ai) in [("a fifth", GenAi::Fifth), ("none", GenAi::None), ("all", GenAi::All)] {
            cases.push(case(format!("{name}, {order:?}").to_lowercase(), Shape { gen_ai, order, ..MIX }));
        }
    }
    let long = Shape { spans: 64, gen_ai: GenAi::All, size: Size::Long, ..MIX };
    cases.push(case("all, 4-32 KiB".to_owned(), long));
    for spans in [1, 10, 100, 1000, 10_000] {
        cases.push(case(format!("a fifth, {spans} spans"), Shape { spans, ..MIX }));
        cases.push(case(format!("none, {spans} spans"), Shape { spans, gen_ai: GenAi::None, ..MIX }));
    }
    for more_models in [10, 100, 1000, 10_000] {
        cases.push(Case { name: format!("a fifth, {more_models} more models"), shape: MIX, more_models });
    }
    let wanted = wanted();
    cases.retain(|case| wanted.as_ref().is_none_or(|text| case.name.contains(text)));
    cases
}

/// The registry that is built in, with more models that nobody asks for.
fn registry(more_models: usize) -> Registry {
    let entry = |number: usize| {
        format!(
            "  - {{id: acme/model-{number}, match: [{{name: model-{number}-of-acme}}], architecture: {{total_b: {}}}, \
             tier: E, sources: [ecologits-0.11.3]}}\n",
            1 + number % 70
        )
    };
    let models: String = (0..more_models).map(entry).collect();
    let mut files = RegistryFile::builtin();
    if more_models > 0 {
        files.push(RegistryFile::new("acme.yaml", format!("models:\n{models}").into_bytes()));
    }
    Registry::load(&files).expect("the registry is whole")
}

/// What the command line asks for.
fn wanted() -> Option<String> {
    std::env::args().skip(1).find(|argument| !argument.starts_with('-'))
}

fn main() {
    if std::env::var_os(COUNTED).is_some() {
        cases().iter().for_each(run);
    } else {
        print(&count());
    }
}

/// What callgrind counts: nothing outside of this function, everything inside.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// The steps in the order of the columns: copy, plan, settle, then splice for every detail, then everything at once, then
/// the acknowledgement (memory, ledger, sums), then a request's whole way through a pipeline.
fn run(&Case { shape, more_models, .. }: &Case) {
    let registry = Arc::new(registry(more_models));
    let enrichers = DETAILS
        .map(|detail| Enricher::new(Arc::clone(&registry), &EnrichSettings { detail, ..EnrichSettings::default() }));
    let request = Bytes::from(Traffic::new(shape).request());
    let (standard, now) = (&enrichers[1], Instant::now());
    // The first pass through any code is not the usual one.
    black_box(standard.enrich(&request, now).expect("prost wrote it"));
    let mut copy = vec![0; request.len()];
    measured(|| copy.copy_from_slice(black_box(&request)));
    let mut plan = measured(|| standard.plan(&request)).expect("prost wrote it");
    drop(measured(|| standard.settle(&mut plan, now)).expect("prost wrote it"));
    for enricher in &enrichers {
        drop(measured(|| enricher.splice(&request, &plan)));
    }
    drop(plan);
    measured(|| drop(black_box(standard.enrich(&request, now))));
    acknowledge(&registry, shape);
}

/// New calls every time: what was acknowledged before is not booked again.
fn acknowledge(registry: &Arc<Registry>, shape: Shape) {
    let enricher = Arc::new(Enricher::new(Arc::clone(registry), &EnrichSettings::default()));
    let mut traffic = Traffic::new(shape);
    let mut next = || Bytes::from(traffic.request());
    for is_first in [true, false] {
        let claim = enricher.enrich(&next(), Instant::now()).expect("prost wrote it").claim;
        if is_first {
            black_box(claim.acknowledge());
        } else {
            drop(measured(|| claim.acknowledge()));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there is a runtime");
    let (sender, mut arrived) = tokio::sync::mpsc::channel(2);
    let metrics = Metrics::new();
    let exporter = Arc::new(Exporter::Capture(CaptureExporter::new("backend", sender)));
    let pipeline = Pipeline::new(Some(enricher), vec![exporter], metrics.clone());
    for is_first in [true, false] {
        let (signal, origin) = (Signal::Traces, metrics.receiver("otlp", "grpc"));
        let export = Export { signal, body: next().into(), deadline: None, origin };
        let way = || runtime.block_on(pipeline.export(export)).expect("it is taken");
        let answer = if is_first { way() } else { measured(way) };
        drop((answer, arrived.try_recv()));
    }
}

/// Columns of a row: see [`run`].
const STEPS: usize = 9;

/// Runs this program under callgrind, which leaves one file for each measured call.
fn count() -> Vec<u64> {
    let dumps = tempfile::tempdir().expect("there is room for a directory");
    let program = std::env::current_exe().expect("this program has a path");
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        // Two spellings of one name: of equal ones callgrind keeps the last option only.
        .args(["--toggle-collect=*measured*", "--dump-after=instructions::measured*"])
        .arg(format!("--callgrind-out-file={}", dumps.path().join("out").display()))
        .arg(program)
        .args(wanted())
        .env(COUNTED, "1")
        .status()
        .expect("valgrind is installed");
    assert!(done.success(), "callgrind ended with {done}");
    (1..=cases().len() * STEPS).map(|number| total(&dumps.path().join(format!("out.{number}")))).collect()
}

fn total(dump: &Path) -> u64 {
    let text = std::fs::read_to_string(dump).expect("callgrind left a file");
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("with a total");
    line.trim().parse().expect("which is a number")
}

fn print(counts: &[u64]) {
    println!("Instructions a span; `of copy`: plan + settle + splice at standard over copying the request.\n");
    println!(
        "| spans of which GenAI | bytes a span | copy | plan | settle | splice, headline | standard | full | plan + \
         settle + splice | all in one | of copy | acknowledge | pipeline | acknowledge a GenAI span |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (Case { name, shape, .. }, row) in cases().iter().zip(counts.chunks(STEPS)) {
        let spans = shape.spans as u64;
        let bytes = Traffic::new(*shape).request().len() as u64 / spans;
        let [copy, plan, settle, headline, standard, full, all, acknowledge, pipeline] = row else { continue };
        let of_calls = acknowledge / (shape.calls() as u64).max(1);
        let sum = plan + settle + standard;
        let ratio = sum as f64 / *copy as f64;
        let cells =
            [bytes, copy / spans, plan / spans, settle / spans, headline / spans, standard / spans, full / spans]
                .map(|cell| cell.to_string())
                .join(" | ");
        println!(
            "| {name} | {cells} | **{}** | {} | {ratio:.1} | {} | {} | {of_calls} |",
            sum / spans,
            all / spans,
            acknowledge / spans,
            pipeline / spans
        );
    }
}
