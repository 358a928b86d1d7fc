//! Plan: each span of a request is read and estimated by itself.
//! Which of several reports of one call counts is not decided here.

use super::{Enricher, Tally};
use crate::estimate::{Estimate, ModelCall};
use crate::factors::{Match, ModelId, Place, PlaceQuery};
use crate::genai::{Dialect, Hits, Meaning, RawTokens, Role, SpanFields, Status, adjusted_count, inclusive, scan};
use crate::otlp::{Field, Reader, SpanAt, Value, WireError, value, walk};
use crate::units::TokenUsage;

/// What is to be said on the spans of one request.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) request: &'a [u8],
    pub(super) spans: Vec<PlannedSpan<'a>>,
    total: u64,
    enriched_before: u64,
}

/// A span of the GenAI kind.
#[derive(Debug)]
pub(crate) struct PlannedSpan<'a> {
    pub(super) at: SpanAt,
    pub(super) fields: SpanFields<'a>,
    pub(super) role: Role,
    /// Whether the span itself has `gen_ai.*` keys.
    pub(super) has_gen_ai_key: bool,
    pub(super) dialect: Dialect,
    /// What the span is given; [`Plan::settle`] has the last word.
    pub(super) status: Status,
    /// Whether the very same span was acknowledged before: it is given the same again and booked no more.
    pub(super) is_repeat: bool,
    /// The call that the span reports, where it carries usage.
    pub(super) call: Option<Call<'a>>,
}

/// One report of a call: its usage, and what that took.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(super) scope: &'a str,
    pub(super) response_id: Option<&'a str>,
    pub(super) usage: TokenUsage,
    /// The model's name that is told where the registry knows none.
    pub(super) name: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) priced: Option<Priced>,
}

/// A model that the registry knows, a place, and the estimate for both.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(super) model: ModelId,
    pub(super) matched: Match,
    pub(super) place: Place,
    pub(super) estimate: Estimate,
}

impl<'a> Plan<'a> {
    /// The spans of the GenAI kind, in the order of the wire.
    pub(super) fn spans(&self) -> &[PlannedSpan<'a>] {
        &self.spans
    }

    /// What was found, for the books. Spans that were booked before are not in it.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::new(self.total, self.enriched_before);
        for span in self.spans.iter().filter(|span| !span.is_repeat) {
            let weight = adjusted_count(span.fields.trace_state);
            let usage = span.call.as_ref().map(|call| &call.usage).filter(|_| span.status.counts());
            tally.add(span.status, span.dialect, weight, usage);
        }
        tally
    }

    /// The models that the registry does not know: name and provider as the spans have them, a call each.
    pub fn unknown_models(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let unknown = self.spans.iter().filter(|span| span.status == Status::UnknownModel && !span.is_repeat);
        unknown.filter_map(|span| span.call.as_ref()).filter_map(|call| Some((call.name?, call.provider)))
    }
}

impl Enricher {
    /// Reads every span of a request. Spans that are not of the GenAI kind cost no allocation; spans that were enriched
    /// before are left alone.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no `ExportTraceServiceRequest`.
    pub fn plan<'a>(&self, request: &'a [u8]) -> Result<Plan<'a>, WireError> {
        let mut hits = Hits::default();
        let mut plan = Plan { request, spans: Vec::new(), total: 0, enriched_before: 0 };
        plan.total = walk(request, |at| {
            let fields = scan(request, at.span, &self.keys, &mut hits)?;
            if hits.has(Meaning::Enriched) {
                plan.enriched_before += 1;
            } else if hits.marked()
                && let Some(role) = Role::of(request, &hits, &fields, &self.extensions)
            {
                let mut span = PlannedSpan {
                    at,
                    fields,
                    role,
                    has_gen_ai_key: hits.has_gen_ai_key(),
                    dialect: Dialect::of(&hits),
                    status: Status::Aggregate,
                    is_repeat: false,
                    call: None,
                };
                if role != Role::Aggregate {
                    self.read_call(request, &hits, &mut span)?;
                }
                plan.spans.push(span);
            }
            Ok(())
        })?;
        Ok(plan)
    }

    /// Reads the usage of a span that may report a call, and prices it.
    fn read_call<'a>(&self, request: &'a [u8], hits: &Hits, span: &mut PlannedSpan<'a>) -> Result<(), WireError> {
        let raw = RawTokens::read(request, hits);
        if !raw.is_usage(span.fields.error) {
            span.status = match span.role {
                Role::Inference if span.fields.error => Status::Error,
                Role::Inference => Status::NoTokens,
                Role::Aggregate | Role::RemoteAgent => Status::Aggregate,
            };
            return Ok(());
        }
        let scope = scope_name(request, &span.at)?;
        let usage = inclusive(&raw, scope, &self.extensions.input_excludes_cache_scopes);
        let names = hits.strings(request, Meaning::Model);
        let priced = self.price(&Named { request, hits, names: &names }, usage, span.fields.duration_s());
        span.status = match (&priced, names.is_empty()) {
            (Some(_), _) => Status::Ok,
            (None, false) => Status::UnknownModel,
            (None, true) => Status::NoModel,
        };
        span.call = Some(Call {
            scope,
            response_id: hits.string(request, Meaning::ResponseId),
            usage,
            name: names.first().copied(),
            provider: hits.string(request, Meaning::Provider),
            priced,
        });
        Ok(())
    }

    /// The first of the names that the registry knows, where it ran, and what the usage took there.
    fn price(&self, named: &Named<'_>, usage: TokenUsage, duration_s: Option<f64>) -> Option<Priced> {
        let string = |meaning| named.hits.string(named.request, meaning);
        let provider = string(Meaning::Provider);
        let resolution = named.names.iter().find_map(|name| self.registry.resolve(name, provider))?;
        let place = self.registry.place(&PlaceQuery {
            provider,
            model: Some(resolution.model),
            span_region: string(Meaning::CloudRegion),
            server_address: string(Meaning::ServerAddress),
            region_hint: resolution.region_hint,
        });
        let call = ModelCall { model: resolution.model, place, usage, duration_s };
        let estimate = self.method.estimate(&self.registry, &call)?;
        Some(Priced { model: resolution.model, matched: resolution.matched, place, estimate })
    }
}

/// A span's attributes with the names that they give its model, most telling first.
struct Named<'n> {
    request: &'n [u8],
    hits: &'n Hits,
    names: &'n [&'n str],
}

/// `InstrumentationScope.name`; empty where there is none, or none in UTF-8.
fn scope_name<'a>(request: &'a [u8], at: &SpanAt) -> Result<&'a str, WireError> {
    let Some(scope) = at.scope else { return Ok("") };
    let mut name = "";
    let mut reader = Reader::within(request, scope);
    while let Some(field) = reader.field()? {
        if let Field { number: 1, value: Value::Bytes(extent) } = field {
            name = std::str::from_utf8(value::slice(request, extent)).unwrap_or_default();
        }
    }
    Ok(name)
}
