//! The end of a service: nobody new is let in, requests in flight are waited for, and after that nobody: neither a
//! backend that does not answer nor a peer that does not hang up holds the process beyond its time.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::listening::Listeners;
use super::own::Own;
use crate::receiver::Intake;
use crate::store::Store;

/// How long peers may take to hang up when nothing is in flight: an answer still has to reach them, and a request that
/// was on its way when they were told has to arrive.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long own telemetry may take to leave at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often requests in flight are counted.
const GLANCE: Duration = Duration::from_millis(50);

/// How a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Clean,
    /// The time was over. What these requests carried was not acknowledged: their senders still have it.
    TimedOut {
        /// Requests that got no answer.
        requests: usize,
    },
}

pub(super) async fn drain(
    mut listeners: Listeners,
    intakes: Vec<Intake>,
    (own, store): (Option<Own>, Option<Store>),
    limit: Duration,
) -> Drained {
    let deadline = Instant::now() + limit;
    let open = || intakes.iter().map(Intake::open_requests).sum::<usize>();
    let ended = async {
        tokio::select! {
            () = listeners.end_receivers() => {}
            () = quiet(&open) => tracing::debug!("a peer has not hung up, and nothing is in flight"),
        }
    };
    let in_time = timeout_at(deadline, ended).await.is_ok();
    let requests = open();
    if let Some(own) = own {
        // A backend of own telemetry that does not answer is no reason to stay.
        let _ = timeout(LAST_WORDS, own.end()).await;
    }
    if let Some(store) = store {
        // Nor is a disk that does not: what was acknowledged a second ago is there.
        let _ = timeout(LAST_WORDS, tokio::task::spawn_blocking(|| store.end())).await;
    }
    listeners.end_pages().await;
    if in_time || requests == 0 { Drained::Clean } else { Drained::TimedOut { requests } }
}

/// Ends when nothing has been in flight for a while.
async fn quiet(open: impl Fn() -> usize) {
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = Instant::now();
    while since.elapsed() < GOODBYE {
        glances.tick().await;
        if open() > 0 {
            since = Instant::now();
        }
    }
}
