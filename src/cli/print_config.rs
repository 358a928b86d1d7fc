//! `gramtrace print-config`: the configuration as it takes effect, in a form that loads again.
//! Secrets stand as `[REDACTED]`.

use std::io;

use super::PrintConfigArgs;
use super::console::told;
use crate::config::{Config, ConfigErrors, Environment};

/// Why there is nothing printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrintConfigError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// It cannot be written as YAML.
    #[error("the configuration cannot be written as YAML: {0}")]
    Yaml(String),
    /// The output does not take it.
    #[error("cannot write to the output: {0}")]
    Output(io::ErrorKind),
}

/// Writes what `run` would run, with defaults filled in, to `output`.
///
/// # Errors
/// [`PrintConfigError`], before anything has been written unless the output fails.
pub fn print_config(
    args: &PrintConfigArgs,
    environment: Environment<'_>,
    output: &mut impl io::Write,
) -> Result<(), PrintConfigError> {
    let config = Config::load_or_default(args.config.as_deref(), environment)?;
    let yaml = config.to_yaml().map_err(|error| PrintConfigError::Yaml(error.to_string()))?;
    told(output, &yaml).map_err(|error| PrintConfigError::Output(error.kind()))
}
