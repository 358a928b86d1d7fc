//! What the commands take that ask the registry.
//! Words of the command line alone.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::question;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// JSON, and nothing else on standard output
    Json,
    /// CSV, and nothing else on standard output
    Csv,
}

/// Which registry is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct RegistryArgs {
    /// Lay a registry file over the built-in ones; may be repeated
    #[arg(long, value_name = "FILE")]
    pub registry: Vec<PathBuf>,
    /// Take registry, deployments and sites from a configuration
    #[arg(long, value_name = "FILE", conflicts_with = "registry")]
    pub config: Option<PathBuf>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Default, Args)]
pub struct CallArgs {
    /// Who serves the model: openai, aws.bedrock, azure.ai.openai, ollama ..
    #[arg(long, value_name = "P")]
    pub provider: Option<String>,
    /// The model, by any of its names
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// Input tokens, cached ones included
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub input: Option<u64>,
    /// Output tokens, reasoning included
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub output: Option<u64>,
    /// Input tokens that were read from a cache
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub cache_read: Option<u64>,
    /// Input tokens that were written to a cache
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub cache_write: Option<u64>,
    /// Output tokens that were reasoning
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub reasoning: Option<u64>,
    /// How long the call took, in seconds
    #[arg(long, value_name = "S", value_parser = question::seconds, allow_hyphen_values = true)]
    pub duration: Option<f64>,
    /// The zone of the grid, by Electricity Maps or ISO 3166: SE-SE3, SE, SWE
    #[arg(long, value_name = "Z")]
    pub zone: Option<String>,
    /// The cloud region: eu-west-1, westeurope ..
    #[arg(long, value_name = "R")]
    pub region: Option<String>,
    /// When it ended, in UTC: 2026-11-01T13:00Z
    #[arg(long, value_name = "T")]
    pub time: Option<String>,
    /// So many equal calls
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = question::calls, allow_hyphen_values = true)]
    pub calls: u64,
}

/// What `estimate` takes.
#[derive(Debug, Clone, PartialEq, Default, Args)]
pub struct EstimateArgs {
    /// The call.
    #[command(flatten)]
    pub call: CallArgs,
    /// The method: gramtrace/2026.1, ecologits/0.11.3 or tracker/0.0.7
    #[arg(long, value_name = "ID")]
    pub method: Option<String>,
    /// A table of calls in CSV instead of one call; `-` for standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["provider", "model", "input", "output", "cache_read", "cache_write", "reasoning",
            "duration", "zone", "region", "time"]
    )]
    pub batch: Option<PathBuf>,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `compare` takes.
#[derive(Debug, Clone, PartialEq, Default, Args)]
pub struct CompareArgs {
    /// The call.
    #[command(flatten)]
    pub call: CallArgs,
    /// Over these models, by any of their names, with commas between them
    #[arg(long, value_name = "M,N", value_delimiter = ',', conflicts_with_all = ["model", "zones"])]
    pub models: Vec<String>,
    /// Over these zones, with commas between them
    #[arg(long, value_name = "Y,Z", value_delimiter = ',', conflicts_with = "zone")]
    pub zones: Vec<String>,
    /// The method for models and zones; without either, every method is asked
    #[arg(long, value_name = "ID")]
    pub method: Option<String>,
    /// How to write the answers
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `explain` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ExplainArgs {
    /// A captured export of traces: protobuf, JSON, or JSON with a request a line; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The method: gramtrace/2026.1, ecologits/0.11.3 or tracker/0.0.7
    #[arg(long, value_name = "ID")]
    pub method: Option<String>,
    /// Also write the calls in the shape of the tracker's `emissions.json` to this file
    #[arg(long, value_name = "FILE")]
    pub tracker_log: Option<PathBuf>,
    /// How to write the receipts
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `completions` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// What `factors` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct FactorsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FactorsCommand,
}

/// What can be asked of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum FactorsCommand {
    /// List the models that are known, with the quality of their factors
    List(ListArgs),
    /// Print a model's entry: its numbers with their sources, what derives from them, and its names
    Show(ShowArgs),
    /// Check a registry file laid over the built-in ones: print nothing and end with 0, or what is wrong and end with 1
    Check(FactorsCheckArgs),
    /// Turn a scenario of the carbon footprint modeling tool, or factors of api_emissions_tracker, into a registry file
    ///
    /// Writes YAML on standard output. A scenario of something else than a token needs --tokens; scenarios that it links
    /// to are named after it.
    Import(ImportArgs),
    /// Say which model each name means, and how it was found
    ///
    /// With --batch it reads CSV with the columns provider and model, and says at the end how many of the names are known
    /// and how many have a factor, by tier and by way of matching.
    Resolve(ResolveArgs),
}

/// What `factors resolve` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ResolveArgs {
    /// The name, as it stands on a span or in a bill
    #[arg(value_name = "NAME", required_unless_present = "batch")]
    pub model: Option<String>,
    /// Who serves it
    #[arg(long, value_name = "P")]
    pub provider: Option<String>,
    /// A table of names in CSV; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "provider"])]
    pub batch: Option<PathBuf>,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `factors list` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ListArgs {
    /// Only ids that have this in them
    #[arg(value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only models with a factor
    #[arg(long)]
    pub with_factor: bool,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `factors show` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ShowArgs {
    /// A registry id, or any name of a model
    #[arg(value_name = "ID")]
    pub id: String,
    /// How to write the entry
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// What `factors check` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct FactorsCheckArgs {
    /// The registry files, each laid over those before it; without any, the built-in ones are checked
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What `factors import` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ImportArgs {
    /// The file to import, in JSON
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Files that it refers to: scenarios that it links to
    #[arg(value_name = "LINKED")]
    pub linked: Vec<PathBuf>,
    /// How many tokens one unit of the scenario is
    #[arg(long, value_name = "N", value_parser = question::tokens, allow_hyphen_values = true)]
    pub tokens: Option<u64>,
}
