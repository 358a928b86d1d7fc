//! Plan: each span of a request is read and estimated by itself.
//! Which of several reports of one call counts is not decided here.

use super::Enricher;
use super::known::Known;
use super::labels::Kept;
use super::price::Priced;
use super::root;
use super::served::Served;
use super::traces::RootTotals;
use crate::genai::{Dialect, Hits, Meaning, RawTokens, Role, SpanFields, Status, inclusive, scan, tells};
use crate::otlp::{Extent, Field, Reader, SpanAt, Value, WireError, value, walk};
use crate::units::TokenUsage;

/// What is to be said on the spans of one request.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) request: &'a [u8],
    pub(super) spans: Vec<PlannedSpan<'a>>,
    /// Calls whose spans came enriched: they get nothing, and no other report of them counts.
    pub(super) enriched: Vec<PlannedSpan<'a>>,
    /// Spans without a parent, where they have been looked for.
    pub(super) roots: Option<Vec<SpanAt>>,
    /// Roots that get the totals of their traces: [`Enricher::settle`] knows them.
    pub(super) totals: Vec<RootTotals>,
    /// Every span.
    pub(super) total: u64,
    /// Spans that came enriched.
    pub(super) enriched_before: u64,
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
    /// Who served it, where it may report a call.
    pub(super) served: Served<'a>,
    /// What the span is given; [`Plan::settle`] has the last word.
    pub(super) status: Status,
    /// The conversation that the span names.
    pub(super) conversation: Option<&'a str>,
    /// The call that the span reports, where it carries usage.
    pub(super) call: Option<Call<'a>>,
    /// The exceeded budgets that it falls into, where they are to stand on it.
    pub(super) exceeded: Option<Box<str>>,
    /// What it says of itself, where that has been read for them.
    pub(super) said: Option<Box<Kept<'a>>>,
}

/// One report of a call: its usage, and what that took.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(super) scope: &'a str,
    pub(super) response_id: Option<&'a str>,
    pub(super) usage: TokenUsage,
    /// The model's name that is told where the registry knows none.
    pub(super) name: Option<&'a str>,
    pub(super) priced: Option<Priced>,
}

/// A span of the GenAI kind with what was decided about it, for those who explain it.
#[derive(Debug)]
pub(crate) struct Decided<'p> {
    pub(crate) fields: &'p SpanFields<'p>,
    pub(crate) status: Status,
    /// The model's name as the span has it.
    pub(crate) name: Option<&'p str>,
    pub(crate) usage: Option<TokenUsage>,
    /// What the span is given.
    pub(crate) priced: Option<&'p Priced>,
}

impl<'a> Plan<'a> {
    /// Every span of the request, of whatever kind.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The spans of the GenAI kind, in the order of the wire, once they are settled.
    pub(crate) fn decided(&self) -> impl Iterator<Item = Decided<'_>> {
        self.spans.iter().map(|span| {
            let call = span.call.as_ref();
            let has_value = matches!(span.status, Status::Ok | Status::Repriced);
            Decided {
                fields: &span.fields,
                status: span.status,
                name: call.and_then(|call| call.name),
                usage: call.map(|call| call.usage),
                priced: call.and_then(|call| call.priced.as_ref()).filter(|_| has_value),
            }
        })
    }

    fn of(request: &'a [u8]) -> Self {
        let (spans, enriched, totals) = (Vec::new(), Vec::new(), Vec::new());
        Self { request, spans, enriched, roots: None, totals, total: 0, enriched_before: 0 }
    }

    /// The spans of the GenAI kind, in the order of the wire.
    pub(super) fn spans(&self) -> &[PlannedSpan<'a>] {
        &self.spans
    }

    /// For each span that came, those that came enriched behind the others: none is a report.
    pub(super) fn without_reports(&self) -> Vec<Option<usize>> {
        vec![None; self.spans.len() + self.enriched.len()]
    }

    /// The spans that get something, in the order of the wire, and what they get.
    pub(super) fn growing(&self) -> impl Iterator<Item = (SpanAt, Option<&PlannedSpan<'a>>, Option<&RootTotals>)> {
        let (mut spans, mut totals) = (self.spans.iter().peekable(), self.totals.iter().peekable());
        std::iter::from_fn(move || {
            let place = |at: &SpanAt| at.span.start;
            let next = [spans.peek().map(|span| place(&span.at)), totals.peek().map(|root| place(&root.at))];
            let next = next.into_iter().flatten().min()?;
            let span = spans.next_if(|span| place(&span.at) == next);
            let root = totals.next_if(|root| place(&root.at) == next);
            Some((span.map(|span| span.at).or(root.map(|root| root.at))?, span, root))
        })
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
        let mut plan = Plan::of(request);
        let mut known = None;
        let mut scopes = ScopeNames { request, last: None };
        if self.traces().has_traces() {
            plan.roots = Some(Vec::new());
        }
        let total = walk(request, |at| {
            if let Some(roots) = &mut plan.roots
                && !root::has_parent(request, at.span)?
            {
                roots.push(*at);
            }
            if !tells(request, at.span, &self.keys)? {
                return Ok(());
            }
            let fields = scan(request, at.span, &self.keys, &mut hits)?;
            let is_enriched = hits.has(Meaning::Enriched);
            plan.enriched_before += u64::from(is_enriched);
            let Some(role) = Role::of(&hits, &fields, &self.roles) else { return Ok(()) };
            let mut span = PlannedSpan {
                at: *at,
                fields,
                role,
                has_gen_ai_key: hits.has_gen_ai_key(),
                dialect: Dialect::of(&hits),
                served: Served::default(),
                status: Status::Aggregate,
                conversation: hits.string(Meaning::Conversation),
                call: None,
                exceeded: None,
                said: None,
            };
            if is_enriched {
                plan.enriched.extend(self.read_enriched(&hits, span, &mut scopes)?);
                return Ok(());
            }
            if role != Role::Aggregate {
                let known = known.get_or_insert_with(|| self.known.take());
                if plan.spans.capacity() == 0 {
                    plan.spans.reserve(known.usual_spans());
                }
                self.read_call(request, &hits, &mut span, (known, &mut scopes))?;
            }
            plan.spans.push(span);
            Ok(())
        });
        // Also behind a request that is broken: what is known stays so.
        if let Some(mut known) = known {
            known.note_spans(plan.spans.len());
            self.known.put(known);
        }
        plan.total = total?;
        Ok(plan)
    }

    /// Reads the usage of a span that may report a call, and prices it.
    fn read_call<'a>(
        &self,
        request: &'a [u8],
        hits: &Hits<'a>,
        span: &mut PlannedSpan<'a>,
        (known, scopes): (&mut Known, &mut ScopeNames<'a>),
    ) -> Result<(), WireError> {
        let finding = self.finding(request, hits, span, known);
        span.served = finding.served.read(hits);
        let Some(mut call) = self.read_usage(hits, span, scopes)? else {
            span.status = match span.role {
                Role::Inference | Role::Unlisted if span.fields.error => Status::Error,
                Role::Inference | Role::Unlisted => Status::NoTokens,
                Role::Aggregate | Role::RemoteAgent => Status::Aggregate,
            };
            return Ok(());
        };
        call.name = hits.string(Meaning::Model);
        call.priced = self.price(&finding, call.usage, span.fields.duration_s());
        span.status = match (&call.priced, finding.is_named) {
            (Some(_), _) => Status::Ok,
            (None, true) => Status::UnknownModel,
            (None, false) => Status::NoModel,
        };
        span.call = Some(call);
        Ok(())
    }

    /// What a span says of its usage; `None` where it says nothing.
    fn read_usage<'a>(
        &self,
        hits: &Hits<'a>,
        span: &PlannedSpan<'_>,
        scopes: &mut ScopeNames<'a>,
    ) -> Result<Option<Call<'a>>, WireError> {
        let raw = RawTokens::read(hits);
        if !raw.is_usage(span.fields.error) {
            return Ok(None);
        }
        let scope = scopes.name_of(&span.at)?;
        Ok(Some(Call {
            scope,
            response_id: hits.string(Meaning::ResponseId),
            usage: inclusive(&raw, scope, &self.input_excludes_cache_scopes),
            name: None,
            priced: None,
        }))
    }

    /// A span that came enriched, if it reports a call: its status says what was decided about it.
    fn read_enriched<'a>(
        &self,
        hits: &Hits<'a>,
        mut span: PlannedSpan<'a>,
        scopes: &mut ScopeNames<'a>,
    ) -> Result<Option<PlannedSpan<'a>>, WireError> {
        let Some(status) = hits.string(Meaning::Enriched).and_then(Status::from_name) else { return Ok(None) };
        span.status = status;
        if status.counts() || matches!(status, Status::Duplicate | Status::Repriced) {
            span.call = self.read_usage(hits, &span, scopes)?;
        }
        Ok(span.call.is_some().then_some(span))
    }
}

/// `InstrumentationScope.name` of the spans of a request: those of one scope follow each other.
struct ScopeNames<'a> {
    request: &'a [u8],
    last: Option<(Extent, &'a str)>,
}

impl<'a> ScopeNames<'a> {
    /// Empty where there is none, or none in UTF-8.
    fn name_of(&mut self, at: &SpanAt) -> Result<&'a str, WireError> {
        if let Some((known, name)) = self.last
            && known == at.scope_spans
        {
            return Ok(name);
        }
        let mut name = "";
        if let Some(scope) = at.scope(self.request)? {
            let mut reader = Reader::within(self.request, scope);
            while let Some(field) = reader.field()? {
                if let Field { number: 1, value: Value::Bytes(extent) } = field {
                    name = std::str::from_utf8(value::slice(self.request, extent)).unwrap_or_default();
                }
            }
        }
        self.last = Some((at.scope_spans, name));
        Ok(name)
    }
}
