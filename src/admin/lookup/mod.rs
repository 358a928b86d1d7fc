//! The lookup of traces and conversations: what is asked, and the answer as the messages of `gramtrace.v1`, which JSON
//! and gRPC both tell. Knows ledgers and how to compare; nothing of how traces come about, nor of who may ask.

mod id;
mod json;
mod message;
mod ranking;
mod routes;
mod service;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

pub use routes::{LookupSettings, is_page, routes};

use crate::enrich::{ComparisonSettings, Enricher};
use crate::trace::ledger::{Absence, Listed};
use ranking::Ranking;

/// The messages and the service of `proto/gramtrace/v1`, as they were generated; a test holds them to the source.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::excessive_nesting)]
pub mod v1 {
    include!("../../../proto/gramtrace/v1/gramtrace.v1.rs");

    /// The description of this package, for reflection.
    pub const DESCRIPTOR: &[u8] = include_bytes!("../../../proto/gramtrace/v1/descriptor.bin");
}

/// Traces in a list where nobody says how many.
const USUAL_LIMIT: usize = 50;
/// Traces in a list at most.
const MAX_LIMIT: usize = 1000;

/// What can be asked. Cheap to clone: clones ask the same.
#[derive(Debug, Clone, Default)]
pub struct Lookup(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Who has a ledger: changes with the configuration.
    sources: RwLock<Vec<Arc<Enricher>>>,
    ranking: Ranking,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    /// The question makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for is not there.
    #[error("{}", explain(*.0, .1))]
    Absent(&'static str, Absence),
}

impl Refusal {
    /// The word for it.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Absent(_, absence) => absence.name(),
        }
    }
}

fn explain(what: &str, absence: &Absence) -> String {
    match absence {
        Absence::NeverSeen => format!(
            "no model call of this {what} was acknowledged here, as far as is remembered: with several replicas, ask the \
             one that it went through"
        ),
        Absence::Expired => format!("this {what} was forgotten at the end of its time: `trace::ttl` says how long"),
        Absence::Evicted => format!(
            "this {what} was forgotten for want of room: `trace::max_traces` and `trace::max_size_mib` say how much"
        ),
    }
}

/// In which order traces are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Recent,
    Co2e,
}

impl Lookup {
    /// From now on these are asked.
    pub fn serve(&self, sources: Vec<Arc<Enricher>>) {
        *self.0.sources.write().unwrap_or_else(PoisonError::into_inner) = sources;
    }

    fn sources(&self) -> Vec<Arc<Enricher>> {
        self.0.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn trace(&self, id: &str, comparison: &ComparisonSettings) -> Result<v1::Trace, Refusal> {
        let trace_id = id::parse(id).map_err(Refusal::Invalid)?;
        let now = Instant::now();
        self.first("trace", |enricher| {
            // Held for as long as it takes to copy, so that no span waits for what is made of it.
            let ledger = enricher.traces().lock();
            let (view, now_ms) = (ledger.trace(&trace_id, now)?, ledger.reading(now));
            drop(ledger);
            let compared = comparison.compare(&view.calls);
            Ok(message::trace(view, compared, (enricher, now_ms)))
        })
    }

    fn conversation(&self, id: &str) -> Result<v1::GetConversationResponse, Refusal> {
        if id.is_empty() {
            return Err(Refusal::Invalid("an empty id is of no conversation".to_owned()));
        }
        let now = Instant::now();
        self.first("conversation", |enricher| {
            let view = enricher.traces().lock().conversation(id, now)?;
            Ok(message::conversation(id, view, enricher))
        })
    }

    /// What the first source has that has any. Of several absences the one that says most.
    fn first<T>(&self, what: &'static str, ask: impl Fn(&Enricher) -> Result<T, Absence>) -> Result<T, Refusal> {
        let mut absence = Absence::NeverSeen;
        for enricher in self.sources() {
            match ask(&enricher) {
                Ok(found) => return Ok(found),
                Err(Absence::NeverSeen) => {}
                Err(told) => absence = told,
            }
        }
        Err(Refusal::Absent(what, absence))
    }

    async fn traces(&self, sort: Sort, limit: usize) -> Vec<v1::TraceSummary> {
        let sources = self.sources();
        let listed: Vec<Ranked> = match sort {
            Sort::Recent => ranking::recent(&sources, limit),
            Sort::Co2e => self.0.ranking.top(sources, limit).await,
        };
        listed.into_iter().map(|ranked| message::summary(&ranked.listed, (&ranked.source, ranked.now_ms))).collect()
    }
}

/// A trace in a list, with the source that has it, and that source's time.
#[derive(Debug, Clone)]
struct Ranked {
    listed: Listed,
    source: Arc<Enricher>,
    now_ms: u64,
}

/// How many traces a list has.
fn limit(asked: Option<u64>) -> Result<usize, Refusal> {
    let Some(asked) = asked else { return Ok(USUAL_LIMIT) };
    let limit = usize::try_from(asked).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| Refusal::Invalid(format!("`limit` is 1 to {MAX_LIMIT}, not {asked}")))
}
