//! Things in the order of their last touch, from the newest to the oldest, each at a place that stays. Knows nothing of
//! what they are. Advice for changes: things stand in chunks that are never moved, so that a million of them neither
//! double for a moment nor stop anybody while they are copied.

/// Things in one chunk.
const CHUNK: usize = 512;

/// The place of a thing: of another one, once it has been taken.
pub(super) type Slot = u32;

/// No place.
pub(super) const NOWHERE: Slot = Slot::MAX;

/// Things that are kept in the order of their last touch.
#[derive(Debug)]
pub(super) struct Queue<T> {
    chunks: Vec<Vec<Standing<T>>>,
    newest: Slot,
    oldest: Slot,
    /// The first of the places that are free, linked by `older`.
    free: Slot,
    used: usize,
    len: usize,
}

/// A thing in its place.
#[derive(Debug)]
pub(super) struct Standing<T> {
    pub(super) item: T,
    /// When it was touched, in the caller's measure.
    pub(super) touched: u64,
    newer: Slot,
    older: Slot,
    is_used: bool,
}

impl<T: Default> Queue<T> {
    /// Bytes that a thing takes.
    pub(super) const BYTES_EACH: usize = size_of::<Standing<T>>();

    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), newest: NOWHERE, oldest: NOWHERE, free: NOWHERE, used: 0, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// What stands at a place.
    pub(super) fn at(&self, slot: Slot) -> Option<&Standing<T>> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get(slot % CHUNK).filter(|standing| standing.is_used)
    }

    /// The thing at a place.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.at_mut(slot).filter(|standing| standing.is_used).map(|standing| &mut standing.item)
    }

    /// Puts a thing in a place of its own; it is the newest. `None` where there are no more places.
    pub(super) fn push(&mut self, item: T, now: u64) -> Option<Slot> {
        let standing = Standing { item, touched: now, newer: NOWHERE, older: NOWHERE, is_used: true };
        let slot = self.place(standing)?;
        self.len += 1;
        self.link(slot);
        Some(slot)
    }

    /// Makes the thing at a place the newest.
    pub(super) fn touch(&mut self, slot: Slot, now: u64) {
        if slot != self.newest {
            self.unlink(slot);
            self.link(slot);
        }
        if let Some(standing) = self.at_mut(slot) {
            standing.touched = now;
        }
    }

    /// Takes the thing at a place.
    pub(super) fn take(&mut self, slot: Slot) -> Option<T> {
        self.at(slot)?;
        self.unlink(slot);
        let free = std::mem::replace(&mut self.free, slot);
        self.len -= 1;
        let standing = self.at_mut(slot)?;
        standing.is_used = false;
        standing.older = free;
        Some(std::mem::take(&mut standing.item))
    }

    /// The place of the thing that was not touched for longest, and when it was.
    pub(super) fn oldest(&self) -> Option<(Slot, u64)> {
        self.at(self.oldest).map(|standing| (self.oldest, standing.touched))
    }

    /// From the newest to the oldest.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Standing<T>> {
        std::iter::successors(self.at(self.newest), |standing| self.at(standing.older))
    }

    /// The things in the places from `from` on, `most` of them at most, in no order; and where to go on.
    pub(super) fn stretch(&self, from: usize, most: usize) -> (impl Iterator<Item = &Standing<T>>, Option<usize>) {
        let to = from.saturating_add(most).min(self.used);
        let things = (from..to).filter_map(|slot| self.at(Slot::try_from(slot).ok()?));
        (things, (to < self.used).then_some(to))
    }

    /// A place for a thing: one that is free, or a new one.
    fn place(&mut self, thing: Standing<T>) -> Option<Slot> {
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

    fn at_mut(&mut self, slot: Slot) -> Option<&mut Standing<T>> {
        let slot = slot as usize;
        self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)
    }
}
