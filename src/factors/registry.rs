//! The registry: every table, loaded once and never changed, and the three questions it answers: which model, which
//! zone, which place. A new set of files is a new registry.

use super::any_case;
use super::hosts;
use super::index::{Match, NameIndex, Resolution};
use super::loader::{self, RegistryError};
use super::model::{Model, ModelId};
use super::place::{Basis, Facility, FacilityId, Place, PlaceQuery};
use super::providers::{Provider, ProviderHint};
use super::zone::{Zone, ZoneId};

/// The set of factors that the rows of EcoLogits make, and the method that goes with it.
pub const ECOLOGITS: &str = "ecologits/0.11.3";

/// Models, zones, data centres and regions, with the label that names exactly this set of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    pub(super) label: String,
    pub(super) models: Box<[Model]>,
    /// In the order of their codes.
    pub(super) zones: Box<[Zone]>,
    pub(super) world: ZoneId,
    pub(super) facilities: Box<[Facility]>,
    pub(super) names: NameIndex,
    /// Cloud regions, and areas that one mix covers, in the order of [`any_case::cmp`].
    pub(super) regions: Box<[(Box<str>, ZoneId)]>,
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
    /// The registry that is built in.
    ///
    /// # Errors
    /// [`RegistryError`] where a built-in file is broken, which the tests of the build exclude.
    pub fn builtin() -> Result<Self, RegistryError> {
        loader::builtin()
    }

    /// `<version>+<first 8 hex digits of the sha256 over the loaded files>`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The model; `None` for an id of another registry.
    #[must_use]
    pub fn model(&self, id: ModelId) -> Option<&Model> {
        self.models.get(id.0 as usize)
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

    /// The data centre; `None` for an id of another registry.
    #[must_use]
    pub fn facility(&self, id: FacilityId) -> Option<&Facility> {
        self.facilities.get(id.0 as usize)
    }

    /// EcoLogits' own look-up: the very name, or alias, at the very provider.
    ///
    /// # Errors
    /// [`LookupError::ModelNotRegistered`].
    pub fn ecologits(&self, provider: &str, name: &str) -> Result<Resolution<'static>, LookupError> {
        Provider::from_name(provider)
            .and_then(|provider| self.names.exact(provider, name))
            .map(|entry| {
                let is_own = self.model(entry.model).is_some_and(|model| model.name() == &*entry.name);
                let matched = if is_own { Match::Exact } else { Match::Alias };
                Resolution { model: entry.model, matched, region_hint: None }
            })
            .ok_or_else(|| LookupError::ModelNotRegistered { provider: provider.to_owned(), name: name.to_owned() })
    }

    /// The model that a span's name means, with the provider attribute as it arrived. A provider that has the name
    /// comes first; a name that means one model wherever it is served is found under any provider.
    #[must_use]
    pub fn resolve<'n>(&self, name: &'n str, provider: Option<&str>) -> Option<Resolution<'n>> {
        self.names.resolve(name, ProviderHint::read(provider.unwrap_or_default()))
    }

    /// The zone with exactly this code.
    ///
    /// # Errors
    /// [`LookupError::ZoneNotRegistered`].
    pub fn zone_by_code(&self, code: &str) -> Result<ZoneId, LookupError> {
        self.zones
            .binary_search_by(|zone| (*zone.code).cmp(code))
            .ok()
            .and_then(|at| u32::try_from(at).ok())
            .map(ZoneId)
            .ok_or_else(|| LookupError::ZoneNotRegistered { zone: code.to_owned() })
    }

    /// The zone of a cloud region of AWS, Azure or Google, or of an area that bounds to one country, in any case.
    #[must_use]
    pub fn zone_of_region(&self, region: &str) -> Option<ZoneId> {
        let region = region.trim();
        let at = self.regions.binary_search_by(|(name, _)| any_case::cmp(name, region)).ok()?;
        self.regions.get(at).map(|(_, zone)| *zone)
    }

    /// Where a call is computed: the first of the span's region, the host's, the model id's, the provider's default
    /// and the world that says something.
    ///
    /// PUE and WUE are the row's of the model's provider, also on a platform: EcoLogits knows no others. Its default
    /// zone holds too, but for a released model that someone else is said to serve: that can be anywhere.
    #[must_use]
    pub fn place(&self, query: &PlaceQuery<'_>) -> Place {
        let hint = ProviderHint::read(query.provider.unwrap_or_default());
        let model = query.model.and_then(|id| self.model(id));
        let facility = self.facility_of(model, hint);
        let regions = [
            (query.span_region, Basis::SpanRegion),
            (query.server_address.and_then(hosts::region_in_host), Basis::HostRegion),
            (query.region_hint, Basis::ModelRegion),
        ];
        let said = regions.into_iter().find_map(|(region, basis)| Some((self.zone_of_region(region?)?, basis)));
        let (zone, basis) = said
            .or_else(|| {
                let id = facility.filter(|_| is_at_its_provider(model, hint))?;
                Some((self.facility(id)?.zone, Basis::Provider))
            })
            .unwrap_or((self.world, Basis::World));
        Place { zone, basis, facility }
    }

    /// The data centre of a provider.
    pub(super) fn facility_at(&self, provider: Provider) -> Option<FacilityId> {
        let at = self.facilities.iter().position(|facility| facility.provider == provider)?;
        u32::try_from(at).ok().map(FacilityId)
    }

    /// The data centre of a model's own provider: what a place without one falls back to.
    #[must_use]
    pub fn facility_of_model(&self, model: &Model) -> Option<FacilityId> {
        self.facility_at(model.provider())
    }

    fn facility_of(&self, model: Option<&Model>, hint: ProviderHint) -> Option<FacilityId> {
        match (model, hint) {
            (Some(model), _) => self.facility_of_model(model),
            (None, ProviderHint::Known(provider)) => self.facility_at(provider),
            (None, _) => None,
        }
    }
}

fn is_at_its_provider(model: Option<&Model>, hint: ProviderHint) -> bool {
    let Some(model) = model else { return true };
    match hint {
        ProviderHint::Known(provider) => provider == model.provider() || !model.is_released(),
        ProviderHint::Other => !model.is_released(),
        ProviderHint::Platform | ProviderHint::Unstated => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::builtin().unwrap()
    }

    fn code_and_basis<'r>(registry: &'r Registry, query: &PlaceQuery<'_>) -> (&'r str, Basis) {
        let place = registry.place(query);
        (registry.zone(place.zone).unwrap().code(), place.basis)
    }

    #[test]
    fn the_label_is_a_version_and_eight_hex_digits() {
        let registry = registry();
        let (version, hash) = registry.label().split_once('+').unwrap();
        assert_eq!(version, "2026.1");
        assert!(hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
    }

    #[test]
    fn a_model_is_told_with_its_provenance() {
        let registry = registry();
        let model = |provider, name| registry.model(registry.ecologits(provider, name).unwrap().model).unwrap();
        let gpt_4o = model("openai", "gpt-4o-2024-08-06");
        assert_eq!((gpt_4o.id(), gpt_4o.maker(), gpt_4o.tier().name()), ("openai/gpt-4o", "openai", "D"));
        assert_eq!(gpt_4o.factor_id(), "ecologits/0.11.3:openai/gpt-4o-2024-08-06");
        assert!(gpt_4o.sources().all(|source| source.starts_with("https://")));
        assert_eq!(model("huggingface_hub", "openai/gpt-oss-120b").tier().name(), "C");
    }

    #[test]
    fn a_strict_look_up_tells_names_from_aliases() {
        let registry = registry();
        let matched = |name| registry.ecologits("anthropic", name).map(|resolution| resolution.matched);
        assert_eq!(matched("claude-haiku-4-5-20251001"), Ok(Match::Exact));
        assert_eq!(matched("claude-haiku-4-5"), Ok(Match::Alias));
        assert_eq!(matched("Claude-haiku-4-5").unwrap_err().code(), "model-not-registered");
        assert_eq!(registry.zone_by_code("usa").unwrap_err().code(), "zone-not-registered");
    }

    #[test]
    fn regions_stand_in_the_right_country() {
        let registry = registry();
        for (region, country) in [
            ("northeurope", "IRL"),
            ("westeurope", "NLD"),
            ("westus2", "USA"),
            ("EastUS2", "USA"),
            ("swedencentral", "SWE"),
            ("eastasia", "HKG"),
            ("southeastasia", "SGP"),
            ("brazilsouth", "BRA"),
            ("eu-west-1", "IRL"),
            ("eu-west-2", "GBR"),
            ("eu-central-1", "DEU"),
            ("eu-central-2", "CHE"),
            ("us-west-2", "USA"),
            ("ca-central-1", "CAN"),
            ("ap-northeast-2", "KOR"),
            ("me-central-1", "ARE"),
            ("europe-west1", "BEL"),
            ("europe-north1", "FIN"),
            ("europe-north2", "SWE"),
            ("me-central1", "QAT"),
            ("us-east5", "USA"),
            ("eu", "EEE"),
        ] {
            let zone = registry.zone_of_region(region).map(|zone| registry.zone(zone).unwrap().code());
            assert_eq!(zone, Some(country), "{region}");
        }
        for unbounded in ["apac", "global", "eu-west-99", ""] {
            assert_eq!(registry.zone_of_region(unbounded), None, "{unbounded}");
        }
    }

    #[test]
    fn the_surest_word_on_the_place_decides() {
        let registry = registry();
        let model = registry.resolve("mistral-large-2512", Some("mistral_ai")).map(|resolution| resolution.model);
        let mut query = PlaceQuery {
            provider: Some("aws.bedrock"),
            model,
            span_region: Some("eu-west-3"),
            server_address: Some("https://bedrock-runtime.eu-central-1.amazonaws.com"),
            region_hint: Some("us"),
        };
        assert_eq!(code_and_basis(&registry, &query), ("FRA", Basis::SpanRegion));
        query.span_region = Some("nowhere-1");
        assert_eq!(code_and_basis(&registry, &query), ("DEU", Basis::HostRegion));
        query.server_address = Some("127.0.0.1:8080");
        assert_eq!(code_and_basis(&registry, &query), ("USA", Basis::ModelRegion));
        query.region_hint = Some("eu");
        assert_eq!(code_and_basis(&registry, &query), ("EEE", Basis::ModelRegion));
        query.region_hint = Some("global");
        assert_eq!(code_and_basis(&registry, &query), ("SWE", Basis::Provider));
        assert_eq!(code_and_basis(&registry, &PlaceQuery::default()), ("WOR", Basis::World));
    }

    #[test]
    fn a_released_model_at_someone_else_can_be_anywhere() {
        let registry = registry();
        let place = |name, provider| {
            let model = registry.resolve(name, Some(provider)).map(|resolution| resolution.model);
            assert!(model.is_some(), "{name}");
            code_and_basis(&registry, &PlaceQuery { provider: Some(provider), model, ..PlaceQuery::default() })
        };
        assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "groq"), ("WOR", Basis::World));
        assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "openai"), ("WOR", Basis::World));
        assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "huggingface"), ("USA", Basis::Provider));
        assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", ""), ("USA", Basis::Provider));
        assert_eq!(place("gpt-4o", "groq"), ("USA", Basis::Provider));
        assert_eq!(place("gpt-4o", "azure.ai.openai"), ("USA", Basis::Provider));
    }

    #[test]
    fn the_data_centre_is_that_of_the_models_provider_else_of_the_named_one() {
        let registry = registry();
        let facility = |provider, model| {
            let place = registry.place(&PlaceQuery { provider: Some(provider), model, ..PlaceQuery::default() });
            place.facility.and_then(|id| registry.facility(id)).map(Facility::provider)
        };
        let claude = registry.resolve("claude-opus-5", None).map(|resolution| resolution.model);
        assert_eq!(facility("gcp.vertex_ai", claude), Some(Provider::Anthropic));
        assert_eq!(facility("cohere", None), Some(Provider::Cohere));
        assert_eq!(facility("ollama", None), None);
    }

    #[test]
    fn an_id_of_another_registry_finds_nothing() {
        let registry = registry();
        assert_eq!(registry.model(ModelId(u32::MAX)), None);
        assert_eq!(registry.zone(ZoneId(u32::MAX)), None);
        assert_eq!(registry.facility(FacilityId(u32::MAX)), None);
    }
}
