//! Every row, found by its labels, and the caps on them: what is beyond a cap is booked under `other`, and counted.
//! Knows nothing of how rows are read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use hashbrown::HashTable;

use super::super::families as name;
use super::super::roll::OTHER;
use super::super::text::Exposition;
use super::labels::{Schema, Values};
use super::row::{Row, RowLabels};
use super::{Booking, EmissionSettings};
use crate::units::Sum;

/// What `gramtrace_emissions_over_capacity_total` says of combinations of labels.
const COMBINATIONS: &str = "combinations";
/// Classes of tokens and statuses of calls, whichever are more: series of one metric in a row.
const SERIES_A_ROW: usize = 8;
/// Rows beyond every cap: one a tier, and one where none is known.
const LAST_RESORT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Rows by the hashes of their labels.
    places: HashTable<(u64, usize)>,
    rows: Vec<Row>,
    schemas: Vec<Arc<Schema>>,
    /// The values of labels that are told apart.
    values: BTreeMap<Box<str>, HashSet<Box<str>>>,
    /// Bookings under `other`, by the label that had too many values.
    over_capacity: BTreeMap<Box<str>, u64>,
    uncertain_calls: Sum,
    uncertain_co2e_g: Sum,
}

impl Table {
    /// The schema that `settings` describe.
    pub(super) fn schema(&mut self, settings: &EmissionSettings) -> Arc<Schema> {
        let new = Arc::new(Schema::new(settings));
        if let Some(known) = self.schemas.iter().find(|known| ***known == *new) {
            return Arc::clone(known);
        }
        self.schemas.push(Arc::clone(&new));
        new
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn capacity(&self) -> usize {
        let most = self.schemas.iter().map(|schema| schema.max_series).max().unwrap_or_default();
        (2 * most + LAST_RESORT) * SERIES_A_ROW
    }

    pub(super) fn add(&mut self, schema: &Schema, booking: &Booking<'_>, is_uncertain: bool, now: SystemTime) {
        if is_uncertain {
            booking.calls.iter().for_each(|(_, calls)| self.uncertain_calls.add(*calls));
            if let Some([value, ..]) = booking.co2e_g {
                self.uncertain_co2e_g.merge(value);
            }
        }
        let place = self.place(schema, booking);
        if let Some(row) = self.rows.get_mut(place) {
            row.add(booking, now);
        }
    }

    fn place(&mut self, schema: &Schema, booking: &Booking<'_>) -> usize {
        let mut values = schema.values(booking);
        if let Some(place) = self.find(schema, schema.hash(&values), &values) {
            return place;
        }
        for (at, value) in values.iter_mut().enumerate() {
            if let Some(Some(cap)) = schema.caps.get(at)
                && !self.admits(schema.name(at), value, *cap)
            {
                *value = OTHER.into();
            }
        }
        if let Some(place) = self.find_or_add(schema, &values, schema.max_series) {
            return place;
        }
        self.count(COMBINATIONS);
        let folded = schema.folded(&values, false);
        self.find_or_add(schema, &folded, 2 * schema.max_series).unwrap_or_else(|| {
            let folded = schema.folded(&values, true);
            self.find_or_add(schema, &folded, usize::MAX).unwrap_or_default()
        })
    }

    /// The row of these values, whose hash is `hash`.
    fn find(&self, schema: &Schema, hash: u64, values: &Values<'_>) -> Option<usize> {
        let is = |&(known, place): &(u64, usize)| {
            known == hash && self.rows.get(place).is_some_and(|row| row.labels.are(&schema.names, values))
        };
        self.places.find(hash, is).map(|(_, place)| *place)
    }

    /// The row of these values; a new one where there are fewer than `most`.
    fn find_or_add(&mut self, schema: &Schema, values: &Values<'_>, most: usize) -> Option<usize> {
        let hash = schema.hash(values);
        if let Some(place) = self.find(schema, hash, values) {
            return Some(place);
        }
        let place = self.rows.len();
        if place >= most {
            return None;
        }
        self.rows.push(Row::new(RowLabels {
            names: Arc::clone(&schema.names),
            values: values.iter().map(|value| value.as_ref().into()).collect(),
            rendered: schema.rendered(values).into(),
        }));
        self.places.insert_unique(hash, (hash, place), |(hash, _)| *hash);
        Some(place)
    }

    /// Whether a value of a label is told apart. One that is not is counted.
    fn admits(&mut self, label: &str, value: &str, cap: usize) -> bool {
        let known = self.values.entry(label.into()).or_default();
        if known.contains(value) {
            return true;
        }
        if known.len() < cap {
            known.insert(value.into());
            return true;
        }
        self.count(label);
        false
    }

    fn count(&mut self, label: &str) {
        *self.over_capacity.entry(label.into()).or_default() += 1;
    }

    pub(super) fn encode_books(&self, exposition: &mut Exposition) {
        exposition.family(name::UNCERTAIN_CALLS, [(vec![], self.uncertain_calls.value())]);
        exposition.family(name::UNCERTAIN_CO2E, [(vec![], self.uncertain_co2e_g.value())]);
        exposition.family(name::EMISSION_ROWS, [(vec![], self.rows.len())]);
        let over = self.over_capacity.iter().map(|(label, bookings)| (vec![("label", &**label)], *bookings));
        let none = self.over_capacity.is_empty().then_some((vec![("label", COMBINATIONS)], 0));
        exposition.family(name::EMISSIONS_OVER_CAPACITY, none.into_iter().chain(over));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking<'a>(service: &'a str, more_labels: &'a [Box<str>]) -> Booking<'a> {
        let mut co2e_g = Sum::default();
        co2e_g.add(0.5);
        Booking {
            labels: [service, "openai", "openai/gpt-4o", "US", "C"],
            more_labels,
            calls: [("ok", 1.0)].into_iter().collect(),
            tokens: [("input", 3.0)].into_iter().collect(),
            energy_j: None,
            co2e_g: Some([co2e_g; 3]),
            embodied_co2e_g: None,
            exemplar: None,
        }
    }

    fn calls(table: &Table) -> f64 {
        table.rows.iter().flat_map(|row| row.samples(super::super::Figure::Calls)).map(|(_, calls)| calls).sum()
    }

    #[test]
    fn a_million_values_of_a_label_are_its_cap_and_other() {
        let mut table = Table::default();
        let settings = EmissionSettings { labels: vec![("user".to_owned(), 3)], ..EmissionSettings::default() };
        let schema = table.schema(&settings);
        for user in 0..1_000 {
            table.add(&schema, &booking("shop", &[user.to_string().into()]), false, SystemTime::UNIX_EPOCH);
        }
        assert_eq!((table.rows.len(), calls(&table)), (4, 1000.0));
        assert_eq!(table.over_capacity.get("user"), Some(&997));
        assert_eq!(table.rows[3].labels.values[5].as_ref(), "other");
    }

    #[test]
    fn too_many_combinations_lose_the_service_first_and_then_everything_but_the_tier() {
        let mut table = Table::default();
        let schema =
            table.schema(&EmissionSettings { max_services: 1000, max_series: 2, ..EmissionSettings::default() });
        let models = ["a", "b", "c", "d", "e"];
        for service in ["x", "y", "z"] {
            for model in models {
                let mut booking = booking(service, &[]);
                booking.labels[2] = model;
                table.add(&schema, &booking, false, SystemTime::UNIX_EPOCH);
            }
        }
        let values: Vec<_> = table.rows.iter().map(|row| row.labels.values.join(" ")).collect();
        let expected = [
            "x openai a US C",
            "x openai b US C",
            "other openai c US C",
            "other openai d US C",
            "other other other other C",
        ];
        assert_eq!(values, expected);
        assert_eq!(calls(&table), 15.0);
        assert_eq!(table.over_capacity.get(COMBINATIONS), Some(&13));
    }

    #[test]
    fn what_a_backend_took_a_part_of_is_booked_whole_and_said_to_be_uncertain() {
        let mut table = Table::default();
        let schema = table.schema(&EmissionSettings::default());
        table.add(&schema, &booking("shop", &[]), true, SystemTime::UNIX_EPOCH);
        table.add(&schema, &booking("shop", &[]), false, SystemTime::UNIX_EPOCH);
        assert_eq!((table.uncertain_calls.value(), table.uncertain_co2e_g.value(), calls(&table)), (1.0, 0.5, 2.0));
    }
}
