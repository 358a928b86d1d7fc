//! What both transports of one receiver do with a request beside unpacking it: find its pipeline, give it a place,
//! count its end once, and log a refusal. Knows nothing of HTTP or gRPC.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use http::Extensions;

use super::admission::{Admission, Place};
use super::rejection_log::RejectionLog;
use super::serving::Serving;
use super::socket::Peer;
use crate::otlp::Signal;
use crate::pipeline::{Pipeline, Pipelines};
use crate::rejection::Rejection;
use crate::telemetry::{Journal, Metrics, ReceiverMetrics, Tracing};

/// The inside of one receiver, shared by its transports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    receiver: String,
    pipelines: RwLock<Pipelines>,
    open: AtomicUsize,
    admission: Admission,
    metrics: Metrics,
    tracing: Tracing,
    log: RejectionLog,
    serving: Serving,
}

impl Intake {
    /// The receiver with the id `receiver` (`otlp`, `otlp/edge`), which feeds `pipelines` and leaves no spans.
    #[must_use]
    pub fn new(receiver: impl Into<String>, pipelines: Pipelines, admission: Admission, metrics: Metrics) -> Self {
        Self::traced(receiver, pipelines, admission, (metrics, Tracing::default()))
    }

    /// The same, with spans where they are wanted.
    #[must_use]
    pub fn traced(
        receiver: impl Into<String>,
        pipelines: Pipelines,
        admission: Admission,
        (metrics, tracing): (Metrics, Tracing),
    ) -> Self {
        Self(Arc::new(Shared {
            receiver: receiver.into(),
            pipelines: RwLock::new(pipelines),
            open: AtomicUsize::new(0),
            admission,
            metrics,
            tracing,
            log: RejectionLog::default(),
            serving: Serving::default(),
        }))
    }

    /// From now on requests go to `pipelines`; those that are under way end where they began.
    pub fn feed(&self, pipelines: Pipelines) {
        *self.0.pipelines.write().unwrap_or_else(PoisonError::into_inner) = pipelines;
    }

    /// From now on the health service of gRPC says that no request is taken.
    pub fn end(&self) {
        self.0.serving.end();
    }

    /// What the health service says.
    pub(super) fn serving(&self) -> Serving {
        self.0.serving.clone()
    }

    /// Requests that have begun and have no answer yet.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.0.open.load(Ordering::Acquire)
    }

    /// Opens the books on one request.
    pub(super) fn begin(&self, transport: &'static str, extensions: &Extensions) -> Booking {
        let peer = extensions.get::<Peer>().map(|peer| peer.0);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        let journal = self.0.tracing.begin(&self.0.receiver, transport);
        Booking { intake: self.clone(), transport, peer, signal: None, journal, open: true }
    }

    /// Where requests of `signal` go.
    pub(super) fn pipeline(&self, signal: Signal) -> Result<Arc<Pipeline>, Rejection> {
        let none = || Rejection::NoPipeline { signal: signal.name(), receiver: self.0.receiver.clone() };
        let pipelines = self.0.pipelines.read().unwrap_or_else(PoisonError::into_inner);
        pipelines.get(&signal).map(Arc::clone).ok_or_else(none)
    }

    /// The counters of one of its transports.
    pub(super) fn origin(&self, transport: &'static str) -> ReceiverMetrics {
        self.0.metrics.receiver(&self.0.receiver, transport)
    }

    /// A place for one request.
    pub(super) fn admit(&self) -> Result<Place, Rejection> {
        self.0.admission.admit()
    }
}

/// One request in the books. Counted exactly once: when it is settled, or when it is dropped because its sender
/// has gone.
#[derive(Debug)]
pub(super) struct Booking {
    intake: Intake,
    transport: &'static str,
    peer: Option<SocketAddr>,
    signal: Option<Signal>,
    journal: Journal,
    open: bool,
}

impl Booking {
    /// Says what the request carries, as soon as that is known.
    pub(super) fn carries(&mut self, signal: Signal) {
        self.signal = Some(signal);
    }

    /// What its spans will be made of.
    pub(super) fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Closes the books on the request.
    pub(super) fn settle<T>(mut self, result: &Result<T, Rejection>) {
        match result {
            Ok(_) => self.close("ok"),
            Err(rejection) => {
                self.close(rejection.reason());
                self.log(rejection);
            }
        }
    }

    fn close(&mut self, outcome: &'static str) {
        self.open = false;
        let Shared { receiver, metrics, .. } = &*self.intake.0;
        metrics.request(receiver, self.transport, self.signal, outcome);
        self.journal.ends(self.signal, outcome);
    }

    fn log(&self, rejection: &Rejection) {
        let Shared { receiver, log, .. } = &*self.intake.0;
        let reason = rejection.reason();
        // The exporter has said it once, with what to do: metrics that nobody takes are no news every ten seconds.
        if reason == "unserved" && self.signal != Some(Signal::Traces) {
            return;
        }
        let Some(left_out) = log.admit(reason, Instant::now()) else { return };
        tracing::warn!(
            receiver,
            transport = self.transport,
            signal = self.signal.map(Signal::name),
            peer = self.peer.map(tracing::field::display),
            reason,
            left_out,
            // What a backend or a sender wrote must not end the line.
            error = %rejection.to_string().escape_debug(),
            "refused an export request"
        );
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if self.open {
            let gone = Rejection::Interrupted("its sender went away".to_owned());
            self.close(gone.reason());
            self.log(&gone);
        }
        self.intake.0.open.fetch_sub(1, Ordering::Release);
    }
}
