//! `gramtrace validate`: whether a configuration can be run. Says nothing where it can.
//! Reads the file, those that it names, and the environment that it is given; starts nothing.

use super::ValidateArgs;
use crate::app;
use crate::config::{Config, ConfigErrors, Environment};

/// Reads the configuration as `run` would.
///
/// # Errors
/// Everything that is wrong with it, a line for each.
pub fn validate(args: &ValidateArgs, environment: Environment<'_>) -> Result<(), ConfigErrors> {
    let config = Config::load(&args.config, environment)?;
    app::check(&config)
}
