//! What the calls of one request took, summed over those that have the same labels. Knows numbers and names; nothing of
//! the metrics that they end in.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::Enricher;
use super::labels::{Kept, LabelReader, Labels, Said, cut};
use super::plan::{Plan, PlannedSpan};
use super::price::Priced;
use super::scope::Places;
use super::served::Served;
use super::service::Services;
use super::tally::TokenClass;
use crate::factors::{ModelId, ProviderHint, Tier, ZoneId};
use crate::genai::{Keyed, Status, adjusted_count};
use crate::units::{J_PER_WH, Sum, TokenUsage};

/// Which calls are summed together. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `service.name` of the caller.
    pub service: Box<str>,
    /// Who served it: the registry's name where it knows the provider, else as the span has it, in lower case.
    pub provider: Box<str>,
    /// The registry's id of the model.
    pub model: Box<str>,
    /// The code of the grid's zone that was applied.
    pub zone: Box<str>,
    /// The quality of the data, a letter.
    pub tier: &'static str,
    /// Values of the configured attributes, in their order.
    pub attributes: Vec<Box<str>>,
    /// The names of the budgets that they fall into.
    pub budgets: Vec<Arc<str>>,
}

/// What the calls of one origin took. What is sampled weighs by its adjusted count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Emission {
    /// Whose.
    pub origin: Origin,
    /// By the place of the status in [`Status::ALL`].
    calls: [f64; Status::ALL.len()],
    tokens: [f64; TokenClass::ALL.len()],
    /// In joules; none where no call had a figure.
    pub energy_j: Option<Sum>,
    /// In grams: value, low, high; none where no call had a figure.
    pub co2e_g: Option<[Sum; 3]>,
    /// In grams; none where no call had a figure.
    pub embodied_co2e_g: Option<Sum>,
    /// The one call that emitted most.
    pub costliest: Option<Costliest>,
    /// Each call that took something by itself, where budgets are to know it again.
    pub calls_of_budgets: Option<Vec<BudgetCall>>,
}

/// What one call took, for the budgets that it falls into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetCall {
    /// Of its trace and its span, where they are valid.
    pub ids: Option<([u8; 16], [u8; 8])>,
    /// In joules; 0 where it is not known.
    pub energy_j: f64,
    /// In grams: value, low, high.
    pub co2e_g: [f64; 3],
}

/// One call to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costliest {
    /// The trace it is in.
    pub trace_id: [u8; 16],
    /// Its span.
    pub span_id: [u8; 8],
    /// What it emitted, in grams.
    pub co2e_g: f64,
    /// What it took in joules, where that is known.
    pub energy_j: Option<f64>,
}

/// What one call adds to its emission.
#[derive(Debug)]
pub(super) struct Share {
    /// The place of its emission among those of the request.
    pub(super) emission: usize,
    pub(super) weight: f64,
    status: Status,
    usage: Option<TokenUsage>,
    taken: Option<Taken>,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    energy_j: Option<f64>,
    co2e_g: [f64; 3],
    embodied_co2e_g: Option<f64>,
    ids: Option<([u8; 16], [u8; 8])>,
}

impl Emission {
    /// Calls by the name of their status, without those that there are none of.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        Status::ALL.map(Status::name).into_iter().zip(self.calls).filter(|(_, calls)| *calls > 0.0)
    }

    /// Tokens of counted calls by the name of their class, without those that there are none of.
    pub fn tokens(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        TokenClass::ALL.map(TokenClass::name).into_iter().zip(self.tokens).filter(|(_, tokens)| *tokens > 0.0)
    }

    pub(super) fn add(&mut self, share: &Share) {
        if let Some(calls) = self.calls.get_mut(share.status as usize).filter(|_| share.status.is_call()) {
            *calls += share.weight;
        }
        if let Some(usage) = &share.usage {
            for (tokens, of_call) in self.tokens.iter_mut().zip(TokenClass::of(usage)) {
                *tokens += of_call as f64 * share.weight;
            }
        }
        if let Some(taken) = &share.taken {
            self.take(taken, share.weight);
        }
    }

    fn take(&mut self, taken: &Taken, weight: f64) {
        let add = |sum: &mut Option<Sum>, term: Option<f64>| {
            if let Some(term) = term {
                sum.get_or_insert_default().add(term * weight);
            }
        };
        add(&mut self.energy_j, taken.energy_j);
        add(&mut self.embodied_co2e_g, taken.embodied_co2e_g);
        for (sum, term) in self.co2e_g.get_or_insert_default().iter_mut().zip(taken.co2e_g) {
            sum.add(term * weight);
        }
        if let Some(calls) = &mut self.calls_of_budgets {
            let energy_j = taken.energy_j.unwrap_or_default() * weight;
            calls.push(BudgetCall { ids: taken.ids, energy_j, co2e_g: taken.co2e_g.map(|grams| grams * weight) });
        }
        if let Some((trace_id, span_id)) = taken.ids
            && self.costliest.is_none_or(|before| before.co2e_g < taken.co2e_g[0])
        {
            let [co2e_g, ..] = taken.co2e_g;
            self.costliest = Some(Costliest { trace_id, span_id, co2e_g, energy_j: taken.energy_j });
        }
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.co2e_g.is_none() && self.calls.iter().all(|calls| *calls == 0.0)
    }
}

impl Taken {
    fn of(span: &PlannedSpan<'_>, priced: &Priced) -> Self {
        let estimate = &priced.estimate;
        Self {
            energy_j: estimate.energy_wh.map(|energy| energy.value().get() * J_PER_WH),
            co2e_g: [estimate.co2e_g.value(), estimate.co2e_g.low(), estimate.co2e_g.high()].map(|grams| grams.get()),
            embodied_co2e_g: estimate.embodied_co2e_g.map(|grams| grams.value().get()),
            ids: span.ids().map(|(trace_id, span_id)| (trace_id.bytes(), span_id.bytes())),
        }
    }
}

/// What makes two calls one emission, as far as it can be compared without copying a name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key<'a> {
    labels: Labels<'a>,
    budgets: Places,
    provider: Served<'a>,
    model: Option<ModelId>,
    zone: Option<(ZoneId, bool)>,
    tier: Option<Tier>,
}

/// The emissions of a settled request, and what each of its spans adds to them; `None` for spans that are no call.
/// `service` and attributes are read from spans that count, and from those alone.
pub(super) fn of<'a>(
    enricher: &Enricher,
    plan: &Plan<'a>,
    services: &mut Services<'a>,
) -> (Vec<Emission>, Vec<Option<Share>>) {
    let mut reader = LabelReader::new(&enricher.labels, &enricher.scopes.keys, plan.request, services);
    let mut emissions = Vec::new();
    let (mut keys, mut places) = (Vec::<Key<'a>>::new(), HashTable::new());
    let mut last = 0;
    let shares = plan.spans().iter().map(|span| {
        if !span.status.is_call() && span.status != Status::Repriced {
            return None;
        }
        let call = span.call.as_ref();
        let has_value = matches!(span.status, Status::Ok | Status::Repriced);
        let priced = call.and_then(|call| call.priced.as_ref()).filter(|_| has_value);
        let (labels, budgets) = span.said.as_deref().map(Kept::said).unwrap_or_else(|| {
            let Said { labels, scoped } = reader.read(&span.at);
            (labels, enricher.scopes.of(&scoped))
        });
        let key = Key {
            labels,
            budgets,
            provider: span.served,
            model: priced.and_then(|priced| priced.call.model),
            zone: priced.and_then(|priced| priced.estimate.grid.map(|grid| (grid.zone, grid.is_alpha3))),
            tier: priced.map(|priced| priced.estimate.tier),
        };
        // Those of one resource follow each other, and often have all else in common, too.
        if keys.get(last) != Some(&key) {
            let hash = Keyed.hash_one(&key);
            let is = |(known, place): &(u64, usize)| *known == hash && keys.get(*place) == Some(&key);
            last = places.find(hash, is).map_or(keys.len(), |(_, place)| *place);
            if last == keys.len() {
                places.insert_unique(hash, (hash, last), |(hash, _)| *hash);
                let origin = enricher.origin(&key);
                let knows_calls = enricher.knows_budget_calls && !origin.budgets.is_empty();
                let calls_of_budgets = knows_calls.then(Vec::new);
                emissions.push(Emission { origin, calls_of_budgets, ..Emission::default() });
                keys.push(key);
            }
        }
        Some(Share {
            emission: last,
            weight: adjusted_count(span.fields.trace_state),
            status: span.status,
            usage: call.filter(|_| span.status.counts()).map(|call| call.usage),
            taken: priced.map(|priced| Taken::of(span, priced)),
        })
    });
    let shares = shares.collect();
    (emissions, shares)
}

impl Enricher {
    fn origin(&self, key: &Key<'_>) -> Origin {
        let model = key.model.and_then(|id| self.registry.model(id));
        let zone = key.zone.and_then(|(id, is_alpha3)| {
            let zone = self.registry.zone(id)?;
            Some(if is_alpha3 { zone.alpha3() } else { zone.code() })
        });
        let of_model = || model.and_then(|model| model.provider()).map(|provider| provider.name().into());
        let Served { stated, of_host } = key.provider;
        let provider = of_host.or(stated).and_then(|told| match ProviderHint::read(told) {
            ProviderHint::Known(provider) => Some(provider.name().into()),
            ProviderHint::Platform | ProviderHint::Ollama | ProviderHint::Other => {
                Some(cut(told.trim()).to_lowercase().into())
            }
            ProviderHint::Unstated => None,
        });
        Origin {
            service: key.labels.service.as_ref().into(),
            provider: provider.or_else(of_model).unwrap_or_default(),
            model: model.map_or("", |model| model.id()).into(),
            zone: zone.unwrap_or_default().into(),
            tier: key.tier.map_or("", Tier::name),
            attributes: key.labels.attributes.iter().map(|value| value.as_ref().into()).collect(),
            budgets: self.scopes.names(&key.budgets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    fn share(status: Status, weight: f64) -> Share {
        let usage = TokenUsage { input: Tokens::new(100), output: Tokens::new(10), ..TokenUsage::default() };
        let taken = Taken {
            energy_j: Some(2.0),
            co2e_g: [0.5, 0.25, 1.0],
            embodied_co2e_g: None,
            ids: Some(([1; 16], [2; 8])),
        };
        Share { emission: 0, weight, status, usage: status.counts().then_some(usage), taken: Some(taken) }
    }

    #[test]
    fn a_sampled_call_weighs_by_its_adjusted_count() {
        let mut emission = Emission::default();
        emission.add(&share(Status::Ok, 4.0));
        assert_eq!(emission.calls().collect::<Vec<_>>(), [("ok", 4.0)]);
        assert_eq!(emission.tokens().collect::<Vec<_>>(), [("input", 400.0), ("output", 40.0)]);
        assert_eq!(emission.energy_j.map(Sum::value), Some(8.0));
        assert_eq!(emission.co2e_g.map(|sums| sums.map(Sum::value)), Some([2.0, 1.0, 4.0]));
        assert_eq!(emission.embodied_co2e_g, None, "unknown is not 0");
        assert_eq!(emission.costliest.map(|call| call.co2e_g), Some(0.5), "a call is what it is");
    }

    #[test]
    fn a_report_that_brings_a_value_later_is_no_call_and_has_no_tokens() {
        let mut emission = Emission::default();
        assert!(emission.is_empty());
        emission.add(&share(Status::Repriced, 1.0));
        assert_eq!((emission.calls().count(), emission.tokens().count()), (0, 0));
        assert!(!emission.is_empty());
    }
}
