//! The command line, and what `validate` and `print-config` do with it.

use std::fs;

use clap::{CommandFactory, Parser};
use gramtrace::cli::{
    self, Cli, Command, DemoArgs, HealthArgs, PrintConfigArgs, PrintConfigError, RunArgs, ValidateArgs,
};
use gramtrace::config::Config;

use crate::variables;

fn parsed(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
}

#[test]
fn the_commands_take_what_the_manual_says() {
    Cli::command().debug_assert();
    assert_eq!(parsed("gramtrace run").unwrap(), Command::Run(RunArgs { config: None }));
    let run = Command::Run(RunArgs { config: Some("a.yaml".into()) });
    assert_eq!(parsed("gramtrace run --config a.yaml").unwrap(), run);
    assert_eq!(parsed("gramtrace run --config=a.yaml").unwrap(), run);
    let demo = Command::Demo(DemoArgs { keep: true, save: Some("out".into()) });
    assert_eq!(parsed("gramtrace demo --keep --save out").unwrap(), demo);
    let validate = Command::Validate(ValidateArgs { config: "a.yaml".into() });
    assert_eq!(parsed("gramtrace validate --config a.yaml").unwrap(), validate);
    let health = Command::Health(HealthArgs { config: Some("a.yaml".into()) });
    assert_eq!(parsed("gramtrace health --config a.yaml").unwrap(), health);
    let print = Command::PrintConfig(PrintConfigArgs { config: None });
    assert_eq!(parsed("gramtrace print-config").unwrap(), print);
}

#[test]
fn wrong_use_ends_with_2() {
    for line in ["gramtrace", "gramtrace validate", "gramtrace run --confg a", "gramtrace walk"] {
        assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn validate_is_silent_about_a_good_file_and_names_a_bad_one_as_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gramtrace.yaml");
    fs::write(&config, include_str!("../../config/minimal.yaml")).unwrap();
    assert_eq!(cli::validate(&ValidateArgs { config: config.clone() }, &variables(&[])), Ok(vec![]));

    fs::write(&config, "receivers:\n  otlp:\n").unwrap();
    let errors = cli::validate(&ValidateArgs { config: config.clone() }, &variables(&[])).unwrap_err();
    assert!(errors.to_string().starts_with(&format!("{}:2: receivers::otlp: ", config.display())), "{errors}");
}

#[test]
fn validate_tells_what_a_run_would_warn_of() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gramtrace.yaml");
    let unused = "extensions: {gramtrace_budgets: {directory: kept}}\n";
    fs::write(&config, include_str!("../../config/minimal.yaml").to_owned() + unused).unwrap();
    let warnings = cli::validate(&ValidateArgs { config: config.clone() }, &variables(&[])).unwrap();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning
            .to_string()
            .ends_with("extensions::gramtrace_budgets: is not used; list it below `service`, or remove it"),
        "{warning}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.yaml");
    let errors = Config::load(&missing, &variables(&[])).unwrap_err().to_string();
    assert!(errors.starts_with(&format!("{}: cannot be opened: ", missing.display())), "{errors}");
    let errors = Config::load(folder.path(), &variables(&[])).unwrap_err().to_string();
    assert!(errors.starts_with(&format!("{}: cannot be read: ", folder.path().display())), "{errors}");

    let large = folder.path().join("large.yaml");
    fs::write(&large, "#".repeat((1 << 20) + 1)).unwrap();
    let errors = Config::load(&large, &variables(&[])).unwrap_err().to_string();
    assert_eq!(errors, format!("{}: larger than 1 MiB; write less", large.display()));
}

#[test]
fn print_config_writes_what_takes_effect() {
    let mut out = Vec::new();
    cli::print_config(&PrintConfigArgs { config: None }, &variables(&[]), &mut out).unwrap();
    let expected = Config::default_run(&variables(&[])).unwrap().to_yaml().unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn print_config_reports_a_bad_configuration_and_an_output_that_is_full() {
    let mut out = Vec::new();
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere")];
    let error = cli::print_config(&PrintConfigArgs { config: None }, &variables(&set), &mut out).unwrap_err();
    assert!(matches!(error, PrintConfigError::Config(_)), "{error}");
    assert_eq!(out, b"");

    let mut full: &mut [u8] = &mut [0; 10];
    let error = cli::print_config(&PrintConfigArgs { config: None }, &variables(&[]), &mut full).unwrap_err();
    assert_eq!(error, PrintConfigError::Output(std::io::ErrorKind::WriteZero));
}
