//! Points in time as factors need them: whole seconds, dates of validity, hours of an intensity. Reads no clock; a
//! time is always passed in.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// When something holds: from a moment on, until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    /// The first moment; `None` for always.
    pub from: Option<Moment>,
    /// The first moment at which it holds no more; `None` for ever.
    pub until: Option<Moment>,
}

const HOUR_S: i64 = 3_600;

impl Moment {
    /// From a span's time; `None` for 0, which means that it is not known.
    #[must_use]
    pub fn from_unix_ns(ns: u64) -> Option<Self> {
        if ns == 0 { None } else { i64::try_from(ns / 1_000_000_000).ok().map(Self) }
    }

    /// Reads `2026-11-01`, `2026-11-01T13:00`, `2026-11-01 13:00:00Z`, `..+00:00`; only UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = text.split_at_checked(10)?;
        let mut parts = date.split('-');
        let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        if parts.next().is_some() {
            return None;
        }
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let at = date.to_datetime(time_of_day(time)?).to_zoned(TimeZone::UTC).ok()?;
        Some(Self(at.timestamp().as_second()))
    }

    /// Whether the moment is the first of its hour.
    #[must_use]
    pub const fn is_start_of_hour(&self) -> bool {
        self.0.rem_euclid(HOUR_S) == 0
    }

    /// The hour in which the moment lies, counted from 1970.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(HOUR_S)
    }
}

impl Validity {
    /// Whether it holds at a moment; where none is known, whether it holds still.
    #[must_use]
    pub fn holds(&self, at: Option<Moment>) -> bool {
        match at {
            Some(at) => self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until),
            None => self.until.is_none(),
        }
    }

    /// Whether both hold at some moment.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let starts_before = |one: &Self, other: &Self| match (one.from, other.until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        };
        starts_before(self, other) && starts_before(other, self)
    }
}

/// What follows a date: nothing, or `T13:00`, with seconds and a sign of UTC where they are written.
fn time_of_day(time: &str) -> Option<Time> {
    if time.is_empty() {
        return Some(Time::midnight());
    }
    let time = time.strip_prefix(['T', 't', ' '])?;
    let time = ["Z", "z", "+00:00", "+0000", " UTC"].into_iter().find_map(|utc| time.strip_suffix(utc)).unwrap_or(time);
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(second) => number(second.split('.').next()?, 2)?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let narrow = |number: i16| i8::try_from(number).ok();
    Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()
}

fn number(text: &str, digits: usize) -> Option<i16> {
    if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_forms_that_people_write() {
        // date -u -d "2026-11-01T13:00:00Z" +%s
        let expected = Some(Moment(1_793_538_000));
        for text in
            ["2026-11-01T13:00:00Z", "2026-11-01 13:00", "2026-11-01T13:00:00+00:00", "2026-11-01 13:00:00.5 UTC"]
        {
            assert_eq!(Moment::parse(text), expected, "{text}");
        }
        assert_eq!(Moment::parse("1970-01-02"), Some(Moment(86_400)));
        assert_eq!(Moment::parse("2024-02-29").map(Moment::hour), Some(1_709_164_800 / 3600));
        for text in ["", "2026-02-29", "2026-13-01", "2026-1-01", "2026-11-01T25:00", "2026-11-01T13:00+02:00", "now"] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert_eq!(Moment::from_unix_ns(0), None);
        assert_eq!(Moment::from_unix_ns(1_793_538_000_999_999_999), expected);
    }

    #[test]
    fn what_ends_no_more_holds_without_a_time() {
        let at = |text| Moment::parse(text);
        let old = Validity { from: None, until: at("2025-01-01") };
        let new = Validity { from: at("2025-01-01"), until: None };
        assert!(old.holds(at("2024-12-31T23:59")) && !old.holds(at("2025-01-01")) && !old.holds(None));
        assert!(!new.holds(at("2024-12-31")) && new.holds(at("2025-01-01")) && new.holds(None));
        assert!(!old.overlaps(&new) && old.overlaps(&Validity::default()) && new.overlaps(&new));
    }
}
