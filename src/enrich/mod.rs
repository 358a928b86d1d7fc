//! From a trace request to the same request with receipts on its model calls, in three steps: plan (pure: read and
//! estimate), settle (which reports count), splice (pure: append). Synchronous and deterministic; time is a value.

mod plan;
mod receipt;
mod rounding;
mod settle;

use std::sync::Arc;

use bytes::Bytes;

pub use plan::Plan;
pub use receipt::{Band, Detail};

use crate::estimate::Method;
use crate::factors::Registry;
use crate::genai::{KeyTable, Status};
use crate::otlp::{Splice, WireError};
use crate::semconv::out;
use receipt::ReceiptWriter;

/// How spans are enriched.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrichSettings {
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
}

impl Default for EnrichSettings {
    fn default() -> Self {
        Self {
            prefix: "gramtrace.".to_owned(),
            detail: Detail::Standard,
            method: Method::EcoLogits,
            gen_ai_alias: true,
            significant_digits: 6,
            band_bounds_g: [0.01, 0.1, 1.0, 10.0],
        }
    }
}

/// What was found in one request: numbers for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Every span.
    pub spans: u64,
    /// Spans of the GenAI kind, by [`Status`] in the order of [`Status::ALL`].
    pub by_status: [u64; Status::ALL.len()],
    /// Spans that came with a receipt already.
    pub enriched_before: u64,
}

impl Tally {
    /// Spans of the GenAI kind by the name of their status.
    pub fn by_status(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Status::ALL.map(Status::name).into_iter().zip(self.by_status)
    }
}

/// Enriches requests by one registry and one method.
#[derive(Debug)]
pub struct Enricher {
    registry: Arc<Registry>,
    method: Method,
    keys: KeyTable,
    receipts: ReceiptWriter,
}

impl Enricher {
    /// An enricher; cheap to share, immutable.
    #[must_use]
    pub fn new(registry: Arc<Registry>, settings: &EnrichSettings) -> Self {
        Self {
            registry,
            method: settings.method,
            keys: KeyTable::new(&format!("{}{}", settings.prefix, out::STATUS)),
            receipts: ReceiptWriter::new(settings),
        }
    }

    /// The request with receipts, and what was found in it. A request with nothing to add is given back as it came.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn enrich(&self, request: &Bytes) -> Result<(Bytes, Tally), WireError> {
        let mut plan = self.plan(request)?;
        plan.settle()?;
        Ok((self.splice(request, &plan), plan.tally()))
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
