//! Numbers as registry files have them: a scalar, `{value}`, `{range: [low, high]}` or both, checked for its unit. The
//! unit itself stands in the key.

use crate::document::section::Field;
use crate::factors::factor::Spread;
use crate::units::{Quantity, QuantityError, Range};

/// Reads a number; what is wrong with it is reported, and then there is none.
pub(super) fn spread<T: Quantity>(field: &Field<'_>) -> Option<Spread<T>> {
    if !field.is_mapping() {
        return reported(field, scalar(field)).map(Spread::Tier);
    }
    let mut section = field.section()?;
    let value = section.field("value");
    let ends = section.field("range");
    section.finish(&[
        ("low", "write `range: [low, high]`"),
        ("high", "write `range: [low, high]`"),
        ("min", "write `range: [low, high]`"),
        ("max", "write `range: [low, high]`"),
    ]);
    let value = match value {
        Some(field) => Some(reported(&field, scalar::<T>(&field))?),
        None => None,
    };
    match (value, ends) {
        (None, None) => reported(field, Err("has neither `value` nor `range`; write one of them".to_owned())),
        (Some(value), None) => Some(Spread::Tier(value)),
        (value, Some(ends)) => reported(&ends, range(&ends, value)).map(Spread::Own),
    }
}

/// Reads a number as a range, which is that number alone where it has no ends.
pub(super) fn range_of<T: Quantity>(field: &Field<'_>) -> Option<Range<T>> {
    spread(field).map(|spread| match spread {
        Spread::Tier(value) => Range::exact(value),
        Spread::Own(range) => range,
    })
}

/// Reads a single number.
pub(super) fn scalar<T: Quantity>(field: &Field<'_>) -> Result<T, String> {
    let number = field.number()?;
    T::checked(number).map_err(|error| match error {
        QuantityError::NotFinite => format!("write a finite number, not `{number}`"),
        QuantityError::TooSmall { least, .. } => format!("write a number of at least {least}, not `{number}`"),
    })
}

fn range<T: Quantity>(ends: &Field<'_>, value: Option<T>) -> Result<Range<T>, String> {
    let items: Vec<Field<'_>> = if ends.is_list() { ends.items().collect() } else { Vec::new() };
    let [low, high] = items.as_slice() else {
        return Err(format!("write two numbers, as in `[1, 2]`, not {}", ends.found()));
    };
    let (low, high) = (scalar::<T>(low)?, scalar::<T>(high)?);
    if low > high {
        return Err(format!("the low end is above the high one; write `[{}, {}]`", high.get(), low.get()));
    }
    match value {
        None => Ok(Range::geometric(low, high)),
        Some(value) => Range::new(low, value, high).map_err(|_| {
            let (low, high) = (low.get(), high.get());
            format!("`value` {} is outside of {low} to {high}; write a range that it lies in", value.get())
        }),
    }
}

/// Reports what is wrong with a value.
pub(super) fn reported<T>(field: &Field<'_>, result: Result<T, String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(message) => {
            field.error(message);
            None
        }
    }
}
