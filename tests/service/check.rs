//! `gramtrace check`: what a pipeline of continuous integration sees.

use super::{capture, process, write};

const CAPTURES: &str = "tests/corpus";

fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = process::run(&[&["check"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_exit_code_says_within_over_cannot_tell_and_wrong_use() {
    let file = format!("{CAPTURES}/otel-openai-v2/002-traces-grpc.pb");
    let (code, table, _) = check(&[&file, "--budget", "5gCO2e", "--ignore-unknown"]);
    assert!(code == Some(0) && table.ends_with("of 5 gCO2e\n"), "{code:?}: {table}");
    let (code, _, said) = check(&[&file, "--budget", "1mg"]);
    assert!(code == Some(1) && said.starts_with("over the budget: ") && said.contains(" of 1 mgCO2e"), "{said}");
    let (code, _, said) = check(&[&file, "--budget", "1ug"]);
    assert!(code == Some(2) && said.contains("write mg, g, kg or t"), "{said}");
    let missing = format!("{CAPTURES}/nothing.pb");
    let (code, _, said) = check(&[&missing, "--budget", "1g"]);
    assert!(code == Some(3) && said.contains("cannot tell") && said.contains(&missing), "{said}");
    let (code, _, said) = check(&["README.md", "--budget", "1g"]);
    assert!(code == Some(3) && said.contains("README.md"), "{said}");
}

#[test]
fn calls_without_a_value_cannot_be_told_unless_they_may_pass() {
    let folder = tempfile::tempdir().unwrap();
    let span = r#"{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202","name":"chat","attributes":[
        {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
        {"key":"gen_ai.request.model","value":{"stringValue":"nobody-knows-me"}},
        {"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}]}"#;
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let file = write(&folder, "calls.json", &request);
    let file = file.to_str().unwrap();
    let (code, _, said) = check(&[file, "--budget", "1g"]);
    assert!(code == Some(3) && said.contains("1 of 1 calls have no value"), "{said}");
    assert_eq!(check(&[file, "--budget", "1g", "--ignore-unknown"]).0, Some(0));
    let nothing = write(&folder, "nothing.json", r#"{"resourceSpans":[]}"#);
    let (code, _, said) = check(&[nothing.to_str().unwrap(), "--budget", "1g"]);
    assert!(code == Some(3) && said.contains("no model call"), "{said}");
}

#[test]
fn lines_of_json_are_requests_and_a_span_that_stands_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let request = String::from_utf8(capture("vercel-ai7-json/001-traces-httpjson.otlp-http.json")).unwrap();
    let request = request.replace('\n', " ");
    let lines = write(&folder, "calls.jsonl", &format!("{request}\n\n{request}\n"));
    let once =
        check(&[&format!("{CAPTURES}/vercel-ai7-json/001-traces-httpjson.pb"), "--budget", "1kg", "--format", "csv"]);
    let twice = check(&[lines.to_str().unwrap(), "--budget", "1kg", "--format", "csv"]);
    assert!(once.1.lines().count() > 1 && once.1.starts_with("model,calls,"), "{}", once.1);
    assert_eq!(twice.1, once.1);
    let broken = write(&folder, "broken.jsonl", &format!("{request}\n{{\"resourceSpans\": 1}}\n"));
    let (code, _, said) = check(&[broken.to_str().unwrap(), "--budget", "1kg"]);
    assert!(code == Some(3) && said.contains("line 2: "), "{said}");
}

#[test]
fn a_pull_request_gets_a_table_and_a_machine_an_object() {
    let file = format!("{CAPTURES}/litellm/");
    let file = std::fs::read_dir(file)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().contains("traces") && path.extension().is_some_and(|it| it == "pb"))
        .unwrap();
    let file = file.to_str().unwrap();
    let (_, table, _) = check(&[file, "--budget", "1t", "--ignore-unknown", "--format", "markdown"]);
    assert!(
        table.starts_with("Within the budget: ") && table.contains("\n| model | calls | tokens | CO2e |"),
        "{table}"
    );
    let (_, object, _) = check(&[file, "--budget", "1t", "--ignore-unknown", "--format", "json"]);
    let object: serde_json::Value = serde_json::from_str(&object).unwrap();
    assert_eq!((&object["status"], &object["budget_g"]), (&"within".into(), &1e6.into()));
    let of = |key: &str| {
        object["models"].as_object().unwrap().values().map(|model| model[key].as_f64().unwrap()).sum::<f64>()
    };
    for key in ["calls", "tokens", "co2e_g", "co2e_low_g", "co2e_high_g", "energy_wh"] {
        let total = object["total"][key].as_f64().unwrap();
        assert!((of(key) - total).abs() <= 1e-12 * total, "{key}");
    }
}

#[test]
fn the_number_that_counts_can_be_chosen() {
    let file = format!("{CAPTURES}/otel-openai-v2/002-traces-grpc.pb");
    let taken = |count: &str| {
        let (_, object, _) = check(&[&file, "--budget", "1t", "--count", count, "--format", "json"]);
        serde_json::from_str::<serde_json::Value>(&object).unwrap()["taken"].as_f64().unwrap()
    };
    assert!(taken("low") < taken("value") && taken("value") < taken("high"));
}
