//! A minute at full load in which every request must arrive once and whole: what the backend gets is, without what was
//! added, byte for byte what was sent, and every model call has its status. `cargo bench --bench load -- --minute`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cases::{Case, Subject};
use crate::process::Running;
use crate::sender::Sender;
use crate::sink::Sink;
use crate::traffic::{Template, Traffic};

const LASTS: Duration = Duration::from_secs(60);
/// Requests on their way at a time, each with a template of its own.
const IN_FLIGHT: usize = 8;
/// Bodies that wait to be looked at; then the backend is slow.
const WAITING: usize = 16;
/// What keys begin with that were added.
const ADDED: [&str; 2] = ["gramtrace.", "gen_ai.footprint."];

/// Requests that were sent and have not arrived, by their first span.
type Outstanding = Mutex<HashMap<Vec<u8>, Bytes>>;

/// What arrived.
#[derive(Debug, Default)]
struct Arrived {
    requests: AtomicU64,
    spans: AtomicU64,
    calls: AtomicU64,
}

/// Sends for a minute, and says what arrived.
pub async fn run(case: &Case) {
    let (bodies, arriving) = mpsc::channel(WAITING);
    let sink = Sink::keeping(case.max_frame, bodies).await;
    let running = Running::start(case, Subject::Standard, sink.address);
    let sender = Arc::new(Sender::new(case, running.address));
    let (outstanding, arrived) = (Arc::new(Outstanding::default()), Arc::new(Arrived::default()));
    let checking = std::thread::spawn({
        let (outstanding, arrived) = (Arc::clone(&outstanding), Arc::clone(&arrived));
        move || check_all(arriving, &outstanding, &arrived)
    });
    let (before, began) = (running.cpu_ns(), Instant::now());
    let sent = send_all(case, &sender, &outstanding).await;
    let (cpu, took, peak_mib) = (running.cpu_ns() - before, began.elapsed(), running.peak_rss_mib());
    // With its connections the last of those end who hand bodies on.
    drop((running, sink));
    checking.join().expect("everything that arrived is what was sent");
    let (requests, spans) = (arrived.requests.load(Ordering::Relaxed), arrived.spans.load(Ordering::Relaxed));
    let calls = arrived.calls.load(Ordering::Relaxed);
    assert_eq!((requests, outstanding.lock().unwrap().len()), (sent, 0), "each arrived once");
    assert_eq!(spans, sent * case.shape.spans as u64);
    assert_eq!(calls, sent * case.shape.calls() as u64, "every call has its status, and nothing else has one");
    println!(
        "{requests} requests with {spans} spans, {calls} of them calls, in {:.0} s: each arrived once and whole. \
         {:.0} spans/s, {:.2} CPU s a million spans, {:.2} of a core, at most {:.0} MiB.",
        took.as_secs_f64(),
        spans as f64 / took.as_secs_f64(),
        cpu as f64 / 1000.0 / spans as f64,
        cpu as f64 / 1e9 / took.as_secs_f64(),
        peak_mib,
    );
}

async fn send_all(case: &Case, sender: &Arc<Sender>, outstanding: &Arc<Outstanding>) -> u64 {
    let (mut traffic, next, end) = (Traffic::new(case.shape), Arc::new(AtomicU64::new(0)), Instant::now() + LASTS);
    let spans = case.shape.spans as u64;
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (template, sender) = (traffic.template(), Arc::clone(sender));
        let (outstanding, next) = (Arc::clone(outstanding), Arc::clone(&next));
        workers.spawn(async move {
            let mut template: Template = template;
            while Instant::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (body, first) = template.request(number * spans);
                let body = Bytes::from(body);
                outstanding.lock().unwrap().insert(first, body.clone());
                sender.send(usize::try_from(number).unwrap(), body).await;
            }
        });
    }
    workers.join_all().await;
    next.load(Ordering::Relaxed)
}

fn check_all(mut arriving: mpsc::Receiver<Bytes>, outstanding: &Outstanding, arrived: &Arrived) {
    while let Some(body) = arriving.blocking_recv() {
        let mut request = ExportTraceServiceRequest::decode(&body[..]).expect("it is a request");
        let sent = outstanding.lock().unwrap().remove(&first_span(&request)).expect("it was sent, and came once");
        let (spans, calls) = strip(&mut request);
        assert!(request.encode_to_vec() == sent, "without what was added it is what was sent");
        arrived.requests.fetch_add(1, Ordering::Relaxed);
        arrived.spans.fetch_add(spans, Ordering::Relaxed);
        arrived.calls.fetch_add(calls, Ordering::Relaxed);
    }
}

fn first_span(request: &ExportTraceServiceRequest) -> Vec<u8> {
    request.resource_spans[0].scope_spans[0].spans[0].span_id.clone()
}

/// Takes away what was added: how many spans there are, and how many of them had a status.
fn strip(request: &mut ExportTraceServiceRequest) -> (u64, u64) {
    let (mut spans, mut calls) = (0, 0);
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        spans += 1;
        calls += span.attributes.iter().filter(|attribute| attribute.key == "gramtrace.status").count() as u64;
        span.attributes.retain(|attribute| !ADDED.iter().any(|added| attribute.key.starts_with(added)));
    }
    (spans, calls)
}
