//! Budgets of days, weeks and months somewhere, and of rolling times, held against a slow oracle: it keeps every booking and
//! adds all of them up anew for every answer. It has a calendar and changes of clocks of its own, and asks nothing of ours.

use gramtrace::budget::{
    Alarm, BudgetSettings, Budgets, CalendarUnit, Consumption, Count, News, Period, Rolling, Status, UnixMs,
};
use jiff::tz::TimeZone;

use crate::chance::Chance;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const THRESHOLDS: [f64; 4] = [50.0, 75.0, 90.0, 100.0];
/// The factor, and the windows for a period of 30 days.
const BURNS: [(f64, i64, i64); 4] =
    [(14.4, HOUR, 5 * MINUTE), (6.0, 6 * HOUR, 30 * MINUTE), (3.0, DAY, 2 * HOUR), (1.0, 3 * DAY, 6 * HOUR)];

/// Days of the months of a year.
fn months(year: i64) -> [i64; 12] {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Days from 1970-01-01 to this one.
fn day(year: i64, month: usize, of_month: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| months(year).iter().sum::<i64>()).sum();
    years + months(year)[..month - 1].iter().sum::<i64>() + of_month - 1
}

/// The year and the month of a day since 1970-01-01.
fn month_of(mut day: i64) -> (i64, usize) {
    for year in 1970.. {
        for (month, days) in months(year).into_iter().enumerate() {
            if day < days {
                return (year, month + 1);
            }
            day -= days;
        }
    }
    unreachable!("there is always another year")
}

/// UTC.
fn at(year: i64, month: usize, of_month: i64, hour: i64, minute: i64) -> UnixMs {
    day(year, month, of_month) * DAY + hour * HOUR + minute * MINUTE
}

/// A place's clocks: minutes ahead of UTC, and from when on other ones. Written down from the tables of the time zone database.
#[derive(Clone)]
struct Clocks {
    zone: &'static str,
    ahead: i64,
    changes: Vec<(UnixMs, i64)>,
}

impl Clocks {
    fn local_day(&self, now: UnixMs) -> i64 {
        let changed = self.changes.iter().rev().find(|(from, _)| *from <= now);
        (now + changed.map_or(self.ahead, |(_, ahead)| *ahead) * MINUTE).div_euclid(DAY)
    }

    /// A name of the period that `now` is in; a later one has a greater name.
    fn period(&self, unit: CalendarUnit, now: UnixMs) -> (i64, usize) {
        let day = self.local_day(now);
        match unit {
            CalendarUnit::Day => (day, 0),
            // The first day of 1970 was a Thursday, three days behind a Monday.
            CalendarUnit::Week => ((day + 3).div_euclid(7), 0),
            CalendarUnit::Month => month_of(day),
        }
    }

    /// When the period of `now` began, and when the next one does: the first millisecond that has its name.
    fn bounds(&self, unit: CalendarUnit, now: UnixMs) -> (UnixMs, UnixMs) {
        let this = self.period(unit, now);
        let first = |is_it: &dyn Fn((i64, usize)) -> bool, (mut before, mut is): (UnixMs, UnixMs)| {
            while is - before > 1 {
                let middle = before + (is - before) / 2;
                if is_it(self.period(unit, middle)) { is = middle } else { before = middle }
            }
            is
        };
        let began = first(&|period| period >= this, (now - 40 * DAY, now));
        (began, first(&|period| period > this, (now, now + 40 * DAY)))
    }
}

fn places() -> Vec<(Clocks, Vec<UnixMs>)> {
    let of = |zone, ahead, changes: &[(UnixMs, i64)], starts: &[UnixMs]| {
        (Clocks { zone, ahead, changes: changes.to_vec() }, starts.to_vec())
    };
    vec![
        // Into a leap February, and over the end of a year.
        of("UTC", 0, &[], &[at(2028, 1, 20, 0, 0), at(2027, 12, 10, 0, 0), at(2026, 1, 25, 0, 0)]),
        of(
            "Europe/Berlin",
            60,
            &[(at(2026, 3, 29, 1, 0), 120), (at(2026, 10, 25, 1, 0), 60)],
            &[at(2026, 3, 12, 7, 3), at(2026, 10, 9, 5, 0)],
        ),
        of(
            "America/New_York",
            -300,
            &[(at(2028, 3, 12, 7, 0), -240), (at(2028, 11, 5, 6, 0), -300)],
            &[at(2028, 2, 12, 0, 0), at(2028, 10, 20, 0, 0)],
        ),
        // Half an hour.
        of(
            "Australia/Lord_Howe",
            660,
            &[(at(2026, 4, 4, 15, 0), 630), (at(2026, 10, 3, 15, 30), 660)],
            &[at(2026, 3, 20, 0, 0), at(2026, 9, 20, 0, 0)],
        ),
        // At midnight: a day that begins at one o'clock, and one whose first hour comes twice, or whose last one does.
        of(
            "America/Sao_Paulo",
            -120,
            &[(at(2018, 2, 18, 2, 0), -180), (at(2018, 11, 4, 3, 0), -120)],
            &[at(2018, 2, 3, 0, 0), at(2018, 10, 20, 0, 0)],
        ),
        of(
            "America/Havana",
            -300,
            &[(at(2025, 3, 9, 5, 0), -240), (at(2025, 11, 2, 5, 0), -300)],
            &[at(2025, 2, 20, 0, 0), at(2025, 10, 20, 0, 0)],
        ),
        // The 30th of December 2011 was left out there.
        of("Pacific/Apia", -600, &[(at(2011, 12, 30, 10, 0), 840)], &[at(2011, 12, 10, 0, 0)]),
        of("Asia/Kolkata", 330, &[], &[at(2026, 6, 20, 0, 0)]),
    ]
}

enum Of {
    Rolling,
    Calendar(Clocks, CalendarUnit),
}

/// What may be said of a budget: what fires or no longer does, and since when.
type Said = (String, bool, UnixMs);

struct Oracle {
    of: Of,
    nominal_ms: i64,
    limit: f64,
    /// When, how much, and the period that it was in.
    bookings: Vec<(UnixMs, f64, (i64, usize))>,
    crossed: Vec<(f64, UnixMs)>,
    burning: [Option<UnixMs>; 4],
    period: (i64, usize),
    now: UnixMs,
}

struct Answer {
    consumed: f64,
    forecast: f64,
    rates: Vec<(f64, f64)>,
}

impl Oracle {
    fn new(of: Of, nominal_ms: i64, limit: f64, now: UnixMs) -> Self {
        let mut oracle =
            Self { of, nominal_ms, limit, bookings: vec![], crossed: vec![], burning: [None; 4], period: (0, 0), now };
        oracle.period = oracle.period();
        oracle
    }

    fn period(&self) -> (i64, usize) {
        match &self.of {
            Of::Rolling => (0, 0),
            Of::Calendar(clocks, unit) => clocks.period(*unit, self.now),
        }
    }

    /// A clock that is set back stands still.
    fn go_on(&mut self, now: UnixMs) {
        self.now = self.now.max(now);
    }

    fn book(&mut self, grams: f64) {
        self.bookings.push((self.now, grams, self.period()));
    }

    /// Within so many buckets of time, the one of now included.
    fn within(&self, bucket_ms: i64, buckets: i64) -> f64 {
        let oldest = self.now.div_euclid(bucket_ms) - buckets;
        self.bookings.iter().filter(|(at, ..)| at.div_euclid(bucket_ms) > oldest).map(|(_, grams, _)| grams).sum()
    }

    fn answer(&self) -> Answer {
        let bucket = self.nominal_ms / 360;
        let (consumed, forecast) = match &self.of {
            Of::Rolling => (self.within(bucket, 360), 10.0 * self.within(bucket, 36)),
            Of::Calendar(clocks, unit) => {
                let this = self.period();
                let of_period = self.bookings.iter().filter(|(.., period)| *period == this);
                let consumed: f64 = of_period.map(|(_, grams, _)| grams).sum();
                let (began, ends) = clocks.bounds(*unit, self.now);
                // Of the first tenth of the period, at the average of the last tenth of one.
                let rate = match self.now - began {
                    early if early < self.nominal_ms / 10 => self.within(bucket, 36) / (self.nominal_ms / 10) as f64,
                    elapsed => consumed / elapsed as f64,
                };
                (consumed, consumed + rate * (ends - self.now) as f64)
            }
        };
        let rate = |window: i64, buckets: i64| {
            let window = window * self.nominal_ms / (30 * DAY);
            self.within(window / buckets, buckets) / self.limit * (self.nominal_ms as f64 / window as f64)
        };
        let rates = BURNS.into_iter().map(|(_, long, short)| (rate(long, 60), rate(short, 5))).collect();
        Answer { consumed, forecast, rates }
    }

    fn changes(&mut self, answer: &Answer) -> Vec<Said> {
        let (percent, now) = (answer.consumed / self.limit * 100.0, self.now);
        let (is_rolling, is_new) = (matches!(self.of, Of::Rolling), self.period() != self.period);
        self.period = self.period();
        let is_over = |threshold: f64| is_new || (is_rolling && percent < threshold - 5.0);
        let ended = self.crossed.iter().filter(|(threshold, _)| is_over(*threshold));
        let mut said: Vec<Said> = ended.map(|(threshold, since)| (format!("{threshold} %"), false, *since)).collect();
        self.crossed.retain(|(threshold, _)| !is_over(*threshold));
        for threshold in THRESHOLDS {
            if percent >= threshold && self.crossed.iter().all(|(crossed, _)| *crossed != threshold) {
                self.crossed.push((threshold, now));
                said.push((format!("{threshold} %"), true, now));
            }
        }
        for (((long, short), (factor, ..)), burning) in answer.rates.iter().zip(BURNS).zip(&mut self.burning) {
            match (*burning, *long >= factor && *short >= factor) {
                (None, true) => {
                    *burning = Some(now);
                    said.push((format!("{factor}x"), true, now));
                }
                (Some(since), false) => {
                    *burning = None;
                    said.push((format!("{factor}x"), false, since));
                }
                _ => {}
            }
        }
        said
    }
}

fn said(news: &News) -> Said {
    let what = match news.change.what {
        Alarm::Threshold(percent) => format!("{percent} %"),
        Alarm::Burn(pair) => format!("{}x", BURNS[pair].0),
    };
    (what, news.change.is_firing, news.change.since)
}

fn is_close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-9)
}

fn status(budgets: &Budgets, now: UnixMs) -> Status {
    budgets.statuses(now).remove(0).1
}

/// Traffic with busy and quiet times, over a little more than `periods` of them.
fn compare(what: &str, period: Period, mut oracle: Oracle, periods: i64) -> usize {
    let settings = BudgetSettings {
        name: "team".to_owned(),
        limit: format!("{}g", oracle.limit).parse().unwrap(),
        period,
        thresholds: THRESHOLDS.to_vec(),
        burn_rates: true,
        count: Count::Value,
    };
    let (budgets, start, names) = (Budgets::default(), oracle.now, ["team".into()]);
    budgets.apply(vec![settings], start);
    let (mut chance, mut clock, mut told) = (Chance::of(7), start, 0);
    let millisecond =
        |most: i64, chance: &mut Chance| i64::try_from(chance.from(0, u64::try_from(most).unwrap() - 1)).unwrap();
    let steps = 400;
    while clock < start + periods * oracle.nominal_ms {
        // A burst of some minutes of a month, or a step of some hours.
        let is_burst = chance.one_in(3);
        let most = if is_burst { oracle.nominal_ms / 40_000 } else { 3 * periods * oracle.nominal_ms / steps };
        clock += millisecond(most, &mut chance);
        let now = if chance.one_in(20) { clock - millisecond(3 * DAY, &mut chance) } else { clock };
        oracle.go_on(now);
        if !chance.one_in(4) {
            let grams = chance.from(0, 999) as f64 / 1000.0 * oracle.limit * periods as f64 / steps as f64 * 6.0;
            let consumption = Consumption {
                budgets: &names,
                co2e_g: [grams / 2.0, grams, grams * 2.0],
                energy_wh: 0.0,
                model: "m",
                service: "s",
                call: None,
            };
            budgets.add([consumption], now);
            oracle.book(grams);
        }
        let (ours, theirs) = (status(&budgets, now), oracle.answer());
        assert!(is_close(ours.consumed, theirs.consumed), "{what}: {} and {}", ours.consumed, theirs.consumed);
        assert!(is_close(ours.forecast, theirs.forecast), "{what}: {} and {}", ours.forecast, theirs.forecast);
        for (window, (long, short)) in ours.burn.iter().zip(&theirs.rates) {
            assert!(is_close(window.long_rate, *long) && is_close(window.short_rate, *short), "{what}: {window:?}");
        }
        let expected = oracle.changes(&theirs);
        let changes: Vec<_> = budgets.changes(now).iter().map(said).collect();
        assert_eq!(changes, expected, "{what}, {} ms after the start", oracle.now - start);
        told += changes.len();
    }
    told
}

#[test]
fn days_weeks_and_months_of_places_whose_clocks_change_are_as_the_oracle_adds_them_up() {
    let units = [(CalendarUnit::Day, DAY, 24), (CalendarUnit::Week, 7 * DAY, 6), (CalendarUnit::Month, 30 * DAY, 2)];
    for (clocks, starts) in places() {
        for start in starts {
            for (unit, nominal_ms, periods) in units {
                let what = format!("{unit:?} in {}", clocks.zone);
                let period = Period::Calendar(unit, TimeZone::get(clocks.zone).unwrap());
                let oracle = Oracle::new(Of::Calendar(clocks.clone(), unit), nominal_ms, 1000.0, start);
                let told = compare(&what, period, oracle, periods);
                assert!(told > 20, "{what}: {told} changes");
            }
        }
    }
}

#[test]
fn rolling_times_burn_as_the_oracle_adds_them_up() {
    for (rolling, length) in [(Rolling::Day, DAY), (Rolling::Week, 7 * DAY), (Rolling::ThirtyDays, 30 * DAY)] {
        let oracle = Oracle::new(Of::Rolling, length, 1000.0, at(2026, 5, 1, 0, 0));
        let told = compare(&format!("{rolling:?}"), Period::Rolling(rolling), oracle, 4);
        assert!(told > 20, "{rolling:?}: {told} changes");
    }
}

#[test]
fn the_oracles_calendar_is_the_one_on_the_wall() {
    // `date -u -d @1835395200`, `date -d '2028-02-29' +%u`: a Tuesday.
    assert_eq!((at(2028, 2, 29, 0, 0), (day(2028, 2, 29) + 3) % 7), (1_835_395_200_000, 1));
    assert_eq!((month_of(day(2028, 2, 29)), month_of(day(2028, 3, 1))), ((2028, 2), (2028, 3)));
    assert_eq!((day(1970, 1, 1), months(2000)[1], months(2100)[1]), (0, 29, 28));
}
