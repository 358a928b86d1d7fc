//! `factors list`, `show`, `check` and `import`: the registry at the command line.

use std::path::PathBuf;

use crate::{gramtrace, rows};

const SCENARIOS: &str = "tests/golden/data/scenarios";

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_list_has_a_line_a_model() {
    let rows = rows(&gramtrace(&["factors", "list", "--format", "csv"]).output);
    let mut ids: Vec<&str> = rows.iter().map(|row| row["registry_model"].as_str()).collect();
    assert!(ids.len() > 900);
    ids.dedup();
    assert_eq!(ids.len(), rows.len());
    let of = |id: &str| rows.iter().find(|row| row["registry_model"] == id).expect("a line");
    assert_eq!(
        (of("openai/gpt-4o")["tier"].as_str(), of("openai/gpt-4o")["priced_by"].as_str()),
        ("D", "architecture")
    );
    assert_eq!((of("qwen/qwen3-14b")["tier"].as_str(), of("qwen/qwen3-14b")["priced_by"].as_str()), ("B", "energy"));
    assert_eq!((of("openai/gpt-6.1-terra")["tier"].as_str(), of("openai/gpt-6.1-terra")["source"].as_str()), ("", ""));
    let ran = gramtrace(&["factors", "list"]);
    assert!(ran.output.lines().all(|line| line.chars().count() <= 100));
    assert_eq!(gramtrace(&["factors", "list", "no such model"]).code, 2);
}

#[test]
fn an_entry_is_shown_with_its_numbers_their_sources_and_what_derives_from_them() {
    let ran = gramtrace(&["factors", "show", "qwen/qwen3-14b"]);
    assert_eq!(ran.code, 0);
    for part in
        ["tier B", "GPUs alone", "derived", "ML.ENERGY", "https://ml.energy", "measured in bfloat16", "qwen3-14b"]
    {
        assert!(ran.output.contains(part), "{part}: {}", ran.output);
    }
    // By any of its names, too.
    assert!(
        gramtrace(&["factors", "show", "claude-sonnet-4-5@20250929"]).output.starts_with("anthropic/claude-sonnet-4-5")
    );
    let ran = gramtrace(&["factors", "show", "openai/gpt-4p"]);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
    assert!(ran.notes.contains("did you mean"), "{}", ran.notes);
}

#[test]
fn a_good_file_passes_in_silence_and_a_bad_one_is_told_with_line_key_and_cure() {
    let ran = gramtrace(&["factors", "check"]);
    assert_eq!((ran.code, ran.output.as_str(), ran.notes.as_str()), (0, "", ""));
    let folder = tempfile::tempdir().unwrap();
    let bad = written(
        &folder,
        "bad.yaml",
        "models:\n  - id: acme/x\n    factor: {energy_wh_per_output_token: -1, boundary: it}\n    tier: A\n",
    );
    let ran = gramtrace(&["factors", "check", bad.to_str().unwrap()]);
    assert_eq!((ran.code, ran.output.as_str()), (1, ""));
    assert!(ran.notes.contains("bad.yaml:3") && ran.notes.contains("at least 0"), "{}", ran.notes);
    assert_eq!(gramtrace(&["factors", "check", "no/such.yaml"]).code, 2);
}

#[test]
fn the_trackers_factors_are_imported_and_give_its_grams() {
    let folder = tempfile::tempdir().unwrap();
    let ran = gramtrace(&["factors", "import", "config/factors/seed/emission_factors.json"]);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    let yaml = written(&folder, "tracker.yaml", &ran.output);
    let ran = gramtrace(&[
        "estimate",
        "--registry",
        yaml.to_str().unwrap(),
        "--model",
        "tracker/gpt-4",
        "--input",
        "1000",
        "--output",
        "500",
        "--format",
        "csv",
    ]);
    // golden_seed.csv: 1500 tokens of gpt-4 are 8.295 g.
    let grams: f64 = rows(&ran.output)[0]["co2e_g"].parse().unwrap();
    assert!((grams - 8.295).abs() < 1e-12, "{grams}");
}

#[test]
fn a_scenario_is_imported_with_what_it_links_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("{SCENARIOS}/{name}.json");
    let ran = gramtrace(&["factors", "import", &file("gpt-ruf-mortas-token"), &file("llama2-70b-token")]);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    let yaml = written(&folder, "scenario.yaml", &ran.output);
    assert_eq!(gramtrace(&["factors", "check", yaml.to_str().unwrap()]).code, 0);
    let ran = gramtrace(&[
        "estimate",
        "--registry",
        yaml.to_str().unwrap(),
        "--model",
        "scenario/gpt-ruf-mortas-token",
        "--input",
        "0",
        "--output",
        "150",
        "--format",
        "csv",
    ]);
    // What the tool itself computes for 150 tokens.
    let grams: f64 = rows(&ran.output)[0]["co2e_g"].parse().unwrap();
    assert!((grams / 0.36847946429411624 - 1.0).abs() < 1e-12, "{grams}");
}

#[test]
fn what_cannot_be_imported_is_refused_with_what_to_do() {
    let file = |name: &str| format!("{SCENARIOS}/{name}.json");
    let ran = gramtrace(&["factors", "import", &file("gpt-ruf-mortas-token")]);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
    assert!(ran.notes.contains("there is no scenario `llama2-70b-token`"), "{}", ran.notes);
    let linked = [file("gpt-ruf-mortas-2"), file("llama2-7b-token")];
    let mut arguments = vec!["factors".to_owned(), "import".to_owned(), file("gpt-ruf-mortas-1")];
    arguments.extend(linked);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = gramtrace(&arguments);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
    assert!(ran.notes.contains("--tokens 1319"), "{}", ran.notes);
    let ran = gramtrace(&[&arguments[..], &["--tokens", "1319"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.notes);
    for (other, says) in [
        (&format!("{SCENARIOS}/scenario_sources.json")[..], "neither factors of api_emissions_tracker nor a scenario"),
        ("tests/corpus/botocore-bedrock/001-traces-grpc.pb", "save the file as UTF-8"),
    ] {
        let ran = gramtrace(&["factors", "import", other]);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{other}");
        assert!(ran.notes.contains(says), "{other}: {}", ran.notes);
    }
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = gramtrace(&["completions", shell]);
        assert!(ran.code == 0 && ran.output.contains("estimate") && ran.output.contains("resolve"), "{shell}");
    }
    let ran = gramtrace(&["man"]);
    for command in ["gramtrace", "estimate", "compare", "explain", "factors"] {
        assert!(ran.output.contains(command), "{command}");
    }
    assert!(ran.output.starts_with(".ie") || ran.output.starts_with(".TH"), "{}", &ran.output[..40]);
    assert!(gramtrace(&["--help"]).output.contains("Exit codes: 0 done"));
}

#[test]
fn a_registry_or_a_configuration_that_cannot_be_used_is_a_wrong_question_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.yaml");
    std::fs::write(&path, "models:\n  - {id: acme/x, tier: Z}\n").unwrap();
    let path = path.to_str().unwrap();
    let call = ["--model", "gpt-4o", "--output", "1"];
    for arguments in [
        [&["estimate", "--registry", path], &call[..]].concat(),
        [&["compare", "--config", path], &call[..]].concat(),
        vec!["factors", "list", "--registry", path],
        vec!["factors", "show", "gpt-4o", "--registry", path],
    ] {
        let ran = gramtrace(&arguments);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.notes.contains(path), "{arguments:?}: {}", ran.notes);
    }
    assert_eq!(gramtrace(&["factors", "check", path]).code, 1);
}
