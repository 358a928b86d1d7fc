//! Every file in `bad/` stands beside the exact text that `validate` prints about it.

use std::fs;

use gramtrace::config::Config;

use crate::{files, load, variables};

/// What the files refer to.
const SET: &[(&str, &str)] = &[("PORT", "4317"), ("SECRET", "s3cr3t\u{7}"), ("WORDS", "a lot")];

#[test]
fn every_bad_file_is_refused_in_exactly_the_words_beside_it() {
    for path in files("tests/config/bad", "yaml") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let errors = Config::parse(name, &fs::read(&path).unwrap(), &variables(SET)).unwrap_err();
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        assert_eq!(format!("{errors}\n"), expected, "{name}");
    }
}

#[test]
fn every_expectation_has_its_file() {
    for path in files("tests/config/bad", "txt") {
        assert!(path.with_extension("yaml").exists(), "{}", path.display());
    }
}

#[test]
fn every_error_names_the_file_and_what_to_do_and_no_secret() {
    for path in files("tests/config/bad", "txt") {
        let name = path.with_extension("yaml").file_name().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            assert!(line.starts_with(&format!("{name}:")), "{line}");
            // YAML's own syntax has no single cure.
            let cures = ["write ", "remove ", "did you mean ", "save ", "set ", "list ", "not YAML: "];
            assert!(cures.iter().any(|cure| line.contains(cure)), "no cure: {line}");
            assert!(!line.contains("s3cr3t"), "{line}");
        }
    }
}

#[test]
fn o_53_an_exporter_to_a_listener_of_this_process_is_refused() {
    let told = |endpoint: &str| {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '0.0.0.0:4317'}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: '{endpoint}', tls: {{insecure: true}}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc]}}}}}}"
        );
        load(&text, &[]).map(|_| ()).map_err(|errors| errors.to_string())
    };
    for own in ["localhost:4317", "127.0.0.1:4317", "[::1]:4317", "http://LOCALHOST:4317"] {
        let error = told(own).unwrap_err();
        assert!(error.contains("exporters::otlp_grpc::endpoint: "), "{error}");
        assert!(error.contains("is this process's own receivers::otlp::protocols::grpc::endpoint"), "{error}");
    }
    assert_eq!(told("localhost:4319"), Ok(()));
    assert_eq!(told("backend:4317"), Ok(()));
}
