//! An amount that people write with its unit: `5kg`, `500 gCO2e`, `1.5kWh`.
//! Knows units; nothing of what is limited by it.

use std::fmt;
use std::str::FromStr;

use super::{GramsCo2e, WattHours};

/// An amount of CO2e or of energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Grams of CO2e.
    Co2e(GramsCo2e),
    /// Watt-hours.
    Energy(WattHours),
}

/// A text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// No number in front, or one that is not above 0.
    #[error("`{0}` has no number above 0; write one with its unit, such as `5kg` or `2kWh`")]
    Number(String),
    /// No unit, or one that is not known.
    #[error("`{0}` has no unit that is known; write mg, g, kg or t (of CO2e), or Wh, kWh or MWh")]
    Unit(String),
}

/// Grams in a unit of mass.
const MASSES: [(&str, f64); 4] = [("mg", 1e-3), ("g", 1.0), ("kg", 1e3), ("t", 1e6)];
/// Watt-hours in a unit of energy.
const ENERGIES: [(&str, f64); 3] = [("Wh", 1.0), ("kWh", 1e3), ("MWh", 1e6)];

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads a number above 0 and its unit; `CO2e` behind a mass may be there or not.
    ///
    /// ```
    /// use gramtrace::units::{Amount, GramsCo2e, WattHours};
    /// assert_eq!("5kgCO2e".parse(), Ok(Amount::Co2e(GramsCo2e::new(5000.0).unwrap())));
    /// assert_eq!("0.5 MWh".parse(), Ok(Amount::Energy(WattHours::new(500_000.0).unwrap())));
    /// assert!("5".parse::<Amount>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let short = || text.chars().take(40).collect::<String>();
        let end = text.find(|each: char| !each.is_ascii_digit() && each != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| AmountError::Number(short()))?;
        let unit = unit.trim();
        let mass = ["CO2eq", "CO2e", "CO2"].iter().find_map(|suffix| unit.strip_suffix(suffix)).unwrap_or(unit).trim();
        let of = |units: &[(&str, f64)], unit: &str| {
            units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| number * scale)
        };
        let amount = match (of(&MASSES, mass), of(&ENERGIES, unit)) {
            (Some(grams), _) => GramsCo2e::new(grams).map(Self::Co2e),
            (None, Some(wh)) => WattHours::new(wh).map(Self::Energy),
            (None, None) => return Err(AmountError::Unit(short())),
        };
        amount.ok().filter(|amount| amount.get() > 0.0).ok_or_else(|| AmountError::Number(short()))
    }
}

impl Amount {
    /// The number, in grams or watt-hours.
    #[must_use]
    pub const fn get(self) -> f64 {
        match self {
            Self::Co2e(grams) => grams.get(),
            Self::Energy(wh) => wh.get(),
        }
    }

    /// `number` grams or watt-hours, whichever this is, for people: four digits and the unit that suits them.
    #[must_use]
    pub fn show(self, number: f64) -> String {
        let (units, suffix) = match self {
            Self::Co2e(_) => (&MASSES[..], "CO2e"),
            Self::Energy(_) => (&ENERGIES[..], ""),
        };
        let fits = |scale: f64| number.abs() >= scale;
        let (unit, scale) =
            units.iter().rev().find(|(_, scale)| fits(*scale)).or(units.first()).copied().unwrap_or(("", 1.0));
        format!("{} {unit}{suffix}", four_digits(number / scale))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.show(self.get()))
    }
}

/// Powers of ten: as many decimals as the place of each.
const TENS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Four significant digits, without an exponent.
fn four_digits(number: f64) -> String {
    let decimals =
        TENS.iter().position(|ten| number.abs() * ten >= 1000.0).unwrap_or(if number == 0.0 { 0 } else { 9 });
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_every_unit() {
        let grams = |text: &str| match text.parse() {
            Ok(Amount::Co2e(grams)) => grams.get(),
            other => panic!("{text}: {other:?}"),
        };
        let read = ["5g", "5 gCO2e", "250mg", "1.5kg CO2eq", "2tCO2e"].map(grams);
        assert_eq!(read, [5.0, 5.0, 0.25, 1500.0, 2e6]);
        let wh = ["3Wh", "1.5kWh", "1MWh"].map(|text| text.parse::<Amount>().unwrap().get());
        assert_eq!(wh, [3.0, 1500.0, 1e6]);
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for text in ["", "kg", "-5g", "0g", "1..2g", "NaN g"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Number(text.to_owned())));
        }
        for text in ["5", "1e3g", "5 lb", "5 KG", "5 kWhCO2e", "5ggCO2e"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Unit(text.to_owned())));
        }
    }

    #[test]
    fn people_read_four_digits_and_a_unit_that_suits() {
        let budget: Amount = "1kg".parse().unwrap();
        let shown = [0.0, 0.000_25, 0.5, 1.0, 12.345_67, 999.96, 1234.6, 45_678_901.0].map(|grams| budget.show(grams));
        let expected = [
            "0 mgCO2e",
            "0.25 mgCO2e",
            "500 mgCO2e",
            "1 gCO2e",
            "12.35 gCO2e",
            "1000 gCO2e",
            "1.235 kgCO2e",
            "45.68 tCO2e",
        ];
        assert_eq!(shown, expected);
        assert_eq!("2kWh".parse::<Amount>().unwrap().to_string(), "2 kWh");
    }
}
