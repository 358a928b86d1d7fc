//! Quantities as people read them: three significant digits and the unit that keeps them short.
//! Knows nothing of where they come from. Machines get round-trip doubles instead.

use super::receipts::Range;

/// What stands for a figure that is not known.
pub const ABSENT: &str = "–";

type Units = [(&'static str, f64); 4];

const ENERGY: Units = [("MWh", 1e6), ("kWh", 1e3), ("Wh", 1.0), ("mWh", 1e-3)];
const MASS: Units = [("t", 1e6), ("kg", 1e3), ("g", 1.0), ("mg", 1e-3)];

/// Energy in Wh as text.
///
/// ```
/// assert_eq!(gramtrace::trace::figures::energy(0.0123456), "12.3 mWh");
/// ```
#[must_use]
pub fn energy(wh: f64) -> String {
    with_unit(wh, &ENERGY, "Wh")
}

/// Mass in grams as text.
///
/// ```
/// assert_eq!(gramtrace::trace::figures::mass(1234.5), "1.23 kg");
/// ```
#[must_use]
pub fn mass(grams: f64) -> String {
    with_unit(grams, &MASS, "g")
}

/// A range of energy in Wh as text, its ends in the unit of its value.
#[must_use]
pub fn energy_range(wh: Range) -> String {
    energy(wh.value) + &ends(wh, &ENERGY)
}

/// A range of mass in grams as text, its ends in the unit of its value.
///
/// ```
/// use gramtrace::trace::{Range, figures};
/// let co2e_g = Range { low: Some(0.0042), value: 0.0123456, high: Some(0.1) };
/// assert_eq!(figures::mass_range(co2e_g), "12.3 mg [4.20–100]");
/// ```
#[must_use]
pub fn mass_range(grams: Range) -> String {
    mass(grams.value) + &ends(grams, &MASS)
}

/// A count as text of at most five characters below a million millions: exact below 100,000.
///
/// ```
/// assert_eq!(gramtrace::trace::figures::count(99_999), "99999");
/// assert_eq!(gramtrace::trace::figures::count(1_234_567), "1.23M");
/// ```
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn count(number: u64) -> String {
    if number < 100_000 {
        return number.to_string();
    }
    let rounded = rounded(number as f64);
    let (suffix, size) = if rounded >= 1e9 {
        ("G", 1e9)
    } else if rounded >= 1e6 {
        ("M", 1e6)
    } else {
        ("k", 1e3)
    };
    three_digits(rounded / size) + suffix
}

/// A number with three significant digits and at most eight characters: `<0.001` below that, a power of ten from a
/// million on.
fn three_digits(number: f64) -> String {
    let number = rounded(number);
    if number == 0.0 {
        "0".to_owned()
    } else if number < 0.001 {
        "<0.001".to_owned()
    } else if number >= 1e6 {
        format!("{number:.2e}")
    } else {
        let decimals = [(100.0, 0), (10.0, 1), (1.0, 2), (0.1, 3), (0.01, 4)];
        let decimals = decimals.iter().find(|(from, _)| number >= *from).map_or(5, |(_, decimals)| *decimals);
        format!("{number:.decimals$}")
    }
}

fn with_unit(quantity: f64, units: &Units, plain: &str) -> String {
    if !quantity.is_finite() || quantity < 0.0 {
        return ABSENT.to_owned();
    }
    if quantity == 0.0 {
        return format!("0 {plain}");
    }
    let (unit, size) = unit_of(quantity, units);
    format!("{} {unit}", three_digits(quantity / size))
}

fn ends(range: Range, units: &Units) -> String {
    let (_, size) = unit_of(range.value, units);
    let known = |end: f64| end.is_finite() && end >= 0.0;
    match (range.low, range.high) {
        (Some(low), Some(high)) if known(low) && known(high) && known(range.value) => {
            format!(" [{}–{}]", three_digits(low / size), three_digits(high / size))
        }
        _ => String::new(),
    }
}

/// The largest unit of which the rounded quantity is at least one, so that 999.9 mg is 1.00 g.
fn unit_of(quantity: f64, units: &Units) -> (&'static str, f64) {
    let rounded = rounded(quantity);
    let [.., smallest] = *units;
    units.iter().copied().find(|(_, size)| rounded >= *size).unwrap_or(smallest)
}

/// To three significant digits, by the standard library's decimal rounding.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_shown_in_the_unit_that_keeps_it_short() {
        let cases = [
            (0.0, "0 Wh"),
            (0.000_000_4, "<0.001 mWh"),
            (0.000_001_234, "0.00123 mWh"),
            (0.000_812_345, "0.812 mWh"),
            (0.001, "1.00 mWh"),
            (0.24, "240 mWh"),
            (0.999_4, "999 mWh"),
            (0.999_6, "1.00 Wh"),
            (1.666, "1.67 Wh"),
            (12.34, "12.3 Wh"),
            (999.6, "1.00 kWh"),
            (123_456.0, "123 kWh"),
            (2_500_000.0, "2.50 MWh"),
            (1e300, "1.00e294 MWh"),
            (f64::NAN, "–"),
            (-1.0, "–"),
        ];
        for (wh, expected) in cases {
            assert_eq!(energy(wh), expected, "{wh}");
        }
    }

    #[test]
    fn the_ends_of_a_range_are_in_the_unit_of_its_value() {
        let range = |low, value, high| mass_range(Range { low: Some(low), value, high: Some(high) });
        assert_eq!(range(0.1, 1.0, 10.0), "1.00 g [0.100–10.0]");
        assert_eq!(range(0.09, 0.9, 9.0), "900 mg [90.0–9000]");
        assert_eq!(range(0.0, 355_170_000.0, 1e9), "355 t [0–1000]");
        assert_eq!(range(1e-9, 0.5, f64::INFINITY), "500 mg");
        assert_eq!(mass_range(Range { low: None, value: 0.002, high: Some(1.0) }), "2.00 mg");
        assert_eq!(energy_range(Range { low: Some(0.5), value: 1.0, high: Some(2.0) }), "1.00 Wh [0.500–2.00]");
    }

    #[test]
    fn counts_are_exact_until_they_are_long() {
        let cases = [(0, "0"), (1_234, "1234"), (99_999, "99999"), (100_000, "100k"), (999_499, "999k")];
        let long = [(999_500, "1.00M"), (12_345_678, "12.3M"), (7_000_000_000, "7.00G"), (u64::MAX, "1.84e10G")];
        for (number, expected) in cases.into_iter().chain(long) {
            assert_eq!(count(number), expected, "{number}");
        }
    }
}
