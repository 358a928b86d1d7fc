//! Names that stand for many: a number a name, so that a million traces can hold what they used. Bounded, since a
//! number is never given back.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keyed::Keyed;

/// The number of a name.
pub(super) type NameId = u16;

/// No name.
pub(super) const NAMELESS: NameId = NameId::MAX;

/// Models, by the registries that were loaded so far: more than there are in any.
const MAX_NAMES: usize = 16_384;

/// Names and their numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId, Keyed>,
    /// The last one: the same is asked for again and again.
    last: Option<(Arc<str>, NameId)>,
}

impl Names {
    /// The number of a name; `None` where there is no room for another one.
    pub(super) fn id(&mut self, name: &Arc<str>) -> Option<NameId> {
        if let Some((_, id)) = self.last.as_ref().filter(|(last, _)| Arc::ptr_eq(last, name)) {
            return Some(*id);
        }
        let id = self.ids.get(name).copied().or_else(|| self.add(name))?;
        self.last = Some((Arc::clone(name), id));
        Some(id)
    }

    fn add(&mut self, name: &Arc<str>) -> Option<NameId> {
        let id = NameId::try_from(self.names.len()).ok().filter(|_| self.names.len() < MAX_NAMES)?;
        self.names.push(Arc::clone(name));
        self.ids.insert(Arc::clone(name), id);
        Some(id)
    }

    pub(super) fn name(&self, id: NameId) -> Option<&Arc<str>> {
        self.names.get(usize::from(id))
    }
}
