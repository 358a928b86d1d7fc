//! `processors.gramtrace.budgets`: what may be consumed, by whom, in which time.
//! Knows keys, units and bounds; nothing of what is consumed.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use super::section::{Field, shortened};
use crate::units::Amount;

/// How many budgets there may be.
const MOST: usize = 1000;
/// How many attributes one may ask for.
const MOST_ATTRIBUTES: usize = 8;
/// The longest name.
const LONGEST_NAME: usize = 64;
/// The highest threshold, in percent.
const HIGHEST: f64 = 1000.0;

/// One budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetConfig {
    /// Letters, digits, `-`, `_` and `.`; each name once.
    pub name: String,
    /// By attribute of the span or its resource, what its value has to look like: `*` stands for anything, `?` for one
    /// character. All of them must fit; none is every call.
    #[serde(rename = "match")]
    pub matches: BTreeMap<String, String>,
    /// What may be consumed in a period: CO2e or energy.
    #[serde(serialize_with = "amount")]
    pub limit: Amount,
    /// The time that it is for; `30d`.
    pub period: PeriodConfig,
    /// Where days, weeks and months of the calendar begin; `UTC`. None for other periods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// In percent of the limit, ascending; 50, 75, 90, 100.
    pub thresholds: Vec<f64>,
    /// Whether a burn rate that exceeds what lasts is told; true.
    pub burn_rates: bool,
    /// Which number of the range counts; `value`.
    pub count: CountConfig,
    /// Whether spans that fall into it say so while it is exceeded; false.
    pub mark_spans: bool,
}

/// The time that a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum PeriodConfig {
    /// The last 60 minutes.
    #[serde(rename = "1h")]
    LastHour,
    /// The last 24 hours.
    #[serde(rename = "1d")]
    LastDay,
    /// The last 7 days.
    #[serde(rename = "7d")]
    LastWeek,
    /// The last 30 days.
    #[default]
    #[serde(rename = "30d")]
    LastThirtyDays,
    /// From midnight.
    #[serde(rename = "day")]
    Day,
    /// From Monday.
    #[serde(rename = "week")]
    Week,
    /// From the first.
    #[serde(rename = "month")]
    Month,
}

impl PeriodConfig {
    const fn is_of_the_calendar(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }
}

/// A number of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountConfig {
    /// The least that it may be.
    Low,
    /// The estimate.
    #[default]
    Value,
    /// The most that it may be.
    High,
}

/// In the unit that every amount can be written in exactly.
fn amount<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    let unit = if matches!(amount, Amount::Co2e(_)) { "g" } else { "Wh" };
    serializer.serialize_str(&format!("{}{unit}", amount.get()))
}

/// Reads the list; what is wrong in it has been reported.
pub(super) fn read(list: &Field<'_>) -> Vec<BudgetConfig> {
    let mut budgets: Vec<BudgetConfig> = Vec::new();
    for item in list.items() {
        if budgets.len() == MOST {
            item.error(format!("more than {MOST} budgets; remove it"));
            break;
        }
        let Some(budget) = BudgetConfig::read(&item) else { continue };
        if budgets.iter().any(|known| known.name == budget.name) {
            item.error(format!("there is a budget `{}` already; write another `name`", budget.name));
        } else {
            budgets.push(budget);
        }
    }
    budgets
}

impl BudgetConfig {
    fn read(item: &Field<'_>) -> Option<Self> {
        let mut section = item.section()?;
        let mut name = String::new();
        section.read("name", &mut name, |field| check_name(field.text()?));
        let (mut limit, mut period) = (None, PeriodConfig::default());
        section.read("limit", &mut limit, |field| {
            field.text()?.parse().map(Some).map_err(|error: crate::units::AmountError| error.to_string())
        });
        section.read("period", &mut period, |field| {
            field.word(&[
                ("1h", PeriodConfig::LastHour),
                ("1d", PeriodConfig::LastDay),
                ("7d", PeriodConfig::LastWeek),
                ("30d", PeriodConfig::LastThirtyDays),
                ("day", PeriodConfig::Day),
                ("week", PeriodConfig::Week),
                ("month", PeriodConfig::Month),
            ])
        });
        let mut time_zone = period.is_of_the_calendar().then(|| "UTC".to_owned());
        section.read("time_zone", &mut time_zone, |field| match (period.is_of_the_calendar(), field.text()?) {
            (false, _) => {
                Err("only days, weeks and months begin somewhere; remove it, or write such a `period`".to_owned())
            }
            (true, zone) => check_zone(zone).map(Some),
        });
        let mut budget = Self {
            name,
            matches: section.field("match").map(|field| patterns(&field)).unwrap_or_default(),
            limit: limit.unwrap_or(Amount::Co2e(crate::units::GramsCo2e::LEAST)),
            period,
            time_zone,
            thresholds: vec![50.0, 75.0, 90.0, 100.0],
            burn_rates: true,
            count: CountConfig::default(),
            mark_spans: false,
        };
        if let Some(list) = section.field("thresholds") {
            budget.thresholds = thresholds(&list);
        }
        section.read("burn_rates", &mut budget.burn_rates, Field::flag);
        section.read("mark_spans", &mut budget.mark_spans, Field::flag);
        let is_energy = matches!(budget.limit, Amount::Energy(_));
        section.read("count", &mut budget.count, |field| {
            let word =
                field.word(&[("low", CountConfig::Low), ("value", CountConfig::Value), ("high", CountConfig::High)])?;
            if is_energy && word != CountConfig::Value {
                return Err("energy is counted by its value alone; remove it, or write a limit of CO2e".to_owned());
            }
            Ok(word)
        });
        if limit.is_none() && !section.has("limit") {
            section.error("no limit; write `limit`, such as `5kg` or `2kWh`");
        }
        if budget.name.is_empty() && !section.has("name") {
            section.error("no name; write `name`, such as `search`");
        }
        section.finish(&[("scope", "write `match`"), ("timezone", "write `time_zone`")]);
        (!budget.name.is_empty()).then_some(budget)
    }
}

fn check_name(name: &str) -> Result<String, String> {
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'));
    if is_name {
        return Ok(name.to_owned());
    }
    let told = shortened(name);
    Err(format!("`{told}` is no name of a budget; write up to {LONGEST_NAME} letters, digits, `-`, `_` and `.`"))
}

fn check_zone(zone: &str) -> Result<String, String> {
    match TimeZone::get(zone) {
        Ok(_) => Ok(zone.to_owned()),
        Err(_) => Err(format!("`{}` is no time zone; write one of IANA's, such as `Europe/Berlin`", shortened(zone))),
    }
}

fn patterns(field: &Field<'_>) -> BTreeMap<String, String> {
    let Some(section) = field.section() else { return BTreeMap::new() };
    let mut patterns = BTreeMap::new();
    for (key, value) in section.all() {
        match value.text() {
            Ok("") => value.error("nothing is no value; write one, with `*` for anything"),
            Ok(pattern) => {
                patterns.insert(key.to_owned(), pattern.to_owned());
            }
            Err(message) => value.error(message),
        }
    }
    if patterns.len() > MOST_ATTRIBUTES {
        field.error(format!("more than {MOST_ATTRIBUTES} attributes; remove some"));
    }
    patterns
}

fn thresholds(list: &Field<'_>) -> Vec<f64> {
    let mut thresholds: Vec<f64> = Vec::new();
    for item in list.items() {
        match item.number() {
            Ok(percent) if !(percent > 0.0 && percent <= HIGHEST) => {
                item.error(format!(
                    "{percent} is no threshold; write percent of the limit, above 0 and up to {HIGHEST}"
                ));
            }
            Ok(percent) if thresholds.last().is_some_and(|last| *last >= percent) => {
                item.error(format!("{percent} is not above the one before; write thresholds that ascend"));
            }
            Ok(percent) => thresholds.push(percent),
            Err(message) => item.error(message),
        }
    }
    thresholds
}
