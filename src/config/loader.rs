//! From a file to a [`Config`], or to everything that is wrong with it: parse, expand, read, complete, check.
//! Knows the order of these steps; each of them has a file of its own.

use std::collections::BTreeMap;
use std::path::Path;

use super::api::ApiConfig;
use super::auth::{BasicAuthConfig, BearerTokenAuthConfig};
use super::component::ComponentId;
use super::document::{self, Budget};
use super::exporter::{DebugExporterConfig, ExporterConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig};
use super::keeping::KeepingConfig;
use super::memory_limiter::MemoryLimiterConfig;
use super::problems::Problems;
use super::processor::GramtraceConfig;
use super::receiver::OtlpReceiverConfig;
use super::section::{Advice, Field, Section};
use super::service::{ExtensionConfig, HealthCheckConfig, ServiceConfig};
use super::{Config, ConfigErrors, Environment, advice, check, environment, expand};

/// Larger than any configuration.
const MAX_FILE_LEN: u64 = 1 << 20;

const TOP_ADVICE: Advice = &[
    ("connectors", "connectors are not available; remove it, and list the exporters in one pipeline"),
    ("telemetry", "belongs below `service`; write `service: {telemetry: ...}`"),
    ("pipelines", "belongs below `service`; write `service: {pipelines: ...}`"),
    ("dist", "belongs to the Collector's builder; remove it"),
];

impl Config {
    /// Reads the file at `path`, with `environment` behind `${env:NAME}` and, where the file names no exporter,
    /// behind `OTEL_EXPORTER_OTLP_*`.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of its lines.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigErrors> {
        let name = path.display().to_string();
        let problems = Problems::of(&name);
        match read_file(path) {
            Ok(bytes) => Self::parse(&name, &bytes, environment),
            Err(message) => {
                problems.error("", message);
                problems.finish().map(|_| Self::empty())
            }
        }
    }

    /// Reads the file at `path`, or, where none is given, is what runs without a file.
    ///
    /// # Errors
    /// Those of [`Config::load`] and [`Config::default_run`].
    pub fn load_or_default(path: Option<&Path>, environment: Environment<'_>) -> Result<Self, ConfigErrors> {
        match path {
            Some(path) => Self::load(path, environment),
            None => Self::default_run(environment),
        }
    }

    /// Reads the bytes of a file; `name` stands in the errors.
    ///
    /// # Errors
    /// Everything that is wrong with them, in the order of the lines.
    pub fn parse(name: &str, bytes: &[u8], environment: Environment<'_>) -> Result<Self, ConfigErrors> {
        let problems = Problems::of(name);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
                problems.error_on_line(Some(line), "", "not UTF-8; save the file as UTF-8");
                ""
            }
        };
        let mut budget = Budget::new();
        let root = document::parse(text, &mut budget, &problems);
        let Some(mut root) = root.filter(|root| !root.is_null()) else {
            if problems.is_empty() {
                problems.error("", "empty; write a pipeline, or run without a file to have the defaults");
            }
            return problems.finish().map(|_| Self::empty());
        };
        expand::expand(&mut root, environment, &mut budget, &problems);
        let problems = problems.with_lines(&root);
        let Some(section) = Field::root(&root, &problems).section() else {
            return problems.finish().map(|_| Self::empty());
        };
        let mut config = Self::read(section);
        if root.get("exporters").is_none_or(|exporters| exporters.value.is_null()) {
            environment::complete(&mut config, environment, &problems);
        }
        check::check(&config, Some(&root), &problems);
        problems.finish().map(|warnings| Self { warnings, ..config })
    }

    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::empty();
        config.receivers = components(&mut section, "receivers", |id, field| match id.kind() {
            "otlp" => OtlpReceiverConfig::read(field),
            other => refused(field, advice::receiver(other)),
        });
        let processors = components(&mut section, "processors", |id, field| match id.kind() {
            "gramtrace" => GramtraceConfig::read(field).map(Box::new).map(Processor::Gramtrace),
            "memory_limiter" => MemoryLimiterConfig::read(field).map(Processor::MemoryLimiter),
            other => refused(field, advice::processor(other)),
        });
        for (id, processor) in processors {
            match processor {
                Processor::Gramtrace(gramtrace) => drop(config.processors.insert(id, *gramtrace)),
                Processor::MemoryLimiter(limiter) => drop(config.memory_limiters.insert(id, limiter)),
            }
        }
        config.exporters = components(&mut section, "exporters", |id, field| match id.kind() {
            "otlp_grpc" | "otlp" => OtlpGrpcExporterConfig::read(field).map(Box::new).map(ExporterConfig::OtlpGrpc),
            "otlp_http" | "otlphttp" => OtlpHttpExporterConfig::read(field).map(Box::new).map(ExporterConfig::OtlpHttp),
            "debug" => DebugExporterConfig::read(field).map(ExporterConfig::Debug),
            other => refused(field, advice::exporter(other)),
        });
        config.extensions = components(&mut section, "extensions", |id, field| match id.kind() {
            "gramtrace_api" => ApiConfig::read(field).map(ExtensionConfig::Api),
            "gramtrace_budgets" => KeepingConfig::read(field).map(Box::new).map(ExtensionConfig::Keeping),
            "health_check" => HealthCheckConfig::read(field).map(ExtensionConfig::HealthCheck),
            "bearertokenauth" => BearerTokenAuthConfig::read(field).map(ExtensionConfig::BearerTokenAuth),
            "basicauth" => BasicAuthConfig::read(field).map(ExtensionConfig::BasicAuth),
            other => refused(field, advice::extension(other)),
        });
        if let Some(service) = section.section("service") {
            config.service = ServiceConfig::read(service);
        }
        section.finish(TOP_ADVICE);
        config
    }

    /// Nothing at all; no whole configuration.
    pub(super) fn empty() -> Self {
        Self {
            receivers: BTreeMap::new(),
            processors: BTreeMap::new(),
            memory_limiters: BTreeMap::new(),
            exporters: BTreeMap::new(),
            extensions: BTreeMap::new(),
            service: ServiceConfig::default(),
            warnings: Vec::new(),
        }
    }
}

/// One entry of `processors`.
enum Processor {
    Gramtrace(Box<GramtraceConfig>),
    MemoryLimiter(MemoryLimiterConfig),
}

/// The bytes of a file of bearable size.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;

    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be opened: {error}; write its path"))?;
    file.take(MAX_FILE_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}; write a file"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= MAX_FILE_LEN) {
        Ok(bytes)
    } else {
        Err("larger than 1 MiB; write less".to_owned())
    }
}

/// Reads a block of components; those that cannot be read have been reported and are left out.
fn components<T>(
    section: &mut Section<'_>,
    block: &'static str,
    read: impl Fn(&ComponentId, &Field<'_>) -> Option<T>,
) -> BTreeMap<ComponentId, T> {
    let mut components = BTreeMap::new();
    let Some(inner) = section.section(block) else { return components };
    for (key, field) in inner.all() {
        match ComponentId::parse(key) {
            Ok(id) if components.contains_key(&id) => field.error(format!("`{id}` is there already; write it once")),
            Ok(id) => {
                if let Some(component) = read(&id, &field) {
                    components.insert(id, component);
                }
            }
            Err(message) => field.error(message),
        }
    }
    components
}

fn refused<T>(field: &Field<'_>, message: String) -> Option<T> {
    field.error(message);
    None
}
