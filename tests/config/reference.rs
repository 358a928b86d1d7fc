//! `config/gramtrace.yaml` shows every key with its default: held to the code from both sides.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gramtrace::config::{
    ComponentId, Config, Endpoint, ExporterConfig, OtlpGrpcExporterConfig, OtlpHttpExporterConfig,
};
use serde_yaml::{Mapping, Value};

use crate::{load, variables};

/// What it refers to where everything is switched on.
const SET: &[(&str, &str)] = &[("TOKEN", "t0k3n"), ("PASSWORD", "s3cr3t")];

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)).unwrap()
}

/// The reference with what is commented out switched on: lines that begin with `#` and no single space.
fn everything() -> String {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with("  ") => key.to_owned(),
        _ => line.to_owned(),
    };
    let text: String = file("gramtrace.yaml").lines().map(|line| uncommented(line) + "\n").collect();
    text.replace(
        "  extensions: [health_check, gramtrace_api]",
        "  extensions: [health_check, gramtrace_api, bearertokenauth]",
    )
}

#[test]
fn as_it_stands_it_is_what_runs_without_a_file() {
    let config = load(&file("gramtrace.yaml"), &[]).unwrap();
    assert_eq!(config, Config::default_run(&variables(&[])).unwrap());
}

#[test]
fn what_is_commented_out_are_the_defaults_too() {
    let config = load(&everything(), SET).unwrap_or_else(|errors| panic!("{errors}"));
    let grpc = OtlpGrpcExporterConfig::to(Endpoint::parse_grpc("backend:4317").unwrap());
    assert_eq!(config.exporters[&ComponentId::of("otlp_grpc")], ExporterConfig::OtlpGrpc(Box::new(grpc)));
    let endpoint = Some(Endpoint::parse_http("https://backend:4318").unwrap());
    let http = OtlpHttpExporterConfig { endpoint, ..Default::default() };
    assert_eq!(config.exporters[&ComponentId::of("otlp_http")], ExporterConfig::OtlpHttp(Box::new(http)));
}

#[test]
fn every_key_that_is_accepted_occurs_in_it() {
    let root: Value = serde_yaml::from_str(&everything()).unwrap();
    let mut paths = Vec::new();
    collect(&root, &mut Vec::new(), &mut paths);
    let mut seen = BTreeSet::new();
    for path in &paths {
        // A reader is one or the other.
        if path.len() == 5 && path.starts_with(&["service", "telemetry", "metrics", "readers"].map(str::to_owned)) {
            continue;
        }
        // Written in one line, since its keys are those of `periodic`.
        if path.join("::") == "service::telemetry::traces::processors::0::batch::exporter::otlp" {
            continue;
        }
        let Some(accepted) = accepted_keys(&root, path) else { continue };
        seen.insert(path.join("::"));
        let mapping = mapping_at(&mut root.clone(), path).clone();
        for key in &accepted {
            assert!(mapping.contains_key(key.as_str()), "{} lacks `{key}`", path.join("::"));
        }
        assert_eq!(accepted.len(), mapping.len(), "{}", path.join("::"));
    }
    // The mappings whose keys are the user's, and blocks that can only be off, accept no list of keys.
    let expected = "
 exporters::debug exporters::otlp_grpc exporters::otlp_grpc::compression_params exporters::otlp_grpc::keepalive
 exporters::otlp_grpc::retry_on_failure exporters::otlp_grpc::tls
 exporters::otlp_http exporters::otlp_http::compression_params exporters::otlp_http::retry_on_failure
 exporters::otlp_http::tls
 extensions::gramtrace_api extensions::gramtrace_api::auth extensions::gramtrace_api::compare
 extensions::gramtrace_budgets
 extensions::health_check extensions::health_check::response_body processors::gramtrace
 processors::gramtrace::band processors::gramtrace::labels processors::gramtrace::memory processors::gramtrace::reading
 processors::gramtrace::reading::energy receivers::otlp
 processors::gramtrace::trace processors::gramtrace::trace::receipts
 receivers::otlp::protocols receivers::otlp::protocols::grpc receivers::otlp::protocols::grpc::tls
 receivers::otlp::protocols::grpc::keepalive receivers::otlp::protocols::grpc::keepalive::server_parameters
 receivers::otlp::protocols::grpc::keepalive::enforcement_policy receivers::otlp::protocols::http::cors
 processors::memory_limiter
 receivers::otlp::protocols::grpc::auth receivers::otlp::protocols::http::auth
 receivers::otlp::protocols::http receivers::otlp::protocols::http::tls service extensions::bearertokenauth extensions::basicauth
 extensions::basicauth::htpasswd
 service::pipelines::logs service::pipelines::metrics service::pipelines::traces service::telemetry
 service::telemetry::logs service::telemetry::logs::sampling service::telemetry::metrics service::telemetry::traces
 service::telemetry::traces::sampler service::telemetry::traces::sampler::trace_id_ratio_based";
    let mut expected: BTreeSet<String> = expected.split_whitespace().map(str::to_owned).collect();
    expected.insert(String::new());
    let reader = "service::telemetry::metrics::readers::0";
    let below = ["::pull", "::pull::exporter", "::pull::exporter::prometheus"];
    expected.extend(below.map(|below| format!("{reader}{below}")));
    let periodic = ["::periodic", "::periodic::exporter", "::periodic::exporter::otlp"];
    expected.extend(periodic.map(|below| format!("service::telemetry::metrics::readers::1{below}")));
    let batch = ["", "::batch", "::batch::exporter"];
    expected.extend(batch.map(|below| format!("service::telemetry::traces::processors::0{below}")));
    assert_eq!(seen, expected);
}

#[test]
fn the_minimal_one_loads_and_forwards_all_signals() {
    let config = load(&file("minimal.yaml"), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.service.pipelines.len(), 3);
    assert_eq!(config.warnings, []);
}

/// The paths of all mappings.
fn collect(value: &Value, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Mapping(mapping) => {
            paths.push(path.clone());
            mapping.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), value)).collect()
        }
        Value::Sequence(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => return,
    };
    for (key, child) in children {
        path.push(key);
        collect(child, path, paths);
        path.pop();
    }
}

fn mapping_at<'a>(root: &'a mut Value, path: &[String]) -> &'a mut Mapping {
    let value = path.iter().fold(root, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get_mut(index).unwrap(),
        Err(_) => value.get_mut(key.as_str()).unwrap(),
    });
    value.as_mapping_mut().unwrap()
}

/// The keys that the loader names when one is there that it has never heard of.
fn accepted_keys(root: &Value, path: &[String]) -> Option<Vec<String>> {
    const STRANGE: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    let mut changed = root.clone();
    mapping_at(&mut changed, path).insert(STRANGE.into(), Value::Null);
    let errors = load(&serde_yaml::to_string(&changed).unwrap(), SET).err()?;
    let error = errors.0.into_iter().find(|error| error.path.ends_with(STRANGE))?;
    let list = error.message.strip_prefix("unknown key; remove it, or write ")?.to_owned();
    Some(list.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}
