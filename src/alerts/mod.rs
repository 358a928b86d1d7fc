//! Who is told of budgets: Alertmanagers, of what holds, and webhooks, of what has changed. Each has a task of its own, so that
//! one that is slow or away holds up nobody. Knows budgets by what they say; nothing of who books.

mod board;
mod message;
mod outbox;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use ring::hmac;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::budget::{Budgets, News, UnixMs, unix_ms};
use crate::exporter::{ExporterBuildError, Posted, Poster, PosterSettings};
use crate::hex;
use crate::telemetry::{Metrics, TargetMetrics, Telling};
use board::Board;
use outbox::Outbox;

/// How often it is looked whether something is due.
const GLANCE: Duration = Duration::from_millis(200);
/// The header that a webhook's body is signed in.
const SIGNATURE: &str = "x-gramtrace-signature";

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertSettings {
    /// Where people find the page; without a `/` at its end.
    pub link: Option<String>,
    /// Each of them everything.
    pub alertmanagers: Vec<AlertmanagerSettings>,
    /// Likewise.
    pub webhooks: Vec<WebhookSettings>,
}

/// An Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerSettings {
    /// Where it takes alerts: the URL with `/api/v2/alerts`.
    pub poster: PosterSettings,
    /// Labels of every alert.
    pub labels: BTreeMap<String, String>,
}

/// A webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where.
    pub poster: PosterSettings,
    /// What bodies are signed with.
    pub secret: Option<String>,
    /// How many notifications may wait.
    pub max_waiting: usize,
}

impl std::fmt::Debug for WebhookSettings {
    /// Without what it signs with, and without its URL.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WebhookSettings").field("name", &self.poster.name).finish_non_exhaustive()
    }
}

/// Those who are told. Dropped, it tells no more.
#[derive(Debug)]
pub struct Alerts {
    settings: AlertSettings,
    /// By their URLs.
    boards: Vec<(String, Arc<Mutex<Board>>)>,
    outboxes: Vec<Waiting>,
    tasks: Vec<JoinHandle<()>>,
}

/// What waits for a webhook.
#[derive(Debug)]
struct Waiting {
    url: String,
    outbox: Arc<Mutex<Outbox>>,
    metrics: TargetMetrics,
}

/// What is ready to be started.
#[derive(Debug)]
pub struct AlertPlan {
    settings: AlertSettings,
    alertmanagers: Vec<Poster>,
    webhooks: Vec<Poster>,
}

impl AlertPlan {
    /// Checks everything that can be checked without those who are told.
    ///
    /// # Errors
    /// [`ExporterBuildError`] for a URL, a header or a TLS file that cannot be used.
    pub fn new(settings: AlertSettings) -> Result<Self, ExporterBuildError> {
        let built = |posters: Vec<&PosterSettings>| posters.into_iter().map(Poster::new).collect::<Result<_, _>>();
        let alertmanagers = built(settings.alertmanagers.iter().map(|it| &it.poster).collect())?;
        let webhooks = built(settings.webhooks.iter().map(|it| &it.poster).collect())?;
        Ok(Self { settings, alertmanagers, webhooks })
    }

    /// Whether it is what is there already.
    #[must_use]
    pub fn is_like(&self, alerts: &Alerts) -> bool {
        alerts.settings == self.settings
    }

    /// Begins to tell. Of those who were told before, whoever is still there hears what waits for it; what waits for the others is
    /// counted as dropped. To be called within a runtime.
    #[must_use]
    pub fn start(self, budgets: &Budgets, metrics: &Metrics, mut before: Option<&mut Alerts>) -> Alerts {
        let Self { settings, alertmanagers, webhooks } = self;
        let link: Option<Arc<str>> = settings.link.as_deref().map(Arc::from);
        let (mut boards, mut outboxes, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
        for (poster, of) in alertmanagers.into_iter().zip(&settings.alertmanagers) {
            let board = before.as_mut().and_then(|before| before.take_board(of)).unwrap_or_default();
            lock(&board).is_for(of.labels.clone(), link.clone());
            let metrics = metrics.target(poster.name());
            tasks.push(tokio::spawn(push(Arc::clone(&board), poster, budgets.clone(), metrics)));
            boards.push((of.poster.url.clone(), board));
        }
        for (poster, of) in webhooks.into_iter().zip(&settings.webhooks) {
            let metrics = metrics.target(poster.name());
            let outbox = before.as_mut().and_then(|before| before.take_outbox(of)).unwrap_or_default();
            let dropped = lock(&outbox).holds(of.max_waiting);
            metrics.told(Telling::Dropped, dropped);
            let key = of.secret.as_ref().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
            tasks.push(tokio::spawn(call((Arc::clone(&outbox), poster), key, metrics.clone())));
            outboxes.push(Waiting { url: of.poster.url.clone(), outbox, metrics });
        }
        Alerts { settings, boards, outboxes, tasks }
    }
}

impl Alerts {
    /// Tells what has changed, whenever those who are told have time.
    pub fn tell(&self, news: &[News]) {
        for (_, board) in &self.boards {
            let mut board = lock(board);
            news.iter().for_each(|news| board.note(news));
        }
        for Waiting { outbox, metrics, .. } in &self.outboxes {
            let mut outbox = lock(outbox);
            let bodies = news.iter().map(|news| message::event(news, self.settings.link.as_deref()).to_string());
            let dropped = bodies.map(|body| outbox.push(body.into())).filter(|dropped| *dropped).count();
            metrics.waiting(outbox.len());
            metrics.told(Telling::Dropped, dropped);
        }
    }

    /// How many Alertmanagers and webhooks are told.
    #[must_use]
    pub fn targets(&self) -> (usize, usize) {
        (self.boards.len(), self.outboxes.len())
    }

    /// Notifications that nobody has taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outboxes.iter().map(|waiting| lock(&waiting.outbox).len()).sum()
    }

    /// What one that stays is to know; under other labels it knows nothing.
    fn take_board(&mut self, of: &AlertmanagerSettings) -> Option<Arc<Mutex<Board>>> {
        let place = self.boards.iter().position(|(url, board)| *url == of.poster.url && lock(board).has(&of.labels))?;
        Some(self.boards.swap_remove(place).1)
    }

    /// What waits for one that stays.
    fn take_outbox(&mut self, of: &WebhookSettings) -> Option<Arc<Mutex<Outbox>>> {
        let place = self.outboxes.iter().position(|waiting| waiting.url == of.poster.url)?;
        Some(self.outboxes.swap_remove(place).outbox)
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        let waiting = self.waiting();
        if waiting > 0 {
            tracing::warn!(waiting, "notifications of budgets were not taken by their webhooks and are lost");
        }
        for Waiting { outbox, metrics, .. } in &self.outboxes {
            metrics.told(Telling::Dropped, lock(outbox).len());
            metrics.waiting(0);
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Whoever panicked with it in hand has told something twice at worst.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

/// Tells an Alertmanager what holds, again and again.
async fn push(board: Arc<Mutex<Board>>, poster: Poster, budgets: Budgets, metrics: TargetMetrics) {
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_failing = false;
    loop {
        glances.tick().await;
        if !lock(&board).is_due(now()) {
            continue;
        }
        let firing = budgets.firing(now());
        let push = lock(&board).push(&firing, now());
        metrics.waiting(push.ended());
        if push.alerts.is_empty() {
            lock(&board).pushed(&push, true, now());
            continue;
        }
        let many = push.alerts.len();
        let posted = poster.post(Value::from(push.alerts.clone()).to_string().into(), None).await;
        lock(&board).pushed(&push, posted == Posted::Taken, now());
        was_failing = told(&poster, &posted, many, (&metrics, was_failing));
    }
}

/// Tells a webhook what has changed, one after the other.
async fn call((outbox, poster): (Arc<Mutex<Outbox>>, Poster), key: Option<hmac::Key>, metrics: TargetMetrics) {
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_failing = false;
    loop {
        glances.tick().await;
        loop {
            let next = lock(&outbox).next(now());
            let Some((number, body)) = next else { break };
            let signature = key.as_ref().map(|key| (SIGNATURE, signed(key, &body)));
            let posted = poster.post(body, signature).await;
            let waiting = {
                let mut outbox = lock(&outbox);
                outbox.answered(number, &posted, now());
                outbox.len()
            };
            metrics.waiting(waiting);
            was_failing = told(&poster, &posted, 1, (&metrics, was_failing));
        }
    }
}

/// `sha256=` and the HMAC of the body in hex.
fn signed(key: &hmac::Key, body: &Bytes) -> String {
    format!("sha256={}", hex::encode(hmac::sign(key, body).as_ref()))
}

/// Counts and logs what became of a request, a row of failures once. Gives whether it failed.
fn told(poster: &Poster, posted: &Posted, many: usize, (metrics, was_failing): (&TargetMetrics, bool)) -> bool {
    let target = poster.name();
    match posted {
        Posted::Taken => {
            metrics.told(Telling::Delivered, many);
            if was_failing {
                tracing::info!(target = target, "budgets are told again");
            }
            false
        }
        Posted::Refused(error) => {
            metrics.told(Telling::Refused, many);
            tracing::warn!(target = target, %error, "a notification of a budget was refused, and is not sent again");
            false
        }
        Posted::Failed(error, _) => {
            metrics.told(Telling::Failed, many);
            if !was_failing {
                tracing::warn!(target = target, %error, "budgets cannot be told; it is tried again");
            }
            true
        }
    }
}
