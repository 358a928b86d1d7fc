//! The enricher of a configuration by itself, for commands that have files and no service.
//! Opens no socket.

use super::registries::Registries;
use super::{registries, settings};
use crate::config::{Config, GramtraceConfig};
use crate::document::DocumentErrors;
use crate::enrich::Enricher;

/// Enriches as the first processor that a pipeline of `config` uses; as the default one where none does.
///
/// # Errors
/// Everything that is wrong with its registry.
pub fn enricher(config: &Config) -> Result<Enricher, DocumentErrors> {
    let used = config.service.pipelines.values().flat_map(|pipeline| &pipeline.processors);
    let found = used.filter_map(|id| Some((id, config.processors.get(id)?))).next();
    let registries = registries::load(config, &Registries::default())?;
    let (settings, registry) = match found {
        Some((id, gramtrace)) => (settings::enrich(id, gramtrace), registries.get(id).cloned()),
        None => (settings::enrich(&crate::config::ComponentId::of("gramtrace"), &GramtraceConfig::default()), None),
    };
    let registry = match registry {
        Some(registry) => registry,
        None => std::sync::Arc::new(crate::factors::Registry::builtin()?),
    };
    Ok(Enricher::new(registry, &settings))
}
