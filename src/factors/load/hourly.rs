//! Hourly intensities: a CSV of zone, start of the hour in UTC, and gCO2e/kWh, with a header or without one.
//! Whether a zone exists is asked when every file is read.

use std::collections::BTreeMap;

use csv::StringRecord;

use crate::document::section::shortened;
use crate::factors::moment::Moment;
use crate::units::GramsPerKwh;

use super::draft::{Draft, HourEntry, Located, Origin};

/// After so many bad lines nobody reads on.
const MAX_ERRORS: usize = 20;

/// Reads a file.
pub(super) fn read(name: &str, text: &str, draft: &mut Draft) {
    let mut wrong = 0;
    let mut seen: BTreeMap<(String, i64), usize> = BTreeMap::new();
    let mut table = csv::ReaderBuilder::new();
    table.has_headers(false).flexible(true).comment(Some(b'#')).trim(csv::Trim::All);
    for (index, record) in (0..).zip(table.from_reader(text.as_bytes()).into_records()) {
        // Of text in memory, cut into fields as they come, nothing can fail to be read.
        let Ok(record) = record else { continue };
        let is_blank = record.iter().all(str::is_empty);
        if is_blank || (index == 0 && is_header(&record)) {
            continue;
        }
        let number = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
        let origin = Origin::on_line(name, number);
        let entry = hour(&record).and_then(|entry| match seen.insert((entry.zone.clone(), entry.hour), number) {
            None => Ok(entry),
            Some(first) => Err(("start", format!("the hour stands on line {first} too; write it once"))),
        });
        match entry {
            Ok(value) => draft.hours.push(Located { origin, value }),
            Err((column, message)) => {
                draft.error(&origin, column, message);
                wrong += 1;
            }
        }
        if wrong == MAX_ERRORS {
            return;
        }
    }
}

/// Whether a first line names columns: its third field is no number, and says so by letters.
fn is_header(line: &StringRecord) -> bool {
    let third = line.get(2).unwrap_or_default();
    third.parse::<f64>().is_err() && third.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Reads a line; an error names the column.
fn hour(line: &StringRecord) -> Result<HourEntry, (&'static str, String)> {
    let fields: Vec<&str> = line.iter().collect();
    let [zone, start, co2e] = fields.as_slice() else {
        let message = format!(
            "{} columns; write zone, start in UTC and gCO2e/kWh, as in `SE,2026-11-01T13:00Z,21`",
            fields.len()
        );
        return Err(("", message));
    };
    let moment = Moment::parse(start).filter(Moment::is_start_of_hour).ok_or_else(|| {
        let message = format!("`{}` starts no hour; write UTC as in `2026-11-01T13:00Z`", shortened(start));
        ("start", message)
    })?;
    let wrong = |what: String| ("intensity", format!("{what}; write gCO2e/kWh"));
    let number: f64 = co2e.parse().map_err(|_| wrong(format!("`{}` is no number", shortened(co2e))))?;
    let co2e = GramsPerKwh::new(number).map_err(|error| wrong(error.to_string()))?;
    let start = moment;
    Ok(HourEntry { zone: (*zone).to_owned(), hour: start.hour(), co2e })
}
