//! Sends requests, as fast as they are answered or at a fixed rate, by the exporters of the library: one connection each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::{
    GrpcExporter, GrpcExporterSettings, Headers, HttpExporter, HttpExporterSettings, Keepalive, Outcome, TlsSettings,
    http_endpoints,
};
use gramtrace::otlp::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cases::{Case, FRAME};
use crate::frames::Frames;
use crate::traffic::Traffic;

/// Requests on their way at a time.
const IN_FLIGHT: usize = 8;

/// Requests that are sent once each.
#[derive(Debug)]
pub struct Load {
    bodies: Arc<Vec<Bytes>>,
    warm_up: Arc<Vec<Bytes>>,
    spans: usize,
}

enum Line {
    Grpc(Box<GrpcExporter>),
    Frames(Box<Frames>),
    Http(Box<HttpExporter>),
}

/// Connections to what is measured.
pub struct Sender(Vec<Line>);

impl Sender {
    pub fn new(case: &Case, address: SocketAddr) -> Self {
        let url = format!("http://{address}");
        let line = |_| {
            let (name, tls, headers) = ("sender".to_owned(), TlsSettings::default(), Headers::default());
            let (encoding, level, timeout) = (case.encoding, 1, Duration::from_secs(60));
            if case.is_http {
                let endpoints = http_endpoints(&url).unwrap();
                let settings = HttpExporterSettings { name, endpoints, tls, encoding, level, headers, timeout };
                return Line::Http(Box::new(HttpExporter::new(settings).unwrap()));
            }
            if case.max_frame < FRAME {
                return Line::Frames(Box::new(Frames::new(&url, case.max_frame)));
            }
            let (endpoint, keepalive) = (url.clone(), Keepalive::default());
            let settings = GrpcExporterSettings { name, endpoint, tls, encoding, level, headers, timeout, keepalive };
            Line::Grpc(Box::new(GrpcExporter::new(settings).unwrap()))
        };
        Self((0..case.connections).map(line).collect())
    }

    pub async fn send(&self, number: usize, body: Bytes) {
        let outcome = match &self.0[number % self.0.len()] {
            Line::Grpc(line) => line.send(Signal::Traces, body, None).await,
            Line::Frames(line) => line.send(body).await,
            Line::Http(line) => line.send(Signal::Traces, body, None).await,
        };
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
}

impl Load {
    /// About so many spans.
    pub fn new(case: &Case, spans: usize) -> Self {
        let requests = (spans / case.shape.spans).clamp(case.connections.max(8), 20_000);
        let mut traffic = Traffic::new(case.shape);
        let mut bodies =
            |count: usize| Arc::new((0..count).map(|_| Bytes::from(traffic.request())).collect::<Vec<_>>());
        let (warm_up, bodies) = (bodies((requests / 10).max(case.connections)), bodies(requests));
        Self { bodies, warm_up, spans: requests * case.shape.spans }
    }

    pub fn requests(&self) -> usize {
        self.bodies.len()
    }

    /// Opens every connection, and has the code run once.
    pub async fn warm_up(&self, sender: &Arc<Sender>) {
        closed_loop(&self.warm_up, sender).await;
    }

    /// Sends everything once: how many spans, and how long each request took.
    pub async fn send(&self, case: &Case, sender: &Arc<Sender>) -> (usize, Vec<Duration>) {
        let latencies = match case.spans_a_second {
            None => {
                closed_loop(&self.bodies, sender).await;
                Vec::new()
            }
            Some(rate) => {
                let gap = Duration::from_secs_f64(case.shape.spans as f64 / f64::from(rate));
                at_rate(&self.bodies, sender, gap).await
            }
        };
        (self.spans, latencies)
    }
}

async fn closed_loop(bodies: &Arc<Vec<Bytes>>, sender: &Arc<Sender>) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (bodies, sender, next) = (Arc::clone(bodies), Arc::clone(sender), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(body) = bodies.get(number) else { break };
                sender.send(number, body.clone()).await;
            }
        });
    }
    workers.join_all().await;
}

/// From when each was to be sent, however late it was.
async fn at_rate(bodies: &Arc<Vec<Bytes>>, sender: &Arc<Sender>, gap: Duration) -> Vec<Duration> {
    let start = Instant::now();
    let mut sendings = JoinSet::new();
    for (number, body) in bodies.iter().cloned().enumerate() {
        let due = start + gap * u32::try_from(number).unwrap();
        let sender = Arc::clone(sender);
        sendings.spawn(async move {
            tokio::time::sleep_until(due).await;
            sender.send(number, body).await;
            due.elapsed()
        });
    }
    sendings.join_all().await
}

/// The half, 99 and 99.9 of 100, in milliseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place in a list
pub fn percentiles(mut latencies: Vec<Duration>) -> [f64; 3] {
    latencies.sort_unstable();
    [0.5, 0.99, 0.999].map(|part| {
        let at = (latencies.len() as f64 * part) as usize;
        latencies[at.min(latencies.len() - 1)].as_secs_f64() * 1000.0
    })
}
