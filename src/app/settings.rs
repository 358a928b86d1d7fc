//! From what users write to what code passes: each part's settings from its block of the configuration. The parts
//! themselves never see the configuration.

use std::time::Duration;

use super::listening::{ApiSettings, Plan, Role, Serves};
use super::senders::Senders;
use super::{budgets, delivery, registries, server};
use crate::admin::{Bodies, HealthSettings, LookupSettings};
use crate::budget::Budgets;
use crate::config::{
    self, ClientTlsConfig, CompareConfig, ComponentId, Compression, Config, DebugExporterConfig, ExtensionConfig,
    GramtraceConfig, LabelConfig, LabelsConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig, ReadingConfig,
    RoleRuleConfig, Secret, TraceConfig,
};
use crate::enrich::{ComparisonSettings, Detail, EnrichSettings, LabelSettings, LabelledAttribute, UnknownModels};
use crate::estimate::Method;
use crate::exporter::{
    DebugSettings, ExporterBuildError, GrpcExporterSettings, Headers, HttpExporterSettings, Problem, TlsSettings,
    Verbosity, http_endpoint,
};
use crate::genai::{Extensions, Meaning, MemorySettings, RoleRule};
use crate::otlp::Signal;
use crate::receiver::{ListenerSettings, Protocol};
use crate::trace::ledger::{LedgerSettings, SummarySettings};
use crate::wire::Encoding;

/// How long a health or metrics page that is being read at the end may take.
const PAGE_GRACE: Duration = Duration::from_secs(1);

/// Everything that is to listen: the health page first, so that it can say that the rest is not there yet. `largest`: the
/// largest request in bytes that memory allows.
pub(super) fn listeners(config: &Config, senders: &Senders<'_>, largest: usize) -> Vec<Plan> {
    let mut plans: Vec<Plan> = [health(config), metrics(config), api(config, senders)].into_iter().flatten().collect();
    // The end of the service is timed as a whole, and counts what is in flight before its connections give up.
    let grace = config.service.drain_timeout + PAGE_GRACE;
    for (id, receiver) in &config.receivers {
        if let Some(config) = &receiver.protocols.grpc {
            let settings = server::grpc_listener(config, listener(Protocol::Http2, grace));
            let role = Role::Otlp { receiver: id.clone(), transport: "grpc" };
            plans.push(Plan {
                role,
                address: config.endpoint.to_string(),
                tls: config.tls.as_ref().map(server::tls),
                settings,
                serves: Serves::Grpc(server::grpc(config, senders, largest)),
            });
        }
        if let Some(config) = &receiver.protocols.http {
            let settings = server::http_listener(config, listener(Protocol::Auto, grace));
            let role = Role::Otlp { receiver: id.clone(), transport: "http" };
            plans.push(Plan {
                role,
                address: config.endpoint.to_string(),
                tls: config.tls.as_ref().map(server::tls),
                settings,
                serves: Serves::Http(server::http(config, senders, largest)),
            });
        }
    }
    plans
}

/// The first extension of a kind that is on; the configuration allows one.
fn extension<'a, T>(config: &'a Config, is: impl Fn(&'a ExtensionConfig) -> Option<T>) -> Option<(ComponentId, T)> {
    let used = config.service.extensions.iter();
    used.filter_map(|id| Some((id.clone(), is(config.extensions.get(id)?)?))).next()
}

fn health(config: &Config) -> Option<Plan> {
    let (id, health) = extension(config, |extension| match extension {
        ExtensionConfig::HealthCheck(health) => Some(health),
        _ => None,
    })?;
    let bodies = health.response_body.as_ref();
    Some(Plan {
        role: Role::Health(id),
        address: health.endpoint.to_string(),
        tls: None,
        settings: listener(Protocol::Auto, PAGE_GRACE),
        serves: Serves::Health(HealthSettings {
            path: health.path.clone(),
            bodies: bodies
                .map(|bodies| Bodies { healthy: bodies.healthy.clone(), unhealthy: bodies.unhealthy.clone() }),
        }),
    })
}

fn api(config: &Config, senders: &Senders<'_>) -> Option<Plan> {
    let (id, api) = extension(config, |extension| match extension {
        ExtensionConfig::Api(api) => Some(api),
        _ => None,
    })?;
    Some(Plan {
        role: Role::Api(id),
        address: api.endpoint.to_string(),
        tls: None,
        settings: listener(Protocol::Auto, PAGE_GRACE),
        serves: Serves::Api(ApiSettings {
            auth: senders.of(api.auth.as_ref()),
            lookup: LookupSettings { comparison: comparison(&api.compare) },
        }),
    })
}

/// What traces are compared with.
pub(super) fn comparison(config: &CompareConfig) -> ComparisonSettings {
    ComparisonSettings { models: config.models.clone(), regions: config.regions.clone() }
}

fn metrics(config: &Config) -> Option<Plan> {
    Some(Plan {
        role: Role::Metrics,
        address: config.service.telemetry.metrics.listener()?.to_string(),
        tls: None,
        settings: listener(Protocol::Auto, PAGE_GRACE),
        serves: Serves::Metrics,
    })
}

/// `grace`: how long requests in flight may take when their listener ends.
fn listener(protocol: Protocol, grace: Duration) -> ListenerSettings {
    ListenerSettings { grace, ..ListenerSettings::new(protocol) }
}

pub(super) fn enrich(id: &ComponentId, config: &GramtraceConfig) -> EnrichSettings {
    EnrichSettings {
        name: id.to_string(),
        prefix: config.prefix.clone(),
        detail: match config.detail {
            config::Detail::Headline => Detail::Headline,
            config::Detail::Standard => Detail::Standard,
            config::Detail::Full => Detail::Full,
        },
        method: match config.method {
            config::Method::GramtraceV2026_1 => Method::PhaseAware,
            config::Method::EcologitsV0_11_3 => Method::EcoLogits,
            config::Method::TrackerV0_0_7 => Method::Tracker,
        },
        unknown_models: match config.unknown_models {
            config::UnknownModels::Skip => UnknownModels::Skip,
            config::UnknownModels::Fallback => UnknownModels::Fallback,
        },
        energy: registries::energy_reading(&config.reading.energy),
        gen_ai_alias: config.gen_ai_alias,
        significant_digits: config.significant_digits,
        band_bounds_g: [config.band.very_low_g, config.band.low_g, config.band.medium_g, config.band.high_g],
        extensions: extensions(&config.reading),
        memory: MemorySettings {
            max_bytes: usize::try_from(config.memory.max_size_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            ttl: config.memory.ttl,
        },
        traces: ledger(&config.trace),
        labels: labels(&config.labels),
        scopes: budgets::scopes(id, config, &Budgets::default()),
        knows_budget_calls: false,
    }
}

/// How traces are summed up, where they are.
pub(super) fn summaries(config: &TraceConfig) -> Option<SummarySettings> {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    config.summary_span.then_some(SummarySettings {
        quiet: config.quiet,
        ttl: config.ttl,
        max_roots: whole(config.max_traces),
        max_bytes: whole(config.max_root_bytes()),
    })
}

/// How much is kept of traces.
fn ledger(config: &TraceConfig) -> LedgerSettings {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    LedgerSettings {
        max_traces: whole(config.max_traces),
        max_bytes: whole(config.max_size_mib).saturating_mul(1 << 20),
        ttl: config.ttl,
        receipt_traces: whole(config.receipts.max_traces),
        receipts_each: whole(config.receipts.max_calls),
        is_watched: config.summary_span,
    }
}

fn labels(config: &LabelsConfig) -> LabelSettings {
    let many = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let attribute = |config: &LabelConfig| LabelledAttribute {
        key: config.key.clone(),
        label: config.label.clone(),
        max_values: many(config.max_values),
    };
    LabelSettings {
        attributes: config.attributes.iter().map(attribute).collect(),
        max_services: many(config.max_services),
        max_series: many(config.max_series),
    }
}

fn extensions(config: &ReadingConfig) -> Extensions {
    let keys = [
        (Meaning::Input, &config.input_tokens),
        (Meaning::Output, &config.output_tokens),
        (Meaning::CacheRead, &config.cache_read_tokens),
        (Meaning::CacheWrite, &config.cache_write_tokens),
        (Meaning::Reasoning, &config.reasoning_tokens),
        (Meaning::Total, &config.total_tokens),
        (Meaning::Model, &config.models),
        (Meaning::Provider, &config.providers),
        (Meaning::ResponseId, &config.response_ids),
    ];
    Extensions {
        keys: keys.map(|(meaning, names)| (meaning, names.clone())).into(),
        inference_operations: config.inference_operations.clone(),
        aggregate_operations: config.aggregate_operations.clone(),
        inference: rules(&config.inference),
        aggregate: rules(&config.aggregate),
        input_excludes_cache_scopes: config.input_excludes_cache_scopes.clone(),
    }
}

fn rules(rules: &[RoleRuleConfig]) -> Vec<RoleRule> {
    let rule = |it: &RoleRuleConfig| RoleRule { attribute: it.attribute.clone(), values: it.values.clone() };
    rules.iter().map(rule).collect()
}

pub(super) fn grpc_exporter(id: &ComponentId, config: &OtlpGrpcExporterConfig) -> GrpcExporterSettings {
    let encoding = encoding(config.compression);
    GrpcExporterSettings {
        name: id.to_string(),
        endpoint: config.url(),
        tls: tls(&config.tls),
        encoding,
        level: config.compression_params.level,
        headers: headers(&config.headers),
        timeout: config.timeout,
        keepalive: delivery::keepalive(&config.keepalive),
    }
}

pub(super) fn http_exporter(
    id: &ComponentId,
    config: &OtlpHttpExporterConfig,
) -> Result<HttpExporterSettings, ExporterBuildError> {
    let endpoints = Signal::ALL
        .into_iter()
        .filter_map(|signal| Some((signal, config.url(signal)?)))
        .map(|(signal, url)| http_endpoint(&url).map(|uri| (signal, uri)))
        .collect::<Result<_, _>>()
        .map_err(|error| ExporterBuildError { exporter: id.to_string(), problem: Problem::Endpoint(error) })?;
    Ok(HttpExporterSettings {
        name: id.to_string(),
        endpoints,
        tls: tls(&config.tls),
        encoding: encoding(config.compression),
        level: config.compression_params.level,
        headers: headers(&config.headers),
        timeout: config.timeout,
    })
}

/// A debug exporter shows the receipts that the pipelines of this process write: the prefix is that of the first
/// processor that a pipeline uses.
pub(super) fn debug(id: &ComponentId, config: &Config, debug: &DebugExporterConfig) -> DebugSettings {
    let used = config.service.pipelines.values().flat_map(|pipeline| &pipeline.processors);
    let prefix = used.filter_map(|id| config.processors.get(id)).map(|gramtrace| &gramtrace.prefix).next();
    DebugSettings {
        name: id.to_string(),
        verbosity: match debug.verbosity {
            config::Verbosity::Basic => Verbosity::Basic,
            config::Verbosity::Normal => Verbosity::Normal,
            config::Verbosity::Detailed => Verbosity::Detailed,
        },
        prefix: prefix.cloned().unwrap_or_else(|| EnrichSettings::default().prefix),
    }
}

fn encoding(compression: Compression) -> Encoding {
    match compression {
        Compression::None => Encoding::Identity,
        Compression::Gzip => Encoding::Gzip,
        Compression::Zstd => Encoding::Zstd,
    }
}

pub(super) fn tls(config: &ClientTlsConfig) -> TlsSettings {
    TlsSettings {
        insecure: config.insecure,
        ca_file: config.ca_file.clone(),
        cert_file: config.cert_file.clone(),
        key_file: config.key_file.clone(),
        server_name_override: config.server_name_override.clone(),
        reload_interval: config.reload_interval,
    }
}

pub(super) fn headers(config: &std::collections::BTreeMap<String, Secret>) -> Headers {
    config.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}
