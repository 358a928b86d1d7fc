//! How often a peer pings over HTTP/2, seen in the frames as they come, since the library answers pings by itself.
//! <https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#server-enforcement>
//! Knows frame headers; nothing of what frames carry.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::idle::Idleness;

/// What a peer sends first: <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const PREFACE_LEN: usize = 24;
const HEADER_LEN: usize = 9;
const TYPE_HEADERS: u8 = 0x1;
const TYPE_PING: u8 = 0x6;
const FLAG_ACK: u8 = 0x1;

/// Pings that come too early until it is too many: as grpc-go counts them.
const MAX_STRIKES: u8 = 2;
/// The least time between pings where there is no request and that is not permitted.
const WITHOUT_STREAM: Duration = Duration::from_secs(2 * 60 * 60);

/// How often a peer may ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingPolicy {
    /// The least time between two pings.
    pub min_time: Duration,
    /// Whether that holds where no request is under way, too; else pings are then hardly allowed at all.
    pub permit_without_stream: bool,
}

/// Told when a peer has pinged too often.
#[derive(Debug, Clone, Default)]
pub(super) struct TooMany(Arc<Notify>);

impl TooMany {
    /// Ends when there were too many pings.
    pub(super) async fn pings(&self) {
        self.0.notified().await;
    }
}

/// Watches the bytes of one connection.
#[derive(Debug)]
pub(super) struct PingWatch {
    policy: PingPolicy,
    requests: Idleness,
    too_many: TooMany,
    /// Bytes that are of no interest: the preface, and what frames carry.
    skip: usize,
    header: [u8; HEADER_LEN],
    filled: usize,
    last: Option<Instant>,
    strikes: u8,
}

impl PingWatch {
    pub(super) fn new(policy: PingPolicy, requests: Idleness) -> (Self, TooMany) {
        let too_many = TooMany::default();
        let watch = Self {
            policy,
            requests,
            too_many: too_many.clone(),
            skip: PREFACE_LEN,
            header: [0; HEADER_LEN],
            filled: 0,
            last: None,
            strikes: 0,
        };
        (watch, too_many)
    }

    /// Looks at bytes that came, in whatever pieces.
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEADER_LEN - self.filled).min(bytes.len());
            let (head, rest) = bytes.split_at(taken);
            self.header[self.filled..self.filled + taken].copy_from_slice(head);
            self.filled += taken;
            bytes = rest;
            if self.filled == HEADER_LEN {
                self.filled = 0;
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            // A request: pings between requests are no flood.
            TYPE_HEADERS => (self.strikes, self.last) = (0, None),
            TYPE_PING if flags & FLAG_ACK == 0 => self.ping(Instant::now()),
            _ => {}
        }
    }

    fn ping(&mut self, now: Instant) {
        let idle = self.requests.is_idle();
        let pause = if idle && !self.policy.permit_without_stream { WITHOUT_STREAM } else { self.policy.min_time };
        let early = self.last.is_some_and(|last| now.saturating_duration_since(last) < pause);
        self.last = Some(now);
        if early {
            self.strikes = self.strikes.saturating_add(1);
        }
        if self.strikes > MAX_STRIKES {
            self.too_many.0.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: [u8; 17] = [0, 0, 8, TYPE_PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const PING_ANSWER: [u8; 17] = [0, 0, 8, TYPE_PING, FLAG_ACK, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const REQUEST: [u8; 10] = [0, 0, 1, TYPE_HEADERS, 4, 0, 0, 0, 1, 0x82];

    fn watch(min_time: u64, permit_without_stream: bool) -> (PingWatch, TooMany) {
        let policy = PingPolicy { min_time: Duration::from_secs(min_time), permit_without_stream };
        let (mut watch, too_many) = PingWatch::new(policy, Idleness::default());
        watch.see(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        (watch, too_many)
    }

    async fn is_told(too_many: &TooMany) -> bool {
        tokio::time::timeout(Duration::ZERO, too_many.pings()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_fourth_ping_in_too_short_a_time_is_one_too_many_in_whatever_pieces_they_come() {
        for piece in [1, 7, 100] {
            let (mut watch, too_many) = watch(10, true);
            for ping in 1..=4 {
                assert!(!is_told(&too_many).await, "{ping}");
                PING.chunks(piece).for_each(|bytes| watch.see(bytes));
                watch.see(&PING_ANSWER);
            }
            assert!(is_told(&too_many).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pings_at_their_time_and_around_requests_are_taken() {
        let (mut watch, too_many) = watch(10, true);
        for _ in 0..20 {
            watch.see(&PING);
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        for _ in 0..20 {
            watch.see(&REQUEST);
            watch.see(&PING);
        }
        assert!(!is_told(&too_many).await);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_request_pings_are_too_many_at_any_rate_unless_they_are_permitted() {
        for permitted in [true, false] {
            let (mut watch, too_many) = watch(10, permitted);
            for _ in 0..4 {
                watch.see(&PING);
                tokio::time::advance(Duration::from_secs(60)).await;
            }
            assert_eq!(is_told(&too_many).await, !permitted);
        }
    }
}
