//! The exporter that the environment names: `OTEL_EXPORTER_OTLP_*`.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options>
//! Counts where no exporter is configured; a variable for one signal goes before the one for all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{Endpoint, Scheme};
use super::api::ApiConfig;
use super::client::{self, ClientTlsConfig, Compression};
use super::component::{ComponentId, PipelineId};
use super::exporter::{DebugExporterConfig, ExporterConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig};
use super::problems::Problems;
use super::processor::GramtraceConfig;
use super::receiver::{GrpcServerConfig, HttpServerConfig, OtlpReceiverConfig, ProtocolsConfig};
use super::secret::Secret;
use super::section::{choice, decimal};
use super::service::{ExtensionConfig, HealthCheckConfig, PipelineConfig};
use super::{Config, ConfigErrors, Environment, check};
use crate::otlp::Signal;

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const SUFFIXES: [&str; 9] = [
    "ENDPOINT",
    "PROTOCOL",
    "HEADERS",
    "COMPRESSION",
    "TIMEOUT",
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
    "INSECURE",
];

/// The exporter of each signal for which the environment names an endpoint.
type Named = BTreeMap<Signal, (ComponentId, ExporterConfig)>;

impl Config {
    /// What runs without a file: every listener on its standard port, traces enriched, metrics and logs forwarded;
    /// to where `environment` says by `OTEL_EXPORTER_OTLP_*`, else to the console.
    ///
    /// # Errors
    /// What is wrong with the variables.
    pub fn default_run(environment: Environment<'_>) -> Result<Self, ConfigErrors> {
        let problems = Problems::default();
        let mut config = Self::empty();
        let (otlp, gramtrace) = (ComponentId::of("otlp"), ComponentId::of("gramtrace"));
        let protocols =
            ProtocolsConfig { grpc: Some(GrpcServerConfig::default()), http: Some(HttpServerConfig::default()) };
        config.receivers.insert(otlp.clone(), OtlpReceiverConfig { protocols });
        config.processors.insert(gramtrace.clone(), GramtraceConfig::default());
        for (kind, extension) in [
            ("health_check", ExtensionConfig::HealthCheck(HealthCheckConfig::default())),
            ("gramtrace_api", ExtensionConfig::Api(ApiConfig::default())),
        ] {
            config.extensions.insert(ComponentId::of(kind), extension);
            config.service.extensions.push(ComponentId::of(kind));
        }
        for signal in Signal::ALL {
            let processors = if signal == Signal::Traces { vec![gramtrace.clone()] } else { Vec::new() };
            let pipeline = PipelineConfig { receivers: vec![otlp.clone()], processors, exporters: Vec::new() };
            config.service.pipelines.insert(PipelineId::of(signal), pipeline);
        }
        complete(&mut config, environment, &problems);
        let debug = ComponentId::of("debug");
        for pipeline in config.service.pipelines.values_mut().filter(|pipeline| pipeline.exporters.is_empty()) {
            pipeline.exporters.push(debug.clone());
            config.exporters.insert(debug.clone(), ExporterConfig::Debug(DebugExporterConfig::default()));
        }
        check::check(&config, None, &problems);
        problems.finish().map(|warnings| Self { warnings, ..config })
    }
}

/// Gives the pipelines without exporters those of the environment.
pub(super) fn complete(config: &mut Config, environment: Environment<'_>, problems: &Problems<'_>) {
    let named = exporters(environment, problems);
    for (id, pipeline) in &mut config.service.pipelines {
        let Some((exporter_id, exporter)) = named.get(&id.signal) else { continue };
        if pipeline.exporters.is_empty() {
            pipeline.exporters.push(exporter_id.clone());
        }
        if pipeline.exporters.contains(exporter_id) {
            config.exporters.insert(exporter_id.clone(), exporter.clone());
        }
    }
}

/// The variable behind the endpoint of an exporter that came from the environment.
pub(super) fn endpoint_variable(id: &ComponentId, key: &str) -> String {
    let named = Signal::ALL.into_iter().find(|signal| {
        key.strip_suffix("_endpoint") == Some(signal.name()) || *id == ComponentId::named(id.kind(), signal.name())
    });
    Variables::name(named, "ENDPOINT")
}

fn exporters(environment: Environment<'_>, problems: &Problems<'_>) -> Named {
    let set = |name: String| environment(&name).is_some_and(|value| !value.trim().is_empty());
    let mut named = Named::new();
    for signal in Signal::ALL {
        let own = SUFFIXES.iter().any(|suffix| set(Variables::name(Some(signal), suffix)));
        let variables = Variables { environment, signal: own.then_some(signal), problems };
        if let Some((kind, exporter)) = variables.exporter() {
            let id = if own { ComponentId::named(kind, signal.name()) } else { ComponentId::of(kind) };
            named.insert(signal, (id, exporter));
        }
    }
    named
}

/// The variables of one signal, or those for all.
struct Variables<'a> {
    environment: Environment<'a>,
    signal: Option<Signal>,
    problems: &'a Problems<'a>,
}

impl Variables<'_> {
    fn name(signal: Option<Signal>, suffix: &str) -> String {
        match signal {
            None => format!("{PREFIX}{suffix}"),
            Some(signal) => format!("{PREFIX}{}_{suffix}", signal.name().to_ascii_uppercase()),
        }
    }

    /// The name and value of the variable that counts. An empty one is not set, says the specification.
    fn get(&self, suffix: &str) -> Option<(String, String)> {
        let names = [self.signal.map(|signal| Self::name(Some(signal), suffix)), Some(Self::name(None, suffix))];
        names.into_iter().flatten().find_map(|name| {
            let value = (self.environment)(&name)?.trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        })
    }

    /// The variable's value as `parse` reads it; what `parse` objects to is reported.
    fn read<T>(&self, suffix: &str, target: &mut T, parse: impl FnOnce(&str) -> Result<T, String>) {
        let Some((name, value)) = self.get(suffix) else { return };
        match parse(&value) {
            Ok(parsed) => *target = parsed,
            Err(message) => self.problems.variable(&name, message),
        }
    }

    /// The exporter and its kind; `None` where no endpoint is named or it makes no sense, which is reported.
    fn exporter(&self) -> Option<(&'static str, ExporterConfig)> {
        let (endpoint_name, endpoint) = self.get("ENDPOINT")?;
        let mut grpc = false;
        self.read("PROTOCOL", &mut grpc, |value| match value {
            "grpc" => Ok(true),
            "http/protobuf" => Ok(false),
            "http/json" => Err("JSON is received and not sent; write `http/protobuf` or `grpc`".to_owned()),
            other => Err(format!("`{other}` is not spoken; write `http/protobuf` or `grpc`")),
        });
        let parsed = if grpc { Endpoint::parse_grpc(&endpoint) } else { Endpoint::parse_http(&endpoint) };
        let endpoint = match parsed {
            Ok(endpoint) => endpoint,
            Err(message) => {
                self.problems.variable(&endpoint_name, message);
                return None;
            }
        };
        let shared = endpoint_name == Self::name(None, "ENDPOINT");
        Some(if grpc {
            ("otlp_grpc", ExporterConfig::OtlpGrpc(Box::new(self.grpc(endpoint))))
        } else {
            ("otlp_http", ExporterConfig::OtlpHttp(Box::new(self.http(endpoint, shared))))
        })
    }

    fn grpc(&self, endpoint: Endpoint) -> OtlpGrpcExporterConfig {
        let mut config = OtlpGrpcExporterConfig::to(endpoint);
        config.tls = self.tls(config.endpoint.scheme);
        if config.endpoint.scheme.is_none() {
            self.read("INSECURE", &mut config.tls.insecure, |value| match value.to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("`{value}` is neither `true` nor `false`; write one of them")),
            });
        }
        self.read("HEADERS", &mut config.headers, headers);
        self.read("COMPRESSION", &mut config.compression, compression);
        self.read("TIMEOUT", &mut config.timeout, timeout);
        config
    }

    fn http(&self, endpoint: Endpoint, shared: bool) -> OtlpHttpExporterConfig {
        let mut config = OtlpHttpExporterConfig { tls: self.tls(endpoint.scheme), ..Default::default() };
        let target = match self.signal {
            Some(Signal::Traces) if !shared => &mut config.traces_endpoint,
            Some(Signal::Metrics) if !shared => &mut config.metrics_endpoint,
            Some(Signal::Logs) if !shared => &mut config.logs_endpoint,
            _ => &mut config.endpoint,
        };
        *target = Some(endpoint);
        self.read("HEADERS", &mut config.headers, headers);
        self.read("COMPRESSION", &mut config.compression, compression);
        self.read("TIMEOUT", &mut config.timeout, timeout);
        config
    }

    /// The files count only where there is TLS: variables are often set for all services of a machine alike.
    fn tls(&self, scheme: Option<Scheme>) -> ClientTlsConfig {
        let mut tls = ClientTlsConfig::default();
        if matches!(scheme, Some(Scheme::Http | Scheme::Unix)) {
            return tls;
        }
        let file = |value: &str| Ok(Some(PathBuf::from(value)));
        self.read("CERTIFICATE", &mut tls.ca_file, file);
        self.read("CLIENT_CERTIFICATE", &mut tls.cert_file, file);
        self.read("CLIENT_KEY", &mut tls.key_file, file);
        let (missing, present) = match (&tls.cert_file, &tls.key_file) {
            (Some(_), None) => ("CLIENT_KEY", "CLIENT_CERTIFICATE"),
            (None, Some(_)) => ("CLIENT_CERTIFICATE", "CLIENT_KEY"),
            _ => return tls,
        };
        let (missing, present) = (Self::name(None, missing), Self::name(self.signal, present));
        self.problems.variable(&missing, format!("is not set, but `{present}` is; set both or none"));
        tls
    }
}

fn compression(value: &str) -> Result<Compression, String> {
    match value {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        "none" => Ok(Compression::None),
        other => Err(format!("`{other}` is not known; write {}", choice(&["gzip", "zstd", "none"]))),
    }
}

/// Milliseconds, says the specification.
fn timeout(value: &str) -> Result<Duration, String> {
    match decimal(value) {
        Some(0) => Err("no request is answered in no time; write milliseconds, such as `10000`".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => Err(format!("`{value}` is no whole number of milliseconds; write one such as `10000`")),
    }
}

/// `name=value,name=value`, values percent-encoded. No error shows a value.
fn headers(list: &str) -> Result<BTreeMap<String, Secret>, String> {
    let mut headers = BTreeMap::new();
    for (index, member) in list.split(',').enumerate().filter(|(_, member)| !member.trim().is_empty()) {
        let nth = index + 1;
        let (name, value) =
            member.split_once('=').ok_or_else(|| format!("item {nth} has no `=`; write `name=value,name=value`"))?;
        let value = percent_decoded(value.trim())
            .ok_or_else(|| format!("the value of item {nth} is not percent-encoded UTF-8; write `%25` for a `%`"))?;
        let (name, value) =
            client::header(name.trim(), &value).map_err(|message| format!("the header in item {nth}: {message}"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// `None` for an escape that is none, and for bytes that are not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digits =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}
