//! What one budget has consumed, what that means, and what of it is news. Knows numbers and time, which are passed in;
//! nothing of who is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, BURNS, Burn, Change};
use super::period::{Period, THIRTY_DAYS_MS, UnixMs};
use super::ring::Ring;
use super::{BudgetSettings, Count, Status, Window};
use crate::units::{Amount, GramsCo2e, Quantity as _, Sum, WattHours};

/// Buckets of a rolling period.
const BUCKETS: usize = 360;
/// Buckets of the forecast of a rolling period: its last tenth.
const RECENT: usize = BUCKETS / 10;
/// How far a rolling budget has to fall below a threshold before it may cross it again, in points of a hundred.
const REARM: f64 = 5.0;
/// Of models and services, how many are kept apart.
const MAX_DRIVERS: usize = 100;
/// Buckets of a short window; a long one has twelve of them.
const SHORT: usize = 5;
const LONG: usize = 12 * SHORT;

/// The state of one budget. What it counts is in grams or watt-hours, as its limit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Whether watt-hours are counted, not grams.
    is_energy: bool,
    /// The limit that it was last held against, in that unit.
    #[serde(default)]
    limit: f64,
    period: Period,
    ring: Ring,
    burns: [Ring; BURNS.len()],
    /// Of a calendar period: when it began and when it ends, and what has been consumed since.
    bounds: (UnixMs, UnixMs),
    total: f64,
    lost: f64,
    standing: Standing,
    models: Drivers,
    services: Drivers,
    /// The latest time that was seen: it never runs backwards here.
    now: UnixMs,
}

/// Which thresholds are crossed, and which burn rates are too fast: since when.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// In percent.
    pub(super) crossed: Vec<(f64, UnixMs)>,
    pub(super) burning: [Option<UnixMs>; BURNS.len()],
    /// When the period began that this is about.
    pub(super) began: UnixMs,
}

/// Who consumed: in this period and in the one before, so that a rolling budget always has a whole one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Drivers {
    now: BTreeMap<String, f64>,
    before: BTreeMap<String, f64>,
    turned: UnixMs,
}

impl State {
    pub(super) fn new(settings: &BudgetSettings, now: UnixMs) -> Self {
        let length = settings.period.nominal_ms();
        let burn = |burn: Burn| Ring::new(burn.scaled(length).short_ms / SHORT as i64, LONG);
        Self {
            is_energy: is_energy(settings),
            limit: settings.limit.get(),
            period: settings.period.clone(),
            ring: Ring::new(length / BUCKETS as i64, BUCKETS),
            burns: BURNS.map(burn),
            bounds: settings.period.bounds(now),
            total: 0.0,
            lost: 0.0,
            standing: Standing { began: settings.period.bounds(now).0, ..Standing::default() },
            models: Drivers { turned: now, ..Drivers::default() },
            services: Drivers { turned: now, ..Drivers::default() },
            now,
        }
    }

    /// Whether what it has counted is what `settings` count: of the same unit, and for the same kind of period.
    pub(super) fn fits(&self, settings: &BudgetSettings) -> bool {
        self.is_energy == is_energy(settings) && self.period.is_like(&settings.period)
    }

    /// Goes on under `settings`, which it fits. Gives whether the limit is another one, or a period of the calendar begins and
    /// ends at other times from now on.
    pub(super) fn go_on(&mut self, settings: &BudgetSettings, now: UnixMs) -> bool {
        self.turn(now);
        let is_moved = self.period != settings.period;
        let is_limited = self.limit.to_bits() != settings.limit.get().to_bits();
        self.limit = settings.limit.get();
        if is_moved {
            self.period = settings.period.clone();
            self.bounds = self.period.bounds(self.now);
            self.standing.began = self.bounds.0;
        }
        is_moved || is_limited
    }

    /// What it was last held against, for those who were told of a budget that is gone: its name, limit and period alone.
    pub(super) fn settings(&self, name: &str) -> BudgetSettings {
        let limit = if self.is_energy {
            Amount::Energy(WattHours::saturating(self.limit))
        } else {
            Amount::Co2e(GramsCo2e::saturating(self.limit))
        };
        let (name, period) = (name.to_owned(), self.period.clone());
        BudgetSettings { name, limit, period, thresholds: Vec::new(), burn_rates: false, count: Count::default() }
    }

    /// The clock is believed that is so much behind: everything that was booked is as long ago as it was.
    pub(super) fn set_back(&mut self, by_ms: i64) {
        self.now = self.now.saturating_sub(by_ms);
        self.ring.set_back(by_ms);
        self.burns.iter_mut().for_each(|ring| ring.set_back(by_ms));
        for drivers in [&mut self.models, &mut self.services] {
            drivers.turned = drivers.turned.saturating_sub(by_ms);
        }
        // What was told of the period that it had gone on to is not told again.
        self.bounds = self.period.bounds(self.now);
        if matches!(self.period, Period::Calendar(..)) {
            self.standing.began = self.bounds.0;
        }
        let back = |since: &mut UnixMs| *since = since.saturating_sub(by_ms);
        self.standing.crossed.iter_mut().for_each(|(_, since)| back(since));
        self.standing.burning.iter_mut().flatten().for_each(back);
    }

    /// The latest time that was seen.
    pub(super) const fn latest(&self) -> UnixMs {
        self.now
    }

    pub(super) fn add(&mut self, amount: f64, who: (&str, &str), now: UnixMs) {
        self.turn(now);
        self.ring.add(amount, self.now);
        self.burns.iter_mut().for_each(|burn| burn.add(amount, self.now));
        let mut sum = Sum::resumed(self.total, self.lost);
        sum.add(amount);
        (self.total, self.lost) = sum.parts();
        self.models.add(who.0, amount);
        self.services.add(who.1, amount);
    }

    /// Goes on to `now`: a calendar period may be over. Its bounds are looked up in the calendar once a period.
    fn turn(&mut self, now: UnixMs) {
        self.now = self.now.max(now);
        let is_rolling = matches!(self.period, Period::Rolling(_));
        let is_over = if is_rolling {
            self.now - self.models.turned >= self.period.nominal_ms()
        } else {
            self.now >= self.bounds.1
        };
        if !is_over {
            return;
        }
        if !is_rolling {
            self.bounds = self.period.bounds(self.now);
            (self.total, self.lost) = (0.0, 0.0);
        }
        self.models.turn(is_rolling, self.now);
        self.services.turn(is_rolling, self.now);
    }

    /// How it stands at `now`.
    pub(super) fn status(&mut self, settings: &BudgetSettings, now: UnixMs) -> Status {
        self.turn(now);
        let recent = self.ring.sum(RECENT, self.now);
        let (consumed, forecast) = match self.period {
            Period::Rolling(_) => (self.ring.whole(self.now), recent * (BUCKETS / RECENT) as f64),
            Period::Calendar(..) => {
                let consumed = self.total + self.lost;
                (consumed, self.forecast(consumed, recent))
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

    /// At the end of the calendar period. The average of its first minutes says nothing of a month, so until a tenth of it
    /// has passed what is left of it goes on as the last tenth of a period did.
    fn forecast(&self, consumed: f64, recent: f64) -> f64 {
        let (began, ends) = self.bounds;
        let (elapsed_ms, left_ms) = ((self.now - began) as f64, (ends - self.now) as f64);
        let recent_ms = (self.period.nominal_ms() / (BUCKETS / RECENT) as i64) as f64;
        let (amount, time_ms) = if elapsed_ms < recent_ms { (recent, recent_ms) } else { (consumed, elapsed_ms) };
        consumed + amount * (left_ms / time_ms)
    }

    fn burn(&mut self, settings: &BudgetSettings) -> [Window; BURNS.len()] {
        let (limit, length) = (settings.limit.get(), settings.period.nominal_ms());
        let now = self.now;
        let mut windows = [Window::default(); BURNS.len()];
        for ((window, ring), burn) in windows.iter_mut().zip(&mut self.burns).zip(BURNS) {
            // A rate of 1 consumes the limit in just the period.
            let rate = |consumed: f64, ms: i64| consumed / limit * (THIRTY_DAYS_MS as f64 / ms as f64);
            let (long_rate, short_rate) =
                (rate(ring.sum(LONG, now), burn.long_ms), rate(ring.sum(SHORT, now), burn.short_ms));
            let Burn { factor, long_ms, short_ms } = burn.scaled(length);
            *window = Window { factor, long_ms, short_ms, long_rate, short_rate };
        }
        windows
    }

    /// What has changed since this was last asked, given how it stood then and stands now.
    pub(super) fn changes(&mut self, settings: &BudgetSettings, now: UnixMs) -> (Vec<Change>, Status) {
        let status = self.status(settings, now);
        let percent = status.consumed / settings.limit.get() * 100.0;
        let began = std::mem::replace(&mut self.standing.began, self.bounds.0);
        let (is_rolling, is_new_period) = (matches!(self.period, Period::Rolling(_)), self.bounds.0 != began);
        let (since, mut changes) = (self.now, Vec::new());
        self.standing.crossed.retain(|(crossed, since)| {
            let is_known = settings.thresholds.contains(crossed);
            let recovers = if is_rolling { percent < crossed - REARM } else { is_new_period || percent < *crossed };
            if recovers || !is_known {
                changes.push(Change { what: Alarm::Threshold(*crossed), is_firing: false, since: *since });
            }
            is_known && !recovers
        });
        for &threshold in &settings.thresholds {
            if percent >= threshold && !self.standing.crossed.iter().any(|(crossed, _)| *crossed == threshold) {
                self.standing.crossed.push((threshold, since));
                changes.push(Change { what: Alarm::Threshold(threshold), is_firing: true, since });
            }
        }
        for (pair, (window, burning)) in status.burn.iter().zip(&mut self.standing.burning).enumerate() {
            let is_firing =
                settings.burn_rates && window.long_rate >= window.factor && window.short_rate >= window.factor;
            if is_firing != burning.is_some() {
                let since = burning.unwrap_or(since);
                *burning = is_firing.then_some(since);
                changes.push(Change { what: Alarm::Burn(pair), is_firing, since });
            }
        }
        (changes, status)
    }

    /// Everything that fires.
    pub(super) fn firing(&self) -> impl Iterator<Item = (Alarm, UnixMs)> + use<'_> {
        let crossed = self.standing.crossed.iter().map(|(percent, since)| (Alarm::Threshold(*percent), *since));
        let burning = self.standing.burning.iter().enumerate();
        crossed.chain(burning.filter_map(|(pair, since)| Some((Alarm::Burn(pair), (*since)?))))
    }

    /// Nothing fires any more: gives what did.
    pub(super) fn silence(&mut self) -> Vec<Change> {
        let ended = |(what, since)| Change { what, is_firing: false, since };
        let changes = self.firing().map(ended).collect();
        self.standing = Standing { began: self.standing.began, ..Standing::default() };
        changes
    }

    pub(super) const fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) fn stand(&mut self, standing: Standing) {
        self.standing = standing;
    }

    /// Whether everything that it counted is over by `now`, so that nothing is lost with it.
    pub(super) fn is_over(&self, now: UnixMs) -> bool {
        now.saturating_sub(self.now) > self.period.nominal_ms().saturating_mul(2)
    }
}

const fn is_energy(settings: &BudgetSettings) -> bool {
    matches!(settings.limit, Amount::Energy(_))
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
