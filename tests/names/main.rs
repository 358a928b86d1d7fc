//! What names of models mean: those that were decided beforehand, and the whole list of those that LiteLLM knows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking

mod expected;
mod list;

use std::collections::HashMap;

use gramtrace::factors::{Match, Registry};

/// A row of a table: column to field.
type Row = HashMap<String, String>;

fn rows(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("a table")
}

fn registry() -> Registry {
    Registry::builtin().expect("the built-in registry")
}

/// The registry id and the kind of match.
fn resolved<'r>(registry: &'r Registry, name: &str, provider: &str) -> Option<(&'r str, Match)> {
    let resolution = registry.resolve(name, Some(provider), None)?;
    Some((registry.model(resolution.model)?.id(), resolution.matched))
}
