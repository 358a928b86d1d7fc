//! How budgets stand, as gauges: limits, consumption, forecasts, burn rates.
//! Knows budgets by their statuses; nothing of what is consumed.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::families as name;
use super::text::{Exposition, Family};
use crate::budget::{BudgetSettings, Budgets, Status, unix_ms};
use crate::units::{Amount, J_PER_WH};

/// The budgets that the page tells, once there are some.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<Option<Budgets>>);

type Told = (BudgetSettings, Status);
type Figure = fn(&Told) -> f64;

impl Watched {
    pub(super) fn watch(&self, budgets: Budgets) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(budgets);
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = watched.map(|budgets| budgets.statuses(unix_ms(SystemTime::now()))).unwrap_or_default();
        let figures: [([Family; 2], Figure); 3] = [
            (name::BUDGET_LIMIT, |(budget, _)| budget.limit.get()),
            (name::BUDGET_CONSUMED, |(_, status)| status.consumed),
            (name::BUDGET_FORECAST, |(_, status)| status.forecast),
        ];
        for ([grams, joules], figure) in figures {
            text.family(grams, of(&told, false).map(|it| (vec![("budget", &*it.0.name)], figure(it))));
            text.family(joules, of(&told, true).map(|it| (vec![("budget", &*it.0.name)], figure(it) * J_PER_WH)));
        }
        let windows: Vec<_> = told.iter().flat_map(windows).collect();
        let rates =
            windows.iter().map(|(budget, window, rate)| (vec![("budget", *budget), ("window", &**window)], *rate));
        text.family(name::BUDGET_BURN, rates);
    }
}

/// Those of energy, or those of CO2e.
fn of(told: &[Told], is_energy: bool) -> impl Iterator<Item = &Told> {
    told.iter().filter(move |(budget, _)| matches!(budget.limit, Amount::Energy(_)) == is_energy)
}

/// Every window by its length.
fn windows((budget, status): &Told) -> Vec<(&str, String, f64)> {
    let pairs = status.burn.iter().flat_map(|pair| [(pair.long_ms, pair.long_rate), (pair.short_ms, pair.short_rate)]);
    let named = |(ms, rate): (i64, f64)| (&*budget.name, length(ms), rate);
    let mut windows: Vec<_> = pairs.map(named).collect();
    // The long one of a pair may be as long as another's short one.
    windows.sort_by(|one, other| one.1.cmp(&other.1));
    windows.dedup_by(|one, other| one.1 == other.1);
    windows
}

/// `6h`, `30m`, `417ms`.
fn length(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let whole = units.iter().find(|(unit, _)| ms >= *unit && ms % unit == 0);
    whole.map_or_else(|| format!("{ms}ms"), |(unit, suffix)| format!("{}{suffix}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Consumption, Count, Period, Rolling};

    #[test]
    fn a_budget_of_energy_is_in_joules_and_one_of_co2e_in_grams() {
        let budget = |name: &str, limit: &str| BudgetSettings {
            name: name.to_owned(),
            limit: limit.parse().unwrap(),
            period: Period::Rolling(Rolling::ThirtyDays),
            thresholds: vec![100.0],
            burn_rates: true,
            count: Count::Value,
        };
        let (budgets, now) = (Budgets::default(), unix_ms(SystemTime::now()));
        budgets.apply(vec![budget("team", "5kg"), budget("batch", "2kWh")], now);
        let names = ["team".into(), "batch".into()];
        let consumption = Consumption {
            budgets: &names,
            co2e_g: [1.0, 2.0, 3.0],
            energy_wh: 10.0,
            model: "m",
            service: "s",
            call: None,
        };
        budgets.add([consumption], now);
        let (watched, mut text) = (Watched::default(), Exposition::default());
        watched.watch(budgets);
        watched.encode(&mut text);
        let page = text.finish();
        for line in [
            "gramtrace_budget_limit_grams{budget=\"team\"} 5000",
            "gramtrace_budget_limit_joules{budget=\"batch\"} 7200000",
            "gramtrace_budget_consumed_grams{budget=\"team\"} 2",
            "gramtrace_budget_consumed_joules{budget=\"batch\"} 36000",
            "gramtrace_budget_forecast_grams{budget=\"team\"} 20",
            // 2 g in an hour of 720, of 5 kg.
            "gramtrace_budget_burn_rate{budget=\"team\",window=\"1h\"} 0.288",
        ] {
            assert!(page.lines().any(|it| it.starts_with(line)), "{line}\n{page}");
        }
        let of_team =
            page.lines().filter(|line| line.starts_with("gramtrace_budget_burn_rate{budget=\"team\"")).count();
        assert_eq!(of_team, 7, "1h, 5m, 6h, 30m, 1d, 2h, 3d; one 6h is another's short window");
    }
}
