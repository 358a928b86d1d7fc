//! What was added within a time, in buckets of fixed length: bounded memory, and an answer that is off by a bucket at most.
//! Time is passed in; one that runs backwards is taken for the latest that was seen.

use serde::{Deserialize, Serialize};

use super::period::UnixMs;

/// Sums by buckets of time, the newest last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    bucket_ms: i64,
    /// Bucket `n` since 1970 is at `n` modulo their number.
    sums: Vec<f64>,
    /// The newest bucket.
    head: i64,
}

impl Ring {
    pub(super) fn new(bucket_ms: i64, buckets: usize) -> Self {
        Self { bucket_ms: bucket_ms.max(1), sums: vec![0.0; buckets.max(1)], head: i64::MIN }
    }

    pub(super) fn add(&mut self, amount: f64, now: UnixMs) {
        self.advance(now);
        let place = self.place(self.head);
        if let Some(sum) = self.sums.get_mut(place) {
            *sum += amount;
        }
    }

    /// The sum over the newest `buckets`, the one of `now` included.
    pub(super) fn sum(&mut self, buckets: usize, now: UnixMs) -> f64 {
        self.advance(now);
        let oldest = self.head.saturating_sub(i64::try_from(buckets.min(self.sums.len())).unwrap_or(i64::MAX));
        (oldest.saturating_add(1)..=self.head)
            .map(|bucket| self.sums.get(self.place(bucket)).copied().unwrap_or(0.0))
            .sum()
    }

    pub(super) fn whole(&mut self, now: UnixMs) -> f64 {
        self.sum(self.sums.len(), now)
    }

    /// What is there is as long ago at a time that is so much earlier, to a bucket.
    pub(super) fn set_back(&mut self, by_ms: i64) {
        if self.head == i64::MIN {
            return;
        }
        let buckets = by_ms.div_euclid(self.bucket_ms);
        self.head = self.head.saturating_sub(buckets);
        let by = self.place(buckets);
        self.sums.rotate_left(by);
    }

    fn advance(&mut self, now: UnixMs) {
        let bucket = now.div_euclid(self.bucket_ms);
        let passed = bucket.saturating_sub(self.head);
        if passed <= 0 {
            return;
        }
        let len = i64::try_from(self.sums.len()).unwrap_or(i64::MAX);
        for skipped in 0..passed.min(len) {
            let place = self.place(bucket - skipped);
            if let Some(sum) = self.sums.get_mut(place) {
                *sum = 0.0;
            }
        }
        self.head = bucket;
    }

    fn place(&self, bucket: i64) -> usize {
        let len = i64::try_from(self.sums.len()).unwrap_or(i64::MAX);
        usize::try_from(bucket.rem_euclid(len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_ring_is_gone_and_a_clock_set_back_loses_nothing() {
        let mut ring = Ring::new(10, 3);
        ring.add(1.0, 5);
        ring.add(2.0, 15);
        ring.add(4.0, 29);
        assert_eq!((ring.whole(29), ring.sum(1, 29), ring.sum(2, 29)), (7.0, 4.0, 6.0));
        assert_eq!(ring.whole(30), 6.0);
        ring.add(8.0, -1_000_000);
        assert_eq!((ring.whole(0), ring.whole(39)), (14.0, 14.0));
        assert_eq!(ring.whole(60), 0.0);
        assert_eq!(ring.whole(i64::MAX), 0.0);
    }

    #[test]
    fn what_is_set_back_with_the_clock_is_as_long_ago_as_it_was() {
        let mut ring = Ring::new(10, 3);
        ring.add(1.0, 1005);
        ring.add(2.0, 1015);
        ring.add(4.0, 1025);
        ring.set_back(970);
        assert_eq!((ring.sum(1, 55), ring.sum(2, 55), ring.whole(55)), (4.0, 6.0, 7.0));
        assert_eq!((ring.whole(60), ring.whole(79), ring.whole(80)), (6.0, 4.0, 0.0));
    }
}
