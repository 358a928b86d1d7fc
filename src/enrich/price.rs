//! Price: from the names, the place and the usage on one span to an estimate. What was metered goes first, then the
//! operator's deployments, then the method's own look-up, then a class value where the policy allows it.

use crate::estimate::{Estimate, Metered, ModelCall};
use crate::factors::{
    Boundary, Deployment, Match, MeteredEnergy, ModelKind, Moment, Place, PlaceQuery, Resolution, SiteId, region_hint,
};
use crate::genai::{Hits, Meaning};
use crate::otlp::value::{self, Any};
use crate::otlp::{Field, Reader, SpanAt, Value};
use crate::semconv::read;
use crate::units::{TokenUsage, WattHours};

use super::Enricher;
use super::plan::PlannedSpan;
use super::served::Served;

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
pub(super) struct Named<'n> {
    pub(super) request: &'n [u8],
    pub(super) hits: &'n Hits,
    pub(super) names: &'n [&'n str],
    pub(super) served: Served<'n>,
}

impl<'n> Named<'n> {
    fn string(&self, meaning: Meaning) -> Option<&'n str> {
        self.hits.string(self.request, meaning)
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

impl Enricher {
    /// What a call's usage took, where it ran.
    pub(super) fn price(&self, named: &Named<'_>, usage: TokenUsage, span: &PlannedSpan<'_>) -> Option<Priced> {
        let deployment = self.deployment(named);
        let metered = self.metered(named, deployment);
        let started = Moment::from_unix_ns(span.fields.start_ns);
        let by = |provider| named.names.iter().find_map(|name| self.resolve(name, provider, started));
        let found = by(named.served.stated).or_else(|| by(Some(named.served.of_host?)));
        let found = found.or_else(|| self.fallback(named, metered.is_some()));
        if found.is_none() && metered.is_none() {
            return None;
        }
        let model = found.map(|found| found.model);
        let place = self.registry.place(&PlaceQuery {
            provider: named.served.of_host.or(named.served.stated),
            model,
            site: deployment.and_then(Deployment::site).or_else(|| self.site_of_service(named.request, &span.at)),
            span_region: named.string(Meaning::CloudRegion),
            server_address: named.string(Meaning::ServerAddress),
            region_hint: found.and_then(|found| found.region_hint),
            at: Moment::from_unix_ns(span.fields.end_ns),
        });
        let call = ModelCall { model, place, usage, duration_s: span.fields.duration_s(), metered };
        let estimate = self.method.estimate(&self.registry, &call)?;
        Some(Priced { call, matched: found.map(|found| found.matched), estimate })
    }

    /// The operator's map first, then the method's own look-up.
    fn resolve<'a>(&self, name: &'a str, provider: Option<&str>, at: Option<Moment>) -> Option<Resolution<'a>> {
        let mapped = self.registry.deployment(name).and_then(|deployment| self.method.deployed(deployment));
        match mapped {
            Some(model) => Some(Resolution { model, matched: Match::DeploymentMap, region_hint: region_hint(name) }),
            None => self.method.resolve(&self.registry, name, provider, at),
        }
    }

    fn fallback<'a>(&self, named: &Named<'_>, is_metered: bool) -> Option<Resolution<'a>> {
        if self.unknown_models == UnknownModels::Skip || is_metered || named.names.is_empty() {
            return None;
        }
        let model = self.registry.fallback(named.kind())?;
        Some(Resolution { model, matched: Match::Fallback, region_hint: None })
    }

    fn deployment(&self, named: &Named<'_>) -> Option<&Deployment> {
        if !self.registry.has_deployments() {
            return None;
        }
        named.names.iter().find_map(|name| self.registry.deployment(name))
    }

    /// Energy on the span itself, else what its deployment was metered to take.
    fn metered(&self, named: &Named<'_>, deployment: Option<&Deployment>) -> Option<Metered> {
        let of_call = self.energy.as_ref().and_then(|reading| {
            let number = named.hits.parse(named.request, Meaning::MeteredEnergy, number)?;
            let energy = WattHours::new(number * reading.wh_per_unit).ok()?;
            Some(Metered::Call(MeteredEnergy { energy, boundary: reading.boundary }))
        });
        of_call.or_else(|| deployment?.energy().copied().map(Metered::Deployment))
    }

    /// The site of the service that called; resources are read only where some service has one.
    fn site_of_service(&self, request: &[u8], at: &SpanAt) -> Option<SiteId> {
        if !self.registry.has_service_sites() {
            return None;
        }
        let mut reader = Reader::within(request, at.resource?);
        while let Ok(Some(field)) = reader.field() {
            if let Field { number: 1, value: Value::Bytes(pair) } = field
                && let Ok((key, Some(value))) = value::key_value(request, pair)
                && key == read::SERVICE_NAME.as_bytes()
                && let Ok(Any::String(name)) = value::any(request, value)
            {
                return self.registry.site_of_service(std::str::from_utf8(name).ok()?);
            }
        }
        None
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
