//! What a webhook has not taken yet: in order, bounded, and tried again less and less often.
//! Knows bodies and time, which is passed in; nothing of connections.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::budget::UnixMs;
use crate::exporter::Posted;

/// How soon it is tried again at first, and at the latest.
const RETRY_MS: (i64, i64) = (1000, 300_000);

/// What waits for a webhook.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(u64, Bytes)>,
    most: usize,
    /// The number of the next.
    next: u64,
    /// When it failed last, and how long to wait from then on.
    failed: Option<(UnixMs, i64)>,
}

impl Outbox {
    /// How many may wait from now on. Gives how many of the oldest had to leave for that.
    pub(super) fn holds(&mut self, most: usize) -> usize {
        self.most = most.max(1);
        let over = self.waiting.len().saturating_sub(self.most);
        self.waiting.drain(..over).count()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Puts something behind the rest. Gives whether the oldest had to leave for it.
    pub(super) fn push(&mut self, body: Bytes) -> bool {
        let is_full = self.waiting.len() >= self.most.max(1);
        if is_full {
            self.waiting.pop_front();
        }
        self.waiting.push_back((self.next, body));
        self.next += 1;
        is_full
    }

    /// What is to be sent now, with its number. A clock that was set back does not make it wait longer.
    pub(super) fn next(&self, now: UnixMs) -> Option<(u64, Bytes)> {
        let is_due = self.failed.is_none_or(|(failed, wait)| now.abs_diff(failed) >= wait.unsigned_abs());
        self.waiting.front().filter(|_| is_due).cloned()
    }

    /// What became of it; it may have had to leave meanwhile.
    pub(super) fn answered(&mut self, number: u64, posted: &Posted, now: UnixMs) {
        if let Posted::Failed(_, asked) = posted {
            let wait = self.failed.map_or(RETRY_MS.0, |(_, wait)| wait.saturating_mul(2));
            let asked = asked.and_then(|asked| i64::try_from(asked.as_millis()).ok()).unwrap_or_default();
            self.failed = Some((now, wait.max(asked).min(RETRY_MS.1)));
            return;
        }
        self.failed = None;
        if self.waiting.front().is_some_and(|(front, _)| *front == number) {
            self.waiting.pop_front();
        }
    }
}
