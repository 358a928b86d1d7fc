//! `compare`: one question asked in several ways.

use crate::{gramtrace, rows};

#[test]
fn the_same_tokens_are_put_under_every_method() {
    let ran = gramtrace(&[
        "compare",
        "--provider",
        "openai",
        "--model",
        "gpt-4o",
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
    let rows = rows(&ran.output);
    let column = |column: &str| rows.iter().map(|row| row[column].as_str()).collect::<Vec<_>>();
    assert_eq!(column("method"), ["gramtrace/2026.1", "ecologits/0.11.3", "tracker/0.0.7"]);
    assert_eq!(column("status"), ["ok"; 3]);
    // Each tells the zone as its method does; a factor with a grid baked in has none.
    assert_eq!(column("grid_zone"), ["SE", "SWE", ""]);
    // 1500 x 0.00339.
    assert_eq!(column("co2e_g")[2].parse(), Ok(1000.0 * 0.00339 + 500.0 * 0.00339));
}

#[test]
fn a_model_that_nobody_has_stops_no_other() {
    let ran = gramtrace(&["compare", "--models", "gpt-4o,nobodys,gpt-4o-mini", "--output", "500", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    let answers: Vec<serde_json::Value> = serde_json::from_str(&ran.output).expect("JSON");
    let of = |key: &str| answers.iter().map(|answer| answer[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["ok", "unknown_model", "ok"]);
    assert_eq!(of("model"), ["gpt-4o", "nobodys", "gpt-4o-mini"]);
    let ran = gramtrace(&["compare", "--models", "nobodys", "--output", "500"]);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
}

#[test]
fn zones_of_the_seed_stand_side_by_side_with_what_the_co2e_is_like() {
    let ran = gramtrace(&[
        "compare",
        "--model",
        "gpt-4o",
        "--output",
        "1319",
        "--calls",
        "590000000",
        "--zones",
        "NO,SE,FR,CH,FI,DK,BR,CA,BE,AT,ES,IE",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    assert!(ran.output.lines().all(|line| line.chars().count() <= 100), "{}", ran.output);
    let is_zone = |line: &&str| line.len() > 2 && line.as_bytes()[..2].iter().all(u8::is_ascii_uppercase);
    let zones = ran.output.lines().filter(is_zone).count();
    assert_eq!(zones, 12, "{}", ran.output);
    assert!(ran.output.contains("km by a new car in the EU") && ran.output.contains("https://www.eea.europa.eu"));
}

#[test]
fn energy_is_the_same_in_every_zone_and_co2e_as_its_grid() {
    let ran = gramtrace(&["compare", "--model", "gpt-4o", "--output", "500", "--zones", "NO,PL", "--format", "csv"]);
    let rows = rows(&ran.output);
    let number = |row: usize, column: &str| rows[row][column].parse::<f64>().unwrap();
    assert_eq!(rows[0]["energy_wh"], rows[1]["energy_wh"]);
    let ratio = number(0, "grid_g_per_kwh") / number(1, "grid_g_per_kwh");
    assert!((number(0, "co2e_g") / number(1, "co2e_g") / ratio - 1.0).abs() < 1e-12);
}

#[test]
fn without_a_question_there_is_no_comparison() {
    for (arguments, says) in [
        (&["--output", "1"][..], "no model"),
        (&["--model", "gpt-4o"], "no tokens"),
        (&["--model", "gpt-4o", "--output", "1", "--zones", "Atlantis"], "there is no zone `Atlantis`"),
    ] {
        let ran = gramtrace(&[&["compare"], arguments].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.notes.contains(says), "{arguments:?}: {}", ran.notes);
    }
}

#[test]
fn of_no_tokens_nothing_is_compared() {
    for tokens in [&["--output", "0"][..], &["--input", "0"], &["--input", "0", "--output", "0"]] {
        let ran = gramtrace(&[&["compare", "--model", "gpt-4o"], tokens].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{tokens:?}");
        assert!(ran.notes.contains("nothing to compare; write those of a call"), "{}", ran.notes);
    }
    // A prompt that nothing answers is one.
    assert_eq!(gramtrace(&["compare", "--model", "gpt-4o", "--input", "5", "--output", "0"]).code, 0);
}

#[test]
fn a_list_without_a_name_is_told_so() {
    for (over, model) in [("--models", None), ("--zones", Some("gpt-4o"))] {
        for list in ["", ",", " , "] {
            let model = model.map(|model| vec!["--model", model]).unwrap_or_default();
            let ran = gramtrace(&[&["compare", over, list, "--output", "5"], &model[..]].concat());
            assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{over} {list:?}");
            assert!(ran.notes.starts_with(&format!("no name in `{over}`")), "{over} {list:?}: {}", ran.notes);
        }
    }
}
