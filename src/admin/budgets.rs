//! `GET /api/v1/budgets`: how budgets stand.
//! Knows how to say it in JSON; nothing of what is consumed.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::budget::{BudgetSettings, Budgets, Status, unix_ms};
use crate::units::Amount;

/// `{"budgets": [{"name", "unit", "limit", "period", "consumed", "left", "percent", "forecast", "burn": [{"factor", "long_s",
/// "short_s", "long_rate", "short_rate"}], "models": [{"name", "amount"}], "services"}]}`, in the order of their names.
/// Amounts are in `unit`, `g` or `Wh`.
pub(in crate::admin) fn answer(budgets: &Budgets) -> Value {
    let statuses = budgets.statuses(unix_ms(SystemTime::now()));
    json!({ "budgets": statuses.iter().map(one).collect::<Vec<_>>() })
}

fn one((budget, status): &(BudgetSettings, Status)) -> Value {
    let limit = budget.limit.get();
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let burn = status.burn.iter().map(|window| {
        json!({
            "factor": window.factor,
            "long_s": seconds(window.long_ms),
            "short_s": seconds(window.short_ms),
            "long_rate": window.long_rate,
            "short_rate": window.short_rate,
        })
    });
    let drivers = |top: &[(String, f64)]| -> Vec<Value> {
        top.iter().map(|(name, amount)| json!({ "name": name, "amount": amount })).collect()
    };
    json!({
        "name": budget.name,
        "unit": if matches!(budget.limit, Amount::Energy(_)) { "Wh" } else { "g" },
        "limit": limit,
        "period": budget.period.to_string(),
        "consumed": status.consumed,
        "left": (limit - status.consumed).max(0.0),
        "percent": status.consumed / limit * 100.0,
        "forecast": status.forecast,
        "burn": burn.collect::<Vec<_>>(),
        "models": drivers(&status.models),
        "services": drivers(&status.services),
    })
}
