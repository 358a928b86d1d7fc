//! Senders that send each request again until it is acknowledged, also to the process that comes after the one that died.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gramtrace::exporter::{GrpcExporter, GrpcExporterSettings, Headers, Keepalive, Outcome, TlsSettings};
use gramtrace::otlp::Signal;
use gramtrace::wire::Encoding;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::spans;

/// Calls of a request.
const CALLS: u64 = 3;
const SENDERS: u64 = 8;

#[derive(Debug)]
pub(crate) struct Senders {
    /// When each request was answered.
    answers: Arc<Mutex<Vec<Instant>>>,
    /// Calls of the requests that were answered.
    pub(crate) answered: watch::Receiver<u64>,
    is_ending: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

pub(crate) fn grpc(address: SocketAddr) -> GrpcExporter {
    GrpcExporter::new(GrpcExporterSettings {
        name: "sender".to_owned(),
        endpoint: format!("http://{address}"),
        tls: TlsSettings::default(),
        encoding: Encoding::Identity,
        level: 1,
        headers: Headers::default(),
        timeout: Duration::from_secs(20),
        keepalive: Keepalive::default(),
    })
    .unwrap()
}

/// Sends to whoever lives until it is acknowledged.
async fn deliver(body: &Bytes, address: &mut watch::Receiver<SocketAddr>) {
    loop {
        let exporter = grpc(*address.borrow_and_update());
        if matches!(exporter.send(Signal::Traces, body.clone(), None).await, Outcome::Delivered { .. }) {
            return;
        }
        // It has died: the next one is somewhere else.
        address.changed().await.unwrap();
    }
}

impl Senders {
    pub(crate) fn start(address: &watch::Receiver<SocketAddr>) -> Self {
        let answers: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let (next, is_ending): (_, Arc<AtomicBool>) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let (sender, answered) = watch::channel(0);
        let sender = Arc::new(sender);
        let mut tasks = JoinSet::new();
        for _ in 0..SENDERS {
            let (answers, next, is_ending) = (Arc::clone(&answers), Arc::clone(&next), Arc::clone(&is_ending));
            let (mut address, sender): (_, Arc<watch::Sender<u64>>) = (address.clone(), Arc::clone(&sender));
            tasks.spawn(async move {
                while !is_ending.load(Ordering::Relaxed) {
                    let first = next.fetch_add(CALLS, Ordering::Relaxed);
                    deliver(&spans::request(first..first + CALLS), &mut address).await;
                    answers.lock().unwrap().push(Instant::now());
                    sender.send_modify(|answered| *answered += CALLS);
                }
            });
        }
        Self { answers, answered, is_ending, tasks }
    }

    /// Calls that were answered at no time within these.
    pub(crate) fn answered_outside(&self, times: &[(Instant, Instant)]) -> u64 {
        let is_outside = |at: &&Instant| !times.iter().any(|(from, to)| (*from..*to).contains(*at));
        self.answers.lock().unwrap().iter().filter(is_outside).count() as u64 * CALLS
    }

    /// Calls that were answered.
    pub(crate) fn answered(&self) -> u64 {
        *self.answered.borrow()
    }

    /// Sends what is begun, and ends.
    pub(crate) async fn finish(&mut self) -> u64 {
        self.is_ending.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some_and(|ended| ended.is_ok()) {}
        *self.answered.borrow()
    }
}
