//! Registry files as users write them: bad ones are refused in exact words, good ones lie over what is built in, and the
//! same files make the same numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking

mod bad;
mod layers;
mod models;
mod places;

use gramtrace::factors::{Registry, RegistryErrors, RegistryFile};

/// The built-in registry with a file over it.
fn with(name: &str, bytes: impl Into<Vec<u8>>) -> Result<Registry, RegistryErrors> {
    let mut files = RegistryFile::builtin();
    files.push(RegistryFile::new(name, bytes.into()));
    Registry::load(&files)
}

/// The built-in registry with a good file over it.
fn over(name: &str, text: &str) -> Registry {
    with(name, text).unwrap_or_else(|errors| panic!("{errors}"))
}
