//! Whatever the bytes, loading ends soon, with a configuration or with errors, and never in a panic.

use std::fmt::Write;

use gramtrace::config::{Config, ConfigErrors};
use proptest::prelude::*;

use crate::{complaints, load, variables};

/// As large as a file may be.
const MAX_LEN: usize = 1 << 20;

fn parse(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    let set = [("A", "[a, {b: c}]"), ("B", "1"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://backend:4318")];
    Config::parse("gramtrace.yaml", bytes, &variables(&set))
}

/// Pieces of YAML and of configurations, to be strung together.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "? ",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "#",
        "&a ",
        "*a",
        "!",
        "!!str ",
        "|",
        ">",
        "%YAML 1.2\n",
        "---\n",
        "...\n",
        "\"",
        "'",
        "\\",
        ",",
        "<<: ",
        "\u{feff}",
        "\u{0}",
        "\u{85}",
        "${env:A}",
        "${env:B}",
        "${",
        "$$",
        "~",
        "é",
        "receivers:",
        "otlp:",
        "protocols:",
        "grpc:",
        "endpoint:",
        "localhost:1",
        "exporters:",
        "debug:",
        "otlp_http:",
        "headers:",
        "service:",
        "pipelines:",
        "traces:",
        "[otlp]",
        "[debug]",
    ])
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_configuration_or_in_errors(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_string_of_yaml_ends_in_a_configuration_or_in_errors(pieces in prop::collection::vec(piece(), 0..60)) {
        let _ = parse(pieces.concat().as_bytes());
    }

    #[test]
    fn a_good_file_with_a_piece_out_of_place_ends_in_one_too(at in 0_usize..4000, cut in 0_usize..40, new in piece()) {
        let mut text: Vec<char> = include_str!("../../config/gramtrace.yaml").chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, new.chars());
        if let Ok(config) = parse(String::from_iter(text).as_bytes()) {
            let printed = config.to_yaml().unwrap();
            prop_assert!(load(&printed, &[]).is_ok(), "{printed}");
        }
    }
}

#[test]
fn what_is_nested_deeply_is_refused() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
        let text = format!("{}{}", open.repeat(100), close.repeat(100));
        let complaints = complaints(&text, &[]);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].ends_with("nested deeper than 64 levels"), "{complaints:?}");
        assert!(parse(open.repeat(MAX_LEN / open.len()).as_bytes()).is_err());
    }
}

#[test]
fn aliases_do_not_explode() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{previous}]").unwrap();
    }
    let complaints = complaints(&text, &[]);
    assert!(complaints[0].ends_with("too large, aliases expanded; write less"), "{complaints:?}");
}

#[test]
fn variables_do_not_explode() {
    let large = "x".repeat(1 << 20);
    let text = format!("receivers:\n{}", "  - ${env:LARGE}${env:LARGE}\n".repeat(1000));
    let complaints = complaints(&text, &[("LARGE", &large)]);
    assert!(complaints.iter().any(|it| it.ends_with("too large once `LARGE` is inserted; write less")));
}

#[test]
fn a_megabyte_of_mistakes_gives_a_hundred_errors() {
    let mut text = "receivers:\n".to_owned();
    for index in 0..60_000 {
        writeln!(text, "  k{index}:").unwrap();
    }
    assert_eq!(complaints(&text, &[]).len(), 100);
    assert_eq!(complaints(&"k:\n".repeat(100_000), &[]).len(), 100);
}
