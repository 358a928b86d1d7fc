//! The demo's backend: an OTLP receiver of its own on a free port, which keeps the bytes that it gets.
//! Knows nothing of what is inside them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exporter::{CaptureExporter, Exporter};
use crate::otlp::Signal;
use crate::pipeline::{Pipeline, Pipelines};
use crate::receiver::{
    Admission, BindError, BodyLimits, GrpcService, GrpcSettings, Intake, Listener, ListenerSettings, Protocol,
};
use crate::telemetry::Metrics;

/// Requests that may wait to be looked at; beyond it the sender waits.
const WAITING: usize = 64;

/// A backend that listens.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    /// What arrived, in order.
    pub(super) arrived: mpsc::Receiver<(Signal, Bytes)>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Backend {
    pub(super) async fn start() -> Result<Self, BindError> {
        let listener = Listener::bind("127.0.0.1:0", ListenerSettings::new(Protocol::Http2)).await?;
        let (sender, arrived) = mpsc::channel(WAITING);
        let exporter = Arc::new(Exporter::Capture(CaptureExporter::new("demo-backend", sender)));
        let pipeline = Arc::new(Pipeline::new(None, vec![exporter], Metrics::new()));
        let pipelines: Pipelines = Signal::ALL.map(|signal| (signal, Arc::clone(&pipeline))).into();
        let admission = Admission::new(WAITING, Duration::from_secs(1));
        let limits = BodyLimits { max_bytes: 64 << 20, timeout: Duration::from_secs(30) };
        let intake = Intake::new("demo-backend", pipelines, admission, Metrics::new());
        let service = GrpcService::new(intake, &GrpcSettings { limits, auth: None });
        let nowhere = || BindError { address: "127.0.0.1:0".to_owned(), reason: "it has no port".to_owned() };
        let (address, stop) = (listener.local_addr().ok_or_else(nowhere)?, CancellationToken::new());
        let task = tokio::spawn(listener.serve(service, stop.clone().cancelled_owned()));
        Ok(Self { address, arrived, stop, task })
    }

    /// Stops, and gives what has arrived and was not taken yet.
    pub(super) async fn stop(mut self) -> Vec<(Signal, Bytes)> {
        self.stop.cancel();
        // A backend that panicked has nothing more to give.
        let _ = self.task.await;
        self.arrived.close();
        let mut rest = Vec::new();
        while let Some(request) = self.arrived.recv().await {
            rest.push(request);
        }
        rest
    }
}
