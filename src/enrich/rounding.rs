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
    let rounded = round_scaled(value.abs(), digits.max(1));
    rounded.map_or_else(|| round_exactly(value, digits), |rounded| rounded.copysign(value))
}

/// Scales a positive value by an exact power of ten to a whole number of `digits` digits, and rounds that. `None` where
/// there is no such power, or where the rounding of the scaled number itself may have moved it over a tie.
fn round_scaled(value: f64, digits: u8) -> Option<f64> {
    let (least, most) = (EXACT.get(usize::from(digits) - 1)?, EXACT.get(usize::from(digits)).filter(|_| digits <= 15)?);
    let mut shift = i32::from(digits) - 1 - exponent_near(value);
    let (mut power, mut scaled) = scale(value, shift)?;
    // Scaling is monotonic: what is off by one is seen, and what only rounds up to the next power of ten is that power.
    if scaled < *least {
        shift += 1;
        (power, scaled) = scale(value, shift)?;
    } else if scaled >= *most {
        shift -= 1;
        (power, scaled) = scale(value, shift)?;
    }
    let rounded = nearest_whole(scaled);
    let is_sure = ((scaled - rounded).abs() - 0.5).abs() > scaled * f64::EPSILON;
    is_sure.then(|| if shift >= 0 { rounded / power } else { rounded * power })
}

/// The value times ten to the power of `shift`, and that power without its sign.
#[inline]
fn scale(value: f64, shift: i32) -> Option<(f64, f64)> {
    let power = *EXACT.get(shift.unsigned_abs() as usize)?;
    Some((power, if shift >= 0 { value * power } else { value / power }))
}

/// The whole number nearest to a positive one below 2^52: from there on up to 2^53 doubles are whole.
#[inline]
fn nearest_whole(number: f64) -> f64 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    (number + WHOLE) - WHOLE
}

/// By way of decimal digits: exact, and slower.
#[cold]
#[inline(never)]
fn round_exactly(value: f64, digits: u8) -> f64 {
    format!("{value:.*e}", usize::from(digits.max(1)) - 1).parse().unwrap_or(value)
}

/// The decimal exponent of a positive value, or one less: from the binary one, by log10(2) = 1233/4096 and a little.
fn exponent_near(value: f64) -> i32 {
    let exponent = (value.to_bits() >> 52) as u16;
    ((i32::from(exponent) - 1023) * 1233) >> 12
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
