//! Calls of as many services and teams as there are calls: what is kept stays as small as ever, no answer waits, and what is
//! no longer told apart is counted. `tests/budgets/run` sends a million; a test run sends some thousands.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use gramtrace::exporter::{GrpcExporter, Outcome};
use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use serde_json::Value;

use crate::page;
use crate::process::Service;
use crate::senders::grpc;
use crate::sink::Sink;
use crate::spans;

/// As part of every test run.
const SCOPES: u64 = 10_000;
/// Services of a request.
const AT_ONCE: u64 = 500;
/// What the configuration tells apart.
const SERVICES: u64 = 50;
const TEAMS: u64 = 20;
/// Services that a budget tells apart.
const DRIVERS: u64 = 100;

fn scopes() -> u64 {
    std::env::var("SCOPES").map_or(SCOPES, |text| text.parse().unwrap())
}

fn config(sink: SocketAddr, folder: &Path) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors:
  gramtrace:
    significant_digits: 17
    labels: {{max_services: {SERVICES}, max_series: 2000, attributes: [{{key: team.name, label: team, max_values: {TEAMS}}}]}}
    budgets:
      - {{name: all, limit: 1t}}
      - {{name: teams, match: {{team.name: 'team-*'}}, limit: 1t, period: month}}
      - {{name: few, match: {{service.name: 'service-1?'}}, limit: 1t, period: day}}
exporters: {{otlp_grpc: {{endpoint: '{sink}', tls: {{insecure: true}}}}}}
extensions: {{gramtrace_budgets: {{directory: '{}'}}, gramtrace_api: {{endpoint: '127.0.0.1:0'}}}}
service:
  extensions: [gramtrace_budgets, gramtrace_api]
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}}}
",
        folder.join("state").display()
    )
}

struct Running {
    service: Service,
    api: SocketAddr,
    metrics: SocketAddr,
    sender: GrpcExporter,
}

impl Running {
    async fn start(file: &Path) -> Self {
        let file = file.to_owned();
        let start = move || {
            let service = Service::start(&file);
            let (grpc_address, api) = (service.address("\"grpc\""), service.address("lookup API"));
            let metrics = service.address("metrics page");
            Self { service, api, metrics, sender: grpc(grpc_address) }
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// Sends a request, which has to be taken, and gives how long its answer took.
    async fn send(&self, ids: std::ops::Range<u64>) -> Duration {
        let request = spans::request_of_many(ids, |id| (format!("service-{id}"), format!("team-{id}")));
        let start = Instant::now();
        let outcome = self.sender.send(Signal::Traces, request, None).await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        start.elapsed()
    }

    async fn budgets(&self) -> Vec<Value> {
        let answer: Value = serde_json::from_str(&page::get(self.api, "/api/v1/budgets").await).unwrap();
        answer["budgets"].as_array().unwrap().clone()
    }

    async fn sample(&self, name: &str) -> Option<f64> {
        page::sample(self.metrics, name).await
    }

    /// What the process has in memory, in MiB.
    fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.service.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * other.abs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_scopes_take_no_more_memory_than_some_and_nothing_of_them_is_lost() {
    let (scopes, folder, sink) = (scopes(), tempfile::tempdir().unwrap(), Sink::start().await);
    let file = folder.path().join("gramtrace.yaml");
    std::fs::write(&file, config(sink.address, folder.path())).unwrap();
    let running = Running::start(&file).await;
    let (mut took, mut resident) = (Vec::new(), Vec::new());
    for first in (0..scopes).step_by(usize::try_from(AT_ONCE).unwrap()) {
        took.push(running.send(first..scopes.min(first + AT_ONCE)).await);
        resident.push(running.resident_mib());
    }
    let (half, last) = (resident[resident.len() / 2], *resident.last().unwrap());
    took.sort_unstable();
    println!(
        "{scopes} services and teams, {AT_ONCE} a request: answered within {:?} (median) and {:?} (slowest); {} MiB at first, {half} \
         MiB halfway, {last} MiB at the end",
        took[took.len() / 2],
        took[took.len() - 1],
        resident[0]
    );
    // What is remembered of calls and traces for other ends has its own bounds, which are far beyond a test run.
    assert!(last <= half + 64, "{half} MiB halfway, {last} MiB at the end");

    // Nothing is lost: whoever is no longer told apart is in the sums.
    let Some(Attribute::DoubleValue(grams)) = spans::attribute(&sink.last().unwrap(), "gramtrace.co2e_g").cloned()
    else {
        panic!("no estimate")
    };
    let total = grams * scopes as f64;
    let expected = [("all", total), ("few", 10.0 * grams), ("teams", total)];
    for (budget, (name, consumed)) in running.budgets().await.iter().zip(expected) {
        assert_eq!(budget["name"], name);
        assert!(is_close(budget["consumed"].as_f64().unwrap(), consumed), "{name}: {budget}");
    }
    let of_all = &running.budgets().await[0]["services"];
    assert_eq!((of_all.as_array().unwrap().len(), &of_all[0]["name"]), (5, &"other".into()));
    assert!(is_close(of_all[0]["amount"].as_f64().unwrap(), grams * (scopes - DRIVERS) as f64), "{of_all}");

    // What is lost is who it was, and that is said.
    let sample = async |name: &str| running.sample(name).await;
    let over = |label: &str| format!("gramtrace_emissions_over_capacity_total{{label=\"{label}\"}}");
    assert_eq!(sample(&over("service")).await, Some((scopes - SERVICES) as f64));
    assert_eq!(sample(&over("team")).await, Some((scopes - TEAMS) as f64));
    assert_eq!(sample("gramtrace_emissions_combinations").await, Some((SERVICES + 1) as f64));
    assert_eq!(sample("gramtrace_budget_store_late_answers_total").await, Some(0.0));
    assert_eq!(sample("gramtrace_budget_store_failures_total").await, Some(0.0));
    let page = page::get(running.metrics, "/metrics").await;
    let told: f64 = page
        .lines()
        .filter(|line| line.starts_with("gramtrace_co2e_grams_total{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum();
    assert!(is_close(told, total), "{told} g on the page, {total} g at the backend");

    // The store neither.
    assert_eq!(running.service.terminate().await.0, Some(0));
    let kept = std::fs::metadata(folder.path().join("state/budgets.log")).unwrap().len();
    assert!(kept < 16 << 20, "{kept} bytes");
    let again = Running::start(&file).await;
    assert!(is_close(again.budgets().await[0]["consumed"].as_f64().unwrap(), total));
    assert_eq!(again.service.terminate().await.0, Some(0));
}
