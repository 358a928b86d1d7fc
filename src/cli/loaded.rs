//! The registry that a command asks, and the method by which it answers.
//! Knows no question.

use std::path::Path;

use super::RegistryArgs;
use super::console::CommandError;
use crate::app::first_registry;
use crate::config::{Config, Environment};
use crate::document::DocumentErrors;
use crate::estimate::Method;
use crate::factors::{Registry, RegistryFile};

/// Loads what the arguments name: a configuration's registry with its deployments and sites, or the built-in one, and
/// further files over it.
///
/// # Errors
/// [`CommandError::Usage`] with everything that is wrong with the files: what is asked for is an answer by them, not
/// whether they can be used.
pub(super) fn registry(args: &RegistryArgs, environment: Environment<'_>) -> Result<Registry, CommandError> {
    if let Some(path) = &args.config {
        return Config::load(path, environment).and_then(|config| first_registry(&config)).map_err(unusable);
    }
    let mut files = RegistryFile::builtin();
    for path in &args.registry {
        files.push(read(path)?);
    }
    Registry::load(&files).map_err(unusable)
}

fn unusable(errors: DocumentErrors) -> CommandError {
    CommandError::Usage(errors.to_string())
}

/// Reads a file that is named on the command line.
pub(super) fn read(path: &Path) -> Result<RegistryFile, CommandError> {
    RegistryFile::read(path).map_err(|errors| CommandError::Usage(errors.to_string()))
}

/// The method with this id; the default one where none is asked for.
pub(super) fn method(id: Option<&str>) -> Result<Method, CommandError> {
    let Some(id) = id else { return Ok(Method::ALL[0]) };
    let ids = Method::ALL.map(Method::id);
    Method::from_id(id).ok_or_else(|| {
        let all = format!("write {}", ids.map(|id| format!("`{id}`")).join(", "));
        let shortened = super::question::shortened(id);
        CommandError::Usage(format!(
            "there is no method `{shortened}`{}",
            super::suggest::among(id, ids.into_iter(), &all)
        ))
    })
}
