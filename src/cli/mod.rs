//! The command line: which commands there are and what each takes. A file a command holds what it does; none
//! prints or exits: they write where they are told to and hand back what happened.

mod allocator;
mod args;
mod arithmetic;
mod batch;
mod budgets;
mod captured;
mod check;
mod compare;
mod console;
mod demo;
mod equivalents;
mod estimate;
mod explain;
mod factors;
mod grid;
mod health;
mod loaded;
mod print_config;
mod question;
mod row;
mod run;
mod sheet;
mod shell;
mod suggest;
mod validate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use allocator::{ALLOCATOR, give_back_large_pieces};
pub use args::{
    CallArgs, CompareArgs, CompletionsArgs, EstimateArgs, ExplainArgs, FactorsArgs, FactorsCheckArgs, FactorsCommand,
    Format, ImportArgs, ListArgs, RegistryArgs, ResolveArgs, ShowArgs,
};
pub use budgets::{BudgetsArgs, BudgetsCommand, BudgetsError, BudgetsFormat, budgets};
pub use check::{CheckArgs, CheckError, CheckFormat, Count, check};
pub use compare::compare;
pub use console::{CommandError, Console};
pub use demo::{DemoError, demo};
pub use estimate::estimate;
pub use explain::explain;
pub use factors::factors;
pub use health::{HealthError, health};
pub use print_config::{PrintConfigError, print_config};
pub use run::{RunError, run};
pub use shell::{completions, man};
pub use validate::validate;

/// OTLP in, OTLP out: adds the energy and CO2e of every GenAI model call to its span.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(
    name = "gramtrace",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 it did not work, or is not so; 2 the question is wrong: arguments, names or files \
                  that cannot be used; 3 `check` cannot tell. The service ends with 128 and the signal's number where a second one ends it at once."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Run the service: OTLP in, OTLP out
    ///
    /// Without --config it listens on the standard ports and writes receipts on the console, or sends to
    /// OTEL_EXPORTER_OTLP_ENDPOINT where that is set.
    Run(RunArgs),
    /// Show the main job with nothing else installed: captured traffic through the real service
    Demo(DemoArgs),
    /// Say what a model call took and caused, with the arithmetic; or a table of calls, row by row
    ///
    /// With --batch it reads CSV with the columns provider, model, input_tokens, output_tokens, cache_read_tokens,
    /// cache_write_tokens, reasoning_tokens, duration_s, zone, region and time, as many as there are, and writes the rows
    /// with their answers. A row that has none says why in `error`. Ends with 2 where a question cannot be answered.
    Estimate(EstimateArgs),
    /// Put the same tokens under every method side by side, or over --models, or over --zones
    Compare(CompareArgs),
    /// Explain the receipts of a captured export of traces, down to the arithmetic
    Explain(ExplainArgs),
    /// Ask the registry: which models, which numbers, which names
    Factors(FactorsArgs),
    /// Check a configuration: end with 0, or print what is wrong and end with 1; warnings are printed either way
    Validate(ValidateArgs),
    /// Ask a running service whether it takes requests: print nothing and end with 0, or say why not and end with 1
    ///
    /// Asks the health page of the configuration that it runs with. For containers, where nothing else can.
    Health(HealthArgs),
    /// Show how the budgets of a running service stand, or write rules for Prometheus
    Budgets(BudgetsArgs),
    /// Check that the model calls of captured exports stay within a budget: ends with 0 within, 1 over, 3 where it cannot tell
    Check(CheckArgs),
    /// Print the effective configuration, with defaults filled in and secrets left out
    PrintConfig(PrintConfigArgs),
    /// Write the completions for a shell: source them, or put them where it looks
    Completions(CompletionsArgs),
    /// Write the manual page, in roff: `gramtrace man | man -l -`
    Man,
}

/// What `run` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct RunArgs {
    /// The configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `demo` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct DemoArgs {
    /// Keep running afterwards, until Ctrl-C or SIGTERM
    #[arg(long)]
    pub keep: bool,
    /// Write the requests that arrived at the backend to this folder, a file each, in protobuf
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
}

/// What `validate` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ValidateArgs {
    /// The configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// What `health` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct HealthArgs {
    /// The configuration file (YAML) of the service; without it, what `run` uses without a file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `print-config` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct PrintConfigArgs {
    /// The configuration file (YAML); without it, what `run` uses without a file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
