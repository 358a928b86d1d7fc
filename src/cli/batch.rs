//! Many calls, a row each: CSV in, the same rows with their answers out. A row that cannot be answered says why and
//! stops nothing; only what is no table of calls at all is refused, before anything is written.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;
use std::time::Instant;

use csv::ByteRecord;

use crate::factors::Moment;

use super::console::{CommandError, Console};
use super::question::{Answerer, Question, Target, Trouble, seconds, shortened, tokens, usage};
use super::row::{self, Answer, COLUMNS, Cell, Layout, RowWriter};
use super::sheet::{Sheet, Wanted};

/// The columns that are read.
const KNOWN: [&str; 11] = [
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "duration_s",
    "zone",
    "region",
    "time",
];

/// A column that is read, by its place in [`KNOWN`].
#[derive(Debug, Clone, Copy)]
enum Column {
    Provider,
    Model,
    Input,
    Output,
    CacheRead,
    CacheWrite,
    Reasoning,
    Duration,
    Zone,
    Region,
    Time,
}

/// So many questions are kept with what they mean.
const MOST_KEPT: usize = 65_536;

/// How often who watches is told, in rows.
const ROWS_A_NOTE: u64 = 4096;

/// What a question means, and the factor that prices it: kept, since few questions stand in many rows.
type Aimed = Rc<Result<(Target, Option<String>), Trouble>>;

/// Answers every row of a table that is called `name` in errors.
///
/// # Errors
/// [`CommandError::Usage`] where the input is no table of calls: nothing has been written then.
pub(super) fn batch(
    answerer: &Answerer<'_>,
    (name, input, layout): (&str, &mut dyn Read, Layout),
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let advice = format!("columns `model` and `input_tokens` or `output_tokens`, and any of {}", KNOWN.join(", "));
    let wanted = Wanted { columns: KNOWN, reserved: &COLUMNS, advice };
    let mut sheet = Sheet::open((name, input), &wanted)?;
    let table = Table { columns: std::mem::take(&mut sheet.columns), places: sheet.places };
    let has_tokens = table.at(Column::Input).or(table.at(Column::Output)).is_some();
    if table.at(Column::Model).is_none() || !has_tokens {
        sheet.columns = table.columns;
        return Err(sheet.lacks(&wanted));
    }
    let columns = table.columns.iter().cloned().chain(COLUMNS.map(str::to_owned)).collect();
    let mut buffered = std::io::BufWriter::with_capacity(1 << 16, &mut *console.output);
    let mut writer = RowWriter::begin(&mut buffered, layout, columns)?;
    let mut progress = Progress::new(console.is_watched);
    let has_time = table.at(Column::Time).is_some();
    let mut kept = Kept { answerer: *answerer, aimed: HashMap::new(), key: Vec::new(), has_time, misses: 0 };
    let mut record = ByteRecord::new();
    while sheet.row(&mut record)? {
        let failed = table.answer(&record, &mut kept, &mut writer)?;
        progress.row(failed, console.notes);
    }
    writer.end()?;
    progress.end(console.notes);
    Ok(())
}

/// What the first line says of the others.
struct Table {
    columns: Vec<String>,
    /// For each column that is read, its place in a row.
    places: [Option<usize>; KNOWN.len()],
}

impl Table {
    fn at(&self, column: Column) -> Option<usize> {
        self.places[column as usize]
    }

    fn field<'r>(&self, record: &'r ByteRecord, column: Column) -> Result<&'r str, Trouble> {
        let Some(field) = self.at(column).and_then(|at| record.get(at)) else { return Ok("") };
        let text = std::str::from_utf8(field);
        text.map(str::trim).map_err(|_| {
            Trouble::error(format!("`{}` is no text in UTF-8; save the file as UTF-8", KNOWN[column as usize]))
        })
    }

    /// Answers one row; whether it could not be.
    fn answer(
        &self,
        record: &ByteRecord,
        kept: &mut Kept<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<bool, CommandError> {
        let mut cells: Vec<Cell<'_>> = Vec::with_capacity(self.columns.len() + COLUMNS.len());
        let texts: Vec<_> = record.iter().take(self.columns.len()).map(String::from_utf8_lossy).collect();
        cells.extend(texts.iter().map(|text| if text.is_empty() { Cell::Empty } else { Cell::Text(text) }));
        cells.resize(self.columns.len(), Cell::Empty);
        let answerer = kept.answerer;
        let (aimed, outcome) = match self.ask(record, kept) {
            Ok((aimed, outcome)) => (Some(aimed), outcome),
            Err(trouble) => (None, Err(trouble)),
        };
        let known = aimed.as_deref().and_then(|aimed| aimed.as_ref().ok());
        let answer = Answer {
            target: known.map(|(target, _)| target),
            outcome: outcome.as_ref(),
            factor: known.and_then(|(_, factor)| factor.as_deref()),
            calls: 1.0,
        };
        cells.extend(row::cells(&answerer, &answer));
        writer.row(&cells)?;
        Ok(outcome.is_err())
    }

    #[allow(clippy::type_complexity, reason = "an answer and what it was aimed at")]
    fn ask(
        &self,
        record: &ByteRecord,
        kept: &mut Kept<'_>,
    ) -> Result<(Aimed, Result<(crate::estimate::ModelCall, crate::estimate::Estimate), Trouble>), Trouble> {
        // Other columns may hold texts of several lines.
        let mut read = self.places.iter().flatten().filter_map(|at| record.get(*at));
        if let Some(field) = read.find(|field| field.contains(&b'\n')) {
            let first = record.position().map_or(0, csv::Position::line);
            let lines = memchr::memchr_iter(b'\n', field.trim_ascii_end()).count();
            return Err(Trouble::error(format!(
                "a field that begins on line {first} goes on for {lines} more; close its quotes on its own line"
            )));
        }
        if record.len() != self.columns.len() {
            return Err(Trouble::error(format!(
                "{} fields under {} columns; quote what has a comma in it",
                record.len(),
                self.columns.len()
            )));
        }
        let question = Question {
            provider: self.field(record, Column::Provider)?,
            model: self.field(record, Column::Model)?,
            zone: self.field(record, Column::Zone)?,
            region: self.field(record, Column::Region)?,
            at: self.time(record)?,
        };
        let aimed = kept.aim(&question);
        let usage = self.usage(record);
        let duration_s = match self.field(record, Column::Duration)? {
            "" => None,
            text => Some(seconds(text).map_err(Trouble::error)?),
        };
        let (target, _) = aimed.as_ref().as_ref().map_err(Clone::clone)?;
        let answer = usage.and_then(|usage| kept.answerer.estimate(target, usage, duration_s));
        Ok((aimed, answer))
    }

    fn time(&self, record: &ByteRecord) -> Result<Option<Moment>, Trouble> {
        match self.field(record, Column::Time)? {
            "" => Ok(None),
            text => Moment::parse(text).map(Some).ok_or_else(|| {
                Trouble::error(format!("`{}` is no time; write UTC, as in `2026-11-01T13:00Z`", shortened(text)))
            }),
        }
    }

    fn usage(&self, record: &ByteRecord) -> Result<crate::units::TokenUsage, Trouble> {
        let count = |column: Column| match self.field(record, column)? {
            "" => Ok(None),
            text => tokens(text)
                .map(Some)
                .map_err(|message| Trouble::error(format!("`{}`: {message}", KNOWN[column as usize]))),
        };
        let (input, output) = (count(Column::Input)?, count(Column::Output)?);
        if input.is_none() && output.is_none() {
            let message = "no tokens; write `input_tokens` or `output_tokens`".to_owned();
            return Err(Trouble { status: "no_tokens", message, known: None });
        }
        let parts = [count(Column::CacheRead)?, count(Column::CacheWrite)?, count(Column::Reasoning)?];
        usage([input.unwrap_or(0), output.unwrap_or(0)], parts).map_err(Trouble::error)
    }
}

/// So many names that nobody has get a suggestion: to look for one takes a thousand times as long as to answer.
const MOST_SUGGESTIONS: u32 = 1000;

/// Questions that were asked before.
struct Kept<'r> {
    answerer: Answerer<'r>,
    aimed: HashMap<Vec<u8>, Aimed>,
    key: Vec<u8>,
    has_time: bool,
    misses: u32,
}

impl Kept<'_> {
    fn aim(&mut self, question: &Question<'_>) -> Aimed {
        if self.has_time {
            return Rc::new(self.aim_anew(question));
        }
        self.key.clear();
        for part in [question.provider, question.model, question.zone, question.region] {
            self.key.extend(part.bytes());
            self.key.push(0);
        }
        if let Some(aimed) = self.aimed.get(&self.key) {
            return Rc::clone(aimed);
        }
        let aimed = Rc::new(self.aim_anew(question));
        if self.aimed.len() >= MOST_KEPT {
            self.aimed.clear();
        }
        self.aimed.insert(self.key.clone(), Rc::clone(&aimed));
        aimed
    }

    fn aim_anew(&mut self, question: &Question<'_>) -> Result<(Target, Option<String>), Trouble> {
        let aimed = self.answerer.aim(question);
        self.misses += u32::from(aimed.is_err());
        self.answerer.suggests = self.misses < MOST_SUGGESTIONS;
        let target = aimed?;
        let call = crate::estimate::ModelCall {
            model: target.model,
            place: target.place,
            usage: crate::units::TokenUsage::default(),
            duration_s: None,
            metered: target.metered,
        };
        let factor = self.answerer.method.factor_id(self.answerer.registry, &call);
        Ok((target, factor))
    }
}

/// How far it is.
struct Progress {
    is_watched: bool,
    rows: u64,
    failed: u64,
    told: Option<Instant>,
}

impl Progress {
    fn new(is_watched: bool) -> Self {
        Self { is_watched, rows: 0, failed: 0, told: None }
    }

    fn row(&mut self, failed: bool, notes: &mut dyn std::io::Write) {
        self.rows += 1;
        self.failed += u64::from(failed);
        let is_due = |told: &Option<Instant>| told.is_none_or(|told| told.elapsed().as_millis() >= 500);
        if self.is_watched && self.rows.is_multiple_of(ROWS_A_NOTE) && is_due(&self.told) {
            self.told = Some(Instant::now());
            // Who does not want to be told is not.
            let _ = write!(notes, "\r{} rows", self.rows);
            let _ = notes.flush();
        }
    }

    fn end(&self, notes: &mut dyn std::io::Write) {
        if self.is_watched {
            let _ = write!(notes, "\r");
        }
        if self.is_watched || self.failed > 0 {
            let rows = if self.rows == 1 { "row" } else { "rows" };
            let _ = writeln!(notes, "{} {rows}, {} of them without an estimate: see `error`", self.rows, self.failed);
        }
    }
}
