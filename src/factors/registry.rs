//! The registry: every table, loaded once and never changed, and the three questions it answers: which model, which
//! zone, which place. A new set of files is a new registry.

use std::collections::BTreeMap;

use super::any_case;
use super::factor::PhaseConstants;
use super::hosts;
use super::hours::Hours;
use super::index::{Found, Match, Meant, NameIndex, Resolution};
use super::likeness;
use super::model::{Model, ModelId, ModelKind};
use super::moment::Moment;
use super::names;
use super::operator::{Deployment, Operator};
use super::place::{Basis, Facility, FacilityId, HourId, Hourly, Place, PlaceQuery, SiteId};
use super::providers::{self, Provider, ProviderHint};
use super::scenario::Scenarios;
use super::sized::SizedModels;
use super::source::Source;
use super::zone::{Zone, ZoneId};
use crate::document::section::{nearest, shortened};
use crate::units::GramsPerKwh;

/// The set of factors that the rows of EcoLogits make, and the method that goes with it.
pub const ECOLOGITS: &str = "ecologits/0.11.3";

/// The set of factors that the tracker's file makes, and the method that goes with it.
pub const TRACKER: &str = "tracker/0.0.7";

/// Models, zones, data centres and regions, with the label that names exactly this set of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    pub(super) label: String,
    pub(super) sources: BTreeMap<Box<str>, Source>,
    pub(super) models: Box<[Model]>,
    /// In the order of their codes.
    pub(super) zones: Box<[Zone]>,
    /// Other codes of zones, in order: ISO alpha-3.
    pub(super) zone_codes: Box<[(Box<str>, ZoneId)]>,
    pub(super) world: ZoneId,
    pub(super) facilities: Box<[Facility]>,
    pub(super) unknown_facility: FacilityId,
    pub(super) names: NameIndex,
    /// The names of EcoLogits' rows alone.
    pub(super) ecologits: NameIndex,
    /// The names of the tracker's factors, in order.
    pub(super) tracker: Box<[(Box<str>, ModelId)]>,
    pub(super) fallbacks: Box<[ModelId]>,
    pub(super) phase: Option<PhaseConstants>,
    /// Cloud regions, and areas that one mix covers, in the order of [`any_case::cmp`].
    pub(super) regions: Box<[(Box<str>, ZoneId)]>,
    pub(super) hours: Hours,
    pub(super) scenarios: Scenarios,
    pub(super) operator: Operator,
    /// Models of which names told the size alone.
    pub(super) sized: SizedModels,
}

/// A strict look-up found nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// EcoLogits has no such model at that provider.
    #[error("model-not-registered: no model `{name}` of provider `{provider}`")]
    ModelNotRegistered {
        /// The provider that was asked for.
        provider: String,
        /// The name that was asked for.
        name: String,
    },
    /// There is no such zone.
    #[error("zone-not-registered: no zone `{zone}`")]
    ZoneNotRegistered {
        /// The zone that was asked for.
        zone: String,
    },
}

impl LookupError {
    /// EcoLogits' code of the error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ModelNotRegistered { .. } => "model-not-registered",
            Self::ZoneNotRegistered { .. } => "zone-not-registered",
        }
    }
}

impl Registry {
    /// `<version>+<first 8 hex digits of the sha256 over the loaded files>`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The source with this id.
    #[must_use]
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.sources.get(id)
    }

    /// The model; `None` for an id of another registry.
    #[must_use]
    pub fn model(&self, id: ModelId) -> Option<&Model> {
        self.models.get(id.0 as usize).or_else(|| self.sized.get(id))
    }

    /// Every model, in the order of the tables.
    pub fn models(&self) -> impl Iterator<Item = (ModelId, &Model)> {
        (0..).map(ModelId).zip(&self.models)
    }

    /// The zone; `None` for an id of another registry.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&Zone> {
        self.zones.get(id.0 as usize)
    }

    /// Every zone, in the order of their codes.
    pub fn zones(&self) -> impl Iterator<Item = (ZoneId, &Zone)> {
        (0..).map(ZoneId).zip(&self.zones)
    }

    /// What stands for a place that nothing is known of.
    #[must_use]
    pub const fn world(&self) -> ZoneId {
        self.world
    }

    /// The data centre; `None` for an id of another registry.
    #[must_use]
    pub fn facility(&self, id: FacilityId) -> Option<&Facility> {
        self.facilities.get(id.0 as usize)
    }

    /// What stands for a data centre that nothing is known of.
    #[must_use]
    pub const fn unknown_facility(&self) -> FacilityId {
        self.unknown_facility
    }

    /// The constants of the phase-aware method.
    #[must_use]
    pub const fn phase(&self) -> Option<&PhaseConstants> {
        self.phase.as_ref()
    }

    /// Scenarios of the carbon footprint modeling tool.
    #[must_use]
    pub const fn scenarios(&self) -> &Scenarios {
        &self.scenarios
    }

    /// The deployment that the operator gave this name.
    #[must_use]
    pub fn deployment(&self, name: &str) -> Option<&Deployment> {
        self.operator.deployment(name)
    }

    /// Whether the operator named any deployment.
    #[must_use]
    pub const fn has_deployments(&self) -> bool {
        self.operator.has_deployments()
    }

    /// The site at which the operator said that a service's calls are computed.
    #[must_use]
    pub fn site_of_service(&self, service: &str) -> Option<SiteId> {
        self.operator.site_of_service(service)
    }

    /// Whether the operator gave any service a site.
    #[must_use]
    pub const fn has_service_sites(&self) -> bool {
        self.operator.has_services()
    }

    /// EcoLogits' own look-up: the very name, or alias, at the very provider.
    ///
    /// # Errors
    /// [`LookupError::ModelNotRegistered`].
    pub fn ecologits(&self, provider: &str, name: &str) -> Result<Resolution<'static>, LookupError> {
        Provider::from_name(provider)
            .and_then(|provider| self.ecologits.exact(provider, name))
            .map(|entry| {
                let is_own = self.model(entry.model).is_some_and(|model| model.name() == &*entry.name);
                let matched = if is_own { Match::Exact } else { Match::Alias };
                Resolution { model: entry.model, matched, region_hint: None }
            })
            .ok_or_else(|| LookupError::ModelNotRegistered { provider: provider.to_owned(), name: name.to_owned() })
    }

    /// The model that a span's name means at a time, with the provider attribute as it arrived. A provider that has the
    /// name comes first; a name that means one model wherever it is served is found under any provider.
    #[must_use]
    pub fn resolve<'n>(&self, name: &'n str, provider: Option<&str>, at: Option<Moment>) -> Option<Resolution<'n>> {
        let found = self.names.resolve(name, ProviderHint::read(provider.unwrap_or_default()), at)?;
        let model = match found.meant {
            Meant::Model(model) => model,
            Meant::Size(size) => self.sized.id(size)?,
        };
        Some(Resolution { model, matched: found.matched, region_hint: found.region_hint })
    }

    /// The row of EcoLogits' table that a span's name means: by the names of its rows, else of the model that the name
    /// means.
    #[must_use]
    pub fn resolve_ecologits<'n>(&self, name: &'n str, provider: Option<&str>) -> Option<Resolution<'n>> {
        let found = self.ecologits.resolve(name, ProviderHint::read(provider.unwrap_or_default()), None);
        if let Some(Found { meant: Meant::Model(model), matched, region_hint }) = found {
            return Some(Resolution { model, matched, region_hint });
        }
        let found = self.resolve(name, provider, None)?;
        let row = self.ecologits_row_of(self.model(found.model)?.id())?;
        Some(Resolution { model: row, ..found })
    }

    /// The tracker's own look-up: the very name.
    #[must_use]
    pub fn tracker(&self, name: &str) -> Option<ModelId> {
        let at = self.tracker.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.tracker.get(at).map(|(_, model)| *model)
    }

    /// What stands for models that are not known.
    #[must_use]
    pub fn fallback(&self, kind: ModelKind) -> Option<ModelId> {
        self.fallbacks.iter().copied().find(|id| self.model(*id).is_some_and(|model| model.kind() == kind))
    }

    /// The model with this registry id, in any case: an entry of its own before rows of EcoLogits, and of those the one
    /// whose name is the id's.
    #[must_use]
    pub fn model_by_id(&self, id: &str) -> Option<ModelId> {
        let rank = |model: &Model| match (model.row(), model.provider()) {
            (None, _) => 0,
            (Some(_), Some(_)) if id.ends_with(model.name()) => 1,
            (Some(_), Some(_)) => 2,
            (Some(_), None) => 3,
        };
        let meant = self.models().filter(|(_, model)| model.id().eq_ignore_ascii_case(id));
        meant.min_by_key(|(_, model)| rank(model)).map(|(at, _)| at)
    }

    /// Every name under which the model with this id is found, in order; other spellings of them are found, too.
    pub fn names_of<'r>(&'r self, id: &'r str) -> impl Iterator<Item = &'r str> {
        self.names.names_of(id)
    }

    /// What to say about a code that no zone has.
    pub(crate) fn unknown_zone(&self, code: &str) -> String {
        format!("there is no zone `{}`{}", shortened(code), self.zone_advice(code))
    }

    /// What to say behind it.
    pub(crate) fn zone_advice(&self, code: &str) -> String {
        let otherwise = "write a code of Electricity Maps, such as `SE-SE3`, or of ISO 3166, such as `SE` or `SWE`";
        likeness::advice(code, self.zones.iter().map(Into::into), otherwise)
    }

    /// Whether anything is known of the provider that an attribute's value means, or that there is one.
    #[must_use]
    pub fn knows_provider(&self, value: &str) -> bool {
        ProviderHint::read(value) != ProviderHint::Other
            || self.facility_named(value).is_some()
            || names::is_serving(value.trim())
    }

    /// Words by which providers are known, in lower case.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        let of_sites = self.facilities.iter().flat_map(|facility| facility.names.iter().map(|name| &**name));
        let words: fn(&'static str) -> &'static str = |word| word;
        of_sites.chain(providers::words().chain(names::serving()).map(words))
    }

    /// What to say about a name that no model has.
    pub(super) fn unknown_model(&self, name: &str) -> String {
        let ids: Vec<&str> = self.models.iter().map(Model::id).collect();
        match nearest(name, &ids) {
            Some(near) => format!("there is no model `{}`; did you mean `{near}`?", shortened(name)),
            None => format!("there is no model `{}`; write a registry id, such as `openai/gpt-4o`", shortened(name)),
        }
    }

    pub(super) fn ecologits_row_of(&self, id: &str) -> Option<ModelId> {
        self.models().find(|(_, model)| model.provider().is_some() && model.id() == id).map(|(at, _)| at)
    }

    /// The zone with this code in Electricity Maps' list or this ISO 3166-1 code, alpha-2 or alpha-3, in any case.
    #[must_use]
    pub fn zone_by_code(&self, code: &str) -> Option<ZoneId> {
        let code = code.trim();
        if let Ok(at) = self.zones.binary_search_by(|zone| any_case::cmp(&zone.code, code)) {
            return u32::try_from(at).ok().map(ZoneId);
        }
        let at = self.zone_codes.binary_search_by(|(known, _)| any_case::cmp(known, code)).ok()?;
        self.zone_codes.get(at).map(|(_, zone)| *zone)
    }

    /// The zone in EcoLogits' own list, by exactly its code there.
    ///
    /// # Errors
    /// [`LookupError::ZoneNotRegistered`].
    pub fn ecologits_zone(&self, code: &str) -> Result<ZoneId, LookupError> {
        self.zone_by_code(code)
            .filter(|id| self.zone(*id).is_some_and(|zone| zone.mix.is_some() && *zone.alpha3 == *code))
            .ok_or_else(|| LookupError::ZoneNotRegistered { zone: code.to_owned() })
    }

    /// The country whose mix EcoLogits takes for a zone; the world's where it has none.
    #[must_use]
    pub fn ecologits_country(&self, zone: ZoneId) -> ZoneId {
        let has_mix = |id: &ZoneId| self.zone(*id).is_some_and(|zone| zone.mix.is_some());
        let country = self.zone(zone).map(Zone::country);
        Some(zone).filter(has_mix).or_else(|| country.filter(has_mix)).unwrap_or(self.world)
    }

    /// The zone of a cloud region of AWS, Azure or Google, or of an area that bounds to one country, in any case.
    #[must_use]
    pub fn zone_of_region(&self, region: &str) -> Option<ZoneId> {
        let region = region.trim();
        let at = self.regions.binary_search_by(|(name, _)| any_case::cmp(name, region)).ok()?;
        self.regions.get(at).map(|(_, zone)| *zone)
    }

    /// The moments at which names change what they mean, in order.
    #[must_use]
    pub fn turning_points(&self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = self.names.turning_points().collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// Whether any hourly intensities are loaded: without them a place is the same at any time.
    #[must_use]
    pub const fn has_hours(&self) -> bool {
        !self.hours.is_empty()
    }

    /// The intensity that holds at a place: its hour's where there is one, else its year's.
    #[must_use]
    pub fn intensity(&self, place: &Place) -> Option<GramsPerKwh> {
        match place.hour {
            Hourly::Found(hour) => self.hours.get(hour),
            Hourly::Missing | Hourly::NotLoaded => Some(self.zone(place.zone)?.grid().co2e),
        }
    }

    /// Where a call is computed: the first of the configured site, the span's region, the host's, the model id's, the
    /// provider's default, the configured default and the world that says something.
    ///
    /// The provider's default zone holds but for a released model that someone else is said to serve: that can be
    /// anywhere.
    #[must_use]
    pub fn place(&self, query: &PlaceQuery<'_>) -> Place {
        let site = query.site.and_then(|id| self.operator.sites.get(id.0 as usize));
        let hint = ProviderHint::read(query.provider.unwrap_or_default());
        let model = query.model.and_then(|id| self.model(id));
        let named = query.provider.and_then(|provider| self.facility_named(provider));
        let served = named.or_else(|| model.and_then(Model::host));
        let (zone, basis) = self
            .zone_that_was_said(query)
            .or_else(|| Some((self.usual_zone(model, hint, named)?, Basis::Provider)))
            .or_else(|| Some((self.operator.default_zone?, Basis::Configured)))
            .unwrap_or((self.world, Basis::World));
        let configured = if matches!(basis, Basis::Configured) { self.operator.default_facility } else { None };
        let facility = site.and_then(|site| site.facility).or(configured).or(served).unwrap_or(self.unknown_facility);
        Place { zone, basis, facility: Some(facility), hour: self.hour(zone, query.at) }
    }

    /// The same where the zone is known, whatever else is said.
    #[must_use]
    pub fn place_in(&self, query: &PlaceQuery<'_>, zone: ZoneId) -> Place {
        Place { zone, hour: self.hour(zone, query.at), ..self.place(query) }
    }

    /// Every cloud region, and every area that one mix covers, in order.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|(region, _)| &**region)
    }

    fn zone_that_was_said(&self, query: &PlaceQuery<'_>) -> Option<(ZoneId, Basis)> {
        let site = query.site.and_then(|id| self.operator.sites.get(id.0 as usize));
        if let Some(zone) = site.and_then(|site| site.zone) {
            return Some((zone, Basis::Site));
        }
        let regions = [
            (query.span_region, Basis::SpanRegion),
            (query.server_address.and_then(hosts::region_in_host), Basis::HostRegion),
            (query.region_hint, Basis::ModelRegion),
        ];
        regions.into_iter().find_map(|(region, basis)| Some((self.zone_of_region(region?)?, basis)))
    }

    fn usual_zone(&self, model: Option<&Model>, hint: ProviderHint, named: Option<FacilityId>) -> Option<ZoneId> {
        let zone = |id: FacilityId| self.facility(id)?.zone;
        let is_of_its_own = |id: &FacilityId| self.facility(*id).is_some_and(|facility| facility.provider.is_none());
        if let Some(zone) = named.filter(is_of_its_own).and_then(zone) {
            return Some(zone);
        }
        match model {
            None => named.and_then(zone),
            Some(model) if self.is_at_its_host(model, hint) => model.host().and_then(zone),
            Some(_) => None,
        }
    }

    fn is_at_its_host(&self, model: &Model, hint: ProviderHint) -> bool {
        match hint {
            ProviderHint::Known(provider) => !model.is_released() || self.facility_at(provider) == model.host(),
            ProviderHint::Ollama | ProviderHint::Other => !model.is_released(),
            ProviderHint::Platform | ProviderHint::Unstated => true,
        }
    }

    fn hour(&self, zone: ZoneId, at: Option<Moment>) -> Hourly {
        if self.hours.is_empty() {
            return Hourly::NotLoaded;
        }
        let hour: Option<HourId> = at.and_then(|at| self.hours.find(zone, at));
        hour.map_or(Hourly::Missing, Hourly::Found)
    }

    /// The data centre of one of EcoLogits' providers.
    #[must_use]
    pub fn facility_at(&self, provider: Provider) -> Option<FacilityId> {
        let at = self.facilities.iter().position(|facility| facility.provider == Some(provider))?;
        u32::try_from(at).ok().map(FacilityId)
    }

    /// The data centre that a provider attribute's value means.
    fn facility_named(&self, value: &str) -> Option<FacilityId> {
        let value = value.trim().trim_matches('"');
        let best = (0..).map(FacilityId).zip(&self.facilities).map(|(id, facility)| (facility.names_in(value), id));
        let best = best.max_by_key(|(length, id)| (*length, std::cmp::Reverse(*id))).filter(|(length, _)| *length > 0);
        best.map(|(_, id)| id).or_else(|| match ProviderHint::read(value) {
            ProviderHint::Known(provider) => self.facility_at(provider),
            ProviderHint::Platform | ProviderHint::Unstated | ProviderHint::Ollama | ProviderHint::Other => None,
        })
    }
}
