//! What is said of a budget: as an alert of Alertmanager, and as the JSON of a webhook. Pure: from what budgets say to values.
//! The form is a contract; README.md shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::budget::{Alarm, BURN_FACTORS, BudgetSettings, News, Status, UnixMs};
use crate::units::Amount;

/// The factor of a pair of windows from which on it is urgent.
const URGENT_FACTOR: f64 = 6.0;

/// `2026-11-24T12:00:00Z`; what no calendar has is the beginning of 1970.
pub(super) fn time(at: UnixMs) -> String {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

fn severity(alarm: Alarm) -> &'static str {
    let is_urgent = match alarm {
        Alarm::Threshold(percent) => percent >= 100.0,
        Alarm::Burn(_) => factor(alarm) >= URGENT_FACTOR,
    };
    if is_urgent { "critical" } else { "warning" }
}

/// The percent of a threshold, or the factor of a burn rate.
fn factor(alarm: Alarm) -> f64 {
    match alarm {
        Alarm::Threshold(percent) => percent,
        Alarm::Burn(pair) => BURN_FACTORS.get(pair).copied().unwrap_or_default(),
    }
}

fn summary(budget: &BudgetSettings, alarm: Alarm, is_firing: bool) -> String {
    let (name, factor) = (&budget.name, factor(alarm));
    match (alarm, is_firing) {
        (Alarm::Threshold(_), true) => format!("the budget {name} is consumed up to {factor} %"),
        (Alarm::Threshold(_), false) => format!("the budget {name} is below {factor} % again"),
        (Alarm::Burn(_), true) => format!("the budget {name} is consumed {factor} times faster than it lasts"),
        (Alarm::Burn(_), false) => {
            format!("the budget {name} is no longer consumed {factor} times faster than it lasts")
        }
    }
}

fn description(budget: &BudgetSettings, status: &Status) -> String {
    let show = |amount: f64| budget.limit.show(amount);
    let mut text = format!(
        "{} of {} in the {}, forecast {}",
        show(status.consumed),
        budget.limit,
        budget.period,
        show(status.forecast)
    );
    for (what, top) in [("model", &status.models), ("service", &status.services)] {
        if let Some((name, amount)) = top.first() {
            text.push_str(&format!("; most by {what} {name}: {}", show(*amount)));
        }
    }
    text
}

/// What tells an alert from others: the labels that Alertmanager knows it by.
pub(super) fn labels(budget: &str, alarm: Alarm) -> BTreeMap<String, String> {
    let (name, key) = match alarm {
        Alarm::Threshold(_) => ("GramtraceBudgetThreshold", "threshold"),
        Alarm::Burn(_) => ("GramtraceBudgetBurn", "factor"),
    };
    let factor = factor(alarm).to_string();
    let labels = [("alertname", name), ("budget", budget), ("severity", severity(alarm)), (key, &factor)];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// When something began, and when it is over.
pub(super) struct Times {
    pub(super) since: UnixMs,
    pub(super) ends: UnixMs,
    pub(super) is_firing: bool,
}

/// <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>: `postableAlert`.
pub(super) fn alert(
    (budget, status, alarm): (&BudgetSettings, &Status, Alarm),
    times: &Times,
    more: &BTreeMap<String, String>,
    link: Option<&str>,
) -> Value {
    let mut labels = labels(&budget.name, alarm);
    labels.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    let mut alert = json!({
        "labels": labels,
        "annotations": { "summary": summary(budget, alarm, times.is_firing), "description": description(budget, status) },
        // A clock that was set back would have it end before it began, which Alertmanager refuses.
        "startsAt": time(times.since.min(times.ends)),
        "endsAt": time(times.ends),
    });
    if let (Some(link), Some(alert)) = (link, alert.as_object_mut()) {
        alert.insert("generatorURL".to_owned(), format!("{link}/budgets").into());
    }
    alert
}

/// What a webhook is told.
pub(super) fn event(news: &News, link: Option<&str>) -> Value {
    let News { budget, status, change, at } = news;
    let limit = budget.limit.get();
    let top = |top: &[(String, f64)]| -> Vec<Value> {
        top.iter().map(|(name, amount)| json!({ "name": name, "amount": amount })).collect()
    };
    let (event, key) = match change.what {
        Alarm::Threshold(_) => ("threshold", "threshold_percent"),
        Alarm::Burn(_) => ("burn_rate", "burn_factor"),
    };
    let state = if change.is_firing { "firing" } else { "resolved" };
    let factor = factor(change.what);
    let mut told: Map<String, Value> = Map::new();
    let entries = [
        ("version", json!(1)),
        // The same when it is sent again.
        ("id", json!(format!("{}/{event}/{factor}/{}/{state}", budget.name, change.since))),
        ("at", json!(time(*at))),
        ("event", json!(event)),
        ("state", json!(state)),
        ("since", json!(time(change.since))),
        ("severity", json!(severity(change.what))),
        ("summary", json!(summary(budget, change.what, change.is_firing))),
        ("budget", json!(budget.name)),
        (key, json!(factor)),
        ("period", json!(budget.period.to_string())),
        ("unit", json!(if matches!(budget.limit, Amount::Energy(_)) { "Wh" } else { "g" })),
        ("limit", json!(limit)),
        ("consumed", json!(status.consumed)),
        ("left", json!((limit - status.consumed).max(0.0))),
        ("percent", json!(status.consumed / limit * 100.0)),
        ("forecast", json!(status.forecast)),
        ("models", json!(top(&status.models))),
        ("services", json!(top(&status.services))),
    ];
    told.extend(entries.into_iter().map(|(key, value)| (key.to_owned(), value)));
    told.extend(link.map(|link| ("link".to_owned(), format!("{link}/budgets").into())));
    Value::Object(told)
}
