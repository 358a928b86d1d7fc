//! The time that a budget is for: the last hour to 30 days, or a day, week or month of the calendar somewhere.
//! Time is passed in, as milliseconds since 1970.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970, UTC.
pub type UnixMs = i64;

/// A time of the system's clock as budgets have it; what is before 1970 is 1970.
#[must_use]
pub fn unix_ms(time: SystemTime) -> UnixMs {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMs::try_from(since.as_millis()).unwrap_or(UnixMs::MAX)
}

const HOUR_MS: i64 = 3_600_000;
/// The period that burn rates are defined for.
pub(super) const THIRTY_DAYS_MS: i64 = 720 * HOUR_MS;

/// The time that a budget is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Period {
    /// Up to now.
    Rolling(Rolling),
    /// By the calendar of a time zone.
    Calendar(CalendarUnit, TimeZone),
}

/// How long a rolling period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rolling {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    ThirtyDays,
}

/// A part of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

impl Rolling {
    /// In milliseconds.
    #[must_use]
    pub const fn length_ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::Week => 168 * HOUR_MS,
            Self::ThirtyDays => THIRTY_DAYS_MS,
        }
    }
}

impl Period {
    /// The period that holds `now`, with its end excluded; a rolling one ends now.
    #[must_use]
    pub fn bounds(&self, now: UnixMs) -> (UnixMs, UnixMs) {
        match self {
            Self::Rolling(rolling) => (now.saturating_sub(rolling.length_ms()), now),
            // What no calendar has is one endless period.
            Self::Calendar(unit, zone) => calendar(*unit, zone, now).unwrap_or((i64::MIN, i64::MAX)),
        }
    }

    /// Whether what was consumed under `other` goes on under this: the same but for the time zone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rolling(one), Self::Rolling(other)) => one == other,
            (Self::Calendar(one, _), Self::Calendar(other, _)) => one == other,
            (Self::Rolling(_), Self::Calendar(..)) | (Self::Calendar(..), Self::Rolling(_)) => false,
        }
    }

    /// What burn rates and rings are scaled by: the length, of a month 30 days.
    #[must_use]
    pub const fn nominal_ms(&self) -> i64 {
        match self {
            Self::Rolling(rolling) => rolling.length_ms(),
            Self::Calendar(CalendarUnit::Day, _) => Rolling::Day.length_ms(),
            Self::Calendar(CalendarUnit::Week, _) => Rolling::Week.length_ms(),
            Self::Calendar(CalendarUnit::Month, _) => THIRTY_DAYS_MS,
        }
    }
}

fn calendar(unit: CalendarUnit, zone: &TimeZone, now: UnixMs) -> Option<(UnixMs, UnixMs)> {
    let today = Timestamp::from_millisecond(now).ok()?.to_zoned(zone.clone()).date();
    let (first, next) = match unit {
        CalendarUnit::Day => (today, today.checked_add(1.day()).ok()?),
        CalendarUnit::Week => {
            let since_monday = i64::from(today.weekday().since(Weekday::Monday));
            let monday = today.checked_sub(since_monday.days()).ok()?;
            (monday, monday.checked_add(1.week()).ok()?)
        }
        CalendarUnit::Month => {
            let first = today.first_of_month();
            (first, first.checked_add(1.month()).ok()?)
        }
    };
    // Where midnight does not exist, as in zones that change their clocks at midnight, the day begins with what does.
    let begins = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    Some((begins(first)?, begins(next)?))
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self {
            Self::Rolling(Rolling::Hour) => "last hour",
            Self::Rolling(Rolling::Day) => "last 24 hours",
            Self::Rolling(Rolling::Week) => "last 7 days",
            Self::Rolling(Rolling::ThirtyDays) => "last 30 days",
            Self::Calendar(CalendarUnit::Day, _) => "day",
            Self::Calendar(CalendarUnit::Week, _) => "week",
            Self::Calendar(CalendarUnit::Month, _) => "month",
        };
        formatter.write_str(unit)?;
        match self {
            Self::Calendar(_, zone) => write!(formatter, " in {}", zone.iana_name().unwrap_or("UTC")),
            Self::Rolling(_) => Ok(()),
        }
    }
}

/// How a period is written where it is kept: `30d`, or `month Europe/Berlin`.
const ROLLING: [(&str, Rolling); 4] =
    [("1h", Rolling::Hour), ("1d", Rolling::Day), ("7d", Rolling::Week), ("30d", Rolling::ThirtyDays)];
const CALENDAR: [(&str, CalendarUnit); 3] =
    [("day", CalendarUnit::Day), ("week", CalendarUnit::Week), ("month", CalendarUnit::Month)];

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rolling(rolling) => {
                let word = ROLLING.iter().find(|(_, it)| it == rolling).map_or("", |(word, _)| word);
                serializer.serialize_str(word)
            }
            Self::Calendar(unit, zone) => {
                let word = CALENDAR.iter().find(|(_, it)| it == unit).map_or("", |(word, _)| word);
                serializer.collect_str(&format_args!("{word} {}", zone.iana_name().unwrap_or("UTC")))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = match text.split_once(' ') {
            None => ROLLING.iter().find(|(word, _)| *word == text).map(|(_, rolling)| Self::Rolling(*rolling)),
            Some((unit, zone)) => CALENDAR
                .iter()
                .find(|(word, _)| *word == unit)
                // A zone that is no longer known: the configuration says in which one it goes on.
                .map(|(_, unit)| Self::Calendar(*unit, TimeZone::get(zone).unwrap_or(TimeZone::UTC))),
        };
        read.ok_or_else(|| de::Error::custom(format_args!("`{text}` is no period")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn bounds(unit: CalendarUnit, zone: &str, now: &str) -> (String, String) {
        let (start, end) = Period::Calendar(unit, TimeZone::get(zone).unwrap()).bounds(at(now));
        let text = |ms| Timestamp::from_millisecond(ms).unwrap().to_string();
        (text(start), text(end))
    }

    #[test]
    fn days_weeks_and_months_begin_at_local_midnight_also_when_clocks_change() {
        let own = |(start, end): (&str, &str)| (start.to_owned(), end.to_owned());
        // 2026-03-29 has 23 hours in Berlin, 2026-10-25 has 25.
        let spring = bounds(CalendarUnit::Day, "Europe/Berlin", "2026-03-29T12:00:00Z");
        assert_eq!(spring, own(("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")));
        let autumn = bounds(CalendarUnit::Day, "Europe/Berlin", "2026-10-25T22:59:59Z");
        assert_eq!(autumn, own(("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")));
        let week = bounds(CalendarUnit::Week, "Europe/Berlin", "2026-03-29T21:59:59Z");
        assert_eq!(week, own(("2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z")), "Sunday is the last day");
        let month = bounds(CalendarUnit::Month, "America/New_York", "2026-03-01T04:59:59Z");
        assert_eq!(month, own(("2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z")), "still February there");
        let leap = bounds(CalendarUnit::Month, "UTC", "2028-02-29T23:59:59Z");
        assert_eq!(leap, own(("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z")));
        // Clocks went from 24:00 to 01:00 there.
        let gap = bounds(CalendarUnit::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z");
        assert_eq!(gap, own(("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z")));
    }
}
