//! Holds the tree to its own rules: who may import whom, how long a file may be, and what stands at its top.
//! Knows the sources as text alone; what a function may look like is clippy's business.

#![allow(clippy::panic, clippy::expect_used, reason = "a test ends by panicking, in its functions too")]

mod points;
mod source;
mod table;

use source::{Source, edges};
use table::{ALLOWED, Allowed};

/// No test, and one file on purpose, so that it can be carried to a machine with a GPU: it waits for meters.
const MEASURE: &str = "tests/measure/measure.py";
const MAX_FILE_LINES: usize = 600;
const MAX_MAIN_LINES: usize = 80;
const MIN_HEADER_LINES: usize = 2;

#[test]
fn every_import_is_in_the_table() {
    let mut broken = Vec::new();
    for file in Source::all_under("src", &["rs"]) {
        let module = file.module();
        let Some(row) = ALLOWED.iter().find(|row| row.module == module) else {
            broken.push(format!(
                "{}: module `{module}` is not in tests/architecture/table.rs: say what it may import",
                file.path
            ));
            continue;
        };
        for edge in edges(&file) {
            if edge.to != module && !row.permits(&edge.to) {
                broken.push(format!(
                    "{}:{}: `{module}` must not import `{}` ({})",
                    file.path,
                    edge.line,
                    edge.to,
                    row.explain()
                ));
            }
        }
    }
    assert_none("imports against the table", &broken);
}

#[test]
fn pure_modules_know_no_runtime_and_no_clock() {
    // Time is a value that is passed in: what reads a clock or needs a runtime cannot be tested with plain values.
    let forbidden =
        ["tokio", "tonic", "hyper", "axum", "opentelemetry_sdk", "tracing", "Instant::now", "SystemTime::now"];
    let mut broken = Vec::new();
    for file in Source::all_under("src", &["rs"]) {
        let module = file.module();
        if !ALLOWED.iter().any(|row| row.module == module && row.pure) {
            continue;
        }
        for (line, text) in file.code_without_tests() {
            for word in forbidden {
                if source::has_path(&text, word) {
                    broken.push(format!("{}:{line}: `{module}` is pure and must not name `{word}`", file.path));
                }
            }
        }
    }
    assert_none("impurities in the pure core", &broken);
}

#[test]
fn modules_that_stand_on_few_crates_stay_there() {
    let dependencies = source::dependencies();
    let mut broken = Vec::new();
    for file in Source::all_under("src", &["rs"]) {
        let module = file.module();
        let Some(crates) = ALLOWED.iter().find(|row| row.module == module).and_then(|row| row.crates) else { continue };
        for (line, text) in file.code_without_tests() {
            for name in &dependencies {
                if source::has_path(&text, &format!("{name}::")) && !crates.contains(&name.as_str()) {
                    broken.push(format!(
                        "{}:{line}: `{module}` must not use the crate `{name}` (only {crates:?})",
                        file.path
                    ));
                }
            }
        }
    }
    assert_none("crates against the table", &broken);
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = |file: &Source| {
        let (lines, max) =
            (file.text.lines().count(), if file.path == "src/main.rs" { MAX_MAIN_LINES } else { MAX_FILE_LINES });
        (lines > max).then(|| format!("{}: {lines} lines, at most {max}: split it by noun", file.path))
    };
    let broken: Vec<_> = ["src", "tests"]
        .iter()
        .flat_map(|dir| Source::all_under(dir, &["rs", "py", "mjs"]))
        .filter(|file| file.path != MEASURE)
        .filter_map(|file| long(&file))
        .collect();
    assert_none("files that are too long", &broken);
}

#[test]
fn every_source_file_says_at_its_top_what_it_holds() {
    let broken: Vec<_> = Source::all_under("src", &["rs"])
        .iter()
        .filter(|file| file.text.lines().take_while(|line| line.starts_with("//!")).count() < MIN_HEADER_LINES)
        .map(|file| {
            format!(
                "{}: opens with fewer than {MIN_HEADER_LINES} `//!` lines: what it holds, what it must not know",
                file.path
            )
        })
        .collect();
    assert_none("files without a header", &broken);
}

#[test]
fn no_test_sleeps() {
    let needle = concat!("sleep", "(");
    let mut broken = Vec::new();
    let mut look = |path: &str, line: usize, text: &str| {
        if text.contains(needle) {
            broken.push(format!("{path}:{line}: sleeps: wait for the event itself, or pause tokio's time"));
        }
    };
    for file in Source::all_under("tests", &["rs", "py", "mjs"]).iter().filter(|file| file.path != MEASURE) {
        file.text.lines().enumerate().for_each(|(index, text)| look(&file.path, index + 1, text));
    }
    for file in Source::all_under("src", &["rs"]) {
        file.tests_only().iter().for_each(|(line, text)| look(&file.path, *line, text));
    }
    assert_none("sleeping tests", &broken);
}

#[test]
fn the_table_names_only_modules_that_it_lists() {
    for row in ALLOWED {
        if let Allowed::Only(modules) = row.imports {
            for module in modules {
                assert!(ALLOWED.iter().any(|row| row.module == *module), "{} -> {module}: no such row", row.module);
            }
        }
    }
}

fn assert_none(what: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{} {what}:\n  {}\n", broken.len(), broken.join("\n  "));
}
