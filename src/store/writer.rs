//! The thread that writes: everything that was booked by then in one commit, as often as it is due or asked for.
//! Knows when; nothing of lines.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Pace;
use super::log::Log;
use crate::budget::{Budgets, Taken};
use crate::telemetry::StoreMetrics;

/// How soon it is tried again when nothing could be written.
const RETRY: Duration = Duration::from_secs(5);

/// How far the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Bookings up to this one are on disk.
    pub(super) kept: u64,
    /// Whether nothing can be written.
    pub(super) is_failing: bool,
}

#[derive(Debug)]
pub(super) struct Writer {
    log: Log,
    budgets: Budgets,
    progress: watch::Sender<Progress>,
    metrics: StoreMetrics,
    /// When it failed last: then the file lacks something, and only the whole book will do.
    failed: Option<Instant>,
    forgotten: u64,
}

impl Writer {
    pub(super) fn new(log: Log, budgets: Budgets, progress: watch::Sender<Progress>, metrics: StoreMetrics) -> Self {
        Self { log, budgets, progress, metrics, failed: None, forgotten: 0 }
    }

    /// Writes until it is told to end, and then once more.
    pub(super) fn run(mut self, woken: &Receiver<()>, pace: &Pace, is_ending: &AtomicBool) {
        loop {
            let _ = woken.recv_timeout(pace.interval());
            let ends = is_ending.load(Ordering::Relaxed);
            self.commit(ends, Instant::now());
            if ends {
                return;
            }
        }
    }

    pub(super) fn commit(&mut self, is_last: bool, now: Instant) {
        if !is_last && self.failed.is_some_and(|failed| now.duration_since(failed) < RETRY) {
            return;
        }
        match self.write() {
            Ok(kept) => {
                if self.failed.take().is_some() {
                    tracing::info!("budgets are kept on disk again, with everything that they consumed meanwhile");
                }
                self.metrics.written(self.log.len());
                // No news are no news: nobody waits for what is there.
                self.progress.send_if_modified(|progress| {
                    let before = std::mem::replace(progress, Progress { kept, is_failing: false });
                    before != *progress
                });
            }
            Err(error) => {
                if self.failed.replace(now).is_none() {
                    tracing::error!(
                        %error,
                        "budgets cannot be kept on disk: they go on in memory, and a restart would lose what they consume \
                         from now on; spans pass as before"
                    );
                }
                self.metrics.failed();
                self.progress.send_modify(|progress| progress.is_failing = true);
            }
        }
        self.tell_forgotten();
    }

    /// Gives the number of the last booking that is on disk.
    fn write(&mut self) -> io::Result<u64> {
        let news = self.budgets.take();
        // Whether it is all that the file lacks.
        let is_next = self.failed.is_none() && !news.is_short;
        if is_next && !self.log.is_grown() {
            if !news.entries.is_empty() {
                self.log.append(&news.entries)?;
            }
            return Ok(news.booking);
        }
        let (budgets, mut last) = (&self.budgets, None);
        let rewritten = self.log.rewrite(|each| {
            budgets.whole(&mut *each);
            let taken = budgets.take();
            taken.entries.iter().cloned().for_each(each);
            last = Some(taken);
        });
        let last = last.unwrap_or_else(|| Taken { booking: news.booking, ..Taken::default() });
        match rewritten {
            Ok(()) if !last.is_short => Ok(last.booking),
            Ok(()) => Err(io::Error::other("more was booked than could be written meanwhile")),
            // There is no room for a second file; there may be for a longer one.
            Err(_) if is_next && !last.is_short => {
                self.log.append(&[news.entries, last.entries].concat())?;
                self.log.put_off();
                Ok(last.booking)
            }
            Err(error) => Err(error),
        }
    }

    fn tell_forgotten(&mut self) {
        let forgotten = self.budgets.forgotten_calls();
        if forgotten > self.forgotten {
            if self.forgotten == 0 {
                tracing::warn!(
                    "more calls than a million within ten minutes: the oldest are forgotten, and one that is sent again \
                     after a crash may be booked twice"
                );
            }
            self.forgotten = forgotten;
            self.metrics.forgotten(forgotten);
        }
    }
}
