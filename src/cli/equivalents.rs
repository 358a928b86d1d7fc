//! What an amount of CO2e is like: from a table that says where each figure comes from.
//! For people alone: no machine gets these.

use super::arithmetic::short;

const TABLE: &str = include_str!("../../config/equivalents.csv");

/// Something that emits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Equivalent {
    pub(super) name: String,
    /// `km by a new car in the EU`.
    pub(super) unit: String,
    pub(super) g_co2e_per_unit: f64,
    pub(super) source: String,
}

/// Every line of the table.
pub(super) fn equivalents() -> Vec<Equivalent> {
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    let line = |record: csv::StringRecord| {
        Some(Equivalent {
            name: record.get(0)?.to_owned(),
            unit: record.get(1)?.to_owned(),
            g_co2e_per_unit: record.get(2)?.parse().ok().filter(|grams| *grams > 0.0)?,
            source: record.get(3)?.to_owned(),
        })
    };
    reader.records().filter_map(Result::ok).filter_map(line).collect()
}

impl Equivalent {
    /// So many units, as people read them.
    pub(super) fn of(&self, co2e_g: f64) -> String {
        short(co2e_g / self.g_co2e_per_unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_figure_and_a_source() {
        let table = equivalents();
        assert_eq!(table.len(), TABLE.lines().count() - 1);
        assert!(table.iter().all(|line| line.source.contains("https://")));
        assert_eq!(table[0].of(10_680.0), "100");
    }
}
