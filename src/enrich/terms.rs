//! What the figures of calls rest on, as receipts that are kept tell it: the model, the place and the factor, by name.
//! Calls that have all of it in common share it, over requests too. Knows nothing of spans.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use super::price::Priced;
use crate::estimate::{Metered, Method};
use crate::factors::{Match, ModelId, Place, Registry};
use crate::genai::{Hashed, Keyed};

/// How many terms and services are shared: beyond it, all of them are forgotten, and are made anew.
const MAX_SHARED: usize = 4096;
/// What a sender wrote is kept up to this many bytes.
const MAX_NAME: usize = 256;

/// What the figures of a call rest on.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The registry that has the model and the place.
    pub registry: Arc<Registry>,
    /// How tokens became energy and CO2e.
    pub method: Method,
    /// The model, in that registry.
    pub model: Option<ModelId>,
    /// The place, in that registry; none where nothing was estimated.
    pub place: Option<Place>,
    /// What was metered.
    pub metered: Option<Metered>,
    /// The model's name, as the span has it.
    pub asked: Option<Box<str>>,
    /// The provider's name, as the span has it.
    pub provider: Option<Box<str>>,
    /// Registry id of the model.
    pub model_id: Option<Arc<str>>,
    /// `match` of the receipt.
    pub matched: Option<&'static str>,
    /// Quality of what was used.
    pub tier: Option<&'static str>,
    /// Id of the factor.
    pub factor: Option<Box<str>>,
    /// Id of what priced the call: the method's, or that of metered energy.
    pub method_id: Option<&'static str>,
    /// Zone of the grid that was applied.
    pub grid_zone: Option<Box<str>>,
    /// Its intensity in gCO2e/kWh.
    pub grid_g_per_kwh: Option<f64>,
    /// How the zone was decided.
    pub grid_basis: Option<&'static str>,
    /// Power usage effectiveness.
    pub pue: Option<f64>,
}

impl Terms {
    /// Bytes of memory that they take, generously; the registry and the model's id are shared.
    fn bytes(&self) -> usize {
        /// What an allocator adds.
        const OVERHEAD: usize = 16;
        let names = [&self.asked, &self.provider, &self.factor, &self.grid_zone];
        let names: usize = names.into_iter().flatten().map(|name| name.len() + OVERHEAD).sum();
        size_of::<Self>() + 2 * size_of::<usize>() + OVERHEAD + names
    }
}

/// Terms and names that calls share.
#[derive(Debug, Default)]
pub(super) struct SharedTerms(Mutex<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    terms: HashMap<(TermsKey, u64), Arc<Terms>, Keyed>,
    names: HashMap<u64, Arc<str>, Hashed>,
}

/// Model, match and place; whether energy was metered, and whether a PUE was applied, which a meter's boundary decides.
type TermsKey = Option<(Option<ModelId>, Option<Match>, Place, bool, bool)>;

/// What a span says of its model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
}

impl SharedTerms {
    /// Takes hold of them, once a request.
    pub(super) fn hold<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    /// The name, shared where it was seen before.
    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        let name = shortened(name);
        let hash = Keyed.hash_one(name);
        if let Some(known) = self.names.get(&hash).filter(|known| &***known == name) {
            return Arc::clone(known);
        }
        if self.names.len() >= MAX_SHARED {
            self.names.clear();
        }
        let new: Arc<str> = name.into();
        self.names.insert(hash, Arc::clone(&new));
        new
    }

    /// The terms of a call, and the bytes that they take where no call before shared them; else 0.
    pub(super) fn terms(
        &mut self,
        priced: Option<&Priced>,
        asked: Asked<'_>,
        (registry, method): (&Arc<Registry>, Method),
    ) -> (Arc<Terms>, u32) {
        // What was metered for one call is shared by no other.
        if priced.is_some_and(|priced| matches!(priced.call.metered, Some(Metered::Call(_)))) {
            return with_bytes(self.build(priced, asked, (registry, method)));
        }
        let of = |priced: &Priced| {
            let is_metered = priced.call.metered.is_some();
            (priced.call.model, priced.matched, priced.place(), is_metered, priced.estimate.pue.is_some())
        };
        let key = (priced.map(of), Keyed.hash_one((asked.name.map(shortened), asked.provider.map(shortened))));
        if let Some(known) = self.terms.get(&key) {
            return (Arc::clone(known), 0);
        }
        if self.terms.len() >= MAX_SHARED {
            self.terms.clear();
        }
        let (new, bytes) = with_bytes(self.build(priced, asked, (registry, method)));
        self.terms.insert(key, Arc::clone(&new));
        (new, bytes)
    }

    fn build(
        &mut self,
        priced: Option<&Priced>,
        asked: Asked<'_>,
        (registry, method): (&Arc<Registry>, Method),
    ) -> Terms {
        let own = |name: &str| Box::from(shortened(name));
        let estimate = priced.map(|priced| &priced.estimate);
        let grid = estimate.and_then(|estimate| estimate.grid.as_ref());
        let zone = grid.and_then(|grid| Some((registry.zone(grid.zone)?, grid.is_alpha3)));
        let model = priced.and_then(|priced| registry.model(priced.call.model?)).map(|model| self.name(model.id()));
        Terms {
            registry: Arc::clone(registry),
            method,
            model: priced.and_then(|priced| priced.call.model),
            place: priced.map(Priced::place),
            metered: priced.and_then(|priced| priced.call.metered),
            asked: asked.name.map(own),
            provider: asked.provider.map(own),
            model_id: model,
            matched: priced.map(|priced| priced.matched.map_or(super::receipt::NO_MATCH, Match::name)),
            tier: estimate.map(|estimate| estimate.tier.name()),
            factor: priced.and_then(|priced| method.factor_id(registry, &priced.call)).map(String::into_boxed_str),
            method_id: priced.map(|priced| method.id_for(&priced.call)),
            grid_zone: zone.map(|(zone, is_alpha3)| if is_alpha3 { zone.alpha3() } else { zone.code() }.into()),
            grid_g_per_kwh: grid.map(|grid| grid.co2e.get()),
            grid_basis: priced.filter(|_| grid.is_some()).map(|priced| priced.place().basis.name()),
            pue: estimate.and_then(|estimate| estimate.pue.as_ref()).map(|pue| pue.value().get()),
        }
    }
}

fn with_bytes(terms: Terms) -> (Arc<Terms>, u32) {
    let bytes = u32::try_from(terms.bytes()).unwrap_or(u32::MAX);
    (Arc::new(terms), bytes)
}

/// At most [`MAX_NAME`] bytes of a name.
fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or(name)
}
