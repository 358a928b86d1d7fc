//! `gramtrace factors ..`: the registry at the command line.
//! A file a question.

mod check;
mod import;
mod list;
mod resolve;
mod show;

use super::console::{CommandError, Console};
use super::{FactorsArgs, FactorsCommand};
use crate::config::Environment;
use crate::factors::Factor;

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
        FactorsCommand::List(args) => list::list(args, environment, console),
        FactorsCommand::Show(args) => show::show(args, environment, console),
        FactorsCommand::Check(args) => check::check(args),
        FactorsCommand::Import(args) => import::import(args, console),
        FactorsCommand::Resolve(args) => resolve::resolve(args, environment, console),
    }
}

/// What a model's calls are priced by, in a word.
const fn priced_by(factor: &Factor) -> &'static str {
    match factor {
        Factor::Architecture => "architecture",
        Factor::Energy(_) => "energy",
        Factor::Co2e(_) => "grams",
    }
}
