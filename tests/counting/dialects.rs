//! Spans of dialects as their instrumentations write them, with what COUNTING's rules make of each, worked out by hand
//! before the program was asked; through the program itself, request by request.

use std::collections::HashMap;
use std::process::Command;

type Row = HashMap<String, String>;

fn rows(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().expect("a table")
}

/// Eighteen captures of 82 spans: the old names of OpenAI's instrumentor, OpenInference, Vercel's AI SDK, LangSmith and
/// Langfuse, a LiteLLM proxy and its client in every order, Traceloop, Pydantic AI, Semantic Kernel, Google's ADK with a
/// twin in every order, Bedrock and its agents, Claude Code, MLflow, values of the wrong kind, and retries.
#[test]
fn what_each_dialect_says_is_read_as_was_worked_out_by_hand() {
    let ran = Command::new(env!("CARGO_BIN_EXE_gramtrace"))
        .args(["explain", "tests/counting/dialects.jsonl", "--format", "csv"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let explained = rows(&String::from_utf8(ran.stdout).expect("text"));
    let of_span: HashMap<&str, &Row> = explained.iter().map(|row| (row["span_id"].as_str(), row)).collect();
    let expected = rows(include_str!("dialects.csv"));
    assert_eq!(expected.len(), 82);
    for row in &expected {
        let found = of_span.get(row["span_id"].as_str());
        // A span that is of no call has no row.
        let status = found.map_or("", |found| found["status"].as_str());
        assert_eq!(status, row["status"], "{row:?}");
        let Some(found) = found.filter(|_| !row["input_tokens"].is_empty()) else { continue };
        let tokens = |row: &Row| (row["input_tokens"].clone(), row["output_tokens"].clone());
        assert_eq!(tokens(found), tokens(row), "{row:?}");
    }
}
