//! What a hop costs: the real binary under load, against a proxy on the same stack that passes the bytes unread, in
//! alternating runs. `cargo bench --bench load` runs everything and writes tests/bench/RESULTS.md; with `-- --quick` a
//! part of it, or with `-- --only TEXT` the cases whose names hold the text (with a `$` behind it: are it), which are
//! printed and not written; `--spans N` sends so many spans a run. With `-- --minute` it sends for a minute and compares
//! everything that arrives with what was sent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a benchmark that cannot go on says so
#![allow(clippy::print_stdout, clippy::print_stderr)] // and prints
#![allow(unreachable_pub, missing_docs)] // modules of a binary have no public

#[path = "load/cases.rs"]
mod cases;
#[path = "load/collector.rs"]
mod collector;
#[path = "load/frames.rs"]
mod frames;
#[path = "load/minute.rs"]
mod minute;
#[path = "load/process.rs"]
mod process;
#[path = "load/proxy.rs"]
mod proxy;
#[path = "load/report.rs"]
mod report;
#[path = "load/sender.rs"]
mod sender;
#[path = "load/sink.rs"]
mod sink;
mod traffic;

use std::sync::Arc;

use cases::{Case, Subject};
use process::Running;
use sender::Load;
use sink::Sink;

/// Spans of one run, about.
const SPANS: usize = 60_000;

/// What one subject cost in one run of one case.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// CPU microseconds of its process, for a span.
    pub cpu_us: f64,
    /// Pages of memory that its process was given anew, for a request.
    pub faults: f64,
    /// The most memory that its process had, in MiB.
    pub rss_mib: f64,
    /// Milliseconds from when a request was to be sent to its answer: the half, 99 and 99.9 of 100 are quicker.
    pub latency_ms: Option<[f64; 3]>,
}

fn main() {
    if let Some(role) = std::env::var_os(proxy::ROLE) {
        return proxy::main(&role.to_string_lossy());
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "--minute") {
        return runtime.block_on(minute::run(&cases::USUAL));
    }
    let spans = std::env::args().skip_while(|argument| argument != "--spans").nth(1);
    let spans = spans.map_or(if is_quick { SPANS / 2 } else { SPANS }, |spans| spans.parse().unwrap());
    let results = runtime.block_on(measure(is_quick, only.as_deref(), spans));
    let page = report::page(&results, is_quick);
    println!("{page}");
    if !is_quick && only.is_none() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/RESULTS.md");
        std::fs::write(path, report::with_notes(&page)).unwrap();
    }
}

async fn measure(is_quick: bool, only: Option<&str>, spans: usize) -> Vec<(Case, Vec<(Subject, Vec<Measured>)>)> {
    let rounds = if is_quick { 2 } else { 5 };
    let mut results = Vec::new();
    for case in cases::all(is_quick).into_iter().filter(|case| only.is_none_or(|only| case.is_meant_by(only))) {
        let load = Load::new(&case, spans * case.runs_on);
        let mut of_case: Vec<(Subject, Vec<Measured>)> =
            case.subjects.iter().map(|subject| (*subject, Vec::new())).collect();
        // One after the other, and again, so that what else the machine does falls on all of them alike.
        for _ in 0..rounds {
            for (subject, measured) in &mut of_case {
                measured.push(run(&case, *subject, &load).await);
            }
        }
        eprintln!("{}", report::line(&case, &of_case));
        results.push((case, of_case));
    }
    results
}

/// A new process each time, so that nobody has seen any of the spans before.
async fn run(case: &Case, subject: Subject, load: &Load) -> Measured {
    let sink = Sink::start(case.max_frame).await;
    let running = Running::start(case, subject, sink.address);
    let sender = Arc::new(sender::Sender::new(case, running.address));
    load.warm_up(&sender).await;
    let (before, faults_before) = (running.cpu_ns(), running.page_faults());
    let (spans, latencies) = load.send(case, &sender).await;
    let (cpu_ns, faults) = (running.cpu_ns() - before, running.page_faults() - faults_before);
    assert!(sink.requests() >= load.requests(), "every request arrived: {} of {}", sink.requests(), load.requests());
    Measured {
        cpu_us: cpu_ns as f64 / 1000.0 / spans as f64,
        faults: faults as f64 / load.requests() as f64,
        rss_mib: running.peak_rss_mib(),
        latency_ms: case.spans_a_second.map(|_| sender::percentiles(latencies)),
    }
}
