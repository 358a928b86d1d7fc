//! A list that only grows, is capped, and is read without a lock: what counters with a label hang on.
//! Knows nothing of metrics. Advice for changes: an entry never moves and never leaves, so a reference to
//! one stays good for the life of the list, and a reader races with a writer only for the last, empty place.

use std::iter::successors;
use std::sync::OnceLock;

/// How many entries a roll holds before everything new falls into the last one.
/// Labels come from the configuration or from closed sets, so a roll this long is a reload that went wild.
pub(super) const CAPACITY: usize = 64;

/// The key of the entry that collects what is beyond the cap.
pub(super) const OTHER: &str = "other";

/// Entries in the order in which they were first asked for.
#[derive(Debug)]
pub(super) struct Roll<T> {
    head: OnceLock<Box<Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    next: OnceLock<Box<Entry<T>>>,
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self { head: OnceLock::new() }
    }
}

impl<T> Roll<T> {
    /// The first entry that `is` the one, or what `make` gives, added at the end. `None` when it is not there and
    /// the roll is full. Two threads that add the same entry at once get the same one.
    pub(super) fn find_or_add(&self, is: impl Fn(&T) -> bool, mut make: impl FnMut() -> T) -> Option<&T> {
        let mut place = &self.head;
        for _ in 0..CAPACITY {
            let entry = place.get_or_init(|| Box::new(Entry { item: make(), next: OnceLock::new() }));
            if is(&entry.item) {
                return Some(&entry.item);
            }
            place = &entry.next;
        }
        None
    }

    /// Every entry so far.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        successors(self.head.get(), |entry| entry.next.get()).map(|entry| &entry.item)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn the_same_key_finds_the_same_entry() {
        let roll = Roll::default();
        let first: *const String = roll.find_or_add(|item| item == "a", || "a".to_owned()).unwrap();
        roll.find_or_add(|item| item == "b", || "b".to_owned()).unwrap();
        let again: *const String = roll.find_or_add(|item| item == "a", || unreachable!()).unwrap();
        assert_eq!(first, again);
        assert_eq!(roll.iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_full_roll_still_finds_but_adds_no_more() {
        let roll = Roll::default();
        for key in 0..CAPACITY {
            assert_eq!(roll.find_or_add(|item| *item == key, || key), Some(&key));
        }
        assert_eq!(roll.find_or_add(|item| *item == CAPACITY, || CAPACITY), None);
        assert_eq!(roll.find_or_add(|item| *item == 3, || 3), Some(&3));
        assert_eq!(roll.iter().count(), CAPACITY);
    }

    #[test]
    fn threads_that_add_the_same_keys_at_once_share_the_entries() {
        let roll: Roll<(usize, AtomicU64)> = Roll::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for key in 0..CAPACITY {
                        let entry = roll.find_or_add(|entry| entry.0 == key, || (key, AtomicU64::new(0))).unwrap();
                        entry.1.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(roll.iter().count(), CAPACITY);
        assert!(roll.iter().all(|(_, count)| count.load(Ordering::Relaxed) == 8));
    }
}
