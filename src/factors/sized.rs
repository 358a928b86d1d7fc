//! Models of which only the size is known, from their names. They are made when a name first tells a size and kept for as
//! long as the registry is: there are as many as there are sizes, and never more than a cap.
//! Knows no names.

use std::sync::OnceLock;

use crate::units::{BillionParameters, Quantity};

use super::factor::Factor;
use super::model::{Architecture, ArchitectureKind, Model, ModelId, ModelKind, ParameterRange, Precision, Speed, Tier};
use super::names::NamedSize;

/// Names are the senders': beyond so many sizes, none is known. The open models that there are have some two hundred.
const MOST: usize = 4096;

/// Where the ids of such models begin; no table is as long.
const FIRST: u32 = 1 << 31;

/// The models of sizes that names told.
pub(super) struct SizedModels(Box<[OnceLock<(NamedSize, Model)>]>);

impl SizedModels {
    pub(super) fn new() -> Self {
        Self((0..MOST).map(|_| OnceLock::new()).collect())
    }

    /// The model of a size; `None` where there are too many sizes.
    pub(super) fn id(&self, size: NamedSize) -> Option<ModelId> {
        let start = slot(&size);
        (0..MOST).map(|step| (start + step) % MOST).find_map(|at| {
            let (kept, _) = self.0.get(at)?.get_or_init(|| (size, model(&size)));
            let offset = u32::try_from(at).ok()?;
            (*kept == size).then_some(ModelId(FIRST + offset))
        })
    }

    pub(super) fn get(&self, id: ModelId) -> Option<&Model> {
        let at = id.0.checked_sub(FIRST)?;
        self.0.get(at as usize)?.get().map(|(_, model)| model)
    }
}

/// What was asked of a registry so far is no part of what it is.
impl Clone for SizedModels {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl PartialEq for SizedModels {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for SizedModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().filter_map(|slot| Some(slot.get()?.1.id()))).finish()
    }
}

/// Where to begin to look for a size.
fn slot(size: &NamedSize) -> usize {
    let active = size.active_m.unwrap_or(0) as usize;
    let flags = usize::from(size.is_embedding) * 2 + usize::from(size.is_reduced);
    (size.total_m as usize).wrapping_mul(31).wrapping_add(active.wrapping_mul(17)).wrapping_add(flags * 1021) % MOST
}

/// A model of which nothing but its size is known.
pub(super) fn model(size: &NamedSize) -> Model {
    let billions = |millions: u32| f64::from(millions) / 1000.0;
    let exact = |millions: u32| {
        let count = BillionParameters::saturating(billions(millions));
        ParameterRange { min: count, max: count }
    };
    let (kind, active) = match size.active_m {
        Some(active_m) => (ArchitectureKind::MixtureOfExperts, exact(active_m)),
        None => (ArchitectureKind::Dense, exact(size.total_m)),
    };
    let active_name = size.active_m.map(|active_m| format!("-a{}", billions(active_m))).unwrap_or_default();
    let id = format!("size-parsed:{}{active_name}", billions(size.total_m));
    Model {
        name: id.as_str().into(),
        id: id.into(),
        kind: if size.is_embedding { ModelKind::Embedding } else { ModelKind::Generative },
        provider: None,
        host: None,
        architecture: Some(Architecture { kind, active, total: exact(size.total_m) }),
        precision: if size.is_reduced { Precision::Reduced } else { Precision::Full },
        speed: Speed::default(),
        factor: Some(Factor::Architecture),
        tier: Tier::of_architecture(true),
        warnings: Box::default(),
        sources: ["gramtrace".into()].into(),
        note: "the model is not known; its size is read from its name".into(),
        row: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(total_m: u32, active_m: Option<u32>) -> NamedSize {
        NamedSize { total_m, active_m, is_embedding: false, is_reduced: false }
    }

    #[test]
    fn a_size_is_one_model_under_one_id() {
        let models = SizedModels::new();
        for (size, id) in [
            (size(7000, None), "size-parsed:7"),
            (size(500, None), "size-parsed:0.5"),
            (size(30_000, Some(3000)), "size-parsed:30-a3"),
            (size(12_000, Some(2500)), "size-parsed:12-a2.5"),
        ] {
            let first = models.id(size).unwrap();
            assert_eq!(models.id(size), Some(first));
            assert_eq!(models.get(first).map(Model::id), Some(id));
        }
        assert_eq!(models.get(ModelId(0)), None);
        assert_eq!(models.get(ModelId(u32::MAX)), None);
    }

    #[test]
    fn beyond_the_cap_no_size_is_known_and_those_that_are_stay() {
        let models = SizedModels::new();
        let known = models.id(size(7000, None));
        let all = (1..5000).filter(|total_m| models.id(size(*total_m, None)).is_some()).count();
        assert_eq!(all, MOST - 1);
        assert_eq!(models.id(size(4_999_999, None)), None);
        assert_eq!(models.id(size(7000, None)), known);
    }
}
