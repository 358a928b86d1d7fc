//! Where roots come from: resources as they came, with their services, each kept once however many roots it has, and as
//! long as it has one. Knows nothing of traces.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keyed::Keyed;

/// The number of an origin: of another one, once all its roots have left.
pub(super) type OriginId = u32;

/// Origins of roots.
#[derive(Debug, Default)]
pub(super) struct Origins {
    places: Vec<Option<Origin>>,
    free: Vec<OriginId>,
    ids: HashMap<Arc<[u8]>, OriginId, Keyed>,
    bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) resource: Arc<[u8]>,
    pub(super) service: Arc<str>,
    roots: u32,
}

impl Origin {
    /// Generously: the counts of two `Arc`s, a place, a share of an index that has just grown, and what an allocator adds.
    fn bytes(&self) -> usize {
        const OVERHEAD: usize = 2 * 32 + 2 * size_of::<Option<Origin>>() + 4 * size_of::<(Arc<[u8]>, OriginId)>();
        self.resource.len() + self.service.len() + OVERHEAD
    }
}

impl Origins {
    /// Bytes that all of them take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, id: OriginId) -> Option<&Origin> {
        self.places.get(id as usize)?.as_ref()
    }

    /// One root more of this origin, which is known from now on.
    pub(super) fn enter(&mut self, resource: Arc<[u8]>, service: Arc<str>) -> OriginId {
        if let Some(id) = self.ids.get(&resource).copied() {
            if let Some(Some(known)) = self.places.get_mut(id as usize) {
                known.roots += 1;
            }
            return id;
        }
        let origin = Origin { resource: Arc::clone(&resource), service, roots: 1 };
        self.bytes += origin.bytes();
        let id = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            OriginId::try_from(self.places.len() - 1).unwrap_or(OriginId::MAX)
        });
        if let Some(place) = self.places.get_mut(id as usize) {
            *place = Some(origin);
        }
        self.ids.insert(resource, id);
        id
    }

    /// One root less.
    pub(super) fn leave(&mut self, id: OriginId) {
        let Some(place) = self.places.get_mut(id as usize) else { return };
        let Some(known) = place else { return };
        known.roots -= 1;
        if known.roots == 0
            && let Some(gone) = place.take()
        {
            self.bytes -= gone.bytes();
            self.ids.remove(&gone.resource);
            self.free.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_once_and_as_long_as_it_has_a_root() {
        let mut origins = Origins::default();
        let mut enter = |resource: &[u8]| (origins.enter(resource.into(), "shop".into()), origins.bytes());
        let ((one, alone), (same, both), (other, _)) = (enter(b"aaaa"), enter(b"aaaa"), enter(b"b"));
        assert_eq!((one, alone), (same, both), "nothing more is kept");
        origins.leave(other);
        origins.leave(one);
        assert_eq!(origins.bytes(), alone);
        assert_eq!(origins.get(one).map(|it| (&*it.resource, &*it.service)), Some((&b"aaaa"[..], "shop")));
        origins.leave(one);
        assert_eq!((origins.bytes(), origins.get(one).is_none()), (0, true));
        assert_eq!(origins.enter(b"c".as_slice().into(), "x".into()), one, "a place is used again");
    }
}
