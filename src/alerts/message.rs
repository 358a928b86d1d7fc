//! What is said of a budget: as an alert of Alertmanager, and as the JSON of a webhook. Pure: from what budgets say to values.
//! The form is a contract; README.md shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::budget::{Alarm, BudgetSettings, News, Status, UnixMs};
use crate::units::Amount;

/// `2026-11-24T12:00:00Z`; what no calendar has is the beginning of 1970.
pub(super) fn time(at: UnixMs) -> String {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
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
    let level = alarm.level().to_string();
    let labels = [("alertname", name), ("budget", budget), ("severity", alarm.severity().name()), (key, &level)];
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
        "annotations": { "summary": alarm.summary(budget, status, times.is_firing), "description": description(budget, status) },
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
    let level = change.what.level();
    let mut told: Map<String, Value> = Map::new();
    let entries = [
        ("version", json!(1)),
        // The same when it is sent again.
        ("id", json!(format!("{}/{event}/{level}/{}/{state}", budget.name, change.since))),
        ("at", json!(time(*at))),
        ("event", json!(event)),
        ("state", json!(state)),
        ("since", json!(time(change.since))),
        ("severity", json!(change.what.severity().name())),
        ("summary", json!(change.what.summary(budget, status, change.is_firing))),
        ("budget", json!(budget.name)),
        (key, json!(level)),
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
