//! `check`: whether the model calls of captured exports stay within a budget, for continuous integration. Knows files and
//! tables; what a call took is what the service would have written on its span.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;
use clap::{Args, ValueEnum};

use super::arithmetic::Emphasis;
use super::console::{open, told};
use super::{captured, grid};
use crate::app;
use crate::config::{Config, ConfigErrors, Environment};
use crate::enrich::{Books, Emission, Enricher};
use crate::trace::{Range, figures};
use crate::units::{Amount, J_PER_WH, Sum};

/// What `check` takes.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CheckArgs {
    /// Captured OTLP trace exports: protobuf, JSON, or JSON with a request a line; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The most that all calls together may take: `5gCO2e`, `1.5kg`, `200Wh`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub budget: Amount,
    /// Which number of the range counts
    #[arg(long, value_enum, default_value_t)]
    pub count: Count,
    /// Let calls pass that have no value: they count as nothing
    #[arg(long)]
    pub ignore_unknown: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// The configuration file (YAML) with registry, method and sites; without it, the built-in ones
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A number of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Count {
    /// The least that it may be.
    Low,
    /// The estimate.
    #[default]
    Value,
    /// The most that it may be.
    High,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// A table for people.
    #[default]
    Table,
    /// A table for a pull request.
    Markdown,
    /// An object.
    Json,
    /// A line a model.
    Csv,
}

/// Why a check is not passed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// More than the budget.
    #[error("over the budget: {taken} of {budget}")]
    Over {
        /// What was taken.
        taken: String,
        /// What was to be taken at most.
        budget: String,
    },
    /// Calls have no value, or there are none.
    #[error("cannot tell: {0}")]
    CannotTell(String),
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// Nobody takes the answer.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl CheckError {
    /// 1 where the budget is exceeded, 3 where that cannot be told.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Over { .. } => ExitCode::from(1),
            Self::CannotTell(_) | Self::Config(_) | Self::Output(_) => ExitCode::from(3),
        }
    }
}

/// The calls of one model.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    calls: f64,
    without_value: f64,
    without_energy: bool,
    /// Whether any call has a value; where none has, it is not known, and not nothing.
    has_value: bool,
    tokens: f64,
    /// In grams: value, low, high.
    co2e_g: [Sum; 3],
    energy_j: Sum,
}

/// Writes what the calls of `args.files` took.
///
/// # Errors
/// [`CheckError`] unless all of them are within the budget.
pub fn check(
    args: &CheckArgs,
    environment: Environment<'_>,
    (input, output): (&mut dyn Read, &mut impl Write),
) -> Result<(), CheckError> {
    let config = match &args.config {
        Some(file) => Config::load(file, environment)?,
        None => Config::default_run(&|_: &str| None)?,
    };
    let enricher = app::enricher(&config)?;
    let mut models: BTreeMap<String, Row> = BTreeMap::new();
    let mut enriched_before = 0;
    for file in &args.files {
        let unreadable = |why: String| CheckError::CannotTell(format!("{}: {why}", file.display()));
        for request in requests(file, input).map_err(CheckError::CannotTell)? {
            let books = books(&enricher, &request).map_err(unreadable)?;
            enriched_before += books.tally.enriched_before;
            for emission in books.emissions {
                models.entry(name(&emission)).or_default().add(&emission);
            }
        }
    }
    let mut total = Row::default();
    models.values().for_each(|row| total.merge(row));
    let answer = Answer { args, models, total, enriched_before };
    told(output, &answer.written()?)?;
    answer.verdict()
}

/// The requests in a file, or in standard input where it is `-`.
fn requests(file: &Path, input: &mut dyn Read) -> Result<Vec<Bytes>, String> {
    let named = |why: String| format!("{}: {why}", file.display());
    if file == Path::new("-") {
        return captured::requests(input).map_err(named);
    }
    captured::requests(&mut open(file)?).map_err(named)
}

/// What one request would be booked as: a span that two files have counts once.
fn books(enricher: &Enricher, request: &Bytes) -> Result<Books, String> {
    let enriched = enricher.enrich(request, Instant::now()).map_err(|error| error.to_string())?;
    Ok(enriched.claim.acknowledge())
}

fn name(emission: &Emission) -> String {
    match &*emission.origin.model {
        "" => "unknown".to_owned(),
        model => model.to_owned(),
    }
}

impl Row {
    fn add(&mut self, emission: &Emission) {
        for (status, calls) in emission.calls() {
            self.calls += calls;
            // A call that failed without usage took nothing that could be told.
            if !matches!(status, "ok" | "error") {
                self.without_value += calls;
            }
        }
        self.tokens += emission.tokens().map(|(_, tokens)| tokens).sum::<f64>();
        for (sum, of_calls) in self.co2e_g.iter_mut().zip(emission.co2e_g.unwrap_or_default()) {
            sum.merge(of_calls);
        }
        self.has_value |= emission.co2e_g.is_some();
        self.without_energy |= emission.co2e_g.is_some() && emission.energy_j.is_none();
        self.energy_j.merge(emission.energy_j.unwrap_or_default());
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.without_value += other.without_value;
        self.without_energy |= other.without_energy;
        self.has_value |= other.has_value;
        self.tokens += other.tokens;
        self.co2e_g.iter_mut().zip(other.co2e_g).for_each(|(sum, of_model)| sum.merge(of_model));
        self.energy_j.merge(other.energy_j);
    }

    fn energy_wh(&self) -> f64 {
        self.energy_j.value() / J_PER_WH
    }

    fn grams(&self) -> [f64; 3] {
        self.co2e_g.map(Sum::value)
    }

    /// Its figures: value, low and high in grams, and the energy in watt-hours; `None` where they are not known.
    fn known(&self) -> [Option<f64>; 4] {
        let [value, low, high] = self.grams().map(|grams| self.has_value.then_some(grams));
        [value, low, high, (self.has_value && !self.without_energy).then(|| self.energy_wh())]
    }
}

/// What was found, and how it is to be told.
struct Answer<'a> {
    args: &'a CheckArgs,
    models: BTreeMap<String, Row>,
    total: Row,
    /// Spans that came with a receipt, which is neither made again nor counted.
    enriched_before: u64,
}

impl Answer<'_> {
    /// What counts against the budget, in its unit. Energy has no range.
    fn taken(&self) -> f64 {
        let [value, low, high] = self.total.grams();
        match (self.args.budget, self.args.count) {
            (Amount::Energy(_), _) => self.total.energy_wh(),
            (Amount::Co2e(_), Count::Low) => low,
            (Amount::Co2e(_), Count::Value) => value,
            (Amount::Co2e(_), Count::High) => high,
        }
    }

    fn verdict(&self) -> Result<(), CheckError> {
        let Self { args, total, .. } = self;
        if self.taken() > args.budget.get() {
            let (taken, budget) = (args.budget.show(self.taken()), args.budget.to_string());
            return Err(CheckError::Over { taken, budget });
        }
        let is_energy = matches!(args.budget, Amount::Energy(_));
        if self.enriched_before > 0 {
            let text = format!(
                "{} spans have a receipt already, and are not counted; give the export as the application sends it",
                self.enriched_before
            );
            return Err(CheckError::CannotTell(text));
        }
        if total.calls == 0.0 {
            return Err(CheckError::CannotTell(
                "no model call in what was given; write an export of traces that has some".to_owned(),
            ));
        }
        if !args.ignore_unknown && total.without_value > 0.0 {
            let text = format!(
                "{} of {} calls have no value; --ignore-unknown lets them pass",
                total.without_value, total.calls
            );
            return Err(CheckError::CannotTell(text));
        }
        if is_energy && total.without_energy {
            return Err(CheckError::CannotTell("a factor of this method has no energy".to_owned()));
        }
        Ok(())
    }

    fn status(&self) -> &'static str {
        match self.verdict() {
            Ok(()) => "within",
            Err(CheckError::Over { .. }) => "over",
            Err(_) => "unknown",
        }
    }

    fn written(&self) -> Result<String, CheckError> {
        match self.args.format {
            CheckFormat::Table => Ok(self.table()),
            CheckFormat::Markdown => Ok(self.markdown()),
            CheckFormat::Json => Ok(self.json()),
            CheckFormat::Csv => self.csv(),
        }
    }

    /// The cells of every row, the last being the total.
    fn cells(&self) -> Vec<[String; 6]> {
        let row = |(name, row): (&str, &Row)| {
            let calls = match row.without_value {
                0.0 => row.calls.to_string(),
                without => format!("{} ({without} without a value)", row.calls),
            };
            let [value, low, high, energy_wh] = row.known();
            let range = value.map(|value| figures::mass_range(Range { low, value, high }));
            let (value, range) = match range.as_deref().map(|text| text.split_once(" [").unwrap_or((text, "]"))) {
                Some((value, range)) => (value.to_owned(), range.trim_end_matches(']').to_owned()),
                None => (figures::ABSENT.to_owned(), figures::ABSENT.to_owned()),
            };
            let energy = energy_wh.map_or_else(|| figures::ABSENT.to_owned(), figures::energy);
            [name.to_owned(), calls, row.tokens.to_string(), value, range, energy]
        };
        let models = self.models.iter().map(|(name, of_model)| (name.as_str(), of_model));
        models.chain([("all", &self.total)]).map(row).collect()
    }

    fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self.cells().into_iter().map(Vec::from).collect();
        let table = grid::table(&HEAD, &rows, &[0], Emphasis::None);
        format!("{table}{}: {} of {}\n", self.status(), self.args.budget.show(self.taken()), self.args.budget)
    }

    fn markdown(&self) -> String {
        let told = match self.status() {
            "within" => "Within the budget",
            "over" => "**Over the budget**",
            _ => "**Cannot tell**",
        };
        let (taken, budget) = (self.args.budget.show(self.taken()), self.args.budget);
        let mut text = format!("{told}: {taken} of {budget}\n\n| {} |\n", HEAD.join(" | "));
        let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|");
        for cells in self.cells() {
            let _ = writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        text
    }

    fn json(&self) -> String {
        let row = |row: &Row| {
            let [co2e_g, co2e_low_g, co2e_high_g] = row.grams();
            serde_json::json!({
                "calls": row.calls, "calls_without_value": row.without_value, "tokens": row.tokens, "co2e_g": co2e_g,
                "co2e_low_g": co2e_low_g, "co2e_high_g": co2e_high_g, "energy_wh": row.energy_wh(),
            })
        };
        let models: BTreeMap<_, _> = self.models.iter().map(|(name, of_model)| (name, row(of_model))).collect();
        let key = if matches!(self.args.budget, Amount::Energy(_)) { "budget_wh" } else { "budget_g" };
        let answer = serde_json::json!({
            "status": self.status(), key: self.args.budget.get(), "taken": self.taken(), "total": row(&self.total),
            "models": models,
        });
        format!("{answer:#}\n")
    }

    fn csv(&self) -> Result<String, CheckError> {
        let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        let failed = |error: csv::Error| CheckError::Output(error.into());
        table.write_record(CSV_HEAD).map_err(failed)?;
        for (name, row) in &self.models {
            let [value, low, high] = row.grams();
            let numbers = [row.calls, row.without_value, row.tokens, value, low, high, row.energy_wh()];
            let cells = [name.clone()].into_iter().chain(numbers.map(|number| number.to_string()));
            table.write_record(cells).map_err(failed)?;
        }
        let bytes = table.into_inner().map_err(|error| CheckError::Output(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

const HEAD: [&str; 6] = ["model", "calls", "tokens", "CO2e", "low–high", "energy"];

const CSV_HEAD: [&str; 8] =
    ["model", "calls", "calls_without_value", "tokens", "co2e_g", "co2e_low_g", "co2e_high_g", "energy_wh"];
