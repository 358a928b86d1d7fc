//! Senders: good ones that wait for their answers and vanish now and then, greedy ones that come together, stalled ones,
//! and bombs. Each knows which of its spans were acknowledged.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::{
    Exporter, GrpcExporter, GrpcExporterSettings, Headers, HttpExporter, HttpExporterSettings, Keepalive, Outcome,
    TlsSettings, http_endpoints,
};
use gramtrace::otlp::Signal;
use gramtrace::wire::Encoding;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::service::Service;
use crate::spans::{self, Ids};

const GOOD: u64 = 8;
const GREEDY: u64 = 12;
/// Bytes of a span of a greedy sender: its requests are of 8 to 16 MiB.
const GREEDY_PADDING: usize = 1 << 20;
/// No answer takes longer: the backend's time and the retries are 3 s, the answer's way is short.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of everything that was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) requests: u64,
    pub(crate) requests_acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) vanished: u64,
    pub(crate) acknowledged: HashSet<u64>,
}

pub(crate) struct Senders {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sent: Mutex<Sent>,
    acknowledged: AtomicU64,
    /// Requests that were answered, or not waited for any longer.
    outcomes: watch::Sender<u64>,
}

impl Senders {
    pub(crate) fn start(service: &Service) -> Self {
        let (stop, shared) = (CancellationToken::new(), Arc::<Shared>::default());
        let mut tasks = JoinSet::new();
        let sender = |number| Sender {
            grpc: service.grpc,
            http: service.http,
            next: number << 40,
            chance: Chance::of(number),
            stop: stop.clone(),
            shared: Arc::clone(&shared),
        };
        (1..=GOOD).for_each(|number| drop(tasks.spawn(sender(number).send_and_wait())));
        tasks.spawn(come_together((GOOD + 1..=GOOD + GREEDY).map(sender).collect(), stop.clone()));
        tasks.spawn(sender(100).stall());
        tasks.spawn(sender(101).send_bombs());
        Self { tasks, stop, shared }
    }

    /// Spans that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits for so many more outcomes, good or bad.
    pub(crate) async fn outcomes(&self, more: u64) {
        let mut outcomes = self.shared.outcomes.subscribe();
        let until = *outcomes.borrow_and_update() + more;
        outcomes.wait_for(|outcomes| *outcomes >= until).await.unwrap();
    }

    /// Waits until each has its last answer.
    pub(crate) async fn end(self) -> Sent {
        self.stop.cancel();
        self.tasks.join_all().await;
        std::mem::take(&mut self.shared.sent.lock().unwrap())
    }
}

struct Sender {
    grpc: SocketAddr,
    http: SocketAddr,
    next: u64,
    chance: Chance,
    stop: CancellationToken,
    shared: Arc<Shared>,
}

impl Sender {
    fn exporter(&mut self) -> Exporter {
        let encoding = match self.chance.from(0, 2) {
            0 => Encoding::Identity,
            1 => Encoding::Gzip,
            _ => Encoding::Zstd,
        };
        let (name, headers, tls) = ("sender".to_owned(), Headers::default(), TlsSettings::default());
        if self.chance.one_in(2) {
            let endpoints = http_endpoints(&format!("http://{}", self.http)).unwrap();
            let settings =
                HttpExporterSettings { name, endpoints, tls, encoding, level: 1, headers, timeout: PATIENCE };
            return HttpExporter::new(settings).unwrap().into();
        }
        let (endpoint, keepalive) = (format!("http://{}", self.grpc), Keepalive::default());
        let settings =
            GrpcExporterSettings { name, endpoint, tls, encoding, level: 1, headers, timeout: PATIENCE, keepalive };
        GrpcExporter::new(settings).unwrap().into()
    }

    fn ids(&mut self, count: u64) -> Ids {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        ids
    }

    /// Sends request after request, each again until it is taken or refused for good; now and then it vanishes, with its
    /// connection, while it waits.
    async fn send_and_wait(mut self) {
        let mut exporter = self.exporter();
        while !self.stop.is_cancelled() {
            let count = self.chance.from(1, 60);
            let ids = self.ids(count);
            let body = spans::request(ids.clone(), 200);
            while !self.stop.is_cancelled() {
                let patience = if self.chance.one_in(20) { self.chance.from(1, 60) } else { u64::MAX };
                match tokio::time::timeout(Duration::from_millis(patience), self.send(&exporter, &body, &ids)).await {
                    Ok(true) => break,
                    Ok(false) => self.pause(50, 250).await,
                    Err(_) => {
                        self.shared.sent.lock().unwrap().vanished += 1;
                        self.shared.outcomes.send_modify(|outcomes| *outcomes += 1);
                        exporter = self.exporter();
                        break;
                    }
                }
            }
            self.pause(5, 30).await;
        }
    }

    /// Whether the request is settled: acknowledged, or refused for good.
    async fn send(&self, exporter: &Exporter, body: &Bytes, ids: &Ids) -> bool {
        self.shared.sent.lock().unwrap().requests += 1;
        let outcome = exporter.send(Signal::Traces, body.clone(), None).await;
        self.shared.outcomes.send_modify(|outcomes| *outcomes += 1);
        let mut sent = self.shared.sent.lock().unwrap();
        match outcome {
            Outcome::Delivered { response } => {
                assert!(response.is_empty(), "nothing is rejected in part");
                sent.requests_acknowledged += 1;
                sent.acknowledged.extend(ids.clone());
                self.shared.acknowledged.fetch_add(ids.end - ids.start, Ordering::Relaxed);
                true
            }
            Outcome::Retry(_) => {
                sent.refused += 1;
                false
            }
            Outcome::Refused(_) | Outcome::OurFault(_) | Outcome::TooLarge(_) => {
                sent.refused += 1;
                true
            }
        }
    }

    async fn pause(&mut self, low: u64, high: u64) {
        let pause = Duration::from_millis(self.chance.from(low, high));
        // Nobody waits for the end of a pause at the end of the run.
        let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
    }

    /// Begins requests over HTTP and never ends them, and opens connections on which nothing is said.
    async fn stall(mut self) {
        let mut stalled = Vec::new();
        while !self.stop.is_cancelled() {
            let said = match self.chance.from(0, 3) {
                0 => "",
                1 => "POST /v1/traces HTTP/1.1\r\nhost: a\r\n",
                2 => {
                    "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{"
                }
                _ => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            };
            let to = if self.chance.one_in(2) { self.grpc } else { self.http };
            if let Ok(mut stream) = TcpStream::connect(to).await {
                let _ = stream.write_all(said.as_bytes()).await;
                stalled.push(stream);
            }
            if stalled.len() > 60 {
                stalled.drain(..30);
            }
            self.pause(50, 200).await;
        }
    }

    /// Sends what inflates to 1 GiB.
    async fn send_bombs(mut self) {
        let bombs: Vec<(Encoding, Bytes)> = [Encoding::Gzip, Encoding::Zstd]
            .map(|encoding| {
                let piece = encoding.deflate(&Bytes::from(vec![0; 16 << 20]), 9).unwrap();
                (encoding, piece.repeat(64).into())
            })
            .into();
        while !self.stop.is_cancelled() {
            for (encoding, bomb) in &bombs {
                let head = format!(
                    "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                     content-encoding: {}\r\ncontent-length: {}\r\n\r\n",
                    encoding.name(),
                    bomb.len()
                );
                if let Ok(mut stream) = TcpStream::connect(self.http).await {
                    let _ = stream.write_all(&[head.as_bytes(), bomb].concat()).await;
                    self.pause(200, 500).await;
                }
            }
            self.pause(1000, 3000).await;
        }
    }
}

/// Large requests that come at once, for which there is not enough memory.
async fn come_together(mut senders: Vec<Sender>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let mut together = JoinSet::new();
        for mut sender in senders.drain(..) {
            together.spawn(async move {
                let exporter = sender.exporter();
                let count = sender.chance.from(8, 16);
                let ids = sender.ids(count);
                let body = spans::request(ids.clone(), GREEDY_PADDING);
                sender.send(&exporter, &body, &ids).await;
                sender
            });
        }
        senders = together.join_all().await;
        let _ = tokio::time::timeout(Duration::from_secs(4), stop.cancelled()).await;
    }
}
