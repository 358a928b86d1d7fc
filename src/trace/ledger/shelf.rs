//! Things by their keys, from the one that was touched last to the one that was touched first. Knows nothing of what
//! they are. Advice for changes: things stand in chunks that are never moved, so that a million of them neither double
//! for a moment nor stop anybody while they are copied; the index holds places, and asks the things for their keys.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Things in one chunk.
const CHUNK: usize = 512;

/// The place of a thing.
pub(super) type Slot = u32;

/// No place.
const NOWHERE: Slot = Slot::MAX;

/// Things that are kept in the order of their last touch.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    chunks: Vec<Vec<Standing<K, V>>>,
    index: HashTable<Slot>,
    hasher: RandomState,
    newest: Slot,
    oldest: Slot,
    /// The first of the places that are free, linked by `older`.
    free: Slot,
    used: usize,
}

/// A thing in its place.
#[derive(Debug)]
struct Standing<K, V> {
    key: K,
    item: V,
    /// When it was touched, in the caller's measure.
    touched: u64,
    newer: Slot,
    older: Slot,
    is_used: bool,
}

impl<K: Copy + Eq + Hash, V: Default> Shelf<K, V> {
    /// Bytes that a thing takes: its place, and a share of an index that has just grown with the one that it grew from
    /// beside it.
    pub(super) const BYTES_EACH: usize = size_of::<Standing<K, V>>() + (size_of::<Slot>() + 1) * 24 / 7;

    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            newest: NOWHERE,
            oldest: NOWHERE,
            free: NOWHERE,
            used: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<(&V, u64)> {
        let standing = self.at(self.find(key)?)?;
        Some((&standing.item, standing.touched))
    }

    /// The thing with this key, which is the newest from now on.
    pub(super) fn touch(&mut self, key: &K, now: u64) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.unlink(slot);
        self.link(slot);
        let standing = self.at_mut(slot)?;
        standing.touched = now;
        Some(&mut standing.item)
    }

    /// The thing with this key, where it stands.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.at_mut(slot).map(|standing| &mut standing.item)
    }

    /// The thing with this key, or a new one, which is the newest from now on; `None` where there are no more places.
    pub(super) fn touch_or_put(&mut self, key: K, now: u64) -> Option<&mut V> {
        if self.find(&key).is_none() {
            self.put(key, V::default(), now);
        }
        self.touch(&key, now)
    }

    /// Puts a thing on the shelf that is not there yet; it is the newest. Does nothing where there are no more places.
    pub(super) fn put(&mut self, key: K, item: V, now: u64) {
        let Some(slot) =
            self.place(Standing { key, item, touched: now, newer: NOWHERE, older: NOWHERE, is_used: true })
        else {
            return;
        };
        let Self { chunks, hasher, index, .. } = self;
        let hash_of = |slot: &Slot| standing(chunks, *slot).map_or(0, |it| hasher.hash_one(it.key));
        index.insert_unique(hasher.hash_one(key), slot, hash_of);
        self.link(slot);
    }

    /// Takes the thing that was not touched for longest.
    pub(super) fn pop_oldest(&mut self) -> Option<(K, V)> {
        self.take(self.oldest)
    }

    /// Takes the thing with this key.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.take(self.find(key)?).map(|(_, item)| item)
    }

    /// When the thing that was not touched for longest was.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.at(self.oldest).map(|standing| standing.touched)
    }

    /// From the newest to the oldest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V, u64)> {
        let older = |it: &&Standing<K, V>| self.at(it.older);
        std::iter::successors(self.at(self.newest), older).map(|it| (&it.key, &it.item, it.touched))
    }

    /// The things in the places from `from` on, `most` of them at most, in no order; and where to go on.
    pub(super) fn stretch(&self, from: usize, most: usize) -> (impl Iterator<Item = (&K, &V, u64)>, Option<usize>) {
        let to = from.saturating_add(most).min(self.used);
        let places = (from..to).filter_map(|slot| self.at(Slot::try_from(slot).ok()?));
        let things = places.filter(|it| it.is_used).map(|it| (&it.key, &it.item, it.touched));
        (things, (to < self.used).then_some(to))
    }

    fn find(&self, key: &K) -> Option<Slot> {
        let is = |slot: &Slot| self.at(*slot).is_some_and(|standing| standing.key == *key);
        self.index.find(self.hasher.hash_one(key), is).copied()
    }

    fn take(&mut self, slot: Slot) -> Option<(K, V)> {
        let key = self.at(slot).filter(|standing| standing.is_used)?.key;
        self.unlink(slot);
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(key), |known| *known == slot) {
            entry.remove();
        }
        let free = self.free;
        let standing = self.at_mut(slot)?;
        standing.is_used = false;
        standing.older = free;
        let item = std::mem::take(&mut standing.item);
        self.free = slot;
        Some((key, item))
    }

    /// A place for a thing: one that is free, or a new one.
    fn place(&mut self, thing: Standing<K, V>) -> Option<Slot> {
        if let Some(free) = self.at_mut(self.free) {
            let next = free.older;
            *free = thing;
            return Some(std::mem::replace(&mut self.free, next));
        }
        let slot = Slot::try_from(self.used).ok().filter(|slot| *slot != NOWHERE)?;
        if self.used.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut()?.push(thing);
        self.used += 1;
        Some(slot)
    }

    /// Makes a thing the newest.
    fn link(&mut self, slot: Slot) {
        let before = std::mem::replace(&mut self.newest, slot);
        if let Some(standing) = self.at_mut(slot) {
            (standing.newer, standing.older) = (NOWHERE, before);
        }
        match self.at_mut(before) {
            Some(before) => before.newer = slot,
            None => self.oldest = slot,
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Some((newer, older)) = self.at(slot).map(|standing| (standing.newer, standing.older)) else { return };
        match self.at_mut(newer) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        match self.at_mut(older) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn at(&self, slot: Slot) -> Option<&Standing<K, V>> {
        standing(&self.chunks, slot)
    }

    fn at_mut(&mut self, slot: Slot) -> Option<&mut Standing<K, V>> {
        let slot = slot as usize;
        self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)
    }
}

fn standing<K, V>(chunks: &[Vec<Standing<K, V>>], slot: Slot) -> Option<&Standing<K, V>> {
    let slot = slot as usize;
    chunks.get(slot / CHUNK)?.get(slot % CHUNK)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn keys(shelf: &Shelf<u16, u64>) -> Vec<u16> {
        shelf.iter().map(|(key, ..)| *key).collect()
    }

    #[test]
    fn what_is_touched_is_the_newest_and_the_oldest_leaves() {
        let mut shelf = Shelf::new();
        [1, 2, 3].into_iter().for_each(|key| shelf.put(key, u64::from(key), 0));
        shelf.touch(&1, 9);
        assert_eq!(keys(&shelf), [1, 3, 2]);
        assert_eq!((shelf.oldest(), shelf.get(&1)), (Some(0), Some((&1, 9))));
        assert_eq!(shelf.pop_oldest(), Some((2, 2)));
        assert_eq!((shelf.get(&2), shelf.len()), (None, 2));
    }

    #[test]
    fn a_stretch_goes_over_everything_once() {
        let mut shelf = Shelf::new();
        (0..1300).for_each(|key| shelf.put(key, 0, 0));
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
                        shelf.put(key, 0, 0);
                        queue.push_front(key);
                    }
                    (1, Some(at)) => {
                        prop_assert!(shelf.touch(&key, 1).is_some());
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
