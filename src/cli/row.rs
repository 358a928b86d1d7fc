//! Answers as rows for machines: the contract's columns, as CSV or JSON, numbers as doubles that read back to the bit.
//! A figure that a method does not have is an empty cell, and `null` in JSON, never 0.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::estimate::{Estimate, Method, ModelCall};
use crate::factors::{Match, Registry};
use crate::units::{Quantity, Range};

use super::question::{Answerer, Target, Trouble};

/// The columns of an answer.
pub(super) const COLUMNS: [&str; 28] = [
    "energy_wh",
    "energy_low_wh",
    "energy_high_wh",
    "co2e_g",
    "co2e_low_g",
    "co2e_high_g",
    "embodied_co2e_g",
    "embodied_co2e_low_g",
    "embodied_co2e_high_g",
    "adpe_gsbeq",
    "adpe_low_gsbeq",
    "adpe_high_gsbeq",
    "pe_mj",
    "pe_low_mj",
    "pe_high_mj",
    "water_ml",
    "water_low_ml",
    "water_high_ml",
    "registry_model",
    "match",
    "factor",
    "method",
    "tier",
    "grid_zone",
    "grid_g_per_kwh",
    "grid_basis",
    "status",
    "error",
];

/// How many they are.
const WIDTH: usize = COLUMNS.len();

// Where those stand that are no figures, in the order of the columns.
const REGISTRY_MODEL: usize = 18;
const MATCH: usize = 19;
const FACTOR: usize = 20;
const METHOD: usize = 21;
const TIER: usize = 22;
const GRID_ZONE: usize = 23;
const GRID_G_PER_KWH: usize = 24;
const GRID_BASIS: usize = 25;
const STATUS: usize = 26;
const ERROR: usize = 27;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'c> {
    Empty,
    Text(&'c str),
    Owned(String),
    Number(f64),
    Count(u64),
}

/// An answer, or why there is none, for so many equal calls.
pub(super) struct Answer<'a> {
    pub(super) target: Option<&'a Target>,
    pub(super) outcome: Result<&'a (ModelCall, Estimate), &'a Trouble>,
    /// The factor's id, where it is known beforehand.
    pub(super) factor: Option<&'a str>,
    pub(super) calls: f64,
}

/// The cells of an answer, in the order of [`COLUMNS`].
pub(super) fn cells<'a>(answerer: &Answerer<'a>, answer: &Answer<'a>) -> [Cell<'a>; WIDTH] {
    let mut cells = [const { Cell::Empty }; WIDTH];
    match answer.outcome {
        Ok((call, estimate)) => {
            figures(&mut cells, estimate, answer.calls);
            let target = answer.target;
            identity(&mut cells, answerer.registry, call.model.zip(target.map(|target| target.matched)));
            if call.model.is_none() && target.is_some() {
                cells[MATCH] = Cell::Text(Match::DeploymentMap.name());
            }
            cells[FACTOR] = match answer.factor {
                Some(factor) => Cell::Text(factor),
                None => answerer.method.factor_id(answerer.registry, call).map_or(Cell::Empty, Cell::Owned),
            };
            cells[METHOD] = Cell::Text(Method::id_for(answerer.method, call));
            cells[TIER] = Cell::Text(estimate.tier.name());
            grid(&mut cells, answerer.registry, (call, estimate));
            cells[STATUS] = Cell::Text("ok");
        }
        Err(trouble) => {
            identity(&mut cells, answerer.registry, trouble.known);
            cells[METHOD] = Cell::Text(answerer.method.id());
            cells[STATUS] = Cell::Text(trouble.status);
            cells[ERROR] = Cell::Text(&trouble.message);
        }
    }
    cells
}

/// Says another status than `ok`: one that a span has beside its figures.
pub(super) fn state<'a>(cells: &mut [Cell<'a>; WIDTH], status: &'a str) {
    cells[STATUS] = Cell::Text(status);
}

fn identity<'a>(
    cells: &mut [Cell<'a>; WIDTH],
    registry: &'a Registry,
    known: Option<(crate::factors::ModelId, Match)>,
) {
    let Some((model, matched)) = known else { return };
    cells[REGISTRY_MODEL] = registry.model(model).map_or(Cell::Empty, |model| Cell::Text(model.id()));
    cells[MATCH] = Cell::Text(matched.name());
}

fn grid<'a>(cells: &mut [Cell<'a>; WIDTH], registry: &'a Registry, (call, estimate): (&ModelCall, &Estimate)) {
    let Some(grid) = &estimate.grid else { return };
    cells[GRID_ZONE] = registry
        .zone(grid.zone)
        .map_or(Cell::Empty, |zone| Cell::Text(if grid.is_alpha3 { zone.alpha3() } else { zone.code() }));
    cells[GRID_G_PER_KWH] = Cell::Number(grid.co2e.get());
    cells[GRID_BASIS] = Cell::Text(call.place.basis.name());
}

fn figures(cells: &mut [Cell<'_>; WIDTH], estimate: &Estimate, calls: f64) {
    let mut at = 0;
    let mut put = |ends: Option<[f64; 3]>| {
        for (cell, number) in cells.iter_mut().skip(at).zip(ends.into_iter().flatten()) {
            *cell = Cell::Number(number * calls);
        }
        at += 3;
    };
    put(estimate.energy_wh.as_ref().map(ends));
    put(Some(ends(&estimate.co2e_g)));
    put(estimate.embodied_co2e_g.as_ref().map(ends));
    put(estimate.adpe_gsbeq.as_ref().map(ends));
    put(estimate.pe_mj.as_ref().map(ends));
    put(estimate.water_ml.as_ref().map(ends));
}

/// Value, low and high: the order of the columns.
fn ends<T: Quantity>(range: &Range<T>) -> [f64; 3] {
    [range.value().get(), range.low().get(), range.high().get()]
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Csv,
    /// A list of objects.
    JsonList,
    /// One object.
    JsonObject,
}

/// Writes rows, one after the other.
pub(super) struct RowWriter<'w>(Rows<'w>);

enum Rows<'w> {
    Csv(Box<csv::Writer<&'w mut dyn Write>>),
    Json { output: &'w mut dyn Write, is_list: bool, columns: Vec<String>, rows: u64, line: Vec<u8> },
}

impl<'w> RowWriter<'w> {
    /// Writes the head.
    pub(super) fn begin(output: &'w mut dyn Write, layout: Layout, columns: Vec<String>) -> io::Result<Self> {
        if layout == Layout::Csv {
            let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(output);
            table.write_record(&columns).map_err(of_output)?;
            return Ok(Self(Rows::Csv(Box::new(table))));
        }
        let is_list = layout == Layout::JsonList;
        Ok(Self(Rows::Json { output, is_list, columns, rows: 0, line: Vec::with_capacity(1024) }))
    }

    /// Writes a row: as many cells as there are columns.
    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        match &mut self.0 {
            Rows::Csv(table) => table.serialize(cells).map_err(of_output),
            Rows::Json { output, is_list, columns, rows, line } => {
                line.clear();
                if *is_list {
                    line.extend(if *rows == 0 { &b"[\n"[..] } else { &b",\n"[..] });
                }
                *rows += 1;
                serde_json::to_writer(&mut *line, &Object { columns, cells })?;
                output.write_all(line)
            }
        }
    }

    /// Writes the foot.
    pub(super) fn end(self) -> io::Result<()> {
        match self.0 {
            Rows::Csv(mut table) => table.flush(),
            Rows::Json { output, is_list, rows, .. } => {
                output.write_all(match (is_list, rows) {
                    (true, 0) => b"[]\n",
                    (true, _) => b"\n]\n",
                    (false, _) => b"\n",
                })?;
                output.flush()
            }
        }
    }
}

/// The output's own error: that nobody reads on is told from others.
fn of_output(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Owned(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Count(count) => serializer.serialize_u64(*count),
        }
    }
}

/// A row by the names of its columns, in their order.
struct Object<'o, 'c> {
    columns: &'o [String],
    cells: &'o [Cell<'c>],
}

impl Serialize for Object<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(layout: Layout, rows: &[[Cell<'_>; 3]]) -> String {
        let mut output = Vec::new();
        let columns = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut writer = RowWriter::begin(&mut output, layout, columns).unwrap();
        for row in rows {
            writer.row(row).unwrap();
        }
        writer.end().unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_columns_stand_where_they_are_written() {
        let at = [
            (REGISTRY_MODEL, "registry_model"),
            (MATCH, "match"),
            (FACTOR, "factor"),
            (METHOD, "method"),
            (TIER, "tier"),
            (GRID_ZONE, "grid_zone"),
            (GRID_G_PER_KWH, "grid_g_per_kwh"),
            (GRID_BASIS, "grid_basis"),
            (STATUS, "status"),
            (ERROR, "error"),
        ];
        assert!(at.iter().all(|(at, column)| COLUMNS[*at] == *column));
    }

    #[test]
    fn cells_are_quoted_where_they_must_and_absent_where_nothing_is_known() {
        let row = [Cell::Text("x, \"y\""), Cell::Number(0.1 + 0.2), Cell::Empty];
        assert_eq!(written(Layout::Csv, std::slice::from_ref(&row)), "a,b,c\n\"x, \"\"y\"\"\",0.30000000000000004,\n");
        let object = "{\"a\":\"x, \\\"y\\\"\",\"b\":0.30000000000000004,\"c\":null}";
        assert_eq!(written(Layout::JsonObject, std::slice::from_ref(&row)), format!("{object}\n"));
        assert_eq!(written(Layout::JsonList, &[row.clone(), row]), format!("[\n{object},\n{object}\n]\n"));
        assert_eq!(written(Layout::JsonList, &[]), "[]\n");
    }
}
