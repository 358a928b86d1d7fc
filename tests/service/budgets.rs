//! Budgets of a running service: on the metrics page, in the lookup API, on the command line, and after a reload.

use std::net::SocketAddr;

use gramtrace::otlp::Signal;
use serde_json::Value;

use super::hop::{grpc, is_delivered};
use super::page::get;
use super::process::{self, Service};
use super::{PULL, backend, capture, write};

fn config(backend: SocketAddr, api: &str, limit: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors:
  gramtrace:
    budgets:
      - {{name: everything, limit: 5g}}
      - {{name: one, match: {{service.name: '*'}}, limit: {limit}, period: day}}
      - {{name: nobody, match: {{team.name: nobody}}, limit: 1kWh}}
exporters: {{otlp_grpc: {{endpoint: '{backend}', tls: {{insecure: true}}}}}}
extensions: {{gramtrace_api: {{endpoint: '{api}'}}}}
service:
  extensions: [gramtrace_api]
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
"
    )
}

/// A port that nobody has, for as long as nobody else asks.
fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn gauge(page: &str, name: &str, budget: &str) -> f64 {
    let sample = format!("{name}{{budget=\"{budget}\"}} ");
    page.lines()
        .find_map(|line| line.strip_prefix(&sample))
        .unwrap_or_else(|| panic!("{sample}: {page}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_consumed_and_told_everywhere() {
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let (folder, api) = (tempfile::tempdir().unwrap(), free());
    let file = write(&folder, "gramtrace.yaml", &config(backend, &api, "1mg"));
    let service = Service::start(&file);
    let (grpc_address, metrics) = (service.address("\"grpc\""), service.address("metrics page"));
    let body = || capture("otel-openai-v2/002-traces-grpc.pb").into();
    assert!(is_delivered(&grpc(grpc_address).send(Signal::Traces, body(), None).await));
    let said = service.line("of its limit (threshold 50 %)");
    assert!(said.contains("budget=\"one\""), "{said}");

    let (_, page) = get(metrics, "/metrics").await;
    let counted: f64 = page
        .lines()
        .filter(|line| line.starts_with("gramtrace_co2e_grams_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    for budget in ["everything", "one"] {
        let consumed = gauge(&page, "gramtrace_budget_consumed_grams", budget);
        assert!((consumed / counted - 1.0).abs() < 1e-12, "{budget}: {consumed} and {counted}");
    }
    assert_eq!(gauge(&page, "gramtrace_budget_limit_grams", "one"), 0.001);
    assert_eq!(gauge(&page, "gramtrace_budget_limit_joules", "nobody"), 3_600_000.0);
    assert_eq!(gauge(&page, "gramtrace_budget_consumed_joules", "nobody"), 0.0);

    let (status, answer) = get(api.parse().unwrap(), "/api/v1/budgets").await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let budgets = answer["budgets"].as_array().unwrap();
    let names: Vec<_> = budgets.iter().map(|budget| budget["name"].as_str().unwrap()).collect();
    assert_eq!((status, names), (200, vec!["everything", "nobody", "one"]));
    assert_eq!(budgets[2]["left"], 0.0);
    assert_eq!((&budgets[2]["period"], &budgets[1]["unit"]), (&"day in UTC".into(), &"Wh".into()));
    assert!(budgets[0]["models"][0]["name"].as_str().unwrap().starts_with("openai/"));

    let file_name = file.to_str().unwrap();
    let table = process::run(&["budgets", "--config", file_name]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().count() == 4 && table.contains("5 gCO2e"), "{table}");
    let csv = process::run(&["budgets", "--config", file_name, "--format", "csv"]);
    let csv = String::from_utf8(csv.stdout).unwrap();
    let head = "name,unit,period,limit,consumed,left,percent,forecast,burn_14.4_long,burn_14.4_short,burn_6_long,burn_6_short,\
                burn_3_long,burn_3_short,burn_1_long,burn_1_short,model,model_amount,service,service_amount";
    assert_eq!((csv.lines().next(), csv.lines().count()), (Some(head), 4), "{csv}");
    let one: Vec<&str> = csv.lines().find(|line| line.starts_with("one,")).unwrap().split(',').collect();
    assert_eq!((one.len(), one[16], one[18]), (20, "openai/gpt-4o", "shop-assistant"), "{csv}");
    let [consumed, by_service]: [f64; 2] = [4, 19].map(|column| one[column].parse().unwrap());
    assert!((by_service / consumed - 1.0).abs() < 1e-12, "all of it by one service: {csv}");
    assert!(table.lines().any(|line| line.contains("one ") && line.contains(" over ")), "{table}");

    // A sender's repeat moves nothing, and a changed limit keeps what was consumed.
    assert!(is_delivered(&grpc(grpc_address).send(Signal::Traces, body(), None).await));
    std::fs::write(&file, config(backend, &api, "1kg")).unwrap();
    service.signal("HUP");
    service.line("configuration reloaded");
    let (_, page) = get(metrics, "/metrics").await;
    assert!((gauge(&page, "gramtrace_budget_consumed_grams", "one") / counted - 1.0).abs() < 1e-12);
    assert_eq!(gauge(&page, "gramtrace_budget_limit_grams", "one"), 1000.0);
    backend::closed_books(metrics, &[("otlp_grpc", &[&received])]).await;
    assert_eq!(service.terminate().await.0, Some(0));
}

#[test]
fn nobody_to_ask_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", &config("127.0.0.1:1".parse().unwrap(), &free(), "1kg"));
    let output = process::run(&["budgets", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("no answer from 127.0.0.1:")
            && said
                .trim_end()
                .ends_with("; start the service (`gramtrace run`), or name its configuration with `--config`"),
        "{said}"
    );
}

#[test]
fn the_rules_of_the_example_are_those_beside_it() {
    let output = process::run(&["budgets", "rules", "--config", "deploy/prometheus/budgets.yaml"]);
    let rules = String::from_utf8(output.stdout).unwrap();
    assert_eq!(rules, std::fs::read_to_string("deploy/prometheus/budgets.rules.yml").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", &config("127.0.0.1:1".parse().unwrap(), &free(), "1kg"));
    let output = process::run(&["budgets", "rules", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && said.contains("nobody: metrics have no label for `team.name`"),
        "{said}"
    );
}

/// Whether something of `list` has all of `labels`.
fn has_labels(list: &Value, labels: &Value) -> bool {
    let has = |of: &Value| labels.as_object().is_none_or(|it| it.iter().all(|(key, value)| of.get(key) == Some(value)));
    list.as_array().is_some_and(|list| list.iter().any(|alert| has(&alert["exp_labels"])))
}

/// promtool says whether the tests hold; this, whether they are of every rule.
#[test]
fn every_rule_of_prometheus_has_unit_tests_also_of_when_it_does_not_fire() {
    for name in ["rules", "budgets"] {
        let read = |file: String| -> Value {
            serde_yaml::from_str(&std::fs::read_to_string(format!("deploy/prometheus/{file}")).unwrap()).unwrap()
        };
        let rules = if name == "rules" { read("rules.yml".to_owned()) } else { read(format!("{name}.rules.yml")) };
        let tests = read(format!("{name}.test.yml"));
        let all = |key: &str| -> Vec<&Value> {
            let tests = tests["tests"].as_array().unwrap().iter();
            tests.filter_map(|test| test[key].as_array()).flatten().collect()
        };
        let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        for rule in rules {
            let labels = &rule["labels"];
            if let Some(record) = rule["record"].as_str() {
                let labels = labels.as_object().into_iter().flatten();
                let wanted: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
                let is_of = |test: &&Value| {
                    let expr = test["expr"].as_str().unwrap();
                    expr.contains(record) && wanted.iter().all(|label| expr.contains(label))
                };
                assert!(all("promql_expr_test").iter().any(is_of), "no test of {record} {wanted:?}");
                continue;
            }
            let tests: Vec<_> =
                all("alert_rule_test").into_iter().filter(|test| test["alertname"] == rule["alert"]).collect();
            assert!(
                tests.iter().any(|test| has_labels(&test["exp_alerts"], labels)),
                "no test in which it fires: {rule}"
            );
            assert!(
                tests.iter().any(|test| !has_labels(&test["exp_alerts"], labels)),
                "nor one in which it does not: {rule}"
            );
        }
    }
}
