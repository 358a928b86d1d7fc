//! What a request means for the totals of traces: what is known of the traces whose roots pass, and the reports of calls
//! that are booked when it has been acknowledged. Knows the ledger; nothing of how it is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Enricher;
use super::comparison;
use super::figures::KEYS;
use super::labels::Text;
use super::plan::{Plan, PlannedSpan};
use super::root;
use super::service::Services;
use super::terms::{Asked, Terms};
use crate::genai::{Claims, Keyed, Memory, SpanId, Status, TraceId};
use crate::otlp::value::{self, Any};
use crate::otlp::{Extent, Field, Reader, SpanAt, Value, WireError};
use crate::trace::Range;
use crate::trace::ledger::{
    Account, Call, Figures, Gap, Ledger, LedgerLevel, LedgerSettings, PassedRoot, Share, Standing, TraceKey,
};
use crate::units::TokenUsage;

/// The totals of traces, shared by everything that books in them or asks them, and kept when a configuration is
/// reloaded.
pub type SharedLedger = Arc<TraceBooks>;

/// A ledger that threads share. Who reads holds it for as long as it takes to copy one trace.
#[derive(Debug)]
pub struct TraceBooks {
    ledger: Mutex<Ledger<Terms>>,
    is_kept: bool,
    is_watched: bool,
    /// Whether anything was ever booked: until then no root has to be found.
    has_traces: AtomicBool,
}

impl TraceBooks {
    /// An empty ledger.
    #[must_use]
    pub fn new(settings: LedgerSettings) -> Self {
        let (ledger, is_watched) = (Mutex::new(Ledger::new(settings)), settings.is_watched);
        // Who sums up has to know every root: its trace may become known later.
        Self { ledger, is_kept: settings.max_traces > 0, is_watched, has_traces: AtomicBool::new(is_watched) }
    }

    /// Takes hold of the ledger. A thread that panicked with it in its hands has at worst lost a call.
    pub fn lock(&self) -> MutexGuard<'_, Ledger<Terms>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How full it is.
    #[must_use]
    pub fn level(&self) -> LedgerLevel {
        self.lock().level()
    }

    /// Whether roots of requests without a model call may be of known traces.
    pub(super) fn has_traces(&self) -> bool {
        self.has_traces.load(Ordering::Relaxed)
    }
}

/// A root with what is known of its trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct RootTotals {
    pub(super) at: SpanAt,
    pub(super) account: Account,
}

/// A root whose trace may have totals.
#[derive(Debug)]
pub(super) struct Root<'a> {
    at: SpanAt,
    trace_id: TraceKey,
    service: Text<'a>,
    account: Account,
}

/// Where roots come from, kept once for those of one resource, which follow each other.
#[derive(Debug, Default)]
struct Origin {
    resource: Option<Extent>,
    service: Arc<str>,
    bytes: Arc<[u8]>,
}

impl Origin {
    fn of(request: &[u8], root: &Root<'_>) -> Self {
        let bytes = root.at.resource.map(|resource| value::slice(request, resource)).unwrap_or_default();
        Self { resource: root.at.resource, service: root.service.as_ref().into(), bytes: bytes.into() }
    }
}

impl Root<'_> {
    /// What is kept of it until its trace is quiet; `None` for one without a valid id, which nothing can stand under.
    fn passed(&self, request: &[u8], origin: &Origin) -> Result<Option<PassedRoot>, WireError> {
        let (mut span_id, mut end_ns) = (None, 0);
        let mut reader = Reader::within(request, self.at.span);
        while let Some(field) = reader.field()? {
            match field {
                Field { number: 2, value: Value::Bytes(id) } => span_id = SpanId::read(value::slice(request, id)),
                Field { number: 8, value: Value::Fixed64(ns) } => end_ns = ns,
                _ => {}
            }
        }
        Ok(span_id.map(|span_id| PassedRoot {
            trace_id: self.trace_id,
            span_id: span_id.bytes(),
            end_ns,
            service: Arc::clone(&origin.service),
            resource: Arc::clone(&origin.bytes),
        }))
    }
}

/// What is to be booked for traces when a request has been acknowledged.
#[derive(Debug)]
pub(super) struct TraceClaim {
    ledger: SharedLedger,
    entries: Vec<Entry>,
    /// Roots that passed, with their service.
    roots: Vec<(TraceKey, Arc<str>)>,
    /// The same for who sums up, also those of traces that nothing is known of.
    passed: Vec<PassedRoot>,
    now: Instant,
}

#[derive(Debug)]
struct Entry {
    trace_id: TraceKey,
    call: Call<Terms>,
    /// Which of the request's reports it is.
    report: Option<usize>,
}

impl TraceClaim {
    /// The roots that whoever sums up has to hear of.
    pub(super) fn take_passed(&mut self) -> Vec<PassedRoot> {
        std::mem::take(&mut self.passed)
    }

    /// The request was acknowledged: books what no other request did. `is_first` says it for each report.
    pub(super) fn book(self, is_first: &[bool]) {
        let Self { ledger, entries, roots, now, .. } = self;
        if !entries.is_empty() {
            ledger.has_traces.store(true, Ordering::Relaxed);
        }
        let mut held = ledger.lock();
        for Entry { trace_id, call, report } in entries {
            if report.is_none_or(|report| is_first.get(report).copied().unwrap_or(true)) {
                held.book(trace_id, call, now);
            }
        }
        for (trace_id, service) in roots {
            held.root(&trace_id, &service);
        }
    }
}

impl Enricher {
    /// The roots of a request whose traces may be known. Where nothing was ever booked, only the request's own calls can
    /// make a trace known. Reads all that is to be read of them, so that [`Enricher::look_up`] does not.
    pub(super) fn roots<'a>(
        &self,
        plan: &mut Plan<'a>,
        services: &mut Services<'a>,
    ) -> Result<Vec<Root<'a>>, WireError> {
        if !self.ledger.is_kept || !(has_calls(plan) || self.ledger.has_traces()) {
            return Ok(Vec::new());
        }
        let found = match plan.roots.take() {
            Some(roots) => roots,
            None => root::find(plan.request)?,
        };
        let mut roots = Vec::with_capacity(found.len());
        for at in found {
            let Some(trace_id) = TraceId::read(root::trace_id(plan.request, at.span)?) else { continue };
            let service = services.of(at.resource);
            roots.push(Root { at, trace_id: trace_id.bytes(), service, account: Account::default() });
        }
        Ok(roots)
    }

    /// Asks the ledger what acknowledged requests said of the traces of roots, and leaves out those that have nothing to do
    /// with calls.
    pub(super) fn look_up(&self, roots: &mut Vec<Root<'_>>, plan: &Plan<'_>, now: Instant) {
        if roots.is_empty() {
            return;
        }
        let stays = has_calls(plan) || self.ledger.is_watched;
        let ledger = self.ledger.lock();
        roots.retain_mut(|root| {
            root.account = ledger.account(&root.trace_id, &root.service, now);
            stays || root.account.has_calls()
        });
    }

    /// Adds a request's own calls to what is known of its roots' traces, and gives what is to be booked for both.
    /// `is_new` says for each report whether no acknowledged request had it.
    pub(super) fn settle_traces<'a>(
        &self,
        plan: &mut Plan<'a>,
        mut roots: Vec<Root<'a>>,
        (reports, is_new): (Vec<Option<usize>>, &[bool]),
        (services, now): (&mut Services<'a>, Instant),
    ) -> Result<Option<TraceClaim>, WireError> {
        if !self.ledger.is_kept || (roots.is_empty() && !has_calls(plan)) {
            return Ok(None);
        }
        let entries = self.entries(plan, reports, services);
        let of_trace: HashMap<TraceKey, usize, Keyed> =
            roots.iter().enumerate().map(|(at, root)| (root.trace_id, at)).collect();
        for entry in entries.iter().filter(|_| !of_trace.is_empty()) {
            let is_known = entry.report.is_some_and(|report| !is_new.get(report).copied().unwrap_or(true));
            if let Some(root) = of_trace.get(&entry.trace_id).and_then(|at| roots.get_mut(*at))
                && !is_known
            {
                root.account.add(&entry.call.share);
                if *entry.call.service != *root.service {
                    root.account.mark(Gap::OtherServices);
                }
            }
        }
        let (mut claimed, mut passed) = (Vec::new(), Vec::new());
        let mut origin: Option<Origin> = None;
        for root in roots {
            if !self.ledger.is_watched && !root.account.has_calls() {
                continue;
            }
            let origin = match &mut origin {
                Some(known) if known.resource == root.at.resource => &*known,
                other => other.insert(Origin::of(plan.request, &root)),
            };
            if self.ledger.is_watched {
                passed.extend(root.passed(plan.request, origin)?);
            }
            if root.account.has_calls() {
                claimed.push((root.trace_id, Arc::clone(&origin.service)));
                if !self.root_writer.has_totals(plan.request, root.at.span)? {
                    plan.totals.push(RootTotals { at: root.at, account: root.account });
                }
            }
        }
        if entries.is_empty() && claimed.is_empty() && passed.is_empty() {
            return Ok(None);
        }
        Ok(Some(TraceClaim { ledger: Arc::clone(&self.ledger), entries, roots: claimed, passed, now }))
    }

    /// The calls of a request as its traces' ledger takes them.
    fn entries<'a>(&self, plan: &Plan<'a>, reports: Vec<Option<usize>>, services: &mut Services<'a>) -> Vec<Entry> {
        let conversations = Conversations::of(plan);
        // What has to be read is read before anybody waits for the terms; of resources it is known from then on.
        let written: Vec<_> = plan.enriched.iter().map(|span| self.written(plan.request, span.at.span)).collect();
        plan.spans.iter().chain(&plan.enriched).for_each(|span| services.read(span.at.resource));
        self.terms.hold(|shared| {
            let mut service: Option<(Option<Extent>, Arc<str>)> = None;
            let spans = plan.spans.iter().map(|span| (span, None));
            let spans = spans.chain(plan.enriched.iter().zip(written).map(|(span, figures)| (span, Some(figures))));
            let mut entries = Vec::with_capacity(plan.spans.len());
            for ((span, written), report) in spans.zip(reports) {
                let Some(standing) = standing(span.status) else { continue };
                let Some((trace_id, span_id)) = span.ids() else { continue };
                let service = match &service {
                    Some((known, service)) if *known == span.at.resource => service,
                    _ => &service.insert((span.at.resource, shared.name(&services.of(span.at.resource)))).1,
                };
                let figures = written.unwrap_or_else(|| estimated(span));
                let call = span.call.as_ref();
                let asked = Asked { name: call.and_then(|call| call.name), provider: call.and(span.served.stated) };
                let priced = call.and_then(|call| call.priced.as_ref()).filter(|_| figures.co2e_g.is_some());
                let (terms, own_terms_bytes) = shared.terms(priced, asked, (&self.registry, self.method));
                let call = Call {
                    span_id: span_id.bytes(),
                    parent_id: SpanId::read(span.fields.parent_id).map(SpanId::bytes),
                    name: shared.name(std::str::from_utf8(span.fields.name).unwrap_or_default()),
                    service: Arc::clone(service),
                    time_ns: (span.fields.start_ns, span.fields.end_ns),
                    status: span.status.name(),
                    share: Share { standing, usage: usage(span, standing), figures },
                    model: terms.model_id.clone(),
                    conversation: conversations.of_span(span).map(|id| shared.name(id)),
                    terms,
                    own_terms_bytes,
                };
                entries.push(Entry { trace_id: trace_id.bytes(), call, report });
            }
            entries
        })
    }

    /// The values that stand on a span that came enriched.
    fn written(&self, request: &[u8], span: Extent) -> Figures {
        let mut numbers = [None; KEYS.len()];
        let mut reader = Reader::within(request, span);
        while let Ok(Some((_, pair))) = reader.find(9) {
            if let Ok((key, Some(found))) = value::key_value(request, pair)
                && let Some(key) = key.strip_prefix(self.prefix.as_bytes())
                && let Some(at) = KEYS.iter().position(|known| known.as_bytes() == key)
                && let Ok(Any::Double(number)) = value::any(request, found)
                && let Some(place) = numbers.get_mut(at)
            {
                *place = Some(number).filter(|number| number.is_finite() && *number >= 0.0);
            }
        }
        let [co2e @ .., _, _, _, _, _, _, _] = numbers;
        let [_, _, _, energy @ .., _, _, _, _] = numbers;
        let [_, _, _, _, _, _, embodied @ .., _] = numbers;
        let range = |[low, value, high]: [Option<f64>; 3]| Some(Range { low, value: value?, high });
        Figures { co2e_g: range(co2e), energy_wh: range(energy), embodied_co2e_g: range(embodied) }
    }
}

/// Whether a request has model calls of its own.
const fn has_calls(plan: &Plan<'_>) -> bool {
    !plan.spans.is_empty() || !plan.enriched.is_empty()
}

/// What a span does to the totals of its trace; `None` for one that repeats others.
const fn standing(status: Status) -> Option<Standing> {
    match status {
        Status::Ok | Status::UnknownModel | Status::NoModel => Some(Standing::Counted),
        Status::Repriced => Some(Standing::Repriced),
        Status::NoTokens => Some(Standing::WithoutUsage),
        Status::Error => Some(Standing::Failed),
        Status::Aggregate | Status::Duplicate => None,
    }
}

/// Tokens count once: where a call was counted.
fn usage(span: &PlannedSpan<'_>, standing: Standing) -> TokenUsage {
    let call = span.call.as_ref().filter(|_| standing == Standing::Counted || standing == Standing::Repriced);
    call.map(|call| call.usage).unwrap_or_default()
}

fn estimated(span: &PlannedSpan<'_>) -> Figures {
    let has_value = matches!(span.status, Status::Ok | Status::Repriced);
    let priced = span.call.as_ref().and_then(|call| call.priced.as_ref()).filter(|_| has_value);
    priced.map(|priced| comparison::figures_of(&priced.estimate)).unwrap_or_default()
}

/// Conversations that spans of a request name. A call that names none is of the one that all others of its trace name:
/// some instrumentations say it on the agent's span alone.
struct Conversations<'a>(HashMap<&'a [u8], Option<&'a str>, Keyed>);

impl<'a> Conversations<'a> {
    fn of(plan: &Plan<'a>) -> Self {
        let mut of_trace = HashMap::with_hasher(Keyed);
        for span in plan.spans.iter().chain(&plan.enriched) {
            if let Some(id) = span.conversation {
                let known = of_trace.entry(span.fields.trace_id).or_insert(Some(id));
                *known = known.filter(|known| *known == id);
            }
        }
        Self(of_trace)
    }

    fn of_span(&self, span: &PlannedSpan<'a>) -> Option<&'a str> {
        span.conversation.or_else(|| self.0.get(span.fields.trace_id).copied().flatten())
    }
}

/// For each report of the request whether no acknowledged request had it; asked while nobody else can acknowledge one.
pub(super) fn unbooked(memory: &Memory, claims: &Claims, roots: &[Root<'_>]) -> Vec<bool> {
    if roots.is_empty() { Vec::new() } else { memory.unbooked(claims) }
}
