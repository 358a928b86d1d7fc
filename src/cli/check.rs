//! `check`: whether the model calls of captured exports stay within a budget, for continuous integration. Knows files and
//! tables; what a call took is what the service would have written on its span.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;
use clap::{Args, ValueEnum};

use crate::app;
use crate::config::{Config, ConfigErrors, Environment};
use crate::enrich::{Emission, Enricher};
use crate::otlp::{Signal, json};
use crate::units::{Amount, Sum};

/// What `check` takes.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CheckArgs {
    /// Captured OTLP trace exports: protobuf, JSON, or JSON with a request a line
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The most that all calls together may take: `5gCO2e`, `1.5kg`, `200Wh`
    #[arg(long, value_name = "AMOUNT")]
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
    tokens: f64,
    /// In grams: value, low, high.
    co2e_g: [Sum; 3],
    energy_j: Sum,
}

/// Writes what the calls of `args.files` took.
///
/// # Errors
/// [`CheckError`] unless all of them are within the budget.
pub fn check(args: &CheckArgs, environment: Environment<'_>, output: &mut impl Write) -> Result<(), CheckError> {
    let config = match &args.config {
        Some(file) => Config::load(file, environment)?,
        None => Config::default_run(&|_: &str| None)?,
    };
    let enricher = app::enricher(&config)?;
    let mut models: BTreeMap<String, Row> = BTreeMap::new();
    for file in &args.files {
        let unreadable = |why: String| CheckError::CannotTell(format!("{}: {why}", file.display()));
        for request in requests(file).map_err(unreadable)? {
            for emission in emissions(&enricher, &request).map_err(unreadable)? {
                models.entry(name(&emission)).or_default().add(&emission);
            }
        }
    }
    let mut total = Row::default();
    models.values().for_each(|row| total.merge(row));
    let answer = Answer { args, models, total };
    output.write_all(answer.written().as_bytes())?;
    answer.verdict()
}

/// The requests in a file.
fn requests(file: &Path) -> Result<Vec<Bytes>, String> {
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Ok(vec![bytes.into()]);
    }
    match json::decode(Signal::Traces, &bytes) {
        Ok(request) => Ok(vec![request]),
        // As the Collector's file exporter writes them.
        Err(whole) => {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let decoded: Vec<_> = lines.map(|line| json::decode(Signal::Traces, line)).collect();
            let is_lines = decoded.len() > 1 && decoded.first().is_some_and(Result::is_ok);
            let of_lines = decoded.into_iter().enumerate().map(|(at, line)| {
                line.map_err(|error| if is_lines { format!("line {}: {error}", at + 1) } else { whole.to_string() })
            });
            of_lines.collect()
        }
    }
}

/// What one request would be booked as: a span that two files have counts once.
fn emissions(enricher: &Enricher, request: &Bytes) -> Result<Vec<Emission>, String> {
    let enriched = enricher.enrich(request, Instant::now()).map_err(|error| error.to_string())?;
    Ok(enriched.claim.acknowledge().emissions)
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
        self.without_energy |= emission.co2e_g.is_some() && emission.energy_j.is_none();
        self.energy_j.merge(emission.energy_j.unwrap_or_default());
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.without_value += other.without_value;
        self.without_energy |= other.without_energy;
        self.tokens += other.tokens;
        self.co2e_g.iter_mut().zip(other.co2e_g).for_each(|(sum, of_model)| sum.merge(of_model));
        self.energy_j.merge(other.energy_j);
    }

    fn energy_wh(&self) -> f64 {
        self.energy_j.value() / 3600.0
    }

    fn grams(&self) -> [f64; 3] {
        self.co2e_g.map(Sum::value)
    }
}

/// What was found, and how it is to be told.
struct Answer<'a> {
    args: &'a CheckArgs,
    models: BTreeMap<String, Row>,
    total: Row,
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
        if total.calls == 0.0 {
            return Err(CheckError::CannotTell("no model call in what was given".to_owned()));
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

    fn written(&self) -> String {
        match self.args.format {
            CheckFormat::Table => self.table(),
            CheckFormat::Markdown => self.markdown(),
            CheckFormat::Json => self.json(),
            CheckFormat::Csv => self.csv(),
        }
    }

    /// The cells of every row, the last being the total.
    fn cells(&self) -> Vec<[String; 6]> {
        let mass = Amount::Co2e(crate::units::GramsCo2e::LEAST);
        let energy = Amount::Energy(crate::units::WattHours::LEAST);
        let row = |(name, row): (&str, &Row)| {
            let [value, low, high] = row.grams().map(|grams| mass.show(grams));
            let calls = match row.without_value {
                0.0 => row.calls.to_string(),
                without => format!("{} ({without} without a value)", row.calls),
            };
            [
                name.to_owned(),
                calls,
                row.tokens.to_string(),
                value,
                format!("{low} to {high}"),
                energy.show(row.energy_wh()),
            ]
        };
        let models = self.models.iter().map(|(name, of_model)| (name.as_str(), of_model));
        models.chain([("all", &self.total)]).map(row).collect()
    }

    fn table(&self) -> String {
        let mut rows = self.cells();
        rows.insert(0, HEAD.map(str::to_owned));
        let width = |column: usize| rows.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let mut text = String::new();
        for cells in &rows {
            let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let _ = writeln!(text, "{}", padded.join("  ").trim_end());
        }
        let _ = writeln!(text, "{}: {} of {}", self.status(), self.args.budget.show(self.taken()), self.args.budget);
        text
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

    fn csv(&self) -> String {
        let mut text = "model,calls,calls_without_value,tokens,co2e_g,co2e_low_g,co2e_high_g,energy_wh\n".to_owned();
        for (name, row) in &self.models {
            let [value, low, high] = row.grams();
            let (calls, without, tokens) = (row.calls, row.without_value, row.tokens);
            let _ = writeln!(text, "{name},{calls},{without},{tokens},{value},{low},{high},{}", row.energy_wh());
        }
        text
    }
}

const HEAD: [&str; 6] = ["model", "calls", "tokens", "CO2e", "range", "energy"];
