//! From a trace request to the same request with receipts on its model calls, in three steps: plan (pure: read and
//! estimate), settle (which reports count, also over requests: the only state), splice (pure: append). Synchronous and
//! deterministic; time is a value.

mod claim;
mod comparison;
mod emission;
mod figures;
mod known;
mod labels;
mod plan;
mod price;
mod receipt;
mod root;
mod rounding;
mod scope;
mod served;
mod service;
mod settle;
mod summary;
mod tally;
mod terms;
mod traces;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;

pub use claim::{Books, Claim, SharedMemory};
pub use comparison::{Alternative, Comparison, ComparisonSettings};
pub use emission::{BudgetCall, Costliest, Emission, Origin};
pub use labels::{LONGEST_LABEL, LabelSettings, LabelledAttribute};
pub(crate) use plan::Decided;
pub use plan::Plan;
pub use price::{EnergyReading, UnknownModels};
pub use receipt::{Band, Detail};
pub use scope::{Mark, Scope, is_like};
pub use settle::Reports;
pub use summary::summary_span_id;
pub use tally::{Tally, TokenClass};
pub use terms::Terms;
pub use traces::{SharedLedger, TraceBooks};

use crate::estimate::Method;
use crate::factors::{Moment, Registry};
use crate::genai::{Claims, Extensions, Fingerprints, KeyTable, Meaning, Memory, MemorySettings, RoleRules};
use crate::otlp::{Splice, WireError};
use crate::semconv::out;
use crate::trace::ledger::LedgerSettings;
use claim::lock;
use known::KnownSets;
use labels::{Kept, LabelReader, Said};
use receipt::ReceiptWriter;
use root::RootWriter;
use scope::Scopes;
use service::Services;
use terms::SharedTerms;

/// How spans are enriched.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrichSettings {
    /// The processor's id as configured, `type[/name]`: it stands in metrics.
    pub name: String,
    /// What every key begins with, the dot included: `gramtrace.`.
    pub prefix: String,
    /// How many keys a span gets.
    pub detail: Detail,
    /// The method of estimation.
    pub method: Method,
    /// What becomes of models that the registry does not know.
    pub unknown_models: UnknownModels,
    /// Where spans carry metered energy.
    pub energy: Option<EnergyReading>,
    /// Whether spans with `gen_ai.*` keys get the headline pair under `gen_ai.footprint.*` too.
    pub gen_ai_alias: bool,
    /// Significant decimal digits of values, 1 to 17; 17 is exact.
    pub significant_digits: u8,
    /// Upper bounds of the bands below the last, in grams of CO2e, ascending.
    pub band_bounds_g: [f64; 4],
    /// Names that are read beside the known ones.
    pub extensions: Extensions,
    /// How much is remembered of calls, and for how long.
    pub memory: MemorySettings,
    /// How much is kept of traces, and for how long.
    pub traces: LedgerSettings,
    /// By what calls are told apart in metrics.
    pub labels: LabelSettings,
    /// Which calls each budget is for.
    pub scopes: Vec<Scope>,
    /// Whether budgets are told each call by its ids, so that they know one that is sent again after a crash.
    pub knows_budget_calls: bool,
}

impl Default for EnrichSettings {
    fn default() -> Self {
        Self {
            name: "gramtrace".to_owned(),
            prefix: "gramtrace.".to_owned(),
            detail: Detail::Standard,
            method: Method::PhaseAware,
            unknown_models: UnknownModels::default(),
            energy: None,
            gen_ai_alias: true,
            significant_digits: 6,
            band_bounds_g: [0.01, 0.1, 1.0, 10.0],
            extensions: Extensions::default(),
            memory: MemorySettings::default(),
            traces: LedgerSettings::default(),
            labels: LabelSettings::default(),
            scopes: Vec::new(),
            knows_budget_calls: false,
        }
    }
}

/// Enriches requests by one registry and one method.
#[derive(Debug)]
pub struct Enricher {
    name: String,
    registry: Arc<Registry>,
    method: Method,
    unknown_models: UnknownModels,
    energy: Option<EnergyReading>,
    keys: KeyTable,
    roles: RoleRules,
    input_excludes_cache_scopes: Vec<String>,
    receipts: ReceiptWriter,
    names: Fingerprints,
    memory: SharedMemory,
    prefix: String,
    root_writer: RootWriter,
    ledger: SharedLedger,
    terms: SharedTerms,
    known: KnownSets,
    turning_points: Box<[Moment]>,
    labels: LabelSettings,
    scopes: Scopes,
    knows_budget_calls: bool,
}

/// A request that is ready to be sent on.
#[derive(Debug)]
pub struct Enriched {
    /// The request with its receipts; as it came where there is nothing to add.
    pub bytes: Bytes,
    /// Every span of it.
    pub spans: u64,
    /// What it is to be booked as when it has been acknowledged.
    pub claim: Claim,
}

impl Enricher {
    /// An enricher with a memory and a ledger of its own.
    #[must_use]
    pub fn new(registry: Arc<Registry>, settings: &EnrichSettings) -> Self {
        Self::with_memory(registry, settings, Arc::new(Mutex::new(Memory::new(settings.memory))))
    }

    /// An enricher that remembers calls in `memory`, with a ledger of its own.
    #[must_use]
    pub fn with_memory(registry: Arc<Registry>, settings: &EnrichSettings, memory: SharedMemory) -> Self {
        let ledger = Arc::new(TraceBooks::new(settings.traces));
        Self::with_state(registry, settings, (memory, ledger))
    }

    /// An enricher that remembers calls in a memory, and books traces in a ledger, that others may have, too.
    #[must_use]
    pub fn with_state(
        registry: Arc<Registry>,
        settings: &EnrichSettings,
        (memory, ledger): (SharedMemory, SharedLedger),
    ) -> Self {
        let names = lock(&memory).names();
        let keys = keys(settings);
        Self {
            turning_points: registry.turning_points().into(),
            name: settings.name.clone(),
            registry,
            method: settings.method,
            unknown_models: settings.unknown_models,
            energy: settings.energy.clone(),
            roles: RoleRules::new(&settings.extensions, &keys),
            input_excludes_cache_scopes: settings.extensions.input_excludes_cache_scopes.clone(),
            keys,
            receipts: ReceiptWriter::new(settings),
            names,
            memory,
            prefix: settings.prefix.clone(),
            root_writer: RootWriter::new(&settings.prefix, settings.band_bounds_g, settings.significant_digits),
            ledger,
            terms: SharedTerms::default(),
            known: KnownSets::default(),
            labels: settings.labels.clone(),
            scopes: Scopes::new(&settings.scopes),
            knows_budget_calls: settings.knows_budget_calls,
        }
    }

    /// The request with receipts. A request with nothing to add is given back as it came. `now` is the time by which the
    /// memory forgets.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn enrich(&self, request: &Bytes, now: Instant) -> Result<Enriched, WireError> {
        let mut plan = self.plan(request)?;
        let claim = self.settle(&mut plan, now)?;
        Ok(Enriched { bytes: self.splice(request, &plan), spans: plan.total, claim })
    }

    /// Decides which reports of a plan count, given what other requests said lately. Only a request with reports takes
    /// hold of the memory.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`, which [`Enricher::plan`] would have found.
    pub fn settle(&self, plan: &mut Plan<'_>, now: Instant) -> Result<Claim, WireError> {
        let reports = plan.reports(&self.names)?;
        let mut services = Services::new(plan.request);
        self.mark(plan, &mut services);
        let mut roots = self.roots(plan, &mut services)?;
        if reports.is_empty() {
            self.look_up(&mut roots, plan, now);
            let traces = self.settle_traces(plan, roots, (plan.without_reports(), &[]), (&mut services, now))?;
            let has_calls = plan.spans().iter().any(|span| claim::sighting(span).is_some());
            let settled = has_calls.then(|| (Arc::clone(&self.memory), &reports, Claims::default()));
            return Ok(Claim::new(self, plan, settled, (&mut services, now)).with_traces(traces));
        }
        let mut memory = lock(&self.memory);
        let claims = plan.settle(&reports, &mut memory, now);
        // In one with the memory, so that nobody books in between: what is new to it is not in the ledger.
        self.look_up(&mut roots, plan, now);
        let is_new = traces::unbooked(&memory, &claims, &roots);
        drop(memory);
        let of_spans = reports.of_spans(plan.spans.len(), plan.enriched.len());
        let traces = self.settle_traces(plan, roots, (of_spans, &is_new), (&mut services, now))?;
        let settled = Some((Arc::clone(&self.memory), &reports, claims));
        Ok(Claim::new(self, plan, settled, (&mut services, now)).with_traces(traces))
    }

    /// Says on calls which exceeded budgets they fall into.
    fn mark<'a>(&self, plan: &mut Plan<'a>, services: &mut Services<'a>) {
        if !self.scopes.has_marks() {
            return;
        }
        let mut reader = LabelReader::new(&self.labels, &self.scopes.keys, plan.request, services);
        for span in &mut plan.spans {
            let Said { labels, scoped } = reader.read(&span.at);
            let budgets = self.scopes.of(&scoped);
            span.exceeded = self.scopes.marks(&budgets);
            // What was acknowledged is booked by the same.
            span.said = Some(Box::new(Kept::new(labels, budgets)));
        }
    }

    /// The processor's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version and hash of the registry that it prices by.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.registry.label()
    }

    /// By what calls are told apart in metrics.
    #[must_use]
    pub const fn labels(&self) -> &LabelSettings {
        &self.labels
    }

    /// Reports that are remembered now, and how many left before their time because the memory was full.
    #[must_use]
    pub fn remembered(&self) -> (u64, u64) {
        let level = lock(&self.memory).level();
        (level.reports, level.evicted)
    }

    /// The band of a total in grams of CO2e.
    #[must_use]
    pub fn band(&self, co2e_g: f64) -> Band {
        self.root_writer.band(co2e_g)
    }

    /// What is known of traces.
    #[must_use]
    pub const fn traces(&self) -> &SharedLedger {
        &self.ledger
    }

    /// Appends the receipts of a settled plan, and the totals of traces to their roots.
    #[must_use]
    pub fn splice(&self, request: &Bytes, plan: &Plan<'_>) -> Bytes {
        let mut splice = Splice::with_capacity(plan.spans.len(), plan.spans.len() * self.receipts.usual_len());
        let mut constants = receipt::Constants::default();
        for (at, span, totals) in plan.growing() {
            splice.append([at.resource_spans, at.scope_spans], at.span, |out| {
                if let Some(span) = span {
                    self.receipts.write(out, span, &self.registry, &mut constants);
                }
                if let Some(totals) = totals {
                    self.root_writer.write(out, &totals.account);
                }
            });
        }
        splice.apply(request)
    }
}

fn keys(settings: &EnrichSettings) -> KeyTable {
    let more = &settings.extensions;
    let table = KeyTable::new(&format!("{}{}", settings.prefix, out::STATUS)).extended(&more.keys);
    let table = match &settings.energy {
        Some(reading) => table.extended(&[(Meaning::MeteredEnergy, vec![reading.attribute.clone()])]),
        None => table,
    };
    table.with_rules(more.aggregate.iter().chain(&more.inference))
}
