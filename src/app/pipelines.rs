//! From the configuration to pipelines that work: the registry, enrichers, exporters, and what each receiver feeds.
//! Opens no socket: exporters connect when they send.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::registries::Registries;
use super::{BuildError, Surroundings, delivery, settings};
use crate::budget::Budgets;
use crate::config::{ComponentId, Config, ExporterConfig, GramtraceConfig, PipelineConfig, PipelineId, SyncConfig};
use crate::enrich::{EnrichSettings, Enricher, SharedLedger, SharedMemory, TraceBooks};
use crate::exporter::{DebugExporter, Destination, Exporter, GrpcExporter, HttpExporter};
use crate::genai::{Memory, MemorySettings, Status};
use crate::pipeline::{Pipeline, Pipelines, Summaries};
use crate::store::Commits;
use crate::telemetry::{LevelReader, MemoryLevel, Metrics};
use crate::trace::ledger::{LedgerLevel, LedgerSettings, RootLevel, SummarySettings};

/// What processors remember, by their ids: kept from one configuration to the next, so that a call whose reports lie on
/// both sides counts once, and a trace is known on both.
pub(super) type Memories = BTreeMap<ComponentId, Remembered>;

/// Enrichers by their processors' ids.
pub(super) type Enrichers = BTreeMap<ComponentId, Arc<Enricher>>;

/// What one processor remembers, each with how much of it.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    memory: (MemorySettings, SharedMemory),
    ledger: (LedgerSettings, SharedLedger),
    /// Where traces are summed up: beside the ledger, and as long as it.
    summaries: Option<(SummarySettings, Summaries)>,
}

/// What each processor remembers: what is there, unless it is to be of another size or age.
pub(super) fn memories(config: &Config, before: &Memories, metrics: &Metrics) -> Memories {
    let remembered = |id: &ComponentId, gramtrace: &GramtraceConfig| {
        let EnrichSettings { memory, traces, .. } = settings::enrich(id, gramtrace);
        let before = before.get(id);
        let same_memory = before.map(|before| &before.memory).filter(|(same, _)| *same == memory);
        let same_ledger = before.filter(|before| before.ledger.0 == traces);
        let ledger =
            same_ledger.map_or_else(|| (traces, Arc::new(TraceBooks::new(traces))), |before| before.ledger.clone());
        let same_summaries = same_ledger.and_then(|before| before.summaries.as_ref());
        let summaries = settings::summaries(&gramtrace.trace).map(|settings| {
            let new = || Summaries::new(&id.to_string(), Arc::clone(&ledger.1), settings, metrics.clone());
            (settings, same_summaries.map_or_else(new, |(_, same)| same.clone()))
        });
        Remembered {
            memory: same_memory.cloned().unwrap_or_else(|| (memory, Arc::new(Mutex::new(Memory::new(memory))))),
            ledger,
            summaries,
        }
    };
    config.processors.iter().map(|(id, gramtrace)| (id.clone(), remembered(id, gramtrace))).collect()
}

/// Traces are summed up by what these pipelines and settings say from now on.
pub(super) fn sum_up(memories: &Memories, feeds: &BTreeMap<ComponentId, Pipelines>) {
    for (settings, summaries) in memories.values().filter_map(|remembered| remembered.summaries.as_ref()) {
        summaries.serve(*settings, feeds.values().flat_map(BTreeMap::values).map(Arc::as_ref));
    }
}

/// How full the memories of processors are, for whoever asks.
pub(super) fn levels(enrichers: &Enrichers, memories: &Memories) -> BTreeMap<String, LevelReader> {
    let reader = |(id, enricher): (&ComponentId, &Arc<Enricher>)| {
        let summaries = memories.get(id).and_then(|remembered| remembered.summaries.as_ref());
        let root_level = summaries.map(|(_, summaries)| summaries.level());
        let enricher = Arc::clone(enricher);
        let read = move || {
            let (reports, reports_evicted) = enricher.remembered();
            let LedgerLevel { traces, receipts, bytes, evicted: traces_evicted, .. } = enricher.traces().level();
            let roots = root_level.as_ref().map(|level| level());
            let roots = roots.map(|RootLevel { roots, bytes, evicted }| [roots, bytes, evicted]);
            MemoryLevel { reports, reports_evicted, traces, receipts, bytes, traces_evicted, roots }
        };
        (id.to_string(), LevelReader::new(read))
    };
    enrichers.iter().map(reader).collect()
}

/// The enrichers that pipelines use, by their processors' ids. Pipelines that name the same processor share it, and so
/// count a call once between them.
pub(super) fn enrichers(config: &Config, registries: &Registries, memories: &Memories, budgets: &Budgets) -> Enrichers {
    let knows_budget_calls = config.keeping().is_some_and(|keeping| keeping.sync == SyncConfig::EachRequest);
    let enricher = |id, Remembered { memory, ledger, .. }: &Remembered| {
        let settings = settings::enrich(id, config.processors.get(id)?);
        let scopes = super::budgets::scopes(id, config.processors.get(id)?, budgets);
        let settings = EnrichSettings { knows_budget_calls, scopes, ..settings };
        let registry = Arc::clone(registries.get(id)?);
        let state = (Arc::clone(&memory.1), Arc::clone(&ledger.1));
        Some(Arc::new(Enricher::with_state(registry, &settings, state)))
    };
    memories.iter().filter_map(|(id, remembered)| Some((id.clone(), enricher(id, remembered)?))).collect()
}

/// The pipelines that each receiver feeds, by signal; the configuration allows one a signal. A receiver that feeds
/// none is left out.
pub(super) fn feeds(
    config: &Config,
    (enrichers, memories): (&Enrichers, &Memories),
    surroundings: &Surroundings,
    budgets: (&Budgets, Option<&Commits>),
) -> Result<BTreeMap<ComponentId, Pipelines>, BuildError> {
    let built = build(config, (enrichers, memories), surroundings, budgets)?;
    let fed_by = |receiver: &ComponentId| -> Pipelines {
        let lists = |id: &PipelineId| {
            config.service.pipelines.get(id).is_some_and(|pipeline| pipeline.receivers.contains(receiver))
        };
        let fed = built.iter().filter(|(id, _)| lists(id));
        fed.map(|(id, pipeline)| (id.signal, Arc::clone(pipeline))).collect()
    };
    let feeds = config.receivers.keys().map(|id| (id.clone(), fed_by(id)));
    Ok(feeds.filter(|(_, pipelines)| !pipelines.is_empty()).collect())
}

/// Every pipeline that the configuration lists, with its exporters and, for traces, its enricher.
fn build<'a>(
    config: &'a Config,
    (enrichers, memories): (&Enrichers, &Memories),
    surroundings: &Surroundings,
    budgets: (&Budgets, Option<&Commits>),
) -> Result<BTreeMap<&'a PipelineId, Arc<Pipeline>>, BuildError> {
    let exporters = build_exporters(config, surroundings)?;
    for status in Status::ALL {
        surroundings.metrics.spans(status.name(), 0);
    }
    let build = |id: &PipelineId, pipeline: &PipelineConfig| {
        let enricher = pipeline.processors.iter().find_map(|id| enrichers.get(id)).map(Arc::clone);
        let exporters: Vec<Destination> =
            pipeline.exporters.iter().filter_map(|id| exporters.get(id).cloned()).collect();
        let built = Pipeline::new(enricher, exporters, surroundings.metrics.clone())
            .with_budgets(budgets.0.clone(), budgets.1.cloned());
        let remembered = pipeline.processors.iter().find_map(|id| memories.get(id));
        Arc::new(match remembered.and_then(|remembered| remembered.summaries.as_ref()) {
            Some((_, summaries)) => built.summing_up(summaries, &id.to_string()),
            None => built,
        })
    };
    Ok(config.service.pipelines.iter().map(|(id, pipeline)| (id, build(id, pipeline))).collect())
}

fn build_exporters<'a>(
    config: &'a Config,
    surroundings: &Surroundings,
) -> Result<BTreeMap<&'a ComponentId, Destination>, BuildError> {
    let is_used = |id: &ComponentId| config.service.pipelines.values().any(|pipeline| pipeline.exporters.contains(id));
    let mut exporters = BTreeMap::new();
    for (id, written) in config.exporters.iter().filter(|(id, _)| is_used(id)) {
        let exporter = match written {
            ExporterConfig::OtlpGrpc(grpc) => {
                Exporter::Grpc(Box::new(GrpcExporter::new(settings::grpc_exporter(id, grpc))?))
            }
            ExporterConfig::OtlpHttp(http) => {
                Exporter::Http(Box::new(HttpExporter::new(settings::http_exporter(id, http)?)?))
            }
            ExporterConfig::Debug(debug) => {
                Exporter::Debug(DebugExporter::new(settings::debug(id, config, debug), (surroundings.console)()))
            }
        };
        exporters.insert(id, Destination { exporter: Arc::new(exporter), delivery: delivery::settings(written) });
    }
    Ok(exporters)
}
