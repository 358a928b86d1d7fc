//! `gramtrace validate`: whether a configuration can be run, and what `run` would warn of.
//! Reads the file, those that it names, and the environment that it is given; starts nothing.

use super::ValidateArgs;
use crate::app;
use crate::config::{Config, ConfigError, ConfigErrors, Environment};

/// Reads the configuration as `run` would. Gives what it would warn of.
///
/// # Errors
/// Everything that is wrong with it, a line for each.
pub fn validate(args: &ValidateArgs, environment: Environment<'_>) -> Result<Vec<ConfigError>, ConfigErrors> {
    let config = Config::load(&args.config, environment)?;
    app::check(&config)?;
    Ok(config.warnings)
}
