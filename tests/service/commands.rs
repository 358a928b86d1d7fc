//! What commands print, where, and their exit codes.

use super::{process, write};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_good_configuration_validates_in_silence() {
    for config in ["config/gramtrace.yaml", "config/minimal.yaml"] {
        let output = process::run(&["validate", "--config", config]);
        assert_eq!(
            (output.status.code(), text(&output.stdout), text(&output.stderr)),
            (Some(0), String::new(), String::new())
        );
    }
}

#[test]
fn a_bad_configuration_is_told_on_standard_error_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&folder, "gramtrace.yaml", "receivers:\n  otlp:\n    protocols:\n      grcp:\n");
    let config = config.to_str().unwrap();
    for command in ["validate", "run"] {
        let output = process::run(&[command, "--config", config]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
        let expected = format!("{config}:4: receivers::otlp::protocols::grcp: unknown key; did you mean `grpc`?");
        assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    }
}

#[test]
fn what_is_printed_loads_again_and_prints_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first = process::run(&["print-config"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let config = write(&folder, "gramtrace.yaml", &text(&first.stdout));
    let second = process::run(&["print-config", "--config", config.to_str().unwrap()]);
    assert_eq!(text(&second.stdout), text(&first.stdout));
    assert!(text(&first.stdout).contains("localhost:4317"));
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    assert_eq!(process::run(&["estimat"]).status.code(), Some(2));
    assert_eq!(process::run(&["validate"]).status.code(), Some(2), "a file is needed");
}

#[test]
fn a_port_that_is_taken_stops_the_start_and_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\nexporters: {{debug: }}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}, telemetry: {{metrics: {{level: none}}}}}}\n"
    );
    let config = write(&folder, "gramtrace.yaml", &config);
    let output = process::run(&["run", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains(&format!("receivers::otlp::protocols::http: cannot listen on {address}")), "{message}");
}
