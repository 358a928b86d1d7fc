//! From a name to its model: exact names and aliases first, then the name without its packing, then without its date, then
//! in another spelling; at last its size alone. Two binary searches a step, in tables that are sorted once: linear in the
//! name's length. Never a part of a name: a wrong model is worse than none.

use super::any_case;
use super::dates;
use super::model::ModelId;
use super::moment::{Moment, Validity};
use super::names::{self, CleanName, NamedSize, Packing, Spelling};
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

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// A model that the registry has.
    Model(ModelId),
    /// Some model of this size.
    Size(NamedSize),
}

/// What a name was found to mean, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'n> {
    pub(super) meant: Meant,
    pub(super) matched: Match,
    pub(super) region_hint: Option<&'n str>,
}

/// A name under which a model is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedModel {
    pub(super) name: Box<str>,
    /// At whom the name stands; `None` where it is nobody's in particular.
    pub(super) provider: Option<Provider>,
    pub(super) model: ModelId,
    /// The registry id: one for all rows and dated versions of a model.
    pub(super) id: Box<str>,
    /// Whether anyone may serve the model, and call it after how they do.
    pub(super) is_released: bool,
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

/// Every name, found by itself or by the form of its spelling.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NameIndex {
    /// In the order of [`any_case::cmp`] and then of providers.
    names: Box<[NamedModel]>,
    /// The forms, in order, each with its place in `names`.
    spellings: Box<[(Spelling, u32)]>,
}

/// What is known beside a name.
#[derive(Clone, Copy)]
struct Asked<'a> {
    provider: ProviderHint,
    maker: Option<&'a str>,
    at: Option<Moment>,
    /// Whether only released models may be meant.
    released: bool,
    /// Whether another spelling may be meant.
    any_spelling: bool,
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

impl NamedModel {
    fn maker(&self) -> &str {
        self.id.split_once('/').map_or(&self.id, |(maker, _)| maker)
    }
}

impl NameIndex {
    pub(super) fn new(mut names: Vec<NamedModel>) -> Self {
        names.sort_by(|one, other| {
            any_case::cmp(&one.name, &other.name).then_with(|| one.provider.cmp(&other.provider))
        });
        let mut spellings: Vec<_> = names.iter().map(|entry| Spelling::of(&entry.name)).zip(0..).collect();
        spellings.sort_by(|(one, _), (other, _)| one.bytes().cmp(other.bytes()));
        Self { names: names.into(), spellings: spellings.into() }
    }

    /// Every name of a model, in order.
    pub(super) fn names_of<'n>(&'n self, id: &'n str) -> impl Iterator<Item = &'n str> {
        self.names.iter().filter(move |entry| *entry.id == *id).map(|entry| &*entry.name)
    }

    /// The moments at which some name begins or ceases to mean its model.
    pub(super) fn turning_points(&self) -> impl Iterator<Item = Moment> {
        self.names.iter().flat_map(|entry| [entry.valid.from, entry.valid.until]).flatten()
    }

    /// What EcoLogits finds: the very name at the very provider.
    pub(super) fn exact(&self, provider: Provider, name: &str) -> Option<&NamedModel> {
        self.named(name).iter().find(|entry| entry.provider == Some(provider) && *entry.name == *name)
    }

    /// What `name`, as it arrived, means at a time when `provider` is said to serve it: the first that there is of the
    /// name itself, the name without its packing, without its date, in another spelling, without how it is served, and
    /// a size alone.
    pub(super) fn resolve<'n>(&self, name: &'n str, provider: ProviderHint, at: Option<Moment>) -> Option<Found<'n>> {
        let text = names::bare(name)?;
        let asked = Asked { provider, maker: None, at, released: false, any_spelling: false };
        if provider != ProviderHint::Ollama
            && let Some(entry) = self.find(text, &asked)
        {
            return Some(Found { meant: Meant::Model(entry.model), matched: entry.matched, region_hint: None });
        }
        let clean = names::clean(text);
        // A router in the name knows better than the SDK who was called.
        let provider =
            clean.router.map(ProviderHint::read).filter(|hint| *hint != ProviderHint::Unstated).unwrap_or(provider);
        // What stands alone at a cloud may be the name of a deployment, which only resembles a model's.
        let any_spelling = !(provider == ProviderHint::Platform && clean.packing == Packing::Bare);
        let asked = Asked { provider, maker: clean.maker.or(clean.owner), at, released: false, any_spelling };
        let found = self.find_packed(clean, asked);
        let meant = found.or_else(|| sized(&clean, text, provider))?;
        Some(Found { region_hint: clean.region, ..meant })
    }

    /// Takes one piece after the other off the end until something is left that means a model.
    fn find_packed(&self, clean: CleanName<'_>, asked: Asked<'_>) -> Option<Found<'static>> {
        let mut name = clean;
        for _ in 0..6 {
            if let Some(found) = self.find_clean(&name, &asked) {
                return Some(found);
            }
            if !names::strip_tail(&mut name) {
                break;
            }
        }
        let asked = Asked { released: true, ..asked };
        let mut name = clean;
        for _ in 0..4 {
            if !names::strip_serving(&mut name) {
                break;
            }
            if let Some(found) = self.find_clean(&name, &asked) {
                return Some(found);
            }
        }
        None
    }

    fn find_clean(&self, name: &CleanName<'_>, asked: &Asked<'_>) -> Option<Found<'static>> {
        let found = |entry: &NamedModel, packing: Packing, is_undated: bool| Found {
            meant: Meant::Model(entry.model),
            matched: match (packing, entry.matched) {
                (Packing::Platform, _) => Match::PlatformId,
                (Packing::Tagged, _) => Match::Alias,
                (Packing::Bare, _) if is_undated => Match::DatedSnapshot,
                (Packing::Bare, Match::Exact) if !entry.name.eq_ignore_ascii_case(name.text) => Match::Alias,
                (Packing::Bare, matched) => matched,
            },
            region_hint: None,
        };
        if asked.provider == ProviderHint::Ollama
            && let Some(entry) = self.find_at_ollama(name.text, asked)
        {
            return Some(found(entry, Packing::Platform, false));
        }
        if asked.provider == ProviderHint::Ollama && !names::is_specific(name.text) {
            return None;
        }
        if let Some((entry, is_undated)) = self.find_undated(name.text, asked) {
            return Some(found(entry, name.packing, is_undated));
        }
        if let Some(dotted) = name.dotted
            && let Some((entry, _)) = self.find_undated(dotted, asked)
        {
            return Some(found(entry, Packing::Platform, false));
        }
        let (maker, model) = names::of_organisation(name.text)?;
        let asked = Asked { maker: Some(maker), ..*asked };
        self.find_undated(model, &asked).map(|(entry, _)| found(entry, Packing::Platform, false))
    }

    /// Ollama calls a family by its name, and the size that it gives where none is asked for by the tag `latest`.
    fn find_at_ollama(&self, text: &str, asked: &Asked<'_>) -> Option<&NamedModel> {
        if text.contains(':') {
            return None;
        }
        self.spelled(&Spelling::of_parts(text, ":latest"), asked)
    }

    /// The entry, and whether a date had to be dropped for it.
    fn find_undated(&self, text: &str, asked: &Asked<'_>) -> Option<(&NamedModel, bool)> {
        if let Some(entry) = self.find_spelled(text, asked) {
            return Some((entry, false));
        }
        let undated = dates::without_date(text)?;
        let entry =
            self.find_spelled(undated, asked).or_else(|| self.find_spelled(dates::without_stage(undated)?, asked))?;
        // On a hub a date tells repositories apart, and is nobody's snapshot.
        if is_of_a_hub(&entry.name) { None } else { Some((entry, true)) }
    }

    fn find_spelled(&self, text: &str, asked: &Asked<'_>) -> Option<&NamedModel> {
        let exact = self.find(text, asked);
        if exact.is_some() || !asked.any_spelling { exact } else { self.spelled(&Spelling::of(text), asked) }
    }

    /// The entry at the provider, else the one that every provider who has the name agrees on.
    fn find(&self, name: &str, asked: &Asked<'_>) -> Option<&NamedModel> {
        let hits = self.named(name).iter();
        chosen(hits, asked, |one, other| one.maker() == other.maker())
    }

    /// The same of a name in another spelling, which must be one model's alone.
    fn spelled(&self, form: &Spelling, asked: &Asked<'_>) -> Option<&NamedModel> {
        let start = self.spellings.partition_point(|(known, _)| known.bytes() < form.bytes());
        let rest = self.spellings.get(start..).unwrap_or_default();
        let same = rest.iter().take_while(|(known, _)| known == form);
        let hits = same.filter_map(|(_, at)| self.names.get(*at as usize));
        chosen(hits, asked, |one, other| one.id == other.id)
    }

    fn named(&self, name: &str) -> &[NamedModel] {
        let start = self.names.partition_point(|entry| any_case::cmp(&entry.name, name).is_lt());
        let rest = self.names.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|entry| entry.name.eq_ignore_ascii_case(name)).count();
        rest.get(..length).unwrap_or_default()
    }
}

/// Of the entries that have a name: the one at the provider, else the first where all agree.
fn chosen<'a>(
    hits: impl Iterator<Item = &'a NamedModel> + Clone,
    asked: &Asked<'_>,
    agree: fn(&NamedModel, &NamedModel) -> bool,
) -> Option<&'a NamedModel> {
    let hits = hits.filter(|entry| {
        asked.maker.is_none_or(|maker| entry.maker() == maker)
            && (entry.is_released || !asked.released)
            && entry.valid.holds(asked.at)
    });
    if let ProviderHint::Known(provider) = asked.provider
        && let Some(entry) = hits.clone().find(|entry| entry.provider == Some(provider))
    {
        return Some(entry);
    }
    let mut hits = hits.filter(|entry| match entry.scope {
        Scope::Anywhere => true,
        Scope::ProviderOrUnstated => asked.provider == ProviderHint::Unstated,
        Scope::Provider => false,
    });
    let first = hits.next()?;
    if hits.all(|entry| agree(entry, first)) { Some(first) } else { None }
}

/// The size in the name of a model of a hub or of Ollama. Names of deployments are never read for sizes.
fn sized(clean: &CleanName<'_>, text: &str, provider: ProviderHint) -> Option<Found<'static>> {
    let is_tagged = clean.text.contains(':') && provider != ProviderHint::Platform;
    let is_read = is_of_a_hub(clean.text) || is_tagged || provider == ProviderHint::Ollama;
    if !is_read || clean.maker.is_some() || text.starts_with("arn:") {
        return None;
    }
    let size = names::size_in(clean.text)?;
    Some(Found { meant: Meant::Size(size), matched: Match::SizeParsed, region_hint: None })
}
