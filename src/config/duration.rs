//! Durations as the Collector writes them: `300ms`, `1h30m`, `1.5h`. Exact to the nanosecond, never negative.
//! Knows text; which bounds a duration has is for the key that holds it.

use std::time::Duration;

use serde::Serializer;

/// Units in nanoseconds. The two micro signs differ (U+00B5, U+03BC); Go takes both.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads numbers with units, one after the other; `0` alone needs no unit.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let malformed = || format!("`{text}` is no duration; write one such as `5s`, `300ms` or `1h30m`");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative; write one such as `5s`"));
    }
    if !text.is_empty() && text.bytes().all(|each| each.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit; write one such as `{text}s` or `{text}ms`"));
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let number_len = rest.find(|each: char| !each.is_ascii_digit() && each != '.').ok_or_else(malformed)?;
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail.find(|each: char| each.is_ascii_digit() || each == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let nanos = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?.1;
        let part = scaled(number, nanos).ok_or_else(malformed)?;
        total = total.checked_add(part).ok_or_else(malformed)?;
        rest = tail;
    }
    if text.is_empty() { Err(malformed()) } else { Ok(Duration::from_nanos(total)) }
}

/// `number` (digits with at most one point) times `unit`, cut below a nanosecond; `None` where it is no number
/// or too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        nanos = nanos.checked_add(u64::from(digit.to_digit(10)?).checked_mul(place)?)?;
    }
    Some(nanos)
}

/// Writes what [`parse`] reads back to the same value.
pub(super) fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, nanos) in UNITS.iter().rev().filter(|(name, _)| name.is_ascii()) {
        let count = rest / nanos;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
            rest %= nanos;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For serde.
pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// For serde, where there may be none.
pub(super) fn serialize_some<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serialize(duration, serializer),
        None => serializer.serialize_none(),
    }
}
