//! What may be told of a budget: thresholds and burn rates, how urgent they are, and in which words.
//! Knows numbers; nothing of who is told.

use super::period::{THIRTY_DAYS_MS, UnixMs};
use super::{BudgetSettings, Status};

/// A burn rate that is too fast, and the two windows over which it has to last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// A rate of 1 consumes the limit in just the period.
    pub factor: f64,
    /// The longer window, in milliseconds.
    pub long_ms: i64,
    /// The shorter one.
    pub short_ms: i64,
}

/// For a period of 30 days, the most urgent first: the multi-window alerts of
/// <https://sre.google/workbook/alerting-on-slos/>.
pub const BURNS: [Burn; 4] = [
    Burn { factor: 14.4, long_ms: 3_600_000, short_ms: 300_000 },
    Burn { factor: 6.0, long_ms: 6 * 3_600_000, short_ms: 1_800_000 },
    Burn { factor: 3.0, long_ms: 24 * 3_600_000, short_ms: 2 * 3_600_000 },
    Burn { factor: 1.0, long_ms: 72 * 3_600_000, short_ms: 6 * 3_600_000 },
];

/// The factor of a burn rate from which on it is urgent.
const URGENT_FACTOR: f64 = 6.0;
/// The threshold from which on it is, in percent.
const URGENT_PERCENT: f64 = 100.0;

impl Burn {
    /// The same for a period of this length.
    #[must_use]
    pub fn scaled(self, length_ms: i64) -> Self {
        Self { long_ms: scaled(self.long_ms, length_ms), short_ms: scaled(self.short_ms, length_ms), ..self }
    }
}

/// A window of a 30-day period, for one of another length.
fn scaled(ms: i64, length_ms: i64) -> i64 {
    (i128::from(ms) * i128::from(length_ms) / i128::from(THIRTY_DAYS_MS)).try_into().unwrap_or(i64::MAX)
}

/// What may fire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Alarm {
    /// A threshold, in percent of the limit.
    Threshold(f64),
    /// More is consumed than lasts for the period, over both windows of a pair: its place among [`BURNS`].
    Burn(usize),
}

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// In time.
    Warning,
    /// Now.
    Critical,
}

impl Severity {
    /// As labels of alerts have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that has just become so, or no longer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// What.
    pub what: Alarm,
    /// Whether it is so now.
    pub is_firing: bool,
    /// When it began.
    pub since: UnixMs,
}

impl Alarm {
    /// From where on it fires: the percent of a threshold, the factor of a burn rate.
    #[must_use]
    pub fn level(self) -> f64 {
        match self {
            Self::Threshold(percent) => percent,
            Self::Burn(pair) => BURNS.get(pair).map(|burn| burn.factor).unwrap_or_default(),
        }
    }

    /// How urgent it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        let is_urgent = match self {
            Self::Threshold(percent) => percent >= URGENT_PERCENT,
            Self::Burn(_) => self.level() >= URGENT_FACTOR,
        };
        if is_urgent { Severity::Critical } else { Severity::Warning }
    }

    /// How a budget stands against it, in the unit of its level: of a burn rate, what holds over both windows.
    #[must_use]
    pub fn measure(self, budget: &BudgetSettings, status: &Status) -> f64 {
        match self {
            Self::Threshold(_) => status.consumed / budget.limit.get() * 100.0,
            Self::Burn(pair) => {
                status.burn.get(pair).map(|window| window.long_rate.min(window.short_rate)).unwrap_or_default()
            }
        }
    }

    /// How a budget stands, and why that is told: `the budget search is at 92 % of its limit (threshold 90 %)`.
    #[must_use]
    pub fn summary(self, budget: &BudgetSettings, status: &Status, is_firing: bool) -> String {
        let (name, level, measure) = (&budget.name, self.level(), self.measure(budget, status));
        let (stands, level) = match self {
            Self::Threshold(_) => (format!("is at {} % of its limit", short(measure)), format!("threshold {level} %")),
            Self::Burn(_) => (
                format!("burns at {} times the rate at which it lasts", short(measure)),
                format!("told from {level} on"),
            ),
        };
        match (is_firing, measure < self.level()) {
            (true, _) => format!("the budget {name} {stands} ({level})"),
            (false, true) => format!("the budget {name} {stands}, which is no longer too much ({level})"),
            // The budget is gone, or the threshold is, or another period has begun above it.
            (false, false) => format!("the budget {name} {stands}, which is no longer told ({level})"),
        }
    }
}

/// Three digits.
fn short(number: f64) -> String {
    let digits = match number.abs() {
        big if big >= 100.0 => 0,
        big if big >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Count, Period, Rolling, Window};

    #[test]
    fn a_summary_says_how_it_stands_and_against_what() {
        let budget = BudgetSettings {
            name: "search".to_owned(),
            limit: "1kg".parse().unwrap(),
            period: Period::Rolling(Rolling::Day),
            thresholds: vec![90.0],
            burn_rates: true,
            count: Count::Value,
        };
        let window = Window { long_rate: 20.04, short_rate: 16.0, ..Window::default() };
        let status = Status { consumed: 923.4, forecast: 0.0, burn: [window; 4], models: vec![], services: vec![] };
        let said = |alarm: Alarm, is_firing| alarm.summary(&budget, &status, is_firing);
        assert_eq!(said(Alarm::Threshold(90.0), true), "the budget search is at 92.3 % of its limit (threshold 90 %)");
        assert_eq!(
            said(Alarm::Threshold(95.0), false),
            "the budget search is at 92.3 % of its limit, which is no longer too much (threshold 95 %)"
        );
        assert_eq!(
            said(Alarm::Threshold(75.0), false),
            "the budget search is at 92.3 % of its limit, which is no longer told (threshold 75 %)"
        );
        assert_eq!(
            said(Alarm::Burn(0), true),
            "the budget search burns at 16 times the rate at which it lasts (told from 14.4 on)"
        );
        assert_eq!([0.0, 1.0, 9.996, 123.45, 100_000.0].map(short), ["0", "1", "10", "123", "100000"]);
    }
}
