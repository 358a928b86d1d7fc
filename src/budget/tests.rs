//! Months of simulated traffic against a slow oracle: every booking is kept, and every answer is added up anew.
//! The oracle knows the changes of the clocks in Berlin in 2026 by heart.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

fn at(text: &str) -> UnixMs {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn budget(limit: &str, period: Period) -> BudgetSettings {
    let thresholds = vec![50.0, 75.0, 90.0, 100.0];
    let limit = limit.parse().unwrap();
    BudgetSettings { name: "team".to_owned(), limit, period, thresholds, burn_rates: true, count: Count::Value }
}

/// In force from `start` on.
fn budgets(settings: &BudgetSettings, start: UnixMs) -> Budgets {
    let budgets = Budgets::default();
    budgets.apply(vec![settings.clone()], start);
    budgets
}

fn book(budgets: &Budgets, grams: f64, now: UnixMs) {
    let co2e_g = [grams / 2.0, grams, grams * 2.0];
    let consumption = Consumption {
        budgets: &["team".into()],
        co2e_g,
        energy_wh: grams * 3.0,
        model: "openai/gpt-4o",
        service: "shop",
    };
    budgets.add([consumption], now);
}

fn status(budgets: &Budgets, now: UnixMs) -> Status {
    budgets.statuses(now).remove(0).1
}

/// A number below 1 that looks like chance and is the same in every run.
fn chance(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}

/// Milliseconds below `most`, likewise.
fn some_ms(seed: &mut u64, most: i64) -> i64 {
    chance(seed);
    (seed.cast_signed() >> 1).rem_euclid(most)
}

/// Every booking, added up again for every question.
#[derive(Default)]
struct Oracle {
    bookings: Vec<(UnixMs, f64)>,
    crossed: Vec<f64>,
    began: UnixMs,
}

impl Oracle {
    fn since_bucket(&self, bucket_ms: i64, buckets: i64, now: UnixMs) -> f64 {
        let oldest = now.div_euclid(bucket_ms) - buckets;
        self.bookings.iter().filter(|(at, _)| at.div_euclid(bucket_ms) > oldest).map(|(_, grams)| grams).sum()
    }

    fn since(&self, start: UnixMs) -> f64 {
        self.bookings.iter().filter(|(at, _)| *at >= start).map(|(_, grams)| grams).sum()
    }

    fn changes(&mut self, percent: f64, period_began: Option<UnixMs>) -> Vec<Change> {
        let mut changes = Vec::new();
        let is_new = period_began.is_some_and(|began| began != self.began);
        self.began = period_began.unwrap_or_default();
        let before = std::mem::take(&mut self.crossed);
        for threshold in before {
            if is_new || (period_began.is_none() && percent < threshold - 5.0) {
                changes.push(Change::Threshold { percent: threshold, is_firing: false });
            } else {
                self.crossed.push(threshold);
            }
        }
        for threshold in [50.0, 75.0, 90.0, 100.0] {
            if percent >= threshold && !self.crossed.contains(&threshold) {
                self.crossed.push(threshold);
                changes.push(Change::Threshold { percent: threshold, is_firing: true });
            }
        }
        changes
    }
}

fn thresholds(budgets: &Budgets, now: UnixMs) -> Vec<Change> {
    let changes = budgets.changes(now).into_iter().map(|(_, change)| change);
    changes.filter(|change| matches!(change, Change::Threshold { .. })).collect()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * other.abs().max(1e-9)
}

#[test]
fn rolling_periods_are_as_the_oracle_adds_them_up() {
    let lengths =
        [(Rolling::Hour, 60 * MINUTE), (Rolling::Day, DAY), (Rolling::Week, 7 * DAY), (Rolling::ThirtyDays, 30 * DAY)];
    for (rolling, length) in lengths {
        let settings = budget("100g", Period::Rolling(rolling));
        let (mut seed, mut now) = (7, at("2026-03-01T00:00:00Z"));
        let (budgets, mut oracle, mut fired) = (budgets(&settings, now), Oracle::default(), 0);
        for step in 0..3000 {
            // Ten periods of traffic, busy and quiet by turns.
            now += some_ms(&mut seed, length / 150);
            if step / 500 % 2 == 0 {
                let grams = chance(&mut seed);
                book(&budgets, grams, now);
                oracle.bookings.push((now, grams));
            }
            let consumed = oracle.since_bucket(length / 360, 360, now);
            let status = status(&budgets, now);
            assert!(close(status.consumed, consumed), "{rolling:?}: {} and {consumed}", status.consumed);
            assert!(close(status.forecast, 10.0 * oracle.since_bucket(length / 360, 36, now)), "{rolling:?}");
            let expected = oracle.changes(consumed, None);
            fired += expected.len();
            assert_eq!(thresholds(&budgets, now), expected, "{rolling:?} at step {step}");
        }
        assert!(fired > 8, "{rolling:?}: thresholds are crossed and left again: {fired}");
    }
}

/// Midnights in Berlin: one hour ahead of UTC, two from 2026-03-29 01:00 to 2026-10-25 01:00 UTC.
fn berlin_midnight(now: UnixMs) -> UnixMs {
    let (spring, autumn) = (at("2026-03-29T01:00:00Z"), at("2026-10-25T01:00:00Z"));
    let offset = |at: UnixMs| if (spring..autumn).contains(&at) { 120 * MINUTE } else { 60 * MINUTE };
    let local_midnight = (now + offset(now)).div_euclid(DAY) * DAY;
    // The offset of midnight itself, which may be another.
    [60 * MINUTE, 120 * MINUTE]
        .into_iter()
        .map(|ahead| local_midnight - ahead)
        .find(|&at| at + offset(at) == local_midnight)
        .unwrap()
}

#[test]
fn calendar_days_are_as_the_oracle_adds_them_up_while_clocks_change() {
    for start in ["2026-03-20T10:00:00Z", "2026-10-18T10:00:00Z"] {
        let settings = budget("1kg", Period::Calendar(CalendarUnit::Day, TimeZone::get("Europe/Berlin").unwrap()));
        let (mut seed, mut now) = (11, at(start));
        let (budgets, mut oracle, mut fired) = (budgets(&settings, now), Oracle::default(), 0);
        oracle.began = berlin_midnight(now);
        for step in 0..4000 {
            now += some_ms(&mut seed, 10 * MINUTE);
            let grams = chance(&mut seed) * 12.0;
            book(&budgets, grams, now);
            oracle.bookings.push((now, grams));
            let midnight = berlin_midnight(now);
            let consumed = oracle.since(midnight);
            let status = status(&budgets, now);
            assert!(close(status.consumed, consumed), "{} and {consumed} at {step}", status.consumed);
            let left = (berlin_midnight(midnight + 26 * 60 * MINUTE) - now) as f64;
            // Of the first tenth of a day, at the average of the last 144 minutes.
            let rate = match now - midnight {
                early if early < 144 * MINUTE => oracle.since_bucket(4 * MINUTE, 36, now) / (144 * MINUTE) as f64,
                elapsed => consumed / elapsed as f64,
            };
            assert!(close(status.forecast, consumed + left * rate), "at {step}");
            let expected = oracle.changes(consumed / 10.0, Some(midnight));
            fired += expected.len();
            assert_eq!(thresholds(&budgets, now), expected, "at step {step}");
        }
        assert!(fired > 40, "{fired}");
    }
}

#[test]
fn months_end_when_they_end_and_begin_at_nothing() {
    let settings = budget("1kg", Period::Calendar(CalendarUnit::Month, TimeZone::UTC));
    let budgets = budgets(&settings, at("2026-01-31T23:00:00Z"));
    book(&budgets, 800.0, at("2026-01-31T23:59:59Z"));
    assert_eq!(status(&budgets, at("2026-01-31T23:59:59.999Z")).consumed, 800.0);
    let crossed = |percent, is_firing| Change::Threshold { percent, is_firing };
    assert_eq!(thresholds(&budgets, at("2026-01-31T23:59:59.999Z")), [crossed(50.0, true), crossed(75.0, true)]);
    assert_eq!(status(&budgets, at("2026-02-01T00:00:00Z")).consumed, 0.0);
    assert_eq!(thresholds(&budgets, at("2026-02-01T00:00:00Z")), [crossed(50.0, false), crossed(75.0, false)]);
    book(&budgets, 100.0, at("2026-02-15T00:00:00Z"));
    assert_eq!(status(&budgets, at("2026-02-15T00:00:00Z")).forecast, 200.0, "14 of 28 days");
}

#[test]
fn a_burn_rate_has_to_last_over_both_of_its_windows() {
    // 720 g in 30 days are 1 g an hour.
    let settings = budget("720g", Period::Rolling(Rolling::ThirtyDays));
    let start = at("2026-05-01T00:00:00Z");
    let budgets = budgets(&settings, start);
    let burns = |now| {
        let changes = budgets.changes(now).into_iter().map(|(_, change)| change);
        changes.filter(|change| matches!(change, Change::Burn { .. })).collect::<Vec<_>>()
    };
    // 20 g an hour, for an hour: 20 times what lasts, over the last hour and the last five minutes.
    let mut began = None;
    for minute in 1..=60 {
        let now = start + minute * MINUTE - 1;
        book(&budgets, 20.0 / 60.0, now);
        if burns(now).contains(&Change::Burn { pair: 0, is_firing: true }) {
            began = Some(minute);
        }
    }
    // 14.4 g within an hour are 43.2 minutes of it.
    assert_eq!(began, Some(44));
    let windows = status(&budgets, start + 60 * MINUTE - 1).burn;
    assert!(close(windows[0].long_rate, 20.0) && close(windows[0].short_rate, 20.0), "{windows:?}");
    assert!(close(windows[1].long_rate, 20.0 / 6.0), "an hour of six");
    // Five quiet minutes end it, long before the hour is over.
    assert_eq!(burns(start + 66 * MINUTE), [Change::Burn { pair: 0, is_firing: false }]);
}

#[test]
fn burn_windows_scale_with_the_period() {
    let settings = budget("24g", Period::Rolling(Rolling::Day));
    let budgets = budgets(&settings, 0);
    let windows = status(&budgets, 0).burn;
    assert_eq!(
        windows.map(|window| (window.long_ms, window.short_ms)),
        [(120_000, 10_000), (720_000, 60_000), (2_880_000, 240_000), (8_640_000, 720_000)]
    );
    assert_eq!(windows.map(|window| window.factor), [14.4, 6.0, 3.0, 1.0]);
}

#[test]
fn a_changed_limit_keeps_what_was_consumed_and_another_period_does_not() {
    let (start, period) = (at("2026-05-01T00:00:00Z"), Period::Rolling(Rolling::Day));
    let budgets = budgets(&budget("100g", period.clone()), start);
    book(&budgets, 60.0, start);
    assert_eq!(thresholds(&budgets, start), [Change::Threshold { percent: 50.0, is_firing: true }]);
    budgets.apply(vec![budget("1kg", period.clone())], start);
    assert_eq!(status(&budgets, start).consumed, 60.0);
    assert_eq!(thresholds(&budgets, start), [Change::Threshold { percent: 50.0, is_firing: false }]);
    budgets.apply(Vec::new(), start);
    assert!(budgets.is_empty() && budgets.changes(start).is_empty());
    budgets.apply(vec![budget("1kg", period)], start + 1000);
    assert_eq!(status(&budgets, start + 1000).consumed, 60.0, "it was only away");
    assert_eq!(budgets.apply(vec![budget("1kg", Period::Rolling(Rolling::Week))], start + 1000), ["team"]);
    assert_eq!(status(&budgets, start + 1000).consumed, 0.0);
}

#[test]
fn grams_never_become_watt_hours_and_a_day_of_the_calendar_is_not_the_last_24_hours() {
    let (start, rolling) = (at("2026-05-01T10:00:00Z"), Period::Rolling(Rolling::Day));
    let budgets = budgets(&budget("100g", rolling.clone()), start);
    book(&budgets, 60.0, start);
    assert_eq!(budgets.apply(vec![budget("1kWh", rolling)], start), ["team"]);
    assert_eq!(status(&budgets, start).consumed, 0.0);
    book(&budgets, 1.0, start);
    assert_eq!(status(&budgets, start).consumed, 3.0, "watt-hours from now on");
    let day = |zone| Period::Calendar(CalendarUnit::Day, TimeZone::get(zone).unwrap());
    assert_eq!(budgets.apply(vec![budget("1kWh", day("UTC"))], start), ["team"], "24 hours may reach into yesterday");
    book(&budgets, 1.0, start);
    assert!(budgets.apply(vec![budget("1kWh", day("Asia/Tokyo"))], start).is_empty());
    assert_eq!(status(&budgets, start).consumed, 3.0, "another zone keeps it");
    // 10:00 in London is 19:00 in Tokyo, where the day ends five hours later.
    assert_eq!(status(&budgets, start + 300 * MINUTE - 1).consumed, 3.0);
    assert_eq!(status(&budgets, start + 300 * MINUTE).consumed, 0.0);
}

#[test]
fn the_first_minute_of_a_month_forecasts_no_multiple_of_the_one_before() {
    // 1 g an hour in March, and on.
    let settings = budget("1kg", Period::Calendar(CalendarUnit::Month, TimeZone::UTC));
    let (start, april) = (at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z"));
    let march = budgets(&settings, start);
    for hour in 0..31 * 24 {
        book(&march, 1.0, start + hour * 60 * MINUTE + 30 * MINUTE);
    }
    book(&march, 1.0, april + MINUTE);
    let forecast = status(&march, april + MINUTE).forecast;
    // 720 g, give or take a bucket of two hours in three days; at the average of the first minute it would be 43 kg.
    assert!((forecast - 720.0).abs() < 720.0 / 36.0 + 10.0, "{forecast}");
    let first = budgets(&settings, april);
    book(&first, 1.0, april + 1);
    assert!(status(&first, april + 1).forecast < 11.0, "nor does the first call ever");
}

#[test]
fn energy_and_ends_of_the_range_count_where_they_are_to_and_drivers_are_told() {
    let period = Period::Rolling(Rolling::Day);
    let of = |limit: &str, count| BudgetSettings {
        count,
        name: format!("{limit}{count:?}"),
        ..budget(limit, period.clone())
    };
    let settings = vec![of("1kg", Count::Low), of("1kg", Count::High), of("1kWh", Count::Value)];
    let budgets = Budgets::default();
    budgets.apply(settings, 0);
    let names: Vec<Arc<str>> = ["1kgLow", "1kgHigh", "1kWhValue", "gone"].map(Arc::from).into();
    for (model, grams) in [("a", 1.0), ("b", 5.0), ("a", 2.0)] {
        let co2e_g = [grams / 2.0, grams, grams * 2.0];
        let consumption = Consumption { budgets: &names, co2e_g, energy_wh: 7.0, model, service: "shop" };
        budgets.add([consumption], 0);
    }
    let statuses = budgets.statuses(0);
    assert_eq!(statuses.iter().map(|(_, status)| status.consumed).collect::<Vec<_>>(), [21.0, 16.0, 4.0]);
    assert_eq!(statuses[2].1.models, [("b".to_owned(), 2.5), ("a".to_owned(), 1.5)]);
    assert_eq!(statuses[0].1.services, [("shop".to_owned(), 21.0)]);
}

#[test]
fn a_clock_that_is_set_back_books_at_the_latest_time_that_was_seen() {
    let start = at("2026-05-10T12:00:00Z");
    let settings = budget("100g", Period::Calendar(CalendarUnit::Day, TimeZone::UTC));
    let budgets = budgets(&settings, start);
    book(&budgets, 10.0, start);
    book(&budgets, 10.0, start - 3 * DAY);
    assert_eq!(status(&budgets, start - 5 * DAY).consumed, 20.0);
    assert_eq!(thresholds(&budgets, start - DAY), []);
    book(&budgets, 40.0, start);
    assert_eq!(thresholds(&budgets, start - DAY), [Change::Threshold { percent: 50.0, is_firing: true }]);
}
