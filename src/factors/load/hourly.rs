//! Hourly intensities: a CSV of zone, start of the hour in UTC, and gCO2e/kWh, with a header or without one.
//! Whether a zone exists is asked when every file is read.

use crate::document::section::shortened;
use crate::factors::moment::Moment;
use crate::units::GramsPerKwh;

use super::draft::{Draft, HourEntry, Located, Origin};

/// After so many bad lines nobody reads on.
const MAX_ERRORS: usize = 20;

/// Reads a file.
pub(super) fn read(name: &str, text: &str, draft: &mut Draft) {
    let mut wrong = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') || (number == 1 && is_header(line)) {
            continue;
        }
        let origin = Origin::on_line(name, number);
        match hour(line) {
            Ok(value) => draft.hours.push(Located { origin, value }),
            Err(message) => {
                draft.error(&origin, "", message);
                wrong += 1;
            }
        }
        if wrong == MAX_ERRORS {
            return;
        }
    }
}

/// Whether a first line names columns: its third field is no number, and says so by letters.
fn is_header(line: &str) -> bool {
    let third = line.split(',').nth(2).unwrap_or_default().trim();
    third.parse::<f64>().is_err() && third.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn hour(line: &str) -> Result<HourEntry, String> {
    let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
    let [zone, start, co2e] = fields.as_slice() else {
        return Err(format!(
            "{} columns; write zone, start in UTC and gCO2e/kWh, as in `SE,2026-11-01T13:00Z,21`",
            fields.len()
        ));
    };
    let start = Moment::parse(start)
        .ok_or_else(|| format!("`{}` is no hour; write UTC as in `2026-11-01T13:00Z`", shortened(start)))?;
    let number: f64 = co2e.parse().map_err(|_| format!("`{}` is no intensity; write gCO2e/kWh", shortened(co2e)))?;
    let co2e = GramsPerKwh::new(number).map_err(|error| format!("intensity {error}; write gCO2e/kWh"))?;
    Ok(HourEntry { zone: (*zone).to_owned(), hour: start.hour(), co2e })
}
