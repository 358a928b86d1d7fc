//! The composition root: from a configuration to a service that is built (every listener bound, every exporter
//! checked), from there to one that runs, and from one configuration to the next while it does.

mod alone;
mod budgets;
mod delivery;
mod drain;
mod guard;
mod listening;
mod memory;
mod own;
mod pipelines;
mod registries;
mod senders;
mod server;
mod settings;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::admin::{Lookup, Readiness};
use crate::alerts::AlertPlan;
use crate::budget::{BudgetSettings, Budgets};
use crate::config::{ComponentId, Config};
use crate::document::DocumentErrors;
use crate::exporter::ExporterBuildError;
use crate::pipeline::Pipelines;
use crate::receiver::{Admission, AuthError, BindError, Budget, Intake, LocalAddress, ServerTlsError};
use crate::store::{Store, StoreError, StoreSettings};
use crate::telemetry::{Metrics, OwnTelemetryError, Tracing, instance_id, resident_bytes};
pub use alone::enricher;
use budgets::Watch;
pub use budgets::name as budget_name;
pub use drain::Drained;
use listening::{Listeners, Opened, Parts};
use memory::Memory;
use own::{NextOwn, Own};
use pipelines::{Enrichers, Memories};
use registries::Registries;
pub use registries::{check, first as first_registry};
use senders::Senders;

/// Requests of one receiver that may be under way at once; beyond it the answer is "retry after".
const MAX_IN_FLIGHT: usize = 4096;
/// When a sender that found no place may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a service cannot be built. Nothing was started, and nothing that runs was changed.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The factors that are compiled in, or laid over them, do not load.
    #[error("{0}")]
    Registry(#[from] DocumentErrors),
    /// An exporter's settings cannot be used.
    #[error("{0}")]
    Exporter(#[from] ExporterBuildError),
    /// Own metrics and spans cannot be sent.
    #[error("service::telemetry: {0}")]
    OwnTelemetry(#[from] OwnTelemetryError),
    /// An address cannot be listened on.
    #[error("{path}: {source}")]
    Listener {
        /// What was to listen, as a path of the configuration.
        path: String,
        /// Why not.
        source: BindError,
    },
    /// Senders cannot be told apart.
    #[error("extensions::{extension}: {source}")]
    Authenticator {
        /// The extension's id.
        extension: String,
        /// Why not.
        source: AuthError,
    },
    /// Budgets cannot be kept on disk.
    #[error("extensions::gramtrace_budgets::directory: {0}")]
    Store(#[from] StoreError),
    /// What is kept on disk is read once.
    #[error(
        "extensions::gramtrace_budgets::directory: what is kept is read at the start alone; restart the process for it"
    )]
    StoreMoved,
    /// A receiver's certificates cannot be used.
    #[error("{path}: {source}")]
    Tls {
        /// The receiver's protocol, as a path of the configuration.
        path: String,
        /// Why not.
        source: ServerTlsError,
    },
}

/// Opens what the debug exporter writes to: standard output, unless in a test.
pub type Console = fn() -> Box<dyn Write + Send>;

/// What a service uses that is not in its configuration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where it counts.
    pub metrics: Metrics,
    /// Where the debug exporter writes.
    pub console: Console,
}

/// A service that is built and takes no request yet.
#[derive(Debug)]
pub struct App {
    running: Running,
    next: Next,
}

/// A service that takes requests.
#[derive(Debug)]
pub struct Running {
    surroundings: Surroundings,
    readiness: Readiness,
    intakes: BTreeMap<ComponentId, Intake>,
    registries: Registries,
    memories: Memories,
    /// The memory of requests, whichever receiver they come by.
    budget: Budget,
    /// What the process takes without requests, in bytes.
    resident: u64,
    lookup: Lookup,
    budgets: Budgets,
    /// Where budgets are kept on disk.
    store: Option<Store>,
    /// Once there are budgets.
    watch: Option<Watch>,
    listeners: Listeners,
    own: Option<Own>,
    tracing: Tracing,
    /// By which this process is told from others of its kind.
    instance: String,
    drain_timeout: Duration,
}

/// Everything that a configuration asks for, built beside what runs.
#[derive(Debug)]
struct Next {
    feeds: BTreeMap<ComponentId, Pipelines>,
    intakes: BTreeMap<ComponentId, Intake>,
    registries: Registries,
    memories: Memories,
    memory: Memory,
    enrichers: Enrichers,
    budgets: Vec<BudgetSettings>,
    keeping: Option<StoreSettings>,
    alerts: AlertPlan,
    opened: Opened,
    own: NextOwn,
    drain_timeout: Duration,
}

impl App {
    /// Builds what `config` describes: the registry is loaded, exporters are checked (not connected), listeners bound.
    ///
    /// # Errors
    /// [`BuildError`] for the first part that cannot be built; what was bound is given back.
    pub async fn build(config: &Config, surroundings: &Surroundings) -> Result<Self, BuildError> {
        let budgets = Budgets::default();
        let open = |settings| Store::open(&settings, &budgets, surroundings.metrics.store());
        let store = budgets::store(config).map(open).transpose()?;
        let running = Running {
            surroundings: surroundings.clone(),
            readiness: Readiness::starting(),
            intakes: BTreeMap::new(),
            registries: Registries::default(),
            memories: Memories::new(),
            budget: Budget::new(&surroundings.metrics),
            resident: resident_bytes().unwrap_or(0),
            lookup: Lookup::default(),
            budgets,
            store,
            watch: None,
            listeners: Listeners::default(),
            own: None,
            tracing: Tracing::default(),
            instance: instance_id(),
            drain_timeout: Duration::ZERO,
        };
        let next = running.prepare(config).await?;
        Ok(Self { running, next })
    }

    /// Where OTLP is taken: the receiver's id, `grpc` or `http`, and the address with the port that was picked.
    pub fn endpoints(&self) -> impl Iterator<Item = (String, &'static str, LocalAddress)> {
        self.next.opened.endpoints()
    }

    /// Takes requests from now on. The health page answers first, and says so last.
    #[must_use]
    pub fn start(self) -> Running {
        let Self { mut running, next } = self;
        running.switch_to(next);
        running.readiness.ready(SystemTime::now());
        running
    }

    /// Runs until `shutdown`, then drains.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let running = self.start();
        shutdown.await;
        running.drain().await
    }
}

impl Running {
    /// Goes over to `config` without turning anybody away: everything new is built first; then each receiver's
    /// pipelines are swapped at once, listeners that stay as they are keep their connections, and the others end once
    /// those that replace them listen. May be dropped halfway: then nothing has changed.
    ///
    /// # Errors
    /// [`BuildError`] for the first part that cannot be built; everything stays as it was.
    pub async fn reload(&mut self, config: &Config) -> Result<(), BuildError> {
        let next = self.prepare(config).await?;
        self.switch_to(next);
        Ok(())
    }

    /// Where OTLP is taken, as [`App::endpoints`].
    pub fn endpoints(&self) -> impl Iterator<Item = (String, &'static str, LocalAddress)> {
        self.listeners.endpoints()
    }

    /// Where the health page listens.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.listeners.health_address()
    }

    /// Where the lookup API listens.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.listeners.api_address()
    }

    /// Where the metrics page listens.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.listeners.metrics_address()
    }

    /// Stops accepting, lets requests in flight end within the configured time, and returns. The health page says so
    /// meanwhile and stops last.
    pub async fn drain(self) -> Drained {
        let Self { readiness, intakes, listeners, own, store, drain_timeout, .. } = self;
        readiness.draining();
        intakes.values().for_each(Intake::end);
        drain::drain(listeners, intakes.into_values().collect(), (own, store), drain_timeout).await
    }

    async fn prepare(&self, config: &Config) -> Result<Next, BuildError> {
        let keeping = budgets::store(config);
        if keeping.as_ref().map(|it| &*it.directory) != self.store.as_ref().map(Store::directory) {
            return Err(BuildError::StoreMoved);
        }
        let alerts = AlertPlan::new(budgets::alerts(config))?;
        let registries = registries::load(config, &self.registries)?;
        let memories = pipelines::memories(config, &self.memories, &self.surroundings.metrics);
        let enrichers = pipelines::enrichers(config, &registries, &memories, &self.budgets);
        let commits = self.store.as_ref().map(Store::commits);
        let feeds = pipelines::feeds(config, (&enrichers, &memories), &self.surroundings, (&self.budgets, commits))?;
        let intakes: BTreeMap<_, _> = feeds.keys().map(|id| (id.clone(), self.intake(id))).collect();
        let metrics = &self.surroundings.metrics;
        let (lookup, budgets) = (&self.lookup, &self.budgets);
        let parts = Parts { intakes: &intakes, readiness: &self.readiness, metrics, lookup, budgets };
        let memory = Memory::of(config, self.resident, memory::available());
        memory.warn(config);
        let plans = settings::listeners(config, &Senders::build(config)?, memory.largest_request);
        let opened = self.listeners.open(plans, &parts).await?;
        // The last, and nothing is waited for behind it: what has been started is not dropped.
        let about = (&*self.instance, &self.surroundings.metrics);
        let own = NextOwn::build(self.own.as_ref(), &config.service.telemetry, about)?;
        let drain_timeout = config.service.drain_timeout;
        let budgets = budgets::settings(config);
        Ok(Next {
            feeds,
            intakes,
            registries,
            memories,
            memory,
            enrichers,
            budgets,
            keeping,
            alerts,
            opened,
            own,
            drain_timeout,
        })
    }

    /// The receiver as it is, or a new one, which is fed before it is served.
    fn intake(&self, id: &ComponentId) -> Intake {
        self.intakes.get(id).cloned().unwrap_or_else(|| {
            let admission = Admission::new(MAX_IN_FLIGHT, RETRY_AFTER).within(self.budget.clone());
            let books = (self.surroundings.metrics.clone(), self.tracing.clone());
            Intake::traced(id.to_string(), Pipelines::new(), admission, books)
        })
    }

    fn switch_to(&mut self, next: Next) {
        let Next {
            mut feeds,
            intakes,
            registries,
            memories,
            memory,
            enrichers,
            budgets,
            keeping,
            alerts,
            opened,
            own,
            drain_timeout,
        } = next;
        self.budget.set(memory.budget);
        let priced_by = feeds.values().flat_map(BTreeMap::values).filter_map(|pipeline| pipeline.registry());
        let labels = priced_by.map(|(processor, label)| (processor.to_owned(), label.to_owned()));
        self.surroundings.metrics.registries(labels.collect());
        if let (Some(store), Some(keeping)) = (&self.store, keeping) {
            store.sync(keeping.sync);
        }
        // Before anything is booked in them.
        budgets::apply(&self.budgets, budgets);
        self.surroundings.metrics.watch(self.budgets.clone());
        let about = (&self.budgets, &self.surroundings.metrics);
        match &self.watch {
            Some(watch) => watch.tell(alerts, about.0, about.1),
            None if self.budgets.is_quiet() => {}
            None => self.watch = Some(Watch::start(about.0.clone(), alerts, about.1)),
        }
        own.replace(&mut self.own, &self.tracing);
        pipelines::sum_up(&memories, &feeds);
        self.surroundings.metrics.watch_memories(pipelines::levels(&enrichers, &memories));
        for (id, intake) in &intakes {
            intake.feed(feeds.remove(id).unwrap_or_default());
        }
        let before = std::mem::replace(&mut self.intakes, intakes);
        before.iter().filter(|(id, _)| !self.intakes.contains_key(id)).for_each(|(_, intake)| intake.end());
        self.registries = registries;
        self.memories = memories;
        self.lookup.serve(enrichers.into_values().collect());
        self.listeners.switch_to(opened);
        self.drain_timeout = drain_timeout;
    }
}
