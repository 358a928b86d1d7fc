//! Summaries of traces on their way: once a trace has been quiet, a request of its own to every exporter of the pipeline
//! that its root went through. What becomes of it is counted, and no sender ever hears of it. Knows no bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::enrich::Enricher;
use crate::exporter::Delivery;
use crate::otlp::Signal;
use crate::telemetry::Metrics;
use crate::trace::ledger::{PassedRoot, Roots, Summary, SummarySettings};

/// Traces that one request sums up at most.
const MAX_AT_ONCE: usize = 512;
/// How often it is looked which traces are quiet, at most and at least.
const GLANCES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// What sums up the traces of one pipeline.
#[derive(Debug)]
pub(super) struct Summaries {
    round: Arc<Round>,
    /// As long as it lives, roots may come.
    _alive: Arc<()>,
}

#[derive(Debug)]
struct Round {
    enricher: Arc<Enricher>,
    deliveries: Vec<Arc<Delivery>>,
    metrics: Metrics,
    roots: Mutex<Roots>,
}

impl Summaries {
    /// Begins to look. Ends by itself once the pipeline is gone and nothing is left to be said.
    pub(super) fn start(
        enricher: Arc<Enricher>,
        deliveries: Vec<Arc<Delivery>>,
        metrics: Metrics,
        settings: SummarySettings,
    ) -> Self {
        let roots = Mutex::new(Roots::new(settings, Instant::now()));
        let round = Arc::new(Round { enricher, deliveries, metrics, roots });
        let alive = Arc::new(());
        let glance = (settings.quiet / 4).clamp(GLANCES.0, GLANCES.1);
        tokio::spawn(look(Arc::clone(&round), Arc::downgrade(&alive), glance));
        Self { round, _alive: alive }
    }

    /// Roots that passed, in a request that was acknowledged.
    pub(super) fn passed(&self, roots: Vec<PassedRoot>, now: Instant) {
        if roots.is_empty() {
            return;
        }
        let mut waiting = self.round.roots();
        roots.into_iter().for_each(|root| waiting.passed(root, now));
    }
}

async fn look(round: Arc<Round>, alive: Weak<()>, glance: Duration) {
    let mut glances = interval(glance);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        glances.tick().await;
        loop {
            let due = round.due();
            let is_full = due.len() == MAX_AT_ONCE;
            if !due.is_empty() {
                round.send(due).await;
            }
            if !is_full {
                break;
            }
        }
        if alive.strong_count() == 0 && round.roots().is_idle() {
            return;
        }
    }
}

impl Round {
    fn roots(&self) -> MutexGuard<'_, Roots> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The traces to sum up now, those of one resource together.
    fn due(&self) -> Vec<Summary> {
        let mut due = self.roots().due(&mut self.enricher.traces().lock(), MAX_AT_ONCE, Instant::now());
        due.sort_by(|one, other| one.root.resource.cmp(&other.root.resource));
        due
    }

    async fn send(&self, due: Vec<Summary>) {
        let body = self.enricher.summarize(&due);
        let items = due.len() as u64;
        let mut is_taken = true;
        for delivery in &self.deliveries {
            let outcome = delivery.deliver(Signal::Traces, body.clone(), items, None).await;
            if let Some(loss) = outcome.loss() {
                is_taken = false;
                tracing::debug!(exporter = delivery.name(), loss = loss.name(), items, "summaries were not taken");
            }
        }
        self.metrics.summaries(self.enricher.name(), is_taken, items);
        if !is_taken {
            let (now, mut roots) = (Instant::now(), self.roots());
            due.iter().for_each(|summary| roots.failed(summary.root.trace_id, now));
        }
    }
}
