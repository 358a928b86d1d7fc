//! From a trace request to the same request with receipts on its model calls, in three steps: plan (pure: read and
//! estimate), settle (which reports count, also over requests: the only state), splice (pure: append). Synchronous and
//! deterministic; time is a value.

mod plan;
mod receipt;
mod rounding;
mod settle;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

pub use plan::Plan;
pub use receipt::{Band, Detail};
pub use tally::{Tally, TokenClass};

use crate::estimate::Method;
use crate::factors::Registry;
use crate::genai::{Entered, Extensions, KeyTable, Memory, MemorySettings};
use crate::otlp::{Splice, WireError};
use crate::semconv::out;
use receipt::ReceiptWriter;

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
}

impl Default for EnrichSettings {
    fn default() -> Self {
        Self {
            name: "gramtrace".to_owned(),
            prefix: "gramtrace.".to_owned(),
            detail: Detail::Standard,
            method: Method::EcoLogits,
            gen_ai_alias: true,
            significant_digits: 6,
            band_bounds_g: [0.01, 0.1, 1.0, 10.0],
            extensions: Extensions::default(),
            memory: MemorySettings::default(),
        }
    }
}

/// Enriches requests by one registry and one method.
#[derive(Debug)]
pub struct Enricher {
    name: String,
    registry: Arc<Registry>,
    method: Method,
    keys: KeyTable,
    extensions: Extensions,
    receipts: ReceiptWriter,
    memory: SharedMemory,
}

/// The memory of calls. Shared by everything that must count a call once, and kept when a configuration is reloaded.
pub type SharedMemory = Arc<Mutex<Memory>>;

/// A request that is ready to be sent on.
#[derive(Debug)]
pub struct Enriched {
    /// The request with its receipts; as it came where there is nothing to add.
    pub bytes: Bytes,
    /// What was found, for the books.
    pub tally: Tally,
    /// Models that the registry does not know, with their provider: a call each.
    pub unknown_models: Vec<(String, Option<String>)>,
    /// What the memory holds for the request, until it is acknowledged.
    pub claim: Claim,
}

/// What entered the memory with a request. Unless the request is acknowledged it leaves again: then another report of
/// the call, or the same one sent again, counts.
#[derive(Debug)]
#[must_use = "dropping it takes the request's reports out of the memory"]
pub struct Claim {
    memory: SharedMemory,
    entered: Entered,
}

impl Claim {
    /// The request was acknowledged: its reports stay.
    pub fn acknowledge(mut self) {
        self.entered = Entered::default();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.entered != Entered::default() {
            lock(&self.memory).withdraw(&self.entered);
        }
    }
}

/// A thread that panicked with the memory in its hands has at worst lost a report.
fn lock(memory: &SharedMemory) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Enricher {
    /// An enricher with a memory of its own.
    #[must_use]
    pub fn new(registry: Arc<Registry>, settings: &EnrichSettings) -> Self {
        Self::with_memory(registry, settings, Arc::new(Mutex::new(Memory::new(settings.memory))))
    }

    /// An enricher that remembers calls in `memory`.
    #[must_use]
    pub fn with_memory(registry: Arc<Registry>, settings: &EnrichSettings, memory: SharedMemory) -> Self {
        Self {
            name: settings.name.clone(),
            registry,
            method: settings.method,
            keys: KeyTable::new(&format!("{}{}", settings.prefix, out::STATUS)).extended(&settings.extensions.keys),
            extensions: settings.extensions.clone(),
            receipts: ReceiptWriter::new(settings),
            memory,
        }
    }

    /// The request with receipts, and what was found in it. A request with nothing to add is given back as it came.
    /// `now` is the time by which the memory forgets.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn enrich(&self, request: &Bytes, now: Instant) -> Result<Enriched, WireError> {
        let mut plan = self.plan(request)?;
        let entered = if plan.has_reports() { plan.settle(&mut lock(&self.memory), now)? } else { Entered::default() };
        let owned = |(name, provider): (&str, Option<&str>)| (name.to_owned(), provider.map(str::to_owned));
        Ok(Enriched {
            bytes: self.splice(request, &plan),
            tally: plan.tally(),
            unknown_models: plan.unknown_models().map(owned).collect(),
            claim: Claim { memory: Arc::clone(&self.memory), entered },
        })
    }

    /// The processor's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reports that are remembered now, and how many left before their time because the memory was full.
    #[must_use]
    pub fn remembered(&self) -> (u64, u64) {
        let memory = lock(&self.memory);
        (memory.len() as u64, memory.evicted())
    }

    /// Appends the receipts of a settled plan.
    #[must_use]
    pub fn splice(&self, request: &Bytes, plan: &Plan<'_>) -> Bytes {
        let mut splice = Splice::default();
        let mut constants = receipt::Constants::default();
        for span in plan.spans() {
            splice.append([span.at.resource_spans, span.at.scope_spans], span.at.span, |out| {
                self.receipts.write(out, span, &self.registry, &mut constants);
            });
        }
        splice.apply(request)
    }
}
