//! The commands that ask the registry, as a user runs them: what they write, where, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking

mod batch;
mod compare;
mod estimate;
mod explain;
mod factors;
mod readme;
mod refused;
mod resolve;
mod terminal;

use std::io::Write;
use std::process::{Command, Stdio};

/// What a run of the program left.
struct Ran {
    code: i32,
    output: String,
    notes: String,
}

/// Runs the program in the repository's root.
fn gramtrace(arguments: &[&str]) -> Ran {
    gramtrace_with(arguments, "")
}

/// Runs the program with something on standard input.
fn gramtrace_with(arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gramtrace"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("its input");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that refuses its input does not read all of it.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("its end");
    writer.join().expect("the writer");
    Ran {
        code: output.status.code().expect("an exit code"),
        output: String::from_utf8(output.stdout).expect("text"),
        notes: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The rows of a CSV, as column to cell.
fn rows(text: &str) -> Vec<std::collections::HashMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().expect("a table")
}
