//! Summaries of traces on their way: once a trace has been quiet, a request of its own to every exporter of the pipeline
//! that its root went through. One for each processor, beside its ledger, whichever pipelines use it and however often
//! the configuration changes. What becomes of summaries is counted, and no sender ever hears of them. Knows no bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError, JoinSet};

use super::Pipeline;
use crate::enrich::{Enricher, SharedLedger};
use crate::exporter::{Delivery, Outcome};
use crate::otlp::Signal;
use crate::telemetry::{Metrics, SummaryOutcome};
use crate::trace::ledger::{Due, PassedRoot, RootLevel, Roots, Route, Summary, SummarySettings};

/// How often it is looked which traces are quiet, at most and at least.
const GLANCES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));
/// How long what is on its way is waited for where more is to be sent. A pipeline that takes longer is left to itself:
/// its next summaries come when these have arrived, and those of other pipelines meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// What sums up the traces of one processor. Kept from one configuration to the next: roots that passed by one are
/// summed up by the other. Cheap to clone: clones are the same.
#[derive(Debug, Clone)]
pub struct Summaries {
    round: Arc<Round>,
    /// As long as one lives, roots may come.
    alive: Arc<()>,
}

#[derive(Debug)]
struct Round {
    processor: String,
    ledger: SharedLedger,
    metrics: Metrics,
    roots: Mutex<Roots>,
    ways: Mutex<Vec<Way>>,
    is_running: AtomicBool,
}

/// A pipeline, and who brings its summaries to its backends: nobody, once there is no such pipeline any more.
#[derive(Debug)]
struct Way {
    pipeline: String,
    courier: Option<Arc<Courier>>,
}

#[derive(Debug)]
struct Courier {
    enricher: Arc<Enricher>,
    deliveries: Vec<Arc<Delivery>>,
}

/// Where the roots of one pipeline are waited with.
#[derive(Debug)]
pub(super) struct Passage {
    summaries: Summaries,
    route: Route,
}

impl Summaries {
    /// Those of the traces of `processor`, whose ledger must be watched. Nothing is sent before [`Summaries::serve`].
    #[must_use]
    pub fn new(processor: &str, ledger: SharedLedger, settings: SummarySettings, metrics: Metrics) -> Self {
        let round = Round {
            processor: processor.to_owned(),
            ledger,
            metrics,
            roots: Mutex::new(Roots::new(settings, Instant::now())),
            ways: Mutex::default(),
            is_running: AtomicBool::new(false),
        };
        Self { round: Arc::new(round), alive: Arc::default() }
    }

    /// From now on traces are summed up by `settings` and sent by these of `pipelines` that sum up here. What waits for a
    /// pipeline that is not among them any more is not sent. To be called within a runtime; what it starts ends by itself
    /// once nobody can send roots any more and nothing is left to be said.
    pub fn serve<'a>(&self, settings: SummarySettings, pipelines: impl IntoIterator<Item = &'a Pipeline>) {
        self.round.roots().set(settings);
        let mut couriers: Vec<(Route, Arc<Courier>)> = Vec::new();
        for pipeline in pipelines {
            if let (Some(passage), Some(enricher)) = (&pipeline.passage, &pipeline.enricher)
                && Arc::ptr_eq(&passage.summaries.round, &self.round)
            {
                let (enricher, deliveries) = (Arc::clone(enricher), pipeline.deliveries.clone());
                couriers.push((passage.route, Arc::new(Courier { enricher, deliveries })));
            }
        }
        let mut ways = self.round.ways();
        ways.iter_mut().for_each(|way| way.courier = None);
        for (route, courier) in couriers {
            if let Some(way) = ways.get_mut(usize::from(route)) {
                way.courier = Some(courier);
            }
        }
        drop(ways);
        if !self.round.is_running.swap(true, Ordering::Relaxed) {
            tokio::spawn(look(Arc::clone(&self.round), Arc::downgrade(&self.alive)));
        }
    }

    /// What tells how many roots are waited with, and keeps nothing of it alive.
    pub fn level(&self) -> impl Fn() -> RootLevel + Send + Sync + use<> {
        let round = Arc::downgrade(&self.round);
        move || round.upgrade().map(|round| round.roots().level()).unwrap_or_default()
    }

    /// Where the roots that go through `pipeline` are to be told.
    pub(super) fn passage(&self, pipeline: &str) -> Passage {
        let mut ways = self.round.ways();
        let known = ways.iter().position(|way| way.pipeline == pipeline);
        let place = known.unwrap_or_else(|| {
            ways.push(Way { pipeline: pipeline.to_owned(), courier: None });
            ways.len() - 1
        });
        Passage { summaries: self.clone(), route: Route::try_from(place).unwrap_or(Route::MAX) }
    }
}

impl Passage {
    /// Roots that passed, in a request that was acknowledged.
    pub(super) fn passed(&self, roots: Vec<PassedRoot>, now: Instant) {
        if roots.is_empty() {
            return;
        }
        let mut waiting = self.summaries.round.roots();
        roots.into_iter().for_each(|root| waiting.passed(root, self.route, now));
    }
}

async fn look(round: Arc<Round>, alive: Weak<()>) {
    let mut under_way = UnderWay::default();
    loop {
        let quiet = round.roots().settings().quiet;
        tokio::time::sleep((quiet / 4).clamp(GLANCES.0, GLANCES.1)).await;
        under_way.note_arrived();
        loop {
            let Due { summaries, is_more } = round.due();
            round.send(summaries, &mut under_way);
            if !is_more {
                break;
            }
            tokio::task::yield_now().await;
            under_way.wait().await;
        }
        if alive.strong_count() == 0 && under_way.is_empty() && round.roots().is_idle() {
            return;
        }
    }
}

/// Summaries that are being sent: of a pipeline one batch at a time.
#[derive(Debug, Default)]
struct UnderWay {
    sends: JoinSet<()>,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    task: Id,
    route: Route,
    /// Whether it was waited for in vain.
    is_slow: bool,
}

impl UnderWay {
    fn has(&self, route: Route) -> bool {
        self.batches.iter().any(|batch| batch.route == route)
    }

    fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn start(&mut self, route: Route, sending: impl Future<Output = ()> + Send + 'static) {
        let task = self.sends.spawn(sending).id();
        self.batches.push(Batch { task, route, is_slow: false });
    }

    /// Takes note of what has arrived.
    fn note_arrived(&mut self) {
        while let Some(arrived) = self.sends.try_join_next_with_id() {
            self.note(arrived);
        }
    }

    /// Waits until all have arrived, but for those that are known to be slow; for a while.
    async fn wait(&mut self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.batches.iter().any(|batch| !batch.is_slow) {
            match tokio::time::timeout_at(deadline, self.sends.join_next_with_id()).await {
                Ok(Some(arrived)) => self.note(arrived),
                Ok(None) => self.batches.clear(),
                Err(_) => self.batches.iter_mut().for_each(|batch| batch.is_slow = true),
            }
        }
    }

    fn note(&mut self, arrived: Result<(Id, ()), JoinError>) {
        let task = arrived.map_or_else(|error| error.id(), |(task, ())| task);
        self.batches.retain(|batch| batch.task != task);
    }
}

impl Round {
    fn roots(&self) -> MutexGuard<'_, Roots> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ways(&self) -> MutexGuard<'_, Vec<Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn courier(&self, route: Route) -> Option<Arc<Courier>> {
        self.ways().get(usize::from(route))?.courier.clone()
    }

    /// The traces to sum up now, those of one pipeline together, and among them those of one resource.
    fn due(&self) -> Due {
        let mut due = self.roots().due(&mut self.ledger.lock(), Instant::now());
        due.summaries.sort_by(|one, other| (one.route, &one.root.resource).cmp(&(other.route, &other.root.resource)));
        due
    }

    /// Sends the summaries of each pipeline on its way; those of one that is not done with the last ones come later.
    fn send(self: &Arc<Self>, due: Vec<Summary>, under_way: &mut UnderWay) {
        for of_way in due.chunk_by(|one, other| one.route == other.route) {
            let Some(Summary { route, .. }) = of_way.first() else { continue };
            if under_way.has(*route) {
                self.postpone(of_way);
                continue;
            }
            let (round, route, summaries) = (Arc::clone(self), *route, of_way.to_vec());
            under_way.start(route, async move {
                let sent = match round.courier(route) {
                    Some(courier) => courier.send(&summaries).await,
                    None => Sent::Refused,
                };
                round.conclude(&summaries, sent);
            });
        }
    }

    fn postpone(&self, summaries: &[Summary]) {
        let (now, mut roots) = (Instant::now(), self.roots());
        for summary in summaries {
            roots.failed(summary.root.trace_id, false, now);
        }
    }

    fn conclude(&self, summaries: &[Summary], sent: Sent) {
        if sent == Sent::Taken {
            return self.metrics.summaries(&self.processor, SummaryOutcome::Taken, summaries.len() as u64);
        }
        let (now, mut roots) = (Instant::now(), self.roots());
        let is_given_up = |it: &&Summary| roots.failed(it.root.trace_id, sent == Sent::Refused, now);
        let given_up = summaries.iter().filter(is_given_up).count();
        drop(roots);
        for (outcome, many) in
            [(SummaryOutcome::GivenUp, given_up), (SummaryOutcome::Failed, summaries.len() - given_up)]
        {
            self.metrics.summaries(&self.processor, outcome, many as u64);
        }
    }
}

/// What backends said to summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Every one took them.
    Taken,
    /// Some did not, but may do so later.
    Failed,
    /// Some did not, and never will.
    Refused,
}

impl Courier {
    async fn send(&self, summaries: &[Summary]) -> Sent {
        let body = self.enricher.summarize(summaries);
        let items = summaries.len() as u64;
        let mut deliveries = JoinSet::new();
        for delivery in &self.deliveries {
            let (delivery, body) = (Arc::clone(delivery), body.clone());
            deliveries.spawn(async move { (delivery.deliver(Signal::Traces, body, items, None).await, delivery) });
        }
        let mut sent = Sent::Taken;
        while let Some(delivered) = deliveries.join_next().await {
            let Ok((outcome, delivery)) = delivered else { return Sent::Failed };
            let Some(loss) = outcome.loss() else { continue };
            // A passing failure outweighs a lasting one: whoever had it may take them.
            sent = match outcome {
                Outcome::Refused(_) | Outcome::TooLarge(_) if sent != Sent::Failed => Sent::Refused,
                _ => Sent::Failed,
            };
            tracing::debug!(exporter = delivery.name(), loss = loss.name(), items, "summaries were not taken");
        }
        sent
    }
}
