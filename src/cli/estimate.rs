//! `gramtrace estimate`: what one call took, with the arithmetic; or a table of calls, row by row.
//! Knows no formula: that is the methods'.

use super::arithmetic::{self, Emphasis, Page, Told};
use super::batch::batch;
use super::console::{CommandError, Console, with_input};
use super::loaded;
use super::question::{Answerer, Question, Target, Trouble, usage};
use super::row::{self, Answer, COLUMNS, Cell, Layout, RowWriter};
use super::{CallArgs, EstimateArgs, Format};
use crate::config::Environment;
use crate::estimate::{Estimate, ModelCall};
use crate::factors::Moment;
use crate::units::TokenUsage;

/// Answers the question of the arguments.
///
/// # Errors
/// [`CommandError`], before anything is written unless the output fails.
pub fn estimate(
    args: &EstimateArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = loaded::registry(&args.registry, environment)?;
    let method = loaded::method(args.method.as_deref())?;
    let answerer = Answerer { registry: &registry, method, suggests: true, is_strict: true };
    if let Some(path) = &args.batch {
        let layout = if args.format == Format::Json { Layout::JsonList } else { Layout::Csv };
        return with_input(path, console, |(name, input), console| batch(&answerer, (name, input, layout), console));
    }
    let answered = Answered::of(&answerer, &args.call)?;
    match args.format {
        Format::Table => {
            let mut page = Page::new(Emphasis::of(console));
            arithmetic::receipt(&mut page, &answerer, &answered.told());
            console.output.write_all(page.finish().as_bytes())?;
            Ok(console.output.flush()?)
        }
        Format::Csv => answered.write(&answerer, &args.call, (Layout::Csv, console)),
        Format::Json => answered.write(&answerer, &args.call, (Layout::JsonObject, console)),
    }
}

/// A question with its answer.
struct Answered {
    target: Target,
    calls: u64,
    outcome: (ModelCall, Estimate),
    asked: String,
}

impl Answered {
    /// Answers the question of the arguments.
    fn of(answerer: &Answerer<'_>, args: &CallArgs) -> Result<Self, CommandError> {
        let refused = |trouble: Trouble| CommandError::Usage(trouble.message);
        let usage = args.usage()?;
        let target = answerer.aim(&args.question()?).map_err(refused)?;
        let outcome = answerer.estimate(&target, usage, args.duration).map_err(refused)?;
        let asked = args.model.clone().unwrap_or_default();
        Ok(Self { target, calls: args.calls, outcome, asked })
    }

    fn write(
        &self,
        answerer: &Answerer<'_>,
        args: &CallArgs,
        (layout, console): (Layout, &mut Console<'_>),
    ) -> Result<(), CommandError> {
        let given = args.given();
        let columns = given.iter().map(|(column, _)| (*column).to_owned()).chain(COLUMNS.map(str::to_owned));
        let mut writer = RowWriter::begin(&mut *console.output, layout, columns.collect())?;
        let mut cells: Vec<Cell<'_>> = given.into_iter().map(|(_, cell)| cell).collect();
        cells.extend(row::cells(answerer, &self.answer()));
        writer.row(&cells)?;
        Ok(writer.end()?)
    }

    fn told(&self) -> Told<'_> {
        let (call, estimate) = &self.outcome;
        Told { asked: &self.asked, matched: self.target.matched, call, estimate, calls: self.calls }
    }

    /// As a row has it.
    #[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
    fn answer(&self) -> Answer<'_> {
        Answer { target: Some(&self.target), outcome: Ok(&self.outcome), factor: None, calls: self.calls as f64 }
    }
}

impl CallArgs {
    /// What is asked, but for the tokens.
    pub(super) fn question(&self) -> Result<Question<'_>, CommandError> {
        let at = match self.time.as_deref() {
            None => None,
            Some(text) => Some(Moment::parse(text).ok_or_else(|| {
                CommandError::Usage(format!(
                    "`{}` is no time; write UTC, as in `2026-11-01T13:00Z`",
                    super::question::shortened(text)
                ))
            })?),
        };
        Ok(Question {
            provider: self.provider.as_deref().unwrap_or_default(),
            model: self.model.as_deref().unwrap_or_default(),
            zone: self.zone.as_deref().unwrap_or_default(),
            region: self.region.as_deref().unwrap_or_default(),
            at,
        })
    }

    /// The tokens.
    pub(super) fn usage(&self) -> Result<TokenUsage, CommandError> {
        if self.input.is_none() && self.output.is_none() {
            return Err(CommandError::Usage("no tokens; write `--input N` and `--output N`".to_owned()));
        }
        usage([self.input.unwrap_or(0), self.output.unwrap_or(0)], [self.cache_read, self.cache_write, self.reasoning])
            .map_err(CommandError::Usage)
    }

    /// What was given, as columns.
    pub(super) fn given(&self) -> Vec<(&'static str, Cell<'_>)> {
        let text = |text: &'_ Option<String>| text.clone().map(Cell::Owned);
        let count = |count: Option<u64>| count.map(Cell::Count);
        let columns = [
            ("provider", Some(text(&self.provider).unwrap_or(Cell::Empty))),
            ("model", text(&self.model)),
            ("input_tokens", Some(Cell::Count(self.input.unwrap_or(0)))),
            ("output_tokens", Some(Cell::Count(self.output.unwrap_or(0)))),
            ("cache_read_tokens", count(self.cache_read)),
            ("cache_write_tokens", count(self.cache_write)),
            ("reasoning_tokens", count(self.reasoning)),
            ("duration_s", self.duration.map(Cell::Number)),
            ("zone", text(&self.zone)),
            ("region", text(&self.region)),
            ("time", text(&self.time)),
            ("calls", count(Some(self.calls).filter(|calls| *calls != 1))),
        ];
        columns.into_iter().filter_map(|(column, cell)| Some((column, cell?))).collect()
    }
}
