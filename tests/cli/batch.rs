//! `estimate --batch`: a table in, the same table with its answers out, whatever stands in its rows.

use crate::{gramtrace, gramtrace_with, rows};

#[test]
fn every_row_comes_back_in_its_order_with_its_answer_or_why_there_is_none() {
    let table = "id,provider,model,input_tokens,output_tokens,zone\n\
                 a,openai,gpt-4o,1000,500,\n\
                 b,openai,gpt-4o,1000,-500,\n\
                 c,openai,gpt-4o-mni,1000,500,\n\
                 d,openai,gpt-4o,1000,500,Atlantis\n\
                 e,openai,gpt-4o,,,\n\
                 f,openai,,1,1,\n\
                 g,openai,gpt-4o,1\n\
                 h,openai,\"gpt-4o\",1000,500.0,\n\
                 i,openai,gpt-6.1-terra,1,1,\n";
    let ran = gramtrace_with(&["estimate", "--batch", "-"], table);
    assert_eq!(ran.code, 0);
    let rows = rows(&ran.output);
    let column = |column: &str| rows.iter().map(|row| row[column].as_str()).collect::<Vec<_>>();
    assert_eq!(column("id"), ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    assert_eq!(
        column("status"),
        ["ok", "error", "unknown_model", "error", "no_tokens", "no_model", "error", "ok", "unknown_model"]
    );
    for (row, says) in rows.iter().zip([
        "",
        "`output_tokens`: -500 tokens are fewer than none",
        "did you mean `openai/gpt-4o-mini`",
        "there is no zone `Atlantis`",
        "write `input_tokens` or `output_tokens`",
        "no model",
        "4 fields under 6 columns",
        "",
        "known by name alone",
    ]) {
        assert!(row["error"].contains(says) && row["error"].is_empty() == says.is_empty(), "{row:?}");
        assert_eq!(row["co2e_g"].is_empty(), !says.is_empty(), "{row:?}");
    }
    assert_eq!(rows[0]["co2e_g"], rows[7]["co2e_g"]);
    // Known by name, so that the reader sees what was understood.
    assert_eq!(rows[8]["registry_model"], "openai/gpt-6.1-terra");
    assert_eq!(ran.notes, "9 rows, 7 of them without an estimate: see `error`\n");
}

#[test]
fn a_row_says_what_one_call_says() {
    let table = "provider,model,input_tokens,output_tokens,cache_read_tokens,duration_s,region\n\
                 aws.bedrock,eu.anthropic.claude-sonnet-4-5-20250929-v1:0,1000,500,100,1.5,eu-west-1\n";
    let of_batch = rows(&gramtrace_with(&["estimate", "--batch", "-"], table).output);
    let of_call = rows(
        &gramtrace(&[
            "estimate",
            "--provider",
            "aws.bedrock",
            "--model",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "--input",
            "1000",
            "--output",
            "500",
            "--cache-read",
            "100",
            "--duration",
            "1.5",
            "--region",
            "eu-west-1",
            "--format",
            "csv",
        ])
        .output,
    );
    assert_eq!(of_batch, of_call);
    assert_eq!((of_batch[0]["grid_zone"].as_str(), of_batch[0]["grid_basis"].as_str()), ("IE", "span_region"));
}

#[test]
fn the_package_that_a_method_is_of_says_the_same() {
    // Outputs of EcoLogits 0.11.3, run for this project; its errors among them.
    let golden = rows(include_str!("../golden/data/ecologits.csv"));
    let mut table = "provider,model,output_tokens,duration_s,zone\n".to_owned();
    for row in &golden {
        let duration = if row["request_latency_s"] == "inf" { "" } else { &row["request_latency_s"] };
        let cells = [&row["provider"], &row["model"], &row["output_tokens"], duration, &row["zone_arg"]];
        table.push_str(&format!("{}\n", cells.join(",")));
    }
    let ran = gramtrace_with(&["estimate", "--batch", "-", "--method", "ecologits/0.11.3"], &table);
    let answered = rows(&ran.output);
    assert_eq!((answered.len(), golden.len()), (128, 128), "{}", ran.notes);
    for (row, expected) in answered.iter().zip(&golden) {
        if !expected["errors"].is_empty() {
            assert!(row["error"].starts_with(expected["errors"].as_str()), "{row:?}");
            continue;
        }
        assert_eq!(row["status"], "ok", "{row:?}");
        for (column, golden, scale) in
            [("energy_low_wh", "energy_kwh_min", 1000.0), ("co2e_high_g", "gwp_usage_kg_max", 1000.0)]
        {
            let reference = expected[golden].parse::<f64>().unwrap() * scale;
            let number: f64 = row[column].parse().unwrap();
            assert!((number - reference).abs() <= 1e-9 * reference, "{column}: {number} instead of {reference}");
        }
    }
}

#[test]
fn what_is_no_table_of_calls_is_refused_before_anything_is_written() {
    for (input, says) in [
        ("", "the input is empty"),
        ("model\ngpt-4o\n", "`input_tokens` or `output_tokens`"),
        ("modle,input_tokens\ngpt-4o,1\n", "column `modle`; did you mean `model`?"),
        ("model,input_token\ngpt-4o,1\n", "column `input_token`; did you mean `input_tokens`?"),
        ("Model,input_tokens\ngpt-4o,1\n", "column `Model`; did you mean `model`?"),
        ("model,model,input_tokens\na,b,1\n", "column `model` stands twice"),
        ("model,input_tokens,co2e_g\na,1,2\n", "column `co2e_g` is one of the answer's"),
        ("\u{0}\u{1}\u{2}PK,\n", "no text in UTF-8"),
        ("name,tokens\na,1\n", "it has `name`, `tokens`"),
    ] {
        let ran = gramtrace_with(&["estimate", "--batch", "-"], input);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{input:?}");
        assert!(ran.notes.contains(says), "{input:?}: {}", ran.notes);
    }
    let ran = gramtrace(&["estimate", "--batch", "no/such/file.csv"]);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
    assert!(ran.notes.contains("no/such/file.csv: cannot be opened"), "{}", ran.notes);
}

#[test]
fn a_table_of_json_is_a_list() {
    let ran = gramtrace_with(&["estimate", "--batch", "-", "--format", "json"], "model,output_tokens\ngpt-4o,1\nx,1\n");
    let list: Vec<serde_json::Value> = serde_json::from_str(&ran.output).expect("JSON");
    assert_eq!((list.len(), &list[0]["status"], &list[1]["status"]), (2, &"ok".into(), &"unknown_model".into()));
}

#[test]
fn quotes_that_nothing_closes_are_a_rows_error() {
    for (input, answered) in
        [("model,input_tokens\ngpt-4o,1\ngpt-4o,\"1\n", 1), ("model,input_tokens\n\"gpt-4o,1\nx,2\n", 0)]
    {
        let ran = gramtrace_with(&["estimate", "--batch", "-"], input);
        let rows = rows(&ran.output);
        let last = rows.last().unwrap();
        assert_eq!((ran.code, rows.len()), (0, answered + 1), "{}", ran.notes);
        assert_eq!(last["status"], "error", "{last:?}");
        assert!(last["error"].contains("close its quotes"), "{last:?}");
    }
}
