//! The configuration as its users meet it: files that load and what they amount to, files that do not and every
//! word that is said about them. No test reads the environment of the process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking, in its functions too")]

mod arbitrary;
mod bad;
mod commands;
mod environment;
mod good;
mod printed;
mod reference;

use std::path::{Path, PathBuf};

use gramtrace::config::{Config, ConfigErrors};

/// Variables, for [`gramtrace::config::Environment`].
fn variables<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

/// Loads text as the file `gramtrace.yaml`.
fn load(text: &str, set: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::parse("gramtrace.yaml", text.as_bytes(), &variables(set))
}

/// What is said about text, without the name of the file.
fn complaints(text: &str, set: &[(&str, &str)]) -> Vec<String> {
    let errors = load(text, set).unwrap_err();
    errors.0.iter().map(|error| error.to_string().replace("gramtrace.yaml:", "")).collect()
}

/// The files of a folder below the package with one ending, in the order of their names.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}
