//! The `gramtrace` command: reads the arguments, runs one command, says what went wrong, and exits. The only place
//! that prints and exits.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use gramtrace::cli::{Cli, Command, demo, health, print_config, run, validate};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = |name: &str| std::env::var(name).ok();
    let mut output = io::stdout().lock();
    let failed = |error: &dyn std::fmt::Display| (error.to_string(), ExitCode::FAILURE);
    let result = match &cli.command {
        // The service writes to standard output from other threads.
        Command::Run(args) => {
            drop(output);
            run(args, &environment).map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Demo(args) => demo(args, &mut output).map_err(|error| failed(&error)),
        Command::Validate(args) => validate(args, &environment).map_err(|error| failed(&error)),
        Command::Health(args) => health(args, &environment).map_err(|error| failed(&error)),
        Command::PrintConfig(args) => print_config(args, &environment, &mut output).map_err(|error| failed(&error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, code)) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{message}");
            code
        }
    }
}
