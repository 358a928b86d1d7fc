//! Things by their keys, from the one that was touched last to the one that was touched first. Knows nothing of what
//! they are. Advice for changes: the index holds places, and of each hash as much as it takes to grow without a look at
//! the things; senders choose keys, so hashes are keyed.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::queue::{Queue, Slot, Standing};
use crate::keyed::Keyed;

/// Things that are found by their keys, and kept in the order of their last touch.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    queue: Queue<(K, V)>,
    index: HashTable<Indexed>,
}

/// A thing's place, with half of its key's hash.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    hash: u32,
    slot: Slot,
}

impl Indexed {
    /// The half twice: a table takes the lower bits for the place and the upper ones to compare.
    const fn whole(&self) -> u64 {
        whole(self.hash)
    }
}

const fn whole(half: u32) -> u64 {
    (half as u64) << 32 | half as u64
}

fn half<K: Hash>(key: &K) -> u32 {
    (Keyed.hash_one(key) >> 32) as u32
}

impl<K: Copy + Default + Eq + Hash, V: Default> Shelf<K, V> {
    /// Bytes that a thing takes: its place, and a share of an index that has just grown with the one that it grew from
    /// beside it.
    pub(super) const BYTES_EACH: usize = Queue::<(K, V)>::BYTES_EACH + (size_of::<Indexed>() + 1) * 24 / 7;

    pub(super) fn new() -> Self {
        Self { queue: Queue::new(), index: HashTable::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<(&V, u64)> {
        let standing = self.queue.at(self.find(key)?)?;
        Some((&standing.item.1, standing.touched))
    }

    /// The thing with this key, where it stands.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.at_mut(slot)
    }

    /// The thing at a place.
    pub(super) fn at_mut(&mut self, slot: Slot) -> Option<&mut V> {
        self.queue.get_mut(slot).map(|(_, item)| item)
    }

    /// The place of the thing with this key, and when it was touched; one that is new has none of that. From now on it is
    /// the newest. `None` where there are no more places.
    pub(super) fn open(&mut self, key: K, now: u64) -> Option<(Slot, Option<u64>)> {
        let Self { queue, index } = self;
        let half = half(&key);
        let is = |it: &Indexed| it.hash == half && queue.at(it.slot).is_some_and(|standing| standing.item.0 == key);
        match index.entry(whole(half), is, Indexed::whole) {
            Entry::Occupied(known) => {
                let slot = known.get().slot;
                let touched = queue.at(slot).map(|standing| standing.touched);
                queue.touch(slot, now);
                Some((slot, touched))
            }
            Entry::Vacant(vacant) => {
                let slot = queue.push((key, V::default()), now)?;
                vacant.insert(Indexed { hash: half, slot });
                Some((slot, None))
            }
        }
    }

    /// Takes the thing that was not touched for longest.
    pub(super) fn pop_oldest(&mut self) -> Option<(K, V)> {
        self.take(self.queue.oldest()?.0)
    }

    /// Takes the thing with this key.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.take(self.find(key)?).map(|(_, item)| item)
    }

    /// When the thing that was not touched for longest was.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.queue.oldest().map(|(_, touched)| touched)
    }

    /// From the newest to the oldest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V, u64)> {
        self.queue.iter().map(parts)
    }

    /// The things in the places from `from` on, `most` of them at most, in no order; and where to go on.
    pub(super) fn stretch(&self, from: usize, most: usize) -> (impl Iterator<Item = (&K, &V, u64)>, Option<usize>) {
        let (things, next) = self.queue.stretch(from, most);
        (things.map(parts), next)
    }

    fn find(&self, key: &K) -> Option<Slot> {
        let half = half(key);
        let is =
            |it: &Indexed| it.hash == half && self.queue.at(it.slot).is_some_and(|standing| standing.item.0 == *key);
        self.index.find(whole(half), is).map(|known| known.slot)
    }

    fn take(&mut self, slot: Slot) -> Option<(K, V)> {
        let (key, item) = self.queue.take(slot)?;
        if let Ok(entry) = self.index.find_entry(whole(half(&key)), |known| known.slot == slot) {
            entry.remove();
        }
        Some((key, item))
    }
}

fn parts<K, V>(standing: &Standing<(K, V)>) -> (&K, &V, u64) {
    (&standing.item.0, &standing.item.1, standing.touched)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn keys(shelf: &Shelf<u16, u64>) -> Vec<u16> {
        shelf.iter().map(|(key, ..)| *key).collect()
    }

    fn put(shelf: &mut Shelf<u16, u64>, key: u16, item: u64) {
        let (slot, touched) = shelf.open(key, 0).unwrap();
        assert_eq!(touched, None);
        *shelf.at_mut(slot).unwrap() = item;
    }

    #[test]
    fn what_is_touched_is_the_newest_and_the_oldest_leaves() {
        let mut shelf = Shelf::new();
        [1, 2, 3].into_iter().for_each(|key| put(&mut shelf, key, u64::from(key)));
        assert_eq!(shelf.open(1, 9).map(|(_, touched)| touched), Some(Some(0)), "and no new one");
        assert_eq!(keys(&shelf), [1, 3, 2]);
        assert_eq!((shelf.oldest(), shelf.get(&1)), (Some(0), Some((&1, 9))));
        assert_eq!(shelf.pop_oldest(), Some((2, 2)));
        assert_eq!((shelf.get(&2), shelf.len()), (None, 2));
    }

    #[test]
    fn a_stretch_goes_over_everything_once() {
        let mut shelf = Shelf::new();
        (0..1300).for_each(|key| put(&mut shelf, key, 0));
        shelf.remove(&7);
        let (mut seen, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let (things, next) = shelf.stretch(start, 100);
            seen.extend(things.map(|(key, ..)| *key));
            from = next;
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..1300).filter(|key| *key != 7).collect::<Vec<_>>());
    }

    proptest! {
        /// Against a queue that is searched from end to end.
        #[test]
        fn a_shelf_is_a_queue(steps in prop::collection::vec((0u8..4, 0u16..40), 0..2000)) {
            let (mut shelf, mut queue) = (Shelf::new(), VecDeque::new());
            for (step, key) in steps {
                let at = queue.iter().position(|known| *known == key);
                match (step, at) {
                    (0, None) => {
                        put(&mut shelf, key, 0);
                        queue.push_front(key);
                    }
                    (1, Some(at)) => {
                        prop_assert!(shelf.open(key, 1).is_some_and(|(_, touched)| touched.is_some()));
                        queue.remove(at);
                        queue.push_front(key);
                    }
                    (2, Some(at)) => {
                        prop_assert!(shelf.remove(&key).is_some());
                        queue.remove(at);
                    }
                    (3, _) => prop_assert_eq!(shelf.pop_oldest().map(|(key, _)| key), queue.pop_back()),
                    _ => prop_assert_eq!(shelf.get(&key).is_some(), at.is_some()),
                }
            }
            prop_assert_eq!(keys(&shelf), Vec::from(queue));
        }
    }
}
