//! Rounding to significant decimal digits: backends print doubles raw, and nobody knows the sixteenth digit of an
//! estimate.

/// Powers of ten that a double holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Digits that tell every double from its neighbours.
pub(crate) const ALL_DIGITS: u8 = 17;

/// The double nearest to `value` written with `digits` significant decimal digits (1 to 17; 17 gives `value` itself).
pub(crate) fn round_significant(value: f64, digits: u8) -> f64 {
    if digits >= ALL_DIGITS || value == 0.0 || !value.is_finite() {
        return value;
    }
    let shift = i32::from(digits.max(1)) - 1 - exponent_of(value);
    let power = usize::try_from(shift.abs()).ok().and_then(|shift| EXACT.get(shift)).filter(|_| digits <= 15);
    power.and_then(|power| round_scaled(value, *power, shift >= 0)).unwrap_or_else(|| round_exactly(value, digits))
}

/// Rounds `value` scaled by an exact power of ten; `None` where the rounding of the scaled number itself may have moved
/// it over a tie.
fn round_scaled(value: f64, power: f64, up: bool) -> Option<f64> {
    let scaled = if up { value * power } else { value / power };
    let to_tie = (scaled.abs().fract() - 0.5).abs();
    let rounded = scaled.round();
    (to_tie > scaled.abs() * f64::EPSILON).then(|| if up { rounded / power } else { rounded * power })
}

/// By way of decimal digits: exact, and slower.
fn round_exactly(value: f64, digits: u8) -> f64 {
    format!("{value:.*e}", usize::from(digits.max(1)) - 1).parse().unwrap_or(value)
}

/// The decimal exponent of a finite value that is not 0.
#[allow(clippy::cast_possible_truncation)] // at most 308 either way
fn exponent_of(value: f64) -> i32 {
    let estimate = value.abs().log10().floor() as i32;
    // log10 rounds: just below a power of ten it may give the power.
    match usize::try_from(estimate.unsigned_abs()).ok().and_then(|index| EXACT.get(index)) {
        Some(power) if estimate >= 0 && value.abs() < *power => estimate - 1,
        _ => estimate,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_digits_by_hand() {
        assert_eq!(round_significant(0.000_238_184_203_102_555_05, 6), 0.000_238_184);
        assert_eq!(round_significant(384.400_000_1, 6), 384.4);
        assert_eq!(round_significant(1_234_567.0, 6), 1_234_570.0);
        assert_eq!(round_significant(999_999.7, 6), 1_000_000.0);
        assert_eq!(round_significant(1e-30, 6), 1e-30);
        assert_eq!(round_significant(0.0, 6), 0.0);
        assert_eq!(round_significant(1.0 / 3.0, 17), 1.0 / 3.0);
        // 601_111_273_634_437.44 e9: the division alone would make it 437.5, and so 438.
        assert_eq!(round_significant(6.011_112_736_344_374_4e23, 15), 6.011_112_736_344_37e23);
    }

    proptest! {
        /// Against the standard library's exact decimal formatting.
        #[test]
        fn rounding_agrees_with_the_decimal_formatter(
            mantissa in 1.0f64..10.0,
            exponent in -25i32..25,
            digits in 1u8..=16,
        ) {
            let value = mantissa * 10f64.powi(exponent);
            let formatted: f64 = format!("{value:.*e}", usize::from(digits) - 1).parse().unwrap();
            prop_assert_eq!(round_significant(value, digits), formatted, "{:e} to {}", value, digits);
        }
    }
}
