//! Quantities: what is counted and what is estimated, each a type that is finite and not negative by construction.
//! Knows neither formulas nor where a number comes from.

mod amount;
mod sum;

use std::fmt;

pub use amount::{Amount, AmountError};
pub use sum::Sum;

/// Joules in a watt-hour.
pub const J_PER_WH: f64 = 3600.0;

/// Why a number is no quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QuantityError {
    /// NaN or an infinity.
    NotFinite,
    /// Below the least value that the quantity can have.
    TooSmall {
        /// What was given.
        given: f64,
        /// The least that is accepted.
        least: f64,
    },
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("not a finite number"),
            Self::TooSmall { given, least } => write!(f, "{given} is less than {least}"),
        }
    }
}

impl std::error::Error for QuantityError {}

/// A count of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tokens(u64);

impl Tokens {
    /// No tokens.
    pub const ZERO: Self = Self(0);

    /// `count` tokens.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, at most `u64::MAX`.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The whole number next to a count that was computed; what is below 0 or no number is 0.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
    pub const fn rounded(count: f64) -> Self {
        Self(count.round() as u64)
    }

    /// The count for arithmetic; above 2^53 the nearest double.
    #[must_use]
    pub const fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

/// What one model call used. Input includes what was read from and written to a cache, output includes reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TokenUsage {
    /// Every input token, cached ones included.
    pub input: Tokens,
    /// Every output token, reasoning included; zero for embeddings.
    pub output: Tokens,
    /// The part of the input that was read from a cache, where it was told.
    pub cache_read: Option<Tokens>,
    /// The part of the input that was written to a cache, where it was told.
    pub cache_write: Option<Tokens>,
    /// The part of the output that was reasoning, where it was told.
    pub reasoning: Option<Tokens>,
}

/// A quantity that a range can be made of: a double with a unit.
pub trait Quantity: Copy + PartialOrd {
    /// The number, in the unit that the type's name says.
    fn get(self) -> f64;

    /// Takes a number from outside.
    ///
    /// # Errors
    /// [`QuantityError`] where it is not finite or below the least value.
    fn checked(number: f64) -> Result<Self, QuantityError>;

    /// The result of arithmetic on valid quantities: what overflowed is the largest double, what fell short the least
    /// valid value. Not for numbers that come from outside.
    fn saturating(number: f64) -> Self;
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident >= $least:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The least value: what [`Self::new`] accepts starts here.
            pub const LEAST: Self = Self($least);

            /// Takes a number from outside.
            ///
            /// # Errors
            /// [`QuantityError`] where it is not finite or below [`Self::LEAST`].
            pub fn new(number: f64) -> Result<Self, QuantityError> {
                if !number.is_finite() {
                    Err(QuantityError::NotFinite)
                } else if number < $least {
                    Err(QuantityError::TooSmall { given: number, least: $least })
                } else {
                    Ok(Self(number.abs()))
                }
            }

            /// The number, in the unit of the type.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl Quantity for $name {
            fn get(self) -> f64 {
                self.0
            }

            fn checked(number: f64) -> Result<Self, QuantityError> {
                Self::new(number)
            }

            fn saturating(number: f64) -> Self {
                // `max` first: of NaN and a number it gives the number.
                Self(number.max($least).min(f64::MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

quantities! {
    /// Energy in watt-hours.
    WattHours >= 0.0;
    /// Greenhouse gases in grams of CO2 equivalent.
    GramsCo2e >= 0.0;
    /// Depletion of abiotic resources in grams of antimony equivalent.
    GramsSbEq >= 0.0;
    /// Primary energy in megajoules.
    Megajoules >= 0.0;
    /// Water in millilitres.
    Millilitres >= 0.0;
    /// Time in seconds.
    Seconds >= 0.0;
    /// Greenhouse gas intensity of electricity in grams of CO2 equivalent per kilowatt-hour.
    GramsPerKwh >= 0.0;
    /// Resource intensity of electricity in grams of antimony equivalent per kilowatt-hour.
    GramsSbEqPerKwh >= 0.0;
    /// Primary energy behind electricity in megajoules per kilowatt-hour.
    MegajoulesPerKwh >= 0.0;
    /// Water per electricity in litres per kilowatt-hour: of a grid, or on the site of a data centre (WUE).
    LitresPerKwh >= 0.0;
    /// Power usage effectiveness of a data centre: all energy over that of its IT equipment.
    Pue >= 1.0;
    /// A plain factor or weight, without a unit.
    Ratio >= 0.0;
    /// Parameters of a model in billions.
    BillionParameters >= 0.0;
}

/// A value between its bounds: `low <= value <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range<T> {
    low: T,
    value: T,
    high: T,
}

/// The three numbers of a range are not in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeError;

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a range is low <= value <= high")
    }
}

impl std::error::Error for RangeError {}

impl<T: Quantity> Range<T> {
    /// A range with a value of its own.
    ///
    /// # Errors
    /// [`RangeError`] unless `low <= value <= high`.
    pub fn new(low: T, value: T, high: T) -> Result<Self, RangeError> {
        if low <= value && value <= high { Ok(Self { low, value, high }) } else { Err(RangeError) }
    }

    /// A value that is known exactly.
    #[must_use]
    pub const fn exact(value: T) -> Self {
        Self { low: value, value, high: value }
    }

    /// A range whose value is the mean of two ends, which may come in either order.
    #[must_use]
    pub fn between(one: T, other: T) -> Self {
        let (low, high) = if other < one { (other, one) } else { (one, other) };
        let mean = low.get() / 2.0 + high.get() / 2.0;
        // Rounding must not push the mean of two equal ends past them.
        Self { low, value: T::saturating(mean.clamp(low.get(), high.get())), high }
    }

    /// What is known of a quantity between two ends only: its value is their geometric mean, since uncertain factors
    /// multiply; the arithmetic one where the low end is 0.
    #[must_use]
    pub fn geometric(one: T, other: T) -> Self {
        let plain = Self::between(one, other);
        if plain.low.get() > 0.0 {
            let mean = (plain.low.get().ln().midpoint(plain.high.get().ln())).exp();
            return Self { value: T::saturating(mean.clamp(plain.low.get(), plain.high.get())), ..plain };
        }
        plain
    }

    /// The low end.
    #[must_use]
    pub const fn low(&self) -> T {
        self.low
    }

    /// The value to use where one number is wanted.
    #[must_use]
    pub const fn value(&self) -> T {
        self.value
    }

    /// The high end.
    #[must_use]
    pub const fn high(&self) -> T {
        self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_or_negative_is_no_quantity() {
        assert_eq!(WattHours::new(f64::NAN), Err(QuantityError::NotFinite));
        assert_eq!(WattHours::new(f64::INFINITY), Err(QuantityError::NotFinite));
        assert_eq!(GramsCo2e::new(-0.5), Err(QuantityError::TooSmall { given: -0.5, least: 0.0 }));
        assert_eq!(Pue::new(0.99), Err(QuantityError::TooSmall { given: 0.99, least: 1.0 }));
    }

    #[test]
    fn minus_zero_is_stored_as_zero() {
        assert!(WattHours::new(-0.0).unwrap().get().is_sign_positive());
    }

    #[test]
    fn arithmetic_that_overflows_or_falls_short_stays_valid() {
        assert_eq!(WattHours::saturating(f64::INFINITY).get(), f64::MAX);
        assert_eq!(WattHours::saturating(f64::NEG_INFINITY), WattHours::LEAST);
        assert_eq!(Pue::saturating(0.5), Pue::LEAST);
    }

    #[test]
    fn the_middle_of_two_ends_is_their_geometric_mean() {
        let ratio = |number| Ratio::new(number).unwrap();
        assert!((Range::geometric(ratio(2.0), ratio(8.0)).value().get() - 4.0).abs() < 1e-15);
        assert_eq!(Range::geometric(ratio(3.0), ratio(0.0)).value(), ratio(1.5));
        assert_eq!(Range::geometric(ratio(5.0), ratio(5.0)), Range::exact(ratio(5.0)));
    }

    #[test]
    fn a_range_is_in_order_whichever_end_comes_first() {
        let wh = |number| WattHours::new(number).unwrap();
        let range = Range::between(wh(3.0), wh(1.0));
        assert_eq!((range.low(), range.value(), range.high()), (wh(1.0), wh(2.0), wh(3.0)));
        assert_eq!(Range::new(wh(2.0), wh(1.0), wh(3.0)), Err(RangeError));
        let top = Range::between(wh(f64::MAX), wh(f64::MAX));
        assert_eq!(top, Range::exact(wh(f64::MAX)));
    }
}
