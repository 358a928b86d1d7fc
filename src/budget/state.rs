//! What one budget has consumed, what that means, and what of it is news. Knows numbers and time, which are passed in;
//! nothing of who is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::period::{Period, THIRTY_DAYS_MS, UnixMs};
use super::ring::Ring;
use super::{BudgetSettings, Status, Window};
use crate::units::Sum;

/// Buckets of a rolling period.
const BUCKETS: usize = 360;
/// Buckets of the forecast of a rolling period: its last tenth.
const RECENT: usize = BUCKETS / 10;
/// How far a rolling budget has to fall below a threshold before it may cross it again, in points of a hundred.
const REARM: f64 = 5.0;
/// Of models and services, how many are kept apart.
const MAX_DRIVERS: usize = 100;
/// For a period of 30 days: a burn rate, and the long and the short time over which it has to last. From the multi-window
/// alerts of <https://sre.google/workbook/alerting-on-slos/>.
pub(super) const BURNS: [(f64, i64, i64); 4] = [
    (14.4, 3_600_000, 300_000),
    (6.0, 6 * 3_600_000, 1_800_000),
    (3.0, 24 * 3_600_000, 2 * 3_600_000),
    (1.0, 72 * 3_600_000, 6 * 3_600_000),
];
/// Buckets of a short window; a long one has twelve of them.
const SHORT: usize = 5;
const LONG: usize = 12 * SHORT;

/// The state of one budget. What it counts is in grams or watt-hours, as its limit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    ring: Ring,
    burns: [Ring; BURNS.len()],
    /// Of a calendar period: when it began, and what has been consumed since.
    began: UnixMs,
    total: f64,
    lost: f64,
    /// Thresholds that are crossed, in percent.
    crossed: Vec<f64>,
    burning: [bool; BURNS.len()],
    models: Drivers,
    services: Drivers,
    /// The latest time that was seen: it never runs backwards here.
    now: UnixMs,
}

/// Who consumed: in this period and in the one before, so that a rolling budget always has a whole one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Drivers {
    now: BTreeMap<String, f64>,
    before: BTreeMap<String, f64>,
    turned: UnixMs,
}

/// Something that has just become so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// A threshold is crossed, in percent of the limit; or no longer.
    Threshold {
        /// In percent.
        percent: f64,
        /// Whether it is crossed now.
        is_firing: bool,
    },
    /// More is consumed than lasts for the period, over both windows of a pair; or no longer.
    Burn {
        /// The place of the pair among [`BURN_FACTORS`].
        pair: usize,
        /// Whether it is so now.
        is_firing: bool,
    },
}

/// The burn rates that are watched, by their pair of windows.
pub const BURN_FACTORS: [f64; BURNS.len()] = [BURNS[0].0, BURNS[1].0, BURNS[2].0, BURNS[3].0];

impl State {
    pub(super) fn new(settings: &BudgetSettings, now: UnixMs) -> Self {
        let length = settings.period.nominal_ms();
        let burn = |(_, _, short): (f64, i64, i64)| Ring::new(scaled(short, length) / SHORT as i64, LONG);
        Self {
            ring: Ring::new(length / BUCKETS as i64, BUCKETS),
            burns: BURNS.map(burn),
            began: settings.period.bounds(now).0,
            total: 0.0,
            lost: 0.0,
            crossed: Vec::new(),
            burning: [false; BURNS.len()],
            models: Drivers { turned: now, ..Drivers::default() },
            services: Drivers { turned: now, ..Drivers::default() },
            now,
        }
    }

    /// Whether it can go on under `settings`: a period of another length has other buckets.
    pub(super) fn fits(&self, settings: &BudgetSettings) -> bool {
        let new = Self::new(settings, self.now);
        self.ring.is_like(&new.ring) && self.burns.iter().zip(&new.burns).all(|(one, other)| one.is_like(other))
    }

    pub(super) fn add(&mut self, settings: &BudgetSettings, amount: f64, who: (&str, &str), now: UnixMs) {
        self.turn(settings, now);
        self.ring.add(amount, self.now);
        self.burns.iter_mut().for_each(|burn| burn.add(amount, self.now));
        let mut sum = Sum::resumed(self.total, self.lost);
        sum.add(amount);
        (self.total, self.lost) = sum.parts();
        self.models.add(who.0, amount);
        self.services.add(who.1, amount);
    }

    /// Goes on to `now`: a calendar period may be over.
    fn turn(&mut self, settings: &BudgetSettings, now: UnixMs) {
        self.now = self.now.max(now);
        let is_over = match &settings.period {
            Period::Rolling(_) => self.now - self.models.turned >= settings.period.nominal_ms(),
            Period::Calendar(..) => {
                let began = settings.period.bounds(self.now).0;
                let is_over = began > self.began;
                if is_over {
                    (self.began, self.total, self.lost) = (began, 0.0, 0.0);
                }
                is_over
            }
        };
        if is_over {
            let keeps = matches!(settings.period, Period::Rolling(_));
            self.models.turn(keeps, self.now);
            self.services.turn(keeps, self.now);
        }
    }

    /// How it stands at `now`.
    pub(super) fn status(&mut self, settings: &BudgetSettings, now: UnixMs) -> Status {
        self.turn(settings, now);
        let (start, end) = settings.period.bounds(self.now);
        let length_ms = (end - start) as f64;
        let (consumed, forecast) = match settings.period {
            Period::Rolling(_) => {
                (self.ring.whole(self.now), self.ring.sum(RECENT, self.now) * (BUCKETS / RECENT) as f64)
            }
            Period::Calendar(..) => {
                let consumed = self.total + self.lost;
                let elapsed_ms = ((self.now - start) as f64).max(1.0);
                (consumed, consumed * (length_ms / elapsed_ms))
            }
        };
        Status {
            consumed,
            forecast,
            burn: self.burn(settings),
            models: self.models.top(),
            services: self.services.top(),
        }
    }

    fn burn(&mut self, settings: &BudgetSettings) -> [Window; BURNS.len()] {
        let (limit, length) = (settings.limit.get(), settings.period.nominal_ms());
        let now = self.now;
        let mut windows = [Window::default(); BURNS.len()];
        for ((window, ring), (factor, long_ms, short_ms)) in windows.iter_mut().zip(&mut self.burns).zip(BURNS) {
            // A rate of 1 consumes the limit in just the period.
            let rate = |consumed: f64, ms: i64| consumed / limit * (THIRTY_DAYS_MS as f64 / ms as f64);
            let (long_rate, short_rate) = (rate(ring.sum(LONG, now), long_ms), rate(ring.sum(SHORT, now), short_ms));
            let (long_ms, short_ms) = (scaled(long_ms, length), scaled(short_ms, length));
            *window = Window { factor, long_ms, short_ms, long_rate, short_rate };
        }
        windows
    }

    /// What has changed since this was last asked.
    pub(super) fn changes(&mut self, settings: &BudgetSettings, now: UnixMs) -> Vec<Change> {
        let began = self.began;
        let status = self.status(settings, now);
        let percent = status.consumed / settings.limit.get() * 100.0;
        let (is_rolling, is_new_period) = (matches!(settings.period, Period::Rolling(_)), self.began != began);
        let mut changes = Vec::new();
        self.crossed.retain(|crossed| {
            let is_known = settings.thresholds.contains(crossed);
            let recovers = if is_rolling { percent < crossed - REARM } else { is_new_period || percent < *crossed };
            if recovers || !is_known {
                changes.push(Change::Threshold { percent: *crossed, is_firing: false });
            }
            is_known && !recovers
        });
        for &threshold in &settings.thresholds {
            if percent >= threshold && !self.crossed.contains(&threshold) {
                self.crossed.push(threshold);
                changes.push(Change::Threshold { percent: threshold, is_firing: true });
            }
        }
        for (pair, (window, burning)) in status.burn.iter().zip(&mut self.burning).enumerate() {
            let is_firing =
                settings.burn_rates && window.long_rate >= window.factor && window.short_rate >= window.factor;
            if is_firing != *burning {
                *burning = is_firing;
                changes.push(Change::Burn { pair, is_firing });
            }
        }
        changes
    }
}

/// A window of a 30-day period, for one of another length.
pub(super) fn scaled(ms: i64, length_ms: i64) -> i64 {
    (i128::from(ms) * i128::from(length_ms) / i128::from(THIRTY_DAYS_MS)).try_into().unwrap_or(i64::MAX)
}

impl Drivers {
    fn add(&mut self, who: &str, amount: f64) {
        let is_known = self.now.contains_key(who) || self.now.len() < MAX_DRIVERS;
        *self.now.entry(if is_known { who } else { "other" }.to_owned()).or_default() += amount;
    }

    fn turn(&mut self, keeps: bool, now: UnixMs) {
        let ended = std::mem::take(&mut self.now);
        self.before = if keeps { ended } else { BTreeMap::new() };
        self.turned = now;
    }

    /// The most, most first.
    fn top(&self) -> Vec<(String, f64)> {
        let mut all = self.now.clone();
        for (who, amount) in &self.before {
            *all.entry(who.clone()).or_default() += amount;
        }
        let mut top: Vec<_> = all.into_iter().filter(|(_, amount)| *amount > 0.0).collect();
        top.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        top.truncate(5);
        top
    }
}
