//! What an Alertmanager is to know: everything that fires, again every minute, and what is over, until it has heard of it.
//! Knows values and time, which is passed in; nothing of connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::message::{self, Times};
use crate::budget::{BudgetSettings, Firing, News, Status, UnixMs};

/// How often what fires is told again.
const RESEND_MS: i64 = 60_000;
/// How long an Alertmanager believes what it was told and is not told again: four times that, as Prometheus has it.
const HOLDS_MS: i64 = 4 * RESEND_MS;
/// How long it is tried to tell that something is over; by then whoever did not hear of it believes so.
const TOLD_MS: i64 = 15 * 60_000;
/// How soon it is tried again at first, and at the latest.
const RETRY_MS: (i64, i64) = (1000, RESEND_MS);

/// What an Alertmanager is to know.
#[derive(Debug, Default)]
pub(super) struct Board {
    labels: BTreeMap<String, String>,
    link: Option<Arc<str>>,
    /// What is over and has not been told, by its labels.
    ended: BTreeMap<BTreeMap<String, String>, Ended>,
    /// Whether something has changed since it was told.
    is_news: bool,
    /// When it was last tried, and how long to wait from then on.
    tried: Option<(UnixMs, i64)>,
    failures: u32,
}

#[derive(Debug, Clone)]
struct Ended {
    budget: BudgetSettings,
    status: Status,
    what: crate::budget::Alarm,
    since: UnixMs,
    at: UnixMs,
}

/// What is told at once.
#[derive(Debug, Default)]
pub(super) struct Push {
    pub(super) alerts: Vec<Value>,
    /// What of it is over, and since when.
    ended: Vec<(BTreeMap<String, String>, UnixMs)>,
}

impl Push {
    pub(super) const fn ended(&self) -> usize {
        self.ended.len()
    }
}

impl Board {
    /// What every alert has from now on.
    pub(super) fn is_for(&mut self, labels: BTreeMap<String, String>, link: Option<Arc<str>>) {
        (self.labels, self.link) = (labels, link);
    }

    /// Whether these are its labels.
    pub(super) fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels == *labels
    }

    /// Something has changed.
    pub(super) fn note(&mut self, news: &News) {
        let News { budget, status, change, at } = news;
        let key = message::labels(&budget.name, change.what);
        self.is_news = true;
        if change.is_firing {
            self.ended.remove(&key);
            return;
        }
        let (budget, status) = (budget.clone(), status.clone());
        self.ended.insert(key, Ended { budget, status, what: change.what, since: change.since, at: *at });
    }

    /// Whether it is time to tell; what is news from then on is told another time. A clock that was set back does not make
    /// it wait longer.
    pub(super) fn is_due(&mut self, now: UnixMs) -> bool {
        if let Some((tried, wait)) = self.tried {
            let waits = if self.is_news && self.failures == 0 { 0 } else { wait };
            if now.abs_diff(tried) < waits.unsigned_abs() {
                return false;
            }
        }
        self.is_news = false;
        true
    }

    /// What is to be told now.
    pub(super) fn push(&mut self, firing: &[Firing], now: UnixMs) -> Push {
        self.ended.retain(|_, ended| now.saturating_sub(ended.at) < TOLD_MS);
        self.tried = Some((now, RESEND_MS));
        let link = self.link.as_deref();
        let mut push = Push::default();
        for Firing { budget, status, what, since } in firing {
            let times = Times { since: *since, ends: now.saturating_add(HOLDS_MS), is_firing: true };
            push.alerts.push(message::alert((budget, status, *what), &times, &self.labels, link));
        }
        for (key, ended) in &self.ended {
            let times = Times { since: ended.since, ends: ended.at, is_firing: false };
            push.alerts.push(message::alert((&ended.budget, &ended.status, ended.what), &times, &self.labels, link));
            push.ended.push((key.clone(), ended.at));
        }
        push
    }

    /// What became of it.
    pub(super) fn pushed(&mut self, push: &Push, is_taken: bool, now: UnixMs) {
        if !is_taken {
            let wait = RETRY_MS.0.saturating_mul(1 << self.failures.min(10)).min(RETRY_MS.1);
            self.failures = self.failures.saturating_add(1);
            self.tried = Some((now, wait));
            return;
        }
        self.failures = 0;
        for (key, at) in &push.ended {
            if self.ended.get(key).is_some_and(|ended| ended.at == *at) {
                self.ended.remove(key);
            }
        }
    }
}
