//! Budgets as rules of Prometheus: it has what many replicas booked. Knows names of metrics and PromQL.
//! What rules cannot say is an error, never a rule that means something else.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::app::budget_name;
use crate::budget::{Alarm, BURNS, Burn, Rolling};
use crate::config::{BudgetConfig, Config, CountConfig, GramtraceConfig, PeriodConfig};
use crate::enrich::is_like;
use crate::units::{Amount, J_PER_WH};

const MINUTE_MS: i64 = 60_000;
/// What the alert's expression gives, in three digits.
const SHORT_VALUE: &str = r#"{{ printf "%.3g" $value }}"#;

/// The rules for every budget, as a file.
pub(super) fn of(config: &Config) -> Result<String, String> {
    let mut text = "# From `gramtrace budgets rules`: write it anew when the configuration changes.\n\
         # Budgets of the calendar are told here over as many days up to now: 1, 7 or 30.\n\
         groups:\n"
        .to_owned();
    let mut is_empty = true;
    for (id, gramtrace) in &config.processors {
        for budget in &gramtrace.budgets {
            let rules = Rules::new(budget_name(id, budget), budget, gramtrace)
                .map_err(|why| format!("processors::{id}::budgets: {why}"))?;
            rules.write(&mut text);
            is_empty = false;
        }
    }
    if is_empty { Ok(text.replace("groups:\n", "groups: []\n")) } else { Ok(text) }
}

struct Rules<'a> {
    /// As the service itself calls it.
    name: String,
    budget: &'a BudgetConfig,
    metric: &'static str,
    /// What of the metric the budget is for, with braces; empty for everything.
    selector: String,
    /// In the metric's unit.
    limit: f64,
    period_ms: i64,
    unit: &'static str,
}

impl<'a> Rules<'a> {
    fn new(name: String, budget: &'a BudgetConfig, gramtrace: &GramtraceConfig) -> Result<Self, String> {
        let (metric, limit, unit) = match (budget.limit, budget.count) {
            (Amount::Energy(wh), _) => ("gramtrace_energy_joules_total", wh.get() * J_PER_WH, "joules"),
            (Amount::Co2e(grams), CountConfig::Value) => ("gramtrace_co2e_grams_total", grams.get(), "grams"),
            (Amount::Co2e(grams), CountConfig::Low) => ("gramtrace_co2e_low_grams_total", grams.get(), "grams"),
            (Amount::Co2e(grams), CountConfig::High) => ("gramtrace_co2e_high_grams_total", grams.get(), "grams"),
        };
        let period = match budget.period {
            PeriodConfig::LastHour => Rolling::Hour,
            PeriodConfig::LastDay | PeriodConfig::Day => Rolling::Day,
            PeriodConfig::LastWeek | PeriodConfig::Week => Rolling::Week,
            PeriodConfig::LastThirtyDays | PeriodConfig::Month => Rolling::ThirtyDays,
        };
        Ok(Self {
            name,
            budget,
            metric,
            selector: selector(budget, gramtrace)?,
            limit,
            period_ms: period.length_ms(),
            unit,
        })
    }

    fn write(&self, text: &mut String) {
        let Self { name, budget, limit, unit, .. } = self;
        let consumed = format!("gramtrace:budget_consumed_{unit}:increase");
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  - name: gramtrace-budget-{name}\n    rules:\n\
             \x20     - record: gramtrace:budget_limit_{unit}\n        expr: vector({limit})\n        labels: {{budget: {name:?}}}\n\
             \x20     - record: {consumed}\n        expr: {}\n        labels: {{budget: {name:?}}}\n",
            quoted(&self.increase(self.period_ms))
        );
        for threshold in &budget.thresholds {
            let severity = Alarm::Threshold(*threshold).severity().name();
            let _ = write!(
                text,
                "      - alert: GramtraceBudgetThreshold\n        expr: 100 * {consumed}{{budget={name:?}}} / {limit} >= {threshold}\n\
                 \x20       labels: {{budget: {name:?}, severity: {severity}, threshold: \"{threshold}\"}}\n        annotations:\n\
                 \x20         summary: 'the budget {name} is at {} % of its limit (threshold {threshold} %)'\n",
                SHORT_VALUE
            );
        }
        if budget.burn_rates {
            self.write_burns(text);
        }
    }

    fn write_burns(&self, text: &mut String) {
        let (name, burn) = (&self.name, "gramtrace:budget_burn_rate:ratio");
        // The long window of one pair may be the short one of another.
        let mut recorded = BTreeSet::new();
        for (alarm, Burn { factor, long_ms, short_ms }) in self.burns() {
            for window_ms in [long_ms, short_ms].into_iter().filter(|window_ms| recorded.insert(*window_ms)) {
                let rate = self.period_ms as f64 / window_ms as f64 / self.limit;
                let _ = write!(
                    text,
                    "      - record: {burn}\n        expr: {}\n        labels: {{budget: {name:?}, window: \"{}\"}}\n",
                    quoted(&format!("{} * {rate}", self.increase(window_ms))),
                    window(window_ms)
                );
            }
            let (long, short, severity) = (window(long_ms), window(short_ms), alarm.severity().name());
            let _ = write!(
                text,
                "      - alert: GramtraceBudgetBurn\n        expr: >-\n\
                 \x20         {burn}{{budget={name:?}, window=\"{long}\"}} >= {factor}\n\
                 \x20         and ignoring (window) {burn}{{budget={name:?}, window=\"{short}\"}} >= {factor}\n\
                 \x20       labels: {{budget: {name:?}, severity: {severity}, factor: \"{factor}\"}}\n        annotations:\n\
                 \x20         summary: 'the budget {name} burns at {} times the rate at which it lasts (told from {factor} on)'\n",
                SHORT_VALUE
            );
        }
    }

    /// Those whose windows are long enough for a scrape a minute or faster: of shorter ones nothing can be told.
    fn burns(&self) -> impl Iterator<Item = (Alarm, Burn)> {
        // In whole minutes.
        let whole = |ms: i64| ms / MINUTE_MS * MINUTE_MS;
        let scaled = move |burn: Burn| {
            let burn = burn.scaled(self.period_ms);
            Burn { long_ms: whole(burn.long_ms), short_ms: whole(burn.short_ms), ..burn }
        };
        let burns = BURNS.into_iter().enumerate().map(move |(pair, burn)| (Alarm::Burn(pair), scaled(burn)));
        burns.filter(|(_, burn)| burn.short_ms >= 5 * MINUTE_MS && burn.long_ms > burn.short_ms)
    }

    fn increase(&self, window_ms: i64) -> String {
        format!("(sum(increase({}{}[{}])) or vector(0))", self.metric, self.selector, window(window_ms))
    }
}

/// `3d`, `6h`, `5m`.
fn window(ms: i64) -> String {
    match ms / MINUTE_MS {
        whole if whole % 1440 == 0 => format!("{}d", whole / 1440),
        whole if whole % 60 == 0 => format!("{}h", whole / 60),
        minutes => format!("{minutes}m"),
    }
}

/// The labels that stand for the attributes of the budget's match.
fn selector(budget: &BudgetConfig, gramtrace: &GramtraceConfig) -> Result<String, String> {
    let mut matchers = Vec::new();
    for (key, pattern) in &budget.matches {
        let of_attribute =
            gramtrace.labels.attributes.iter().find(|label| label.key == *key).map(|label| &*label.label);
        let label = if key == "service.name" { Some("service") } else { of_attribute };
        let Some(label) = label else {
            return Err(format!(
                "{}: metrics have no label for `{key}`; write it in `labels::attributes`",
                budget.name
            ));
        };
        matchers.push(format!("{label}=~{}", quoted(&regex(pattern))));
        // What is not there is like nothing, and in metrics it is a word of its own.
        if is_like("unknown", pattern) {
            matchers.push(format!("{label}!=\"unknown\""));
        }
    }
    Ok(if matchers.is_empty() { String::new() } else { format!("{{{}}}", matchers.join(", ")) })
}

/// As YAML and PromQL both read it: the escapes of JSON are among theirs.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A glob as a regular expression, which Prometheus anchors.
fn regex(pattern: &str) -> String {
    let mut regex = String::new();
    for character in pattern.chars() {
        match character {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            special if r"\.+()[]{}|^$".contains(special) => {
                regex.push('\\');
                regex.push(special);
            }
            plain => regex.push(plain),
        }
    }
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_or_promql_would_take_for_their_own_is_quoted() {
        let config = |processor: &str, pattern: &str| {
            format!(
                "receivers: {{otlp: {{protocols: {{grpc: }}}}}}
processors:
  {processor}:
    labels: {{attributes: [{{key: team, label: team}}]}}
    budgets: [{{name: odd, match: {{team: {pattern}}}, limit: 1kg, burn_rates: false, thresholds: [50]}}]
exporters: {{debug: }}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [{processor}], exporters: [debug]}}}}}}"
            )
        };
        let rules = |processor, pattern| {
            of(&Config::parse("test", config(processor, pattern).as_bytes(), &|_| None).unwrap()).unwrap()
        };
        let odd = rules("gramtrace/eu", r#"'a: "b" #é\*'"#);
        let read: Value = serde_yaml::from_str(&odd).unwrap();
        let group = &read["groups"][0];
        assert_eq!(
            (&group["name"], &group["rules"][1]["labels"]["budget"]),
            (&"gramtrace-budget-eu/odd".into(), &"eu/odd".into())
        );
        let expr = r#"(sum(increase(gramtrace_co2e_grams_total{team=~"a: \"b\" #é\\\\.*"}[30d])) or vector(0))"#;
        assert_eq!(group["rules"][1]["expr"], expr);
        assert!(group["rules"][2]["expr"].as_str().unwrap().contains("{budget=\"eu/odd\"}"));
        // What is like the word for what is not there is not what is not there.
        for (pattern, excludes) in
            [("'*'", true), ("'un*'", true), ("'???????'", true), ("'shop-*'", false), ("'?'", false)]
        {
            assert_eq!(rules("gramtrace", pattern).contains(r#"team!=\"unknown\""#), excludes, "{pattern}");
        }
    }

    #[test]
    fn a_glob_is_a_regular_expression_that_means_the_same() {
        assert_eq!(regex("shop-*.v?"), r"shop-.*\.v.");
        assert_eq!([5, 120, 4320].map(|minutes| window(minutes * MINUTE_MS)), ["5m", "2h", "3d"]);
    }
}
