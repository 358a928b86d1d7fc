//! The `gramtrace` command: reads the arguments, runs one command, says what went wrong, and exits. The only place
//! that prints and exits.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use gramtrace::cli::{
    Cli, Command, CommandError, Console, budgets, check, compare, completions, demo, estimate, explain, factors,
    give_back_large_pieces, health, man, print_config, run, validate,
};
use gramtrace::config::ConfigError;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = |name: &str| std::env::var(name).ok();
    let failed = |error: &dyn std::fmt::Display| (error.to_string(), ExitCode::FAILURE);
    let mut output = io::stdout();
    let result = match &cli.command {
        // The service writes to standard output from other threads.
        Command::Run(args) => {
            give_back_large_pieces();
            run(args, &environment).map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Demo(args) => demo(args, &mut output.lock()).map_err(|error| failed(&error)),
        Command::Validate(args) => validate(args, &environment).map(warned).map_err(|error| failed(&error)),
        Command::Health(args) => health(args, &environment).map_err(|error| failed(&error)),
        Command::Budgets(args) => budgets(args, &environment, &mut output).map_err(|error| failed(&error)),
        Command::Check(args) => check(args, &environment, (&mut io::stdin().lock(), &mut output))
            .map_err(|error| (error.to_string(), error.exit_code())),
        Command::PrintConfig(args) => print_config(args, &environment, &mut output).map_err(|error| failed(&error)),
        Command::Estimate(args) => with_console(|console| estimate(args, &environment, console)),
        Command::Compare(args) => with_console(|console| compare(args, &environment, console)),
        Command::Explain(args) => with_console(|console| explain(args, &environment, console)),
        Command::Completions(args) => with_console(|console| completions(args, console)),
        Command::Man => with_console(man),
        Command::Factors(args) => with_console(|console| factors(args, &environment, console)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, code)) => {
            // Nobody is left to tell if standard error is closed.
            let _ = if message.is_empty() { Ok(()) } else { writeln!(io::stderr(), "{message}") };
            code
        }
    }
}

/// Tells what is no error.
fn warned(warnings: Vec<ConfigError>) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
}

/// Runs a command on the standard streams.
fn with_console(command: impl FnOnce(&mut Console<'_>) -> Result<(), CommandError>) -> Result<(), (String, ExitCode)> {
    let is_terminal = io::stdout().is_terminal();
    let wants_none = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
    let (mut input, mut output, mut notes) = (io::stdin().lock(), io::stdout().lock(), io::stderr().lock());
    let is_watched = !is_terminal && io::stderr().is_terminal();
    let mut console = Console {
        input: &mut input,
        output: &mut output,
        notes: &mut notes,
        is_styled: is_terminal && !wants_none,
        is_watched,
    };
    command(&mut console)
        .map_err(|error| (if error.is_silent() { String::new() } else { error.to_string() }, error.exit_code()))
}
