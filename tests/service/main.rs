//! The program as its users run it: the real binary, real sockets, real captured exports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public

mod backend;
#[path = "../support/books.rs"]
mod books;
mod budgets;
mod check;
mod commands;
mod demo;
mod drain;
mod gate;
mod health;
mod hop;
mod lookup;
mod own_telemetry;
mod page;
mod process;
mod registry;
mod reload;
#[path = "../support/sender.rs"]
mod sender;
mod summaries;

use std::path::{Path, PathBuf};

/// A metrics page on any port, as one of `service::telemetry::metrics::readers`.
const PULL: &str = "{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}";

/// A captured body.
fn capture(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(file)).unwrap()
}

/// A file of this test's own, in a folder that goes with it.
fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}
