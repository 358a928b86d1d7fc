//! The sums as instruments of OpenTelemetry, under dotted names. One reading serves all instruments of an export.
//! Knows nothing of who they are sent to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::labels::FIXED;
use super::row::Row;
use super::{Emissions, FAMILIES, SumFamily};

/// Their names, for whoever has to give them room.
pub(in super::super) const INSTRUMENTS: [&str; FAMILIES.len()] = {
    let mut names = [""; FAMILIES.len()];
    let mut at = 0;
    while at < FAMILIES.len() {
        names[at] = FAMILIES[at].dotted;
        at += 1;
    }
    names
};

/// How old a reading may be that serves another instrument.
const FRESH: Duration = Duration::from_millis(500);

/// The last reading.
#[derive(Debug, Clone)]
struct Readings {
    emissions: Arc<Emissions>,
    last: Arc<Mutex<Option<Taken>>>,
}

type Taken = (Instant, Arc<[Told]>);

/// A row with its labels as attributes.
#[derive(Debug)]
struct Told {
    row: Row,
    attributes: Vec<KeyValue>,
}

/// Makes `meter` read `emissions` whenever it exports.
pub(in super::super) fn register(meter: &Meter, emissions: &Arc<Emissions>) {
    let readings = Readings { emissions: Arc::clone(emissions), last: Arc::default() };
    for family in FAMILIES {
        let readings = readings.clone();
        // The meter holds on to the callback; the instrument itself is only a handle.
        let _ = meter
            .f64_observable_counter(family.dotted)
            .with_unit(family.ucum)
            .with_description(family.help)
            .with_callback(move |observer| readings.observe(&family, observer))
            .build();
    }
}

impl Readings {
    fn observe(&self, family: &SumFamily, observer: &dyn AsyncInstrument<f64>) {
        for told in &*self.fresh() {
            for (by, value) in told.row.samples(family.figure) {
                match by {
                    None => observer.observe(value, &told.attributes),
                    Some((label, of)) => {
                        let more = [KeyValue::new(label, of)];
                        observer.observe(value, &[&told.attributes[..], &more].concat());
                    }
                }
            }
        }
    }

    fn fresh(&self) -> Arc<[Told]> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((taken, rows)) if taken.elapsed() < FRESH => Arc::clone(rows),
            _ => {
                let rows: Arc<[Told]> = self.emissions.rows().into_iter().map(Told::of).collect();
                *last = Some((Instant::now(), Arc::clone(&rows)));
                rows
            }
        }
    }
}

impl Told {
    fn of(row: Row) -> Self {
        let fixed = FIXED.map(str::to_owned).into_iter();
        let names = fixed.chain(row.labels.names.iter().map(|name| name.clone().into_string()));
        let pairs = names.zip(&row.labels.values);
        let attributes = pairs.map(|(name, value)| KeyValue::new(name, value.clone().into_string())).collect();
        Self { row, attributes }
    }
}
