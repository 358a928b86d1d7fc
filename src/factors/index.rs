//! From a name to its model: exact names and aliases first, then the name without its packing, then without its date.
//! Never a part of a name: a wrong model is worse than none.

use super::any_case;
use super::dates;
use super::model::ModelId;
use super::moment::{Moment, Validity};
use super::names::{self, CleanName, Packing};
use super::providers::{Provider, ProviderHint};

/// How a name found its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// The name is the model's own.
    Exact,
    /// Another name of the model, or its name with a tag.
    Alias,
    /// The name of a dated version.
    DatedSnapshot,
    /// The id of a platform, hub or router.
    PlatformId,
    /// Only its size was read from the name.
    SizeParsed,
    /// The operator's map of deployments says so.
    DeploymentMap,
    /// A value for a class of models, where the policy allows it.
    Fallback,
}

/// A model that a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution<'n> {
    /// The model.
    pub model: ModelId,
    /// How the name found it.
    pub matched: Match,
    /// The cloud region, or an area such as `eu`, that the name carries.
    pub region_hint: Option<&'n str>,
}

/// A name under which a model is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedModel {
    pub(super) name: Box<str>,
    /// At whom the name stands; `None` where it is nobody's in particular.
    pub(super) provider: Option<Provider>,
    pub(super) model: ModelId,
    pub(super) maker: Box<str>,
    pub(super) matched: Match,
    pub(super) scope: Scope,
    pub(super) valid: Validity,
}

/// Where a name means its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Whoever serves it.
    Anywhere,
    /// Where its provider, or nobody, is said to serve it.
    ProviderOrUnstated,
    /// Where its provider is said to serve it.
    Provider,
}

/// Every name, in the order of [`any_case::cmp`] and then of providers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NameIndex(Box<[NamedModel]>);

/// What is known beside a name.
struct Asked<'a> {
    provider: ProviderHint,
    maker: Option<&'a str>,
    at: Option<Moment>,
}

/// Whether a name is that of a repository: `organisation/model`.
pub(super) fn is_of_a_hub(name: &str) -> bool {
    name.contains('/')
}

impl Match {
    /// Every way of matching.
    pub const ALL: [Self; 7] = [
        Self::Exact,
        Self::Alias,
        Self::DatedSnapshot,
        Self::PlatformId,
        Self::SizeParsed,
        Self::DeploymentMap,
        Self::Fallback,
    ];

    /// The value of `match`. A name that means no model is `none` there.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Alias => "alias",
            Self::DatedSnapshot => "dated-snapshot",
            Self::PlatformId => "platform-id",
            Self::SizeParsed => "size-parsed",
            Self::DeploymentMap => "deployment-map",
            Self::Fallback => "fallback",
        }
    }
}

impl NameIndex {
    pub(super) fn new(mut names: Vec<NamedModel>) -> Self {
        names.sort_by(|one, other| {
            any_case::cmp(&one.name, &other.name).then_with(|| one.provider.cmp(&other.provider))
        });
        Self(names.into())
    }

    /// What EcoLogits finds: the very name at the very provider.
    pub(super) fn exact(&self, provider: Provider, name: &str) -> Option<&NamedModel> {
        self.named(name).iter().find(|entry| entry.provider == Some(provider) && *entry.name == *name)
    }

    /// The model that `name`, as it arrived, means at a time when `provider` is said to serve it.
    pub(super) fn resolve<'n>(
        &self,
        name: &'n str,
        provider: ProviderHint,
        at: Option<Moment>,
    ) -> Option<Resolution<'n>> {
        let text = names::bare(name)?;
        let asked = Asked { provider, maker: None, at };
        if let Some(entry) = self.find(text, &asked) {
            return Some(Resolution { model: entry.model, matched: entry.matched, region_hint: None });
        }
        let clean = names::clean(text);
        // A router in the name knows better than the SDK who was called.
        let provider =
            clean.router.map(ProviderHint::read).filter(|hint| *hint != ProviderHint::Unstated).unwrap_or(provider);
        let (entry, undated) = self.find_clean(&clean, &Asked { provider, maker: clean.maker, at })?;
        let matched = match clean.packing {
            Packing::Platform => Match::PlatformId,
            Packing::Tagged => Match::Alias,
            Packing::Bare if undated => Match::DatedSnapshot,
            Packing::Bare => entry.matched,
        };
        Some(Resolution { model: entry.model, matched, region_hint: clean.region })
    }

    /// The entry, and whether a date had to be dropped for it.
    fn find_clean(&self, clean: &CleanName<'_>, asked: &Asked<'_>) -> Option<(&NamedModel, bool)> {
        if let Some(entry) = self.find(clean.text, asked) {
            return Some((entry, false));
        }
        let undated = dates::without_date(clean.text)?;
        let entry = self.find(undated, asked).or_else(|| self.find(dates::without_stage(undated)?, asked))?;
        // On a hub a date tells repositories apart, and is nobody's snapshot.
        if is_of_a_hub(&entry.name) { None } else { Some((entry, true)) }
    }

    /// The entry at the provider, else the one that every provider who has the name agrees on.
    fn find(&self, name: &str, asked: &Asked<'_>) -> Option<&NamedModel> {
        let is_meant =
            |entry: &&NamedModel| asked.maker.is_none_or(|maker| *entry.maker == *maker) && entry.valid.holds(asked.at);
        let hits = self.named(name);
        if let ProviderHint::Known(provider) = asked.provider
            && let Some(entry) = hits.iter().filter(is_meant).find(|entry| entry.provider == Some(provider))
        {
            return Some(entry);
        }
        let is_in_scope = |entry: &&NamedModel| match entry.scope {
            Scope::Anywhere => true,
            Scope::ProviderOrUnstated => asked.provider == ProviderHint::Unstated,
            Scope::Provider => false,
        };
        let mut hits = hits.iter().filter(is_meant).filter(is_in_scope);
        let first = hits.next()?;
        if hits.all(|entry| entry.maker == first.maker) { Some(first) } else { None }
    }

    fn named(&self, name: &str) -> &[NamedModel] {
        let start = self.0.partition_point(|entry| any_case::cmp(&entry.name, name).is_lt());
        let rest = self.0.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|entry| entry.name.eq_ignore_ascii_case(name)).count();
        rest.get(..length).unwrap_or_default()
    }
}
