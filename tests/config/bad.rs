//! Every file in `bad/` stands beside the exact text that `validate` prints about it.

use std::fs;

use gramtrace::config::Config;

use crate::{files, variables};

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
