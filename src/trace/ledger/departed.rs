//! What left, and why, as far back as there is room: so that an answer can say more than "not here".
//! Knows ids by their hashes alone.

use std::collections::{HashMap, VecDeque};

use crate::keyed::Hashed;

/// Why something is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It was the oldest, and there was no room.
    Evicted,
    /// Its time was over.
    Expired,
}

/// The latest departures.
#[derive(Debug)]
pub(super) struct Departed {
    capacity: usize,
    /// The oldest first; one that left twice is in it twice.
    order: VecDeque<u64>,
    why: HashMap<u64, (Departure, u32), Hashed>,
}

impl Departed {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, order: VecDeque::new(), why: HashMap::default() }
    }

    pub(super) fn note(&mut self, hash: u64, departure: Departure) {
        if self.capacity == 0 {
            return;
        }
        if self.order.len() == self.capacity {
            self.forget_oldest();
        }
        self.order.push_back(hash);
        let known = self.why.entry(hash).or_insert((departure, 0));
        *known = (departure, known.1 + 1);
    }

    /// Why something with this hash left; `hash` is not asked where nothing has left.
    pub(super) fn why(&self, hash: impl FnOnce() -> u64) -> Option<Departure> {
        if self.why.is_empty() {
            return None;
        }
        self.why.get(&hash()).map(|(departure, _)| *departure)
    }

    fn forget_oldest(&mut self) {
        let Some(hash) = self.order.pop_front() else { return };
        if let Some((_, times)) = self.why.get_mut(&hash) {
            *times -= 1;
            if *times == 0 {
                self.why.remove(&hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_departure_counts_and_the_oldest_are_forgotten() {
        let mut departed = Departed::new(2);
        departed.note(1, Departure::Evicted);
        departed.note(1, Departure::Expired);
        assert_eq!(departed.why(|| 1), Some(Departure::Expired));
        departed.note(2, Departure::Evicted);
        assert_eq!([1, 2].map(|hash| departed.why(|| hash)), [Some(Departure::Expired), Some(Departure::Evicted)]);
        departed.note(3, Departure::Evicted);
        assert_eq!(departed.why(|| 1), None);
        assert_eq!(departed.why.len(), 2);
    }
}
