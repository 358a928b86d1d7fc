//! Budgets, from what users write to what code passes: limits and periods for the book, scopes for enrichers.
//! Knows both sides' names; nothing of what is consumed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::settings;
use jiff::tz::TimeZone;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::alerts::{AlertPlan, AlertSettings, AlertmanagerSettings, Alerts, WebhookSettings};
use crate::budget::{BudgetSettings, Budgets, CalendarUnit, ClockNews, Count, News, Period, Rolling, unix_ms};
use crate::config::{
    AlertmanagerConfig, BudgetConfig, ComponentId, Config, CountConfig, GramtraceConfig, PeriodConfig, SyncConfig,
    WebhookConfig,
};
use crate::enrich::{Mark, Scope};
use crate::exporter::PosterSettings;
use crate::store::{StoreSettings, Sync};
use crate::telemetry::Metrics;

/// Every budget of every processor.
pub(super) fn settings(config: &Config) -> Vec<BudgetSettings> {
    let of_processor = |(id, gramtrace): (&ComponentId, &GramtraceConfig)| {
        gramtrace.budgets.iter().map(|budget| one(id, budget)).collect::<Vec<_>>()
    };
    config.processors.iter().flat_map(of_processor).collect()
}

/// Which calls the budgets of a processor are for.
pub(super) fn scopes(id: &ComponentId, config: &GramtraceConfig, budgets: &Budgets) -> Vec<Scope> {
    let scope = |budget: &BudgetConfig| Scope {
        budget: Arc::from(name(id, budget)),
        patterns: budget.matches.iter().map(|(key, pattern)| (key.clone(), pattern.clone())).collect(),
        mark: budget.mark_spans.then(|| Mark(budgets.exceeded(&name(id, budget)))),
    };
    config.budgets.iter().map(scope).collect()
}

/// Where budgets are kept on disk, if they are.
pub(super) fn store(config: &Config) -> Option<StoreSettings> {
    let keeping = config.keeping()?;
    let sync = match keeping.sync {
        SyncConfig::Within(time) => Sync::Within(time),
        SyncConfig::EachRequest => Sync::EachRequest,
    };
    Some(StoreSettings { directory: keeping.directory.clone()?, sync })
}

/// Who is told of budgets.
pub(super) fn alerts(config: &Config) -> AlertSettings {
    let Some(keeping) = config.keeping() else { return AlertSettings::default() };
    let alertmanager = |(place, it): (usize, &AlertmanagerConfig)| {
        let name = format!("extensions::gramtrace_budgets::alertmanagers::{place}");
        let url = format!("{}/api/v2/alerts", it.endpoint.to_string().trim_end_matches('/'));
        let (tls, headers) = (settings::tls(&it.tls), settings::headers(&it.headers));
        let poster = PosterSettings { name, url, tls, headers, timeout: it.timeout };
        AlertmanagerSettings { poster, labels: it.labels.clone() }
    };
    let webhook = |(place, it): (usize, &WebhookConfig)| {
        let name = format!("extensions::gramtrace_budgets::webhooks::{place}");
        let (tls, headers) = (settings::tls(&it.tls), settings::headers(&it.headers));
        WebhookSettings {
            poster: PosterSettings { name, url: it.endpoint.expose(), tls, headers, timeout: it.timeout },
            secret: it.secret.as_ref().map(|secret| secret.expose().to_owned()),
            max_waiting: usize::try_from(it.max_queue_size).unwrap_or(usize::MAX),
        }
    };
    AlertSettings {
        link: keeping.link.clone(),
        alertmanagers: keeping.alertmanagers.iter().enumerate().map(alertmanager).collect(),
        webhooks: keeping.webhooks.iter().enumerate().map(webhook).collect(),
    }
}

/// What a budget is called everywhere: its own name, behind that of its processor where that has one: names are unique in a processor.
pub fn name(id: &ComponentId, budget: &BudgetConfig) -> String {
    match id.to_string().split_once('/') {
        Some((_, processor)) => format!("{processor}/{}", budget.name),
        None => budget.name.clone(),
    }
}

fn one(id: &ComponentId, config: &BudgetConfig) -> BudgetSettings {
    BudgetSettings {
        name: name(id, config),
        limit: config.limit,
        period: period(config),
        thresholds: config.thresholds.clone(),
        burn_rates: config.burn_rates,
        count: match config.count {
            CountConfig::Low => Count::Low,
            CountConfig::Value => Count::Value,
            CountConfig::High => Count::High,
        },
    }
}

/// The configuration has looked the time zone up.
fn period(config: &BudgetConfig) -> Period {
    let zone = || config.time_zone.as_deref().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    match config.period {
        PeriodConfig::LastHour => Period::Rolling(Rolling::Hour),
        PeriodConfig::LastDay => Period::Rolling(Rolling::Day),
        PeriodConfig::LastWeek => Period::Rolling(Rolling::Week),
        PeriodConfig::LastThirtyDays => Period::Rolling(Rolling::ThirtyDays),
        PeriodConfig::Day => Period::Calendar(CalendarUnit::Day, zone()),
        PeriodConfig::Week => Period::Calendar(CalendarUnit::Week, zone()),
        PeriodConfig::Month => Period::Calendar(CalendarUnit::Month, zone()),
    }
}

/// How often budgets are looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Looks at `budgets` again and again, and logs what becomes of them. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<()>, Told);

/// Those who are told.
type Told = Arc<Mutex<Alerts>>;

impl Watch {
    /// Whoever is to be told is before the first look: what ended with a budget that is gone is news by then.
    pub(super) fn start(budgets: Budgets, plan: AlertPlan, metrics: &Metrics) -> Self {
        let alerts = plan.start(&budgets, metrics, None);
        log_start(&budgets, &alerts);
        let told: Told = Arc::new(Mutex::new(alerts));
        let alerts = Arc::clone(&told);
        let watching = tokio::spawn(async move {
            let mut glances = tokio::time::interval(GLANCE);
            glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                glances.tick().await;
                let now = unix_ms(SystemTime::now());
                budgets.look_at_clock(now).into_iter().for_each(log_clock);
                let news = budgets.changes(now);
                news.iter().for_each(log);
                alerts.lock().unwrap_or_else(PoisonError::into_inner).tell(&news);
            }
        });
        Self(watching, told)
    }

    /// From now on these are told, unless they are told already. What waits for those that stay goes on waiting.
    pub(super) fn tell(&self, plan: AlertPlan, budgets: &Budgets, metrics: &Metrics) {
        let mut told = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if !plan.is_like(&told) {
            let next = plan.start(budgets, metrics, Some(&mut told));
            log_start(budgets, &next);
            *told = next;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The budgets that are in force from now on.
pub(super) fn apply(budgets: &Budgets, settings: Vec<BudgetSettings>) {
    for budget in budgets.apply(settings, unix_ms(SystemTime::now())) {
        tracing::warn!(budget, "a budget counts another unit or period than before: what it had consumed is dropped");
    }
}

/// What is watched, and who hears of it.
fn log_start(budgets: &Budgets, alerts: &Alerts) {
    let (alertmanagers, webhooks) = alerts.targets();
    tracing::info!(budgets = budgets.len(), alertmanagers, webhooks, "budgets are watched");
}

fn log_clock(news: ClockNews) {
    let time = |ms: i64| humantime::format_duration(Duration::from_secs(ms.unsigned_abs() / 1000)).to_string();
    match news {
        ClockNews::IsBehind(ms) => tracing::warn!(
            behind = time(ms),
            "the clock has been set back: budgets stay at the latest time that they have seen until it has caught up, or has \
             run on for ten minutes"
        ),
        ClockNews::IsBelieved(ms) => tracing::warn!(
            behind = time(ms),
            "the clock is taken for right: what budgets have booked counts as that much earlier; what had left them while it \
             was ahead does not come back"
        ),
        ClockNews::HasCaughtUp => tracing::info!("the clock has caught up with budgets"),
    }
}

/// How it stands by now, and what of that is news.
fn log(news: &News) {
    let News { budget, status, change, .. } = news;
    let summary = change.what.summary(budget, status, change.is_firing);
    let (consumed, forecast) = (budget.limit.show(status.consumed), budget.limit.show(status.forecast));
    let (budget, limit) = (&*budget.name, budget.limit);
    if change.is_firing {
        tracing::warn!(budget, consumed, %limit, forecast, "{summary}");
    } else {
        tracing::info!(budget, consumed, %limit, forecast, "{summary}");
    }
}
