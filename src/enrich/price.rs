//! Price: from the names, the place and the usage on one span to an estimate. What was metered goes first, then the
//! operator's deployments, then the method's own look-up, then a class value where the policy allows it.

use std::borrow::Cow;

use crate::estimate::{Estimate, Metered, ModelCall, Rates};
use crate::factors::{
    Boundary, Deployment, Match, MeteredEnergy, ModelId, ModelKind, Moment, Place, PlaceQuery, Resolution, region_hint,
};
use crate::genai::{Hits, Meaning, Meanings};
use crate::otlp::SpanAt;
use crate::otlp::value::Any;
use crate::units::{TokenUsage, WattHours};

use super::Enricher;
use super::known::Known;
use super::labels::Text;
use super::plan::PlannedSpan;
use super::served::{Served, ServedBy};
use super::service::service;

/// Where spans carry the energy that somebody metered.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyReading {
    /// The attribute.
    pub attribute: String,
    /// Watt-hours in its unit.
    pub wh_per_unit: f64,
    /// What the meter saw.
    pub boundary: Boundary,
}

/// What became of models that the registry does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownModels {
    /// They get no value.
    #[default]
    Skip,
    /// They get the value of a class, and that is told.
    Fallback,
}

/// A call with a place, and the estimate for both.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(crate) call: ModelCall,
    /// How the model was found; `None` where only metered energy is known.
    pub(crate) matched: Option<Match>,
    pub(crate) estimate: Estimate,
}

impl Priced {
    pub(super) const fn place(&self) -> Place {
        self.call.place
    }
}

/// A span's attributes with the names that they give its model, most telling first.
pub(super) struct Named<'n, 'h> {
    pub(super) request: &'n [u8],
    pub(super) hits: &'h Hits<'n>,
    pub(super) names: &'h [&'n str],
    pub(super) served: Served<'n>,
}

impl<'n> Named<'n, '_> {
    fn string(&self, meaning: Meaning) -> Option<&'n str> {
        self.hits.string(meaning)
    }

    fn kind(&self) -> ModelKind {
        let is_embedding = |value: &str| value.to_ascii_lowercase().contains("embed");
        let says = [Meaning::Operation, Meaning::OpenInferenceKind, Meaning::AiOperation, Meaning::MlflowSpanType];
        if says.into_iter().filter_map(|meaning| self.string(meaning)).any(is_embedding) {
            ModelKind::Embedding
        } else {
            ModelKind::Generative
        }
    }
}

/// What the names on a span come to. Holds for every span that has the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finding {
    /// Who serves its model.
    pub(super) served: ServedBy,
    /// Whether the span names a model at all.
    pub(super) is_named: bool,
    pub(super) priced: Option<Terms>,
}

/// A model at a place, with what its calls have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    model: Option<ModelId>,
    matched: Option<Match>,
    place: Place,
    metered: Option<Metered>,
    rates: Option<Rates>,
}

/// What a finding depends on beside time, the service, and energy on the span itself.
const NAMES: Meanings =
    Meanings::of(&[Meaning::Model, Meaning::Provider, Meaning::CloudRegion, Meaning::ServerAddress]);
/// And where models that are not known get the value of a class.
const NAMES_AND_KIND: Meanings = Meanings::of(&[
    Meaning::Model,
    Meaning::Provider,
    Meaning::CloudRegion,
    Meaning::ServerAddress,
    Meaning::Operation,
    Meaning::OpenInferenceKind,
    Meaning::AiOperation,
    Meaning::MlflowSpanType,
]);

impl Enricher {
    /// What the names on a span come to, from what is known where it is.
    pub(super) fn finding<'k, 'n>(
        &self,
        request: &'n [u8],
        hits: &Hits<'n>,
        span: &PlannedSpan<'_>,
        known: &'k mut Known,
    ) -> Cow<'k, Finding> {
        if self.energy.is_some() && hits.has(Meaning::MeteredEnergy) {
            return Cow::Owned(self.find(request, hits, span));
        }
        // Each part has its length or is the last, so that no two different spans have one key.
        let write = |key: &mut Vec<u8>| {
            key.extend_from_slice(&self.epoch(span.fields.start_ns).to_le_bytes());
            if self.registry.has_hours() {
                let hour = Moment::from_unix_ns(span.fields.end_ns).map_or(i64::MIN, Moment::hour);
                key.extend_from_slice(&hour.to_le_bytes());
            }
            let service = self.service_with_site(request, &span.at).unwrap_or_default();
            key.extend_from_slice(&service.len().to_le_bytes());
            key.extend_from_slice(service.as_bytes());
            let names = if self.unknown_models == UnknownModels::Skip { NAMES } else { NAMES_AND_KIND };
            hits.append_signature(names, key);
        };
        Cow::Borrowed(known.get(write, || self.find(request, hits, span)))
    }

    /// The time between two turning points of names that a moment is in; 0 where it is not known.
    fn epoch(&self, start_ns: u64) -> usize {
        Moment::from_unix_ns(start_ns).map_or(0, |at| 1 + self.turning_points.partition_point(|turn| *turn <= at))
    }

    fn find<'n>(&self, request: &'n [u8], hits: &Hits<'n>, span: &PlannedSpan<'_>) -> Finding {
        let names = hits.strings(Meaning::Model);
        let served = ServedBy::find(hits);
        let named = Named { request, hits, names: &names, served: served.read(hits) };
        Finding { served, is_named: !names.is_empty(), priced: self.terms_of(&named, span) }
    }

    /// Which model the names mean, where it is computed, and what that makes of a token.
    fn terms_of(&self, named: &Named<'_, '_>, span: &PlannedSpan<'_>) -> Option<Terms> {
        let deployment = self.deployment(named);
        let metered = self.metered(named, deployment);
        let started = Moment::from_unix_ns(span.fields.start_ns);
        let by = |provider| named.names.iter().find_map(|name| self.resolve(name, provider, started));
        let found = by(named.served.stated).or_else(|| by(Some(named.served.of_host?)));
        let found = found.or_else(|| self.fallback(named, metered.is_some()));
        if found.is_none() && metered.is_none() {
            return None;
        }
        let (model, matched) = (found.map(|found| found.model), found.map(|found| found.matched));
        let place = self.registry.place(&PlaceQuery {
            provider: named.served.of_host.or(named.served.stated),
            model,
            site: deployment
                .and_then(Deployment::site)
                .or_else(|| self.registry.site_of_service(&self.service_with_site(named.request, &span.at)?)),
            span_region: named.string(Meaning::CloudRegion),
            server_address: named.string(Meaning::ServerAddress),
            region_hint: found.and_then(|found| found.region_hint),
            at: Moment::from_unix_ns(span.fields.end_ns),
        });
        let any_call = ModelCall { model, place, usage: TokenUsage::default(), duration_s: None, metered };
        Some(Terms { model, matched, place, metered, rates: self.method.rates(&self.registry, &any_call) })
    }

    /// What a call's usage took, by what its names come to.
    pub(super) fn price(&self, finding: &Finding, usage: TokenUsage, duration_s: Option<f64>) -> Option<Priced> {
        let Terms { model, matched, place, metered, rates } = finding.priced.as_ref()?;
        let call = ModelCall { model: *model, place: *place, usage, duration_s, metered: *metered };
        let estimate = self.method.estimate_by(rates.as_ref(), &self.registry, &call)?;
        Some(Priced { call, matched: *matched, estimate })
    }

    /// The operator's map first, then the method's own look-up.
    fn resolve<'a>(&self, name: &'a str, provider: Option<&str>, at: Option<Moment>) -> Option<Resolution<'a>> {
        let mapped = self.registry.deployment(name).and_then(|deployment| self.method.deployed(deployment));
        match mapped {
            Some(model) => Some(Resolution { model, matched: Match::DeploymentMap, region_hint: region_hint(name) }),
            None => self.method.resolve(&self.registry, name, provider, at),
        }
    }

    fn fallback<'a>(&self, named: &Named<'_, '_>, is_metered: bool) -> Option<Resolution<'a>> {
        if self.unknown_models == UnknownModels::Skip || is_metered || named.names.is_empty() {
            return None;
        }
        let model = self.registry.fallback(named.kind())?;
        Some(Resolution { model, matched: Match::Fallback, region_hint: None })
    }

    fn deployment(&self, named: &Named<'_, '_>) -> Option<&Deployment> {
        if !self.registry.has_deployments() {
            return None;
        }
        named.names.iter().find_map(|name| self.registry.deployment(name))
    }

    /// Energy on the span itself, else what its deployment was metered to take.
    fn metered(&self, named: &Named<'_, '_>, deployment: Option<&Deployment>) -> Option<Metered> {
        let of_call = self.energy.as_ref().and_then(|reading| {
            let number = named.hits.parse(Meaning::MeteredEnergy, number)?;
            let energy = WattHours::new(number * reading.wh_per_unit).ok()?;
            Some(Metered::Call(MeteredEnergy { energy, boundary: reading.boundary }))
        });
        of_call.or_else(|| deployment?.energy().copied().map(Metered::Deployment))
    }

    /// The service that called; resources are read only where some service has a site.
    fn service_with_site<'a>(&self, request: &'a [u8], at: &SpanAt) -> Option<Text<'a>> {
        self.registry.has_service_sites().then(|| service(request, at.resource))
    }
}

/// A number as instrumentations write it.
fn number(value: Any<'_>) -> Option<f64> {
    match value {
        Any::Double(number) => Some(number),
        Any::Int(number) => Some(number as f64),
        Any::String(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite() && *number >= 0.0)
}
