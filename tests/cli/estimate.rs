//! `estimate`: one call, for people and for machines, and questions that have no answer.

use crate::{gramtrace, rows};

/// The columns of the contract.
const COLUMNS: &str = "energy_wh,energy_low_wh,energy_high_wh,co2e_g,co2e_low_g,co2e_high_g,embodied_co2e_g,\
embodied_co2e_low_g,embodied_co2e_high_g,adpe_gsbeq,adpe_low_gsbeq,adpe_high_gsbeq,pe_mj,pe_low_mj,pe_high_mj,water_ml,\
water_low_ml,water_high_ml,registry_model,match,factor,method,tier,grid_zone,grid_g_per_kwh,grid_basis,status,error";

fn number(row: &std::collections::HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().expect("a number")
}

#[test]
fn a_call_is_a_row_in_the_contracts_columns() {
    let ran = gramtrace(&[
        "estimate",
        "--provider",
        "openai",
        "--model",
        "gpt-4o-2024-11-20",
        "--input",
        "1000",
        "--output",
        "500",
        "--zone",
        "SE",
        "--format",
        "csv",
    ]);
    assert_eq!((ran.code, ran.notes.as_str()), (0, ""));
    let head = ran.output.lines().next().unwrap();
    assert_eq!(head, format!("provider,model,input_tokens,output_tokens,zone,{COLUMNS}"));
    let row = &rows(&ran.output)[0];
    assert_eq!((row["registry_model"].as_str(), row["match"].as_str()), ("openai/gpt-4o", "dated-snapshot"));
    assert_eq!((row["grid_zone"].as_str(), row["grid_basis"].as_str()), ("SE", "configured"));
    assert_eq!((row["status"].as_str(), row["error"].as_str()), ("ok", ""));
    let co2e = number(row, "energy_wh") / 1000.0 * number(row, "grid_g_per_kwh");
    assert!((number(row, "co2e_g") / co2e - 1.0).abs() < 1e-12);
    assert!(number(row, "co2e_low_g") < co2e && co2e < number(row, "co2e_high_g"));
    // No such figure under this method.
    assert_eq!(row["adpe_gsbeq"], "");
}

#[test]
fn json_is_one_object_with_null_for_what_is_not_known() {
    let ran = gramtrace(&[
        "estimate",
        "--model",
        "gpt-4o",
        "--input",
        "16",
        "--output",
        "134",
        "--method",
        "tracker/0.0.7",
        "--format",
        "json",
    ]);
    let answer: serde_json::Value = serde_json::from_str(&ran.output).expect("JSON and nothing else");
    // 16 x 0.00339 + 134 x 0.00339.
    assert_eq!(answer["co2e_g"], serde_json::json!(16.0 * 0.00339 + 134.0 * 0.00339));
    assert_eq!(answer["energy_wh"], serde_json::Value::Null);
    assert_eq!(answer["tier"], "E");
}

#[test]
fn so_many_calls_are_so_many_times_one() {
    let of = |calls: &str| {
        let ran = gramtrace(&[
            "estimate", "--model", "gpt-4o", "--input", "0", "--output", "1319", "--calls", calls, "--format", "csv",
        ]);
        number(&rows(&ran.output)[0], "co2e_g")
    };
    assert!((of("590000000") / (of("1") * 590e6) - 1.0).abs() < 1e-12);
}

#[test]
fn people_get_the_arithmetic_within_a_hundred_columns() {
    for arguments in [
        &["--provider", "openai", "--model", "gpt-4o"][..],
        &["--provider", "mistralai", "--model", "mistral-large-latest", "--method", "ecologits/0.11.3"],
        &["--model", "gpt-4o", "--method", "tracker/0.0.7"],
        &["--provider", "ollama", "--model", "deepseek-r1:7b", "--region", "eu-west-1"],
        &["--model", "Qwen/Qwen3-14B", "--provider", "huggingface", "--cache-read", "500"],
    ] {
        let ran = gramtrace(&[&["estimate", "--input", "1000", "--output", "500"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.notes);
        assert!(ran.output.lines().all(|line| line.chars().count() <= 100), "{}", ran.output);
        assert!(!ran.output.contains('\u{1b}'), "no colours into a pipe");
        for part in ["CO2e", "how", "where the numbers are from", "https://"] {
            assert!(ran.output.contains(part), "{part}: {}", ran.output);
        }
    }
}

#[test]
fn what_is_read_from_the_arithmetic_is_the_figure() {
    let ran =
        gramtrace(&["estimate", "--provider", "openai", "--model", "gpt-4o", "--input", "1000", "--output", "500"]);
    let grid = ran.output.lines().find(|line| line.trim_start().starts_with("grid")).expect("the grid's step");
    assert!(grid.contains("g/kWh of US (provider:"), "{grid}");
}

#[test]
fn a_question_without_an_answer_says_what_to_write_and_ends_with_2() {
    let call = ["--input", "1", "--output", "1"];
    for (arguments, says) in [
        (&["--model", "gpt-4o-mni"][..], "did you mean `openai/gpt-4o-mini`"),
        (&["--model", "gpt-4o", "--zone", "SE-SE33"], "did you mean `SE-SE3`"),
        (&["--model", "gpt-4o", "--zone", "Atlantis"], "write a code of Electricity Maps"),
        (&["--model", "gpt-4o", "--region", "eu-wst-1"], "did you mean `eu-west-1`"),
        (&["--model", "gpt-4o", "--method", "ecologits/0.11"], "did you mean `ecologits/0.11.3`"),
        (&["--model", "gpt-4o", "--method", "ecologits/0.11.3"], "this method has the providers"),
        (
            &["--model", "gpt-4o", "--provider", "openai", "--method", "ecologits/0.11.3", "--zone", "SE"],
            "three letters",
        ),
        (&["--model", "gpt-4o", "--time", "yesterday"], "is no time"),
        (&["--model", "gpt-4o", "--cache-read", "2"], "cached tokens are more than"),
        (&["--model", "openai/gpt-6.1-terra"], "known by name alone"),
        (&["--provider", "openai"], "no model"),
    ] {
        let ran = gramtrace(&[&["estimate"], arguments, &call].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.notes.contains(says), "{arguments:?}: {}", ran.notes);
    }
    for (arguments, says) in [
        (&["--input", "-1"][..], "fewer than none"),
        (&["--input", "1e99"], "no count of tokens"),
        (&["--input", "99999999999999999"], "more than any call has"),
        (&["--output", "1", "--duration", "-3"], "are no seconds"),
    ] {
        let ran = gramtrace(&[&["estimate", "--model", "gpt-4o"], arguments].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.notes.contains(says), "{arguments:?}: {}", ran.notes);
    }
}

#[test]
fn ecologits_without_a_provider_says_that_it_needs_one_and_which_there_are() {
    let ran = gramtrace(&["estimate", "--method", "ecologits/0.11.3", "--model", "gpt-4o", "--output", "5"]);
    assert_eq!(
        (ran.code, ran.output.as_str(), ran.notes.as_str()),
        (
            2,
            "",
            "no provider for `gpt-4o`; write `provider`: this method has the providers anthropic, cohere, google_genai, \
             huggingface_hub, mistralai, openai\n"
        )
    );
}
