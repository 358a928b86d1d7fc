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
        call: None,
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

    fn changes(&mut self, percent: f64, period_began: Option<UnixMs>) -> Vec<(f64, bool)> {
        let mut changes = Vec::new();
        let is_new = period_began.is_some_and(|began| began != self.began);
        self.began = period_began.unwrap_or_default();
        let before = std::mem::take(&mut self.crossed);
        for threshold in before {
            if is_new || (period_began.is_none() && percent < threshold - 5.0) {
                changes.push((threshold, false));
            } else {
                self.crossed.push(threshold);
            }
        }
        for threshold in [50.0, 75.0, 90.0, 100.0] {
            if percent >= threshold && !self.crossed.contains(&threshold) {
                self.crossed.push(threshold);
                changes.push((threshold, true));
            }
        }
        changes
    }
}

/// Thresholds that were crossed, or no longer are.
fn thresholds(budgets: &Budgets, now: UnixMs) -> Vec<(f64, bool)> {
    let crossed = |news: News| match news.change.what {
        Alarm::Threshold(percent) => Some((percent, news.change.is_firing)),
        Alarm::Burn(_) => None,
    };
    budgets.changes(now).into_iter().filter_map(crossed).collect()
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
    let crossed = |percent, is_firing| (percent, is_firing);
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
        let burning = |news: News| match news.change.what {
            Alarm::Burn(pair) => Some((pair, news.change.is_firing)),
            Alarm::Threshold(_) => None,
        };
        budgets.changes(now).into_iter().filter_map(burning).collect::<Vec<_>>()
    };
    // 20 g an hour, for an hour: 20 times what lasts, over the last hour and the last five minutes.
    let mut began = None;
    for minute in 1..=60 {
        let now = start + minute * MINUTE - 1;
        book(&budgets, 20.0 / 60.0, now);
        if burns(now).contains(&(0, true)) {
            began = Some(minute);
        }
    }
    // 14.4 g within an hour are 43.2 minutes of it.
    assert_eq!(began, Some(44));
    let windows = status(&budgets, start + 60 * MINUTE - 1).burn;
    assert!(close(windows[0].long_rate, 20.0) && close(windows[0].short_rate, 20.0), "{windows:?}");
    assert!(close(windows[1].long_rate, 20.0 / 6.0), "an hour of six");
    // Five quiet minutes end it, long before the hour is over.
    assert_eq!(burns(start + 66 * MINUTE), [(0, false)]);
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
    assert_eq!(thresholds(&budgets, start), [(50.0, true)]);
    budgets.apply(vec![budget("1kg", period.clone())], start);
    assert_eq!(status(&budgets, start).consumed, 60.0);
    assert_eq!(thresholds(&budgets, start), [(50.0, false)]);
    budgets.apply(Vec::new(), start);
    assert!(budgets.is_empty() && thresholds(&budgets, start).is_empty());
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
        let consumption = Consumption { budgets: &names, co2e_g, energy_wh: 7.0, model, service: "shop", call: None };
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
    assert_eq!(thresholds(&budgets, start - DAY), [(50.0, true)]);
}

/// One call of `grams`.
fn call<'a>(names: &'a [Arc<str>], grams: f64, number: u64) -> Consumption<'a> {
    let call = CallId::new(&[7; 16], &(number + 1).to_be_bytes());
    Consumption { budgets: names, co2e_g: [grams; 3], energy_wh: grams, model: "m", service: "s", call }
}

/// As after a crash: whatever was given to be kept, and nothing else.
fn restored(entries: impl IntoIterator<Item = Entry>, settings: &[BudgetSettings], now: UnixMs) -> Budgets {
    let budgets = Budgets::default();
    for entry in entries {
        let text = serde_json::to_string(&entry).unwrap();
        budgets.restore(serde_json::from_str(&text).unwrap());
    }
    budgets.apply(settings.to_vec(), now);
    budgets
}

#[test]
fn what_is_kept_makes_the_same_book_again_wherever_it_is_cut() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let periods = [
        Period::Rolling(Rolling::Hour),
        Period::Rolling(Rolling::ThirtyDays),
        Period::Calendar(CalendarUnit::Day, zone.clone()),
        Period::Calendar(CalendarUnit::Month, zone),
    ];
    let settings: Vec<_> = { periods.into_iter().enumerate() }
        .map(|(place, period)| BudgetSettings { name: format!("b{place}"), ..budget("1kg", period) })
        .collect();
    let names: Vec<Arc<str>> = settings.iter().map(|budget| budget.name.as_str().into()).collect();
    let (mut seed, mut now) = (3, at("2026-03-28T10:00:00Z"));
    let live = Budgets::default();
    live.keep();
    live.apply(settings.clone(), now);
    let mut kept: Vec<Entry> = Vec::new();
    for step in 0..600_u64 {
        now += some_ms(&mut seed, 10 * MINUTE);
        let of = &names[..=usize::try_from(step % 4).unwrap()];
        let booking = live.add([call(of, chance(&mut seed) * 20.0, step)], now);
        live.changes(now);
        if step % 7 == 0 {
            let taken = live.take();
            assert!(!taken.is_short && taken.booking == booking);
            kept.extend(taken.entries);
            // The whole at any time, with what came meanwhile, is the same.
            if step % 35 == 0 {
                let mut whole = Vec::new();
                live.whole(|entry| whole.push(entry));
                live.add([call(&names, 1.0, 10_000 + step)], now);
                whole.extend(live.take().entries);
                kept = whole;
            }
            let again = restored(kept.clone(), &settings, now);
            for ((_, one), (_, other)) in again.statuses(now).into_iter().zip(live.statuses(now)) {
                assert!(close(one.consumed, other.consumed) && close(one.forecast, other.forecast), "at {step}");
            }
            let told = |budgets: &Budgets| budgets.changes(now).iter().map(|news| news.change).collect::<Vec<_>>();
            assert_eq!(told(&again), told(&live), "nothing is told twice");
            let before = again.statuses(now)[0].1.consumed;
            again.add([call(&names, 1.0, step)], now);
            assert!(close(again.statuses(now)[0].1.consumed, before), "a call that is sent again is known");
        }
    }
}

#[test]
fn a_threshold_fires_anew_in_a_new_period_that_begins_above_it() {
    let settings = budget("100g", Period::Calendar(CalendarUnit::Day, TimeZone::UTC));
    let start = at("2026-05-01T23:59:59Z");
    let budgets = budgets(&settings, start);
    book(&budgets, 60.0, start);
    assert_eq!(thresholds(&budgets, start), [(50.0, true)]);
    book(&budgets, 70.0, start + 1000);
    assert_eq!(thresholds(&budgets, start + 1000), [(50.0, false), (50.0, true)]);
}

#[test]
fn what_a_removed_budget_had_fired_ends_and_it_is_kept_for_two_of_its_periods() {
    let (start, period) = (at("2026-05-01T00:00:00Z"), Period::Rolling(Rolling::Hour));
    let settings = budget("100g", period);
    let budgets = budgets(&settings, start);
    book(&budgets, 120.0, start);
    let exceeded = budgets.exceeded("team");
    assert_eq!(thresholds(&budgets, start).len(), 4);
    assert!(exceeded.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(budgets.firing(start).iter().filter(|it| matches!(it.what, Alarm::Threshold(_))).count(), 4);
    budgets.apply(Vec::new(), start + 1);
    let ended = budgets.changes(start + 1);
    assert!(ended.len() >= 4 && ended.iter().all(|news| !news.change.is_firing && news.budget.name == "team"));
    assert!(!exceeded.load(std::sync::atomic::Ordering::Relaxed) && budgets.firing(start + 1).is_empty());
    budgets.apply(vec![settings.clone()], start + 2);
    assert_eq!(thresholds(&budgets, start + 2).len(), 4, "it is back, and so is what it has consumed");
    budgets.keep();
    budgets.apply(Vec::new(), start + 3);
    budgets.apply(Vec::new(), start + 121 * MINUTE);
    assert!(budgets.take().entries.contains(&Entry::Gone("team".to_owned())));
}

#[test]
fn what_waits_to_be_kept_is_bounded_and_then_the_whole_is_asked_for() {
    let settings = budget("1t", Period::Rolling(Rolling::Day));
    let budgets = budgets(&settings, 0);
    budgets.keep();
    let names: Vec<Arc<str>> = vec!["team".into()];
    for number in 0..200_000_u64 {
        let service = format!("service-{number}");
        budgets.add([Consumption { service: &service, ..call(&names, 1.0, number) }], 0);
    }
    let taken = budgets.take();
    assert!(taken.is_short && taken.entries.is_empty() && taken.booking == 200_000);
    let mut whole = Vec::new();
    budgets.whole(|entry| whole.push(entry));
    let again = restored(whole, std::slice::from_ref(&settings), 0);
    assert_eq!(again.statuses(0)[0].1.consumed, 200_000.0);
    assert_eq!(again.statuses(0)[0].1.services.len(), 5, "a million services are a hundred and the rest");
}

#[test]
fn calls_of_one_origin_are_booked_together_and_each_of_them_once() {
    let settings = budget("1kg", Period::Rolling(Rolling::Day));
    let budgets = budgets(&settings, 0);
    budgets.keep();
    let names: Vec<Arc<str>> = vec!["team".into()];
    let other = Consumption { service: "other", ..call(&names, 100.0, 9) };
    let [one, two, again] = [(1.0, 0), (2.0, 1), (1.0, 0)].map(|(grams, number)| call(&names, grams, number));
    budgets.add([one, two, again, other, Consumption { call: None, ..two }], 0);
    let status = status(&budgets, 0);
    assert_eq!((status.consumed, &status.services[1]), (105.0, &("s".to_owned(), 5.0)));
    let kept = serde_json::to_value(budgets.take().entries).unwrap();
    let expected = serde_json::json!([["team", "m", "other", 100.0], ["team", "m", "s", 5.0]]);
    assert_eq!((&kept[0]["booked"]["shares"], kept[0]["booked"]["calls"].as_array().unwrap().len()), (&expected, 3));
}

#[test]
fn what_a_budget_had_fired_that_is_gone_after_a_restart_ends_and_so_does_one_of_another_unit() {
    let start = at("2026-05-01T00:00:00Z");
    let settings = budget("100g", Period::Rolling(Rolling::Day));
    let live = budgets(&settings, start);
    live.keep();
    live.apply(vec![budget("200g", Period::Rolling(Rolling::Day))], start);
    book(&live, 120.0, start);
    assert_eq!(thresholds(&live, start), [(50.0, true)]);
    let mut whole = Vec::new();
    live.whole(|entry| whole.push(entry));
    for after in [vec![], vec![budget("1kWh", Period::Rolling(Rolling::Day))]] {
        let again = restored(whole.clone(), &after, start + 1000);
        assert!(!again.is_quiet(), "there is something to tell");
        let news = again.changes(start + 1000);
        assert_eq!(
            news.iter().filter(|it| it.change.what == Alarm::Threshold(50.0) && !it.change.is_firing).count(),
            1
        );
        assert_eq!(
            (&*news[0].budget.name, news[0].budget.limit, news[0].status.consumed),
            ("team", "200g".parse().unwrap(), 120.0)
        );
        assert!(again.firing(start + 1000).is_empty() && again.changes(start + 2000).is_empty(), "once");
    }
}

#[test]
fn a_clock_that_jumped_ahead_and_came_back_holds_no_budget_where_it_is() {
    let (start, second) = (at("2026-05-10T12:00:00Z"), 1000);
    let month = BudgetSettings {
        name: "month".to_owned(),
        ..budget("100g", Period::Calendar(CalendarUnit::Month, TimeZone::UTC))
    };
    let settings = [month, budget("100g", Period::Rolling(Rolling::Hour))];
    let live = Budgets::default();
    live.keep();
    live.apply(settings.to_vec(), start);
    let names: Vec<Arc<str>> = vec!["team".into(), "month".into()];
    // A year ahead, for a second; then as it was, with ten grams a minute for half an hour.
    assert_eq!(live.look_at_clock(start + 365 * DAY), None);
    live.changes(start + 365 * DAY);
    let mut news = Vec::new();
    for tick in 1..=1800 {
        let now = start + tick * second;
        news.extend(live.look_at_clock(now));
        if tick % 60 == 0 {
            live.add([call(&names, 10.0, tick.unsigned_abs())], now);
        }
        live.changes(now);
    }
    let by = 365 * DAY - 601 * second;
    assert_eq!(news, [ClockNews::IsBehind(365 * DAY - second), ClockNews::IsBelieved(by)]);
    let consumed = |budgets: &Budgets, now| budgets.statuses(now).iter().map(|it| it.1.consumed).collect::<Vec<_>>();
    assert_eq!(consumed(&live, start + 1800 * second), [300.0, 300.0]);
    // Nine of the first ten minutes were booked as one, when it was believed.
    assert_eq!(consumed(&live, start + 100 * MINUTE), [300.0, 0.0], "what is an hour old has left the hour");
    assert_eq!(consumed(&live, at("2026-06-01T00:00:00Z")), [0.0, 0.0], "and the month ends when it ends");
    assert!(live.take().is_short, "and all of it is kept anew");
}
