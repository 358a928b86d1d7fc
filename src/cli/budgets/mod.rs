//! `budgets`: how the budgets of a running service stand, and the rules by which Prometheus watches them over many replicas.
//! Asks the lookup API as anyone would; knows nothing of the service itself.

mod rules;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::arithmetic::Emphasis;
use super::console::told;
use super::{grid, health};
use crate::budget::BURNS;
use crate::config::{Config, ConfigErrors, Environment, ExtensionConfig, ListenAddress};
use crate::units::{Amount, GramsCo2e, WattHours};

/// What `budgets` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct BudgetsArgs {
    /// Something else about budgets
    #[command(subcommand)]
    pub command: Option<BudgetsCommand>,
    /// The configuration file (YAML) of the service; without it, what `run` uses without a file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: BudgetsFormat,
}

/// What else there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum BudgetsCommand {
    /// Write recording and alert rules for Prometheus from the same configuration
    Rules,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BudgetsFormat {
    /// A table for people.
    #[default]
    Table,
    /// What the API says.
    Json,
    /// A line a budget.
    Csv,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BudgetsError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// There is nobody to ask.
    #[error(
        "the configuration has no lookup API; add `extensions: {{gramtrace_api: }}` and list it in `service.extensions`"
    )]
    NoApi,
    /// There is somebody, and only the service's log knows where.
    #[error("the lookup API's port is picked at start; write one other than 0")]
    PickedPort,
    /// Nobody answers, or nobody who is this service.
    #[error("no answer from {0}: {1}; start the service (`gramtrace run`), or name its configuration with `--config`")]
    Silent(String, String),
    /// Rules cannot say what the configuration says.
    #[error("{0}")]
    Rules(String),
    /// Nobody takes the answer.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Writes how budgets stand, or the rules.
///
/// # Errors
/// [`BudgetsError`] where there is no answer.
pub fn budgets(args: &BudgetsArgs, environment: Environment<'_>, output: &mut impl Write) -> Result<(), BudgetsError> {
    let config = Config::load_or_default(args.config.as_deref(), environment)?;
    if args.command == Some(BudgetsCommand::Rules) {
        return Ok(told(output, &rules::of(&config).map_err(BudgetsError::Rules)?)?);
    }
    let address = api(&config).ok_or(BudgetsError::NoApi)?;
    if address.port == 0 {
        return Err(BudgetsError::PickedPort);
    }
    let silent = |why: String| BudgetsError::Silent(address.to_string(), why);
    let body = health::get(address, "/api/v1/budgets").map_err(|error| silent(error.to_string()))?;
    let answer: Value = serde_json::from_str(&body).map_err(|error| silent(error.to_string()))?;
    let budgets =
        answer.get("budgets").and_then(Value::as_array).ok_or_else(|| silent("it has no budgets".to_owned()))?;
    let text = match args.format {
        BudgetsFormat::Json => format!("{answer:#}\n"),
        BudgetsFormat::Csv => csv(budgets)?,
        BudgetsFormat::Table => table(budgets),
    };
    Ok(told(output, &text)?)
}

/// Where the lookup API listens; `None` where it is not on.
fn api(config: &Config) -> Option<&ListenAddress> {
    config.service.extensions.iter().find_map(|id| match config.extensions.get(id)? {
        ExtensionConfig::Api(api) => Some(&api.endpoint),
        _ => None,
    })
}

const NUMBERS: [&str; 5] = ["limit", "consumed", "left", "percent", "forecast"];

fn text<'a>(budget: &'a Value, key: &str) -> &'a str {
    budget.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(budget: &Value, key: &str) -> f64 {
    budget.get(key).and_then(Value::as_f64).unwrap_or_default()
}

/// Limits and amounts in `unit`; then the burn rates over both windows of each pair, and who consumed most.
fn csv(budgets: &[Value]) -> Result<String, BudgetsError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let rates = BURNS.iter().flat_map(|burn| ["long", "short"].map(|window| format!("burn_{}_{window}", burn.factor)));
    let drivers = ["model", "model_amount", "service", "service_amount"];
    let head = ["name", "unit", "period"].into_iter().chain(NUMBERS).map(str::to_owned);
    let head: Vec<String> = head.chain(rates).chain(drivers.map(str::to_owned)).collect();
    table.write_record(&head).map_err(csv_error)?;
    for budget in budgets {
        let texts = ["name", "unit", "period"].map(|key| text(budget, key).to_owned());
        let numbers = NUMBERS.map(|key| number(budget, key).to_string());
        let rates =
            burns(budget).iter().flat_map(|pair| ["long_rate", "short_rate"].map(|key| number(pair, key).to_string()));
        let drivers = ["models", "services"].map(|key| budget.get(key).and_then(|top| top.get(0)));
        let drivers = drivers.into_iter().flat_map(|top| match top {
            Some(top) => [text(top, "name").to_owned(), number(top, "amount").to_string()],
            None => Default::default(),
        });
        let row: Vec<String> = texts.into_iter().chain(numbers).chain(rates).chain(drivers).collect();
        table.write_record(&row).map_err(csv_error)?;
    }
    let bytes = table.into_inner().map_err(|error| BudgetsError::Output(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Its pairs of windows.
fn burns(budget: &Value) -> &[Value] {
    budget.get("burn").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn csv_error(error: csv::Error) -> BudgetsError {
    BudgetsError::Output(error.into())
}

fn table(budgets: &[Value]) -> String {
    if budgets.is_empty() {
        return "no budgets; add some to `processors.gramtrace.budgets`\n".to_owned();
    }
    let head = ["budget", "period", "limit", "consumed", "", "left", "forecast", "burning", "most by"];
    let rows: Vec<Vec<String>> = budgets.iter().map(|budget| row(budget).into()).collect();
    grid::table(&head, &rows, &[0, 1, 8], Emphasis::None)
}

fn row(budget: &Value) -> [String; 9] {
    let amount = match text(budget, "unit") {
        "Wh" => Amount::Energy(WattHours::LEAST),
        _ => Amount::Co2e(GramsCo2e::LEAST),
    };
    let show = |key: &str| amount.show(number(budget, key));
    let over = number(budget, "consumed") - number(budget, "limit");
    let is_fast = |window: &&Value| {
        let factor = number(window, "factor");
        number(window, "long_rate") >= factor && number(window, "short_rate") >= factor
    };
    let fastest = burns(budget).iter().find(is_fast).map(|window| format!("{:.1}x", number(window, "long_rate")));
    let first = |key: &str| budget.get(key)?.get(0)?.get("name")?.as_str();
    let most: Vec<&str> = [first("models"), first("services")].into_iter().flatten().collect();
    [
        text(budget, "name").to_owned(),
        text(budget, "period").to_owned(),
        show("limit"),
        show("consumed"),
        format!("{:.1} %", number(budget, "percent")),
        if over > 0.0 { format!("{} over", amount.show(over)) } else { show("left") },
        show("forecast"),
        fastest.unwrap_or_else(|| "no".to_owned()),
        most.join(", "),
    ]
}
