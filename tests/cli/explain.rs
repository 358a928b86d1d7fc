//! `explain`: captured exports of traces, as the service would decide about them.

use crate::{gramtrace, gramtrace_with, rows};

const CAPTURE: &str = "tests/corpus/botocore-bedrock/001-traces-grpc.pb";

#[test]
fn a_capture_is_explained_down_to_the_arithmetic() {
    let ran = gramtrace(&["explain", CAPTURE]);
    assert_eq!((ran.code, ran.notes.as_str()), (0, ""));
    for part in [
        "3 spans, 2 of them of the GenAI kind",
        "anthropic/claude-sonnet-4-5: 571 input (64 read from a cache), 91 output tokens",
        "platform-id",
        "span_region: the cloud region",
        "there is no factor for `amazon.nova-lite-v1:0`",
    ] {
        assert!(ran.output.contains(part), "{part}: {}", ran.output);
    }
    assert!(ran.output.lines().all(|line| line.chars().count() <= 100), "{}", ran.output);
}

#[test]
fn machines_get_a_row_a_span() {
    let ran = gramtrace(&["explain", CAPTURE, "--format", "csv"]);
    let rows = rows(&ran.output);
    let of = |column: &str| rows.iter().map(|row| row[column].as_str()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["ok", "unknown_model"]);
    assert_eq!(of("input_tokens")[0], "571");
    assert_eq!(of("grid_basis")[0], "span_region");
}

#[test]
fn the_trackers_log_has_the_calls_that_count_by_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emissions.json");
    let ran = gramtrace(&["explain", CAPTURE, "--tracker-log", path.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    let log: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let calls: Vec<_> = log.as_object().unwrap().iter().collect();
    let (time, call) = calls[0];
    assert_eq!((calls.len(), time.as_str()), (1, "2026-11-23 20:18:36.235825"));
    assert_eq!(call["model"], "eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!((&call["prompt_tokens"], &call["completion_tokens"]), (&571.into(), &91.into()));
    assert!(call["co2e_in_g"].as_f64().unwrap() > 0.0);
}

#[test]
fn json_is_explained_like_protobuf_and_what_is_no_export_is_refused() {
    let span = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"chat gpt-4o","startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[
        {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
        {"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
        {"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
        {"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}},
        {"key":"gen_ai.usage.output_tokens","value":{"intValue":"500"}}]}]}]}]}"#;
    let ran = gramtrace_with(&["explain", "-", "--format", "csv"], span);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    assert_eq!(rows(&ran.output)[0]["registry_model"], "openai/gpt-4o");
    for (input, says) in
        [("", "no span"), ("{}", "no span"), ("{\"resourceSpans\": 7}", "no OTLP in JSON"), ("hello", "write an")]
    {
        let ran = gramtrace_with(&["explain", "-"], input);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{input}");
        assert!(ran.notes.contains(says), "{input}: {}", ran.notes);
    }
    assert_eq!(gramtrace(&["explain", "no/such/file"]).code, 2);
}

#[test]
fn exports_of_other_signals_are_not_taken_for_traces_without_model_calls() {
    for file in [
        "tests/corpus/otel-openai-v2/003-metrics-grpc.pb",
        "tests/corpus/otel-openai-v2/001-logs-grpc.pb",
        "tests/corpus/vercel-ai7-json/002-metrics-httpjson.otlp-http.json",
    ] {
        for (arguments, code) in [(&["explain", file][..], 2), (&["check", file, "--budget", "1g"], 3)] {
            let ran = gramtrace(arguments);
            assert_eq!((ran.code, ran.output.as_str()), (code, ""), "{arguments:?}: {}", ran.notes);
            assert!(ran.notes.contains("no export of traces"), "{arguments:?}: {}", ran.notes);
            assert!(ran.notes.contains(file), "{arguments:?}: {}", ran.notes);
        }
    }
}

#[test]
fn spans_that_have_a_receipt_already_are_told_and_pass_no_check() {
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{{value}}}}}"#);
    let attributes = [
        attribute("gen_ai.operation.name", r#""stringValue":"chat""#),
        attribute("gen_ai.request.model", r#""stringValue":"gpt-4o""#),
        attribute("gen_ai.usage.output_tokens", r#""intValue":"5""#),
        attribute("gramtrace.status", r#""stringValue":"ok""#),
        attribute("gramtrace.co2e_g", r#""doubleValue":0.5"#),
    ];
    let ids = r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7""#;
    let span = format!(r#"{{{ids},"name":"chat","attributes":[{}]}}"#, attributes.join(","));
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let ran = gramtrace_with(&["explain", "-"], &request);
    assert!(ran.notes.contains("1 spans have a receipt already"), "{}", ran.notes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enriched.json");
    std::fs::write(&path, request).unwrap();
    // Half a gram is there, but made elsewhere: nothing is known of what it rests on.
    let ran = gramtrace(&["check", path.to_str().unwrap(), "--budget", "1kg"]);
    assert_eq!(ran.code, 3, "{}", ran.notes);
    assert!(ran.notes.contains("1 spans have a receipt already"), "{}", ran.notes);
}

#[test]
fn a_check_fits_the_page_and_of_what_is_not_known_says_nothing() {
    let ran = gramtrace(&["check", CAPTURE, "--budget", "5g"]);
    assert!(ran.output.lines().all(|line| line.chars().count() <= 100), "{}", ran.output);
    let unknown = ran.output.lines().find(|line| line.starts_with("unknown")).unwrap();
    assert_eq!(unknown.split_whitespace().filter(|cell| *cell == "–").count(), 3, "{unknown}");
}

#[test]
fn a_request_a_line_is_explained_as_it_is_checked_also_from_standard_input() {
    let line = |trace: &str, id: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"00000000000000aa","name":"chat","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},{{"key":"gen_ai.response.id","value":{{"stringValue":"{id}"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"10"}}}}]}}]}}]}}]}}"#
        )
    };
    let (one, other) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c");
    let lines = format!("{}\n\n{}\n{}\n", line(one, "a"), line(one, "a").replace("00aa", "00ab"), line(other, "a"));
    let explained = rows(&gramtrace_with(&["explain", "-", "--format", "csv"], &lines).output);
    let statuses: Vec<_> = explained.iter().map(|row| row["status"].as_str()).collect();
    // The second reports the call of the first, over requests.
    assert_eq!(statuses, ["ok", "duplicate", "ok"]);
    let checked = gramtrace_with(&["check", "-", "--budget", "5g", "--format", "csv"], &lines);
    assert_eq!((checked.code, rows(&checked.output)[0]["calls"].as_str()), (0, "2"), "{}", checked.notes);
    let broken = gramtrace_with(&["explain", "-"], &format!("{}\n{{\n", line(one, "a")));
    assert_eq!((broken.code, broken.output.as_str()), (2, ""));
    assert!(broken.notes.contains("line 2"), "{}", broken.notes);
}
