//! `gramtrace completions` and `gramtrace man`: what shells and manuals know of the command line.
//! Made from the arguments themselves, so that they never differ.

use clap::CommandFactory;

use super::console::{CommandError, Console};
use super::{Cli, CompletionsArgs};

/// Writes the completions for a shell.
///
/// # Errors
/// Only where the output fails.
pub fn completions(args: &CompletionsArgs, console: &mut Console<'_>) -> Result<(), CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gramtrace", &mut text);
    console.output.write_all(&text)?;
    Ok(console.output.flush()?)
}

/// Writes the manual page, every command with its arguments.
///
/// # Errors
/// Only where the output fails.
pub fn man(console: &mut Console<'_>) -> Result<(), CommandError> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(command.clone()).render(&mut text)?;
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            clap_mangen::Man::new(command.clone()).render(&mut text)?;
        }
    }
    console.output.write_all(&text)?;
    Ok(console.output.flush()?)
}
