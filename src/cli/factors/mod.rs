//! `gramtrace factors ..`: the registry at the command line.
//! A file a question.

mod resolve;

use super::console::{CommandError, Console};
use super::{FactorsArgs, FactorsCommand};
use crate::config::Environment;

/// Answers what is asked of the registry.
///
/// # Errors
/// [`CommandError`].
pub fn factors(
    args: &FactorsArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    match &args.command {
        FactorsCommand::Resolve(args) => resolve::resolve(args, environment, console),
    }
}
