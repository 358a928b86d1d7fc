//! The registries that a configuration asks for, one a processor: files are read and laid over each other, sites and
//! deployments are resolved. All of them load, or none does and everything that is wrong is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::settings;
use crate::config::{
    ApiConfig, BUILTIN, BoundaryConfig, ComponentId, Config, DeploymentConfig, EnergyReadingConfig, ExtensionConfig,
    GramtraceConfig, MeteredConfig, NumberConfig, SiteConfig,
};
use crate::document::section::shortened;
use crate::document::{DocumentError, DocumentErrors};
use crate::enrich::EnergyReading;
use crate::factors::{
    Boundary, DeploymentSettings, EnergyFactor, OperatorSettings, Registry, RegistryFile, SiteSettings, Spread, digest,
};
use crate::units::{Quantity, Range};

/// Whether the registries that a configuration asks for load; nothing is kept.
///
/// # Errors
/// Everything that is wrong with their files, and with what is said about sites and deployments.
pub fn check(config: &Config) -> Result<(), DocumentErrors> {
    load(config, &Registries::default()).map(drop)
}

/// The registries of processors, each with what it was made of: what would be made of the same again is kept, from one
/// configuration to the next and between processors.
#[derive(Debug, Clone, Default)]
pub(super) struct Registries(BTreeMap<ComponentId, Loaded>);

#[derive(Debug, Clone)]
struct Loaded {
    origin: Origin,
    registry: Arc<Registry>,
}

/// What a registry is made of: the digest of its files, and what the operator says.
#[derive(Debug, Clone, PartialEq)]
struct Origin {
    files: [u8; 32],
    operator: OperatorSettings,
}

impl Registries {
    /// The registry of a processor.
    pub(super) fn get(&self, id: &ComponentId) -> Option<&Arc<Registry>> {
        self.0.get(id).map(|loaded| &loaded.registry)
    }

    fn made_of(&self, origin: &Origin) -> Option<Arc<Registry>> {
        self.0.values().find(|loaded| loaded.origin == *origin).map(|loaded| Arc::clone(&loaded.registry))
    }
}

/// The registry of every processor: that of `before` where it would be the same.
pub(super) fn load(config: &Config, before: &Registries) -> Result<Registries, DocumentErrors> {
    let mut errors = Vec::new();
    let mut registries = Registries::default();
    for (id, gramtrace) in &config.processors {
        let known = |origin: &Origin| registries.made_of(origin).or_else(|| before.made_of(origin));
        match registry(id, gramtrace, known) {
            Ok(loaded) => {
                registries.0.insert(id.clone(), loaded);
            }
            Err(wrong) => {
                let new: Vec<_> = wrong.0.into_iter().filter(|error| !errors.contains(error)).collect();
                errors.extend(new);
            }
        }
    }
    for loaded in registries.0.values() {
        let unknown = comparisons(config, &loaded.registry);
        let new: Vec<_> = unknown.into_iter().filter(|error| !errors.contains(error)).collect();
        errors.extend(new);
    }
    if errors.is_empty() { Ok(registries) } else { Err(DocumentErrors(errors)) }
}

/// The registry of a processor that a configuration has; the built-in one where it has none.
///
/// # Errors
/// Everything that is wrong with its files, and with what is said about sites and deployments.
pub fn first(config: &Config) -> Result<Registry, DocumentErrors> {
    match config.processors.iter().next() {
        Some((id, gramtrace)) => furnished(id, &files(gramtrace)?, &operator(gramtrace)),
        None => Registry::builtin(),
    }
}

/// What traces are compared with has to mean something.
fn comparisons(config: &Config, registry: &Registry) -> Vec<DocumentError> {
    let mut errors = Vec::new();
    for (id, extension) in &config.extensions {
        let ExtensionConfig::Api(ApiConfig { compare, .. }) = extension else { continue };
        for (key, at, name) in settings::comparison(compare).unknown(registry) {
            let cure = match key {
                "models" => "write a registry id or the name of a model that has a factor, such as `gpt-4o-mini`",
                _ => "write the zone of a grid or a region of a cloud, such as `SE` or `eu-north-1`",
            };
            let path = format!("extensions::{id}::compare::{key}::{at}");
            let message = format!("`{}` is not known; {cure}", shortened(name));
            errors.push(DocumentError { file: None, line: None, path, message });
        }
    }
    errors
}

fn registry(
    id: &ComponentId,
    config: &GramtraceConfig,
    known: impl Fn(&Origin) -> Option<Arc<Registry>>,
) -> Result<Loaded, DocumentErrors> {
    let files = files(config)?;
    let origin = Origin { files: digest(&files), operator: operator(config) };
    let registry = match known(&origin) {
        Some(registry) => registry,
        None => Arc::new(furnished(id, &files, &origin.operator)?),
    };
    Ok(Loaded { origin, registry })
}

fn files(config: &GramtraceConfig) -> Result<Vec<RegistryFile>, DocumentErrors> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for name in &config.registry {
        if name == BUILTIN {
            files.extend(RegistryFile::builtin());
            continue;
        }
        match RegistryFile::read(Path::new(name)) {
            Ok(file) => files.push(file),
            Err(wrong) => errors.extend(wrong.0),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(DocumentErrors(errors)) }
}

fn furnished(
    id: &ComponentId,
    files: &[RegistryFile],
    operator: &OperatorSettings,
) -> Result<Registry, DocumentErrors> {
    Registry::load(files)?.furnished(operator).map_err(|wrong| {
        let of_key = |error: crate::factors::OperatorError| {
            let path = format!("processors::{id}::{}", error.path);
            DocumentError { file: None, line: None, path, message: error.message }
        };
        DocumentErrors(wrong.into_iter().map(of_key).collect())
    })
}

fn operator(config: &GramtraceConfig) -> OperatorSettings {
    OperatorSettings {
        sites: config.sites.iter().map(|(name, site)| site_settings(name, site)).collect(),
        deployments: config
            .deployments
            .iter()
            .map(|(name, deployment)| deployment_settings(name, deployment))
            .collect(),
    }
}

fn site_settings(name: &str, config: &SiteConfig) -> SiteSettings {
    SiteSettings {
        name: name.to_owned(),
        zone: config.zone.clone(),
        pue: config.pue.map(range),
        wue: config.wue_l_per_kwh.map(range),
        services: config.services.clone(),
    }
}

fn deployment_settings(name: &str, config: &DeploymentConfig) -> DeploymentSettings {
    DeploymentSettings {
        name: name.to_owned(),
        model: config.model.clone(),
        site: config.site.clone(),
        energy: config.energy.as_ref().map(energy_factor),
    }
}

fn energy_factor(config: &MeteredConfig) -> EnergyFactor {
    EnergyFactor {
        per_output: config.wh_per_output_token.map(spread),
        per_input: config.wh_per_input_token.map(spread),
        per_request: config.wh_per_request.map(spread),
        boundary: boundary(config.boundary),
    }
}

/// Where spans carry metered energy, if anywhere.
pub(super) fn energy_reading(config: &EnergyReadingConfig) -> Option<EnergyReading> {
    let attribute = config.attribute.clone()?;
    Some(EnergyReading { attribute, wh_per_unit: config.unit.wh(), boundary: boundary(config.boundary) })
}

const fn boundary(config: BoundaryConfig) -> Boundary {
    match config {
        BoundaryConfig::Accelerator => Boundary::Accelerator,
        BoundaryConfig::It => Boundary::It,
        BoundaryConfig::Facility => Boundary::Facility,
    }
}

/// The configuration has checked bounds and order.
fn range<T: Quantity>(number: NumberConfig) -> Range<T> {
    match spread(number) {
        Spread::Tier(value) => Range::exact(value),
        Spread::Own(range) => range,
    }
}

fn spread<T: Quantity>(number: NumberConfig) -> Spread<T> {
    match (number.value.map(T::saturating), number.range) {
        (value, Some((low, high))) => {
            let ends = Range::geometric(T::saturating(low), T::saturating(high));
            let with_value = value.and_then(|value| Range::new(ends.low(), value, ends.high()).ok());
            Spread::Own(with_value.unwrap_or(ends))
        }
        (value, None) => Spread::Tier(value.unwrap_or_else(|| T::saturating(0.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(processors: &str) -> Config {
        let rest = "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {debug: }\n\
                    service: {pipelines: {traces: {receivers: [otlp], processors: [gramtrace], exporters: [debug]}}}\n";
        Config::parse("test.yaml", format!("processors: {processors}\n{rest}").as_bytes(), &|_| None).unwrap()
    }

    fn registry(registries: &Registries, id: &str) -> Arc<Registry> {
        Arc::clone(registries.get(&ComponentId::parse(id).unwrap()).unwrap())
    }

    #[test]
    fn a_registry_that_would_be_the_same_is_kept_and_shared_and_another_is_not() {
        let plain = load(&config("{gramtrace: , gramtrace/2: {method: ecologits/0.11.3}}"), &Registries::default());
        let plain = plain.unwrap();
        assert!(Arc::ptr_eq(&registry(&plain, "gramtrace"), &registry(&plain, "gramtrace/2")));
        let other = "{gramtrace: {deployments: {mine: {model: gpt-4o}}}, gramtrace/2: }";
        let next = load(&config(other), &plain).unwrap();
        assert!(!Arc::ptr_eq(&registry(&plain, "gramtrace"), &registry(&next, "gramtrace")));
        assert!(registry(&next, "gramtrace").deployment("mine").is_some());
        assert!(Arc::ptr_eq(&registry(&plain, "gramtrace"), &registry(&next, "gramtrace/2")));
    }
}
