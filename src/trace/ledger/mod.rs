//! What traces and conversations emitted, as far as acknowledged requests told: totals of many, receipts of the newest.
//! Bounded by number, bytes and age; what left is told from what never came. Synchronous; time is passed in. Knows
//! nothing of spans on the wire, nor of who asks.

mod account;
mod call;
mod departed;
mod names;
mod origins;
mod queue;
mod roots;
mod shelf;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use account::{Account, Gap};
pub use call::{Call, Figures, Share, SpanKey, Standing, TraceKey};
pub use departed::Departure;
pub use roots::{Due, PassedRoot, RootLevel, Roots, Route, Summary, SummarySettings};
pub use view::{Absence, ConversationView, Listed, TraceView};

use departed::Departed;
use names::{NAMELESS, NameId, Names};
use queue::{NOWHERE, Queue, Slot};
use shelf::Shelf;

use crate::keyed::Keyed;

/// Models of one trace that are told by name.
const MODELS_EACH: usize = 5;
/// Traces of one conversation that are told.
const TRACES_EACH: usize = 8;
/// Departures that are remembered, of traces and of conversations.
const DEPARTURES: usize = 65_536;
/// How much of all bytes conversations take at most: one part of so many.
const CONVERSATIONS_PART: usize = 16;
/// How many that are too old are taken out for one that is booked: so no request pays for all of them.
const EXPIRED_AT_ONCE: usize = 32;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Traces at most; 0 keeps nothing.
    pub max_traces: usize,
    /// Upper bound of the memory that all of it takes.
    pub max_bytes: usize,
    /// How long a trace is kept after something was booked for it.
    pub ttl: Duration,
    /// Traces whose receipts are kept at most: the newest.
    pub receipt_traces: usize,
    /// Receipts of one trace that are kept at most: the first.
    pub receipts_each: usize,
    /// Whether somebody sums traces up, and so has to hear of those that something was booked for.
    pub is_watched: bool,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            max_traces: 1_000_000,
            max_bytes: 256 << 20,
            ttl: Duration::from_secs(60 * 60),
            receipt_traces: 10_000,
            receipts_each: 64,
            is_watched: false,
        }
    }
}

/// How full a ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerLevel {
    /// Traces in it.
    pub traces: u64,
    /// Conversations in it.
    pub conversations: u64,
    /// Receipts in it.
    pub receipts: u64,
    /// Bytes that all of it takes, as they are accounted.
    pub bytes: u64,
    /// Traces that left before their time because there was no room.
    pub evicted: u64,
}

/// One trace.
#[derive(Debug, Clone, Copy)]
struct Trace {
    account: Account,
    first_ns: u64,
    last_ns: u64,
    /// The hash of the service that called first.
    service: u64,
    /// Reports that were booked: receipts that were written.
    booked: u32,
    /// Where its receipts are.
    receipts: Slot,
    models: [NameId; MODELS_EACH],
    more_models: bool,
    /// Whether it is among those that whoever sums up has still to hear of.
    is_active: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            account: Account::default(),
            first_ns: 0,
            last_ns: 0,
            service: 0,
            booked: 0,
            receipts: NOWHERE,
            models: [NAMELESS; MODELS_EACH],
            more_models: false,
            is_active: false,
        }
    }
}

/// One conversation.
#[derive(Debug, Clone, Default)]
struct Conversation {
    account: Account,
    first_ns: u64,
    last_ns: u64,
    traces: Vec<TraceKey>,
    more_traces: bool,
}

/// The receipts of one trace.
#[derive(Debug)]
struct Receipts<T> {
    /// Whose.
    trace: Slot,
    calls: Vec<Call<T>>,
    /// What `calls` take, in bytes.
    bytes: usize,
}

impl<T> Default for Receipts<T> {
    fn default() -> Self {
        Self { trace: NOWHERE, calls: Vec::new(), bytes: 0 }
    }
}

impl<T> Receipts<T> {
    /// Keeps a call, and gives the bytes that this takes.
    fn keep(&mut self, call: Call<T>) -> usize {
        let before = self.calls.capacity();
        if self.calls.len() == before {
            self.calls.reserve_exact((before / 2).max(1));
        }
        let bytes = (self.calls.capacity() - before) * size_of::<Call<T>>() + call.heap_bytes(self.calls.last());
        self.calls.push(call);
        self.bytes += bytes;
        bytes
    }
}

/// What traces and conversations emitted.
#[derive(Debug)]
pub struct Ledger<T> {
    settings: LedgerSettings,
    born: Option<Instant>,
    traces: Shelf<TraceKey, Trace>,
    receipts: Queue<Receipts<T>>,
    conversations: Shelf<u64, Conversation>,
    departed: Departed,
    departed_conversations: Departed,
    models: Names,
    /// The service that called last, with its hash: calls of one follow each other.
    last_service: Option<(Arc<str>, u64)>,
    receipts_kept: u64,
    receipt_bytes: usize,
    evicted: u64,
    /// Traces that something was booked for since somebody asked.
    active: VecDeque<TraceKey>,
}

impl<T> Ledger<T> {
    const TRACE_BYTES: usize = Shelf::<TraceKey, Trace>::BYTES_EACH;
    const CONVERSATION_BYTES: usize = Shelf::<u64, Conversation>::BYTES_EACH + TRACES_EACH * size_of::<TraceKey>() + 16;
    const RECEIPTS_BYTES: usize = Queue::<Receipts<T>>::BYTES_EACH;

    /// Nothing yet.
    #[must_use]
    pub fn new(settings: LedgerSettings) -> Self {
        Self {
            settings,
            born: None,
            traces: Shelf::new(),
            receipts: Queue::new(),
            conversations: Shelf::new(),
            departed: Departed::new(DEPARTURES),
            departed_conversations: Departed::new(DEPARTURES),
            models: Names::default(),
            last_service: None,
            receipts_kept: 0,
            receipt_bytes: 0,
            evicted: 0,
            active: VecDeque::new(),
        }
    }

    /// How full it is.
    #[must_use]
    pub fn level(&self) -> LedgerLevel {
        LedgerLevel {
            traces: self.traces.len() as u64,
            conversations: self.conversations.len() as u64,
            receipts: self.receipts_kept,
            bytes: (self.trace_bytes() + self.conversations.len() * Self::CONVERSATION_BYTES) as u64,
            evicted: self.evicted,
        }
    }

    /// Books an acknowledged report of a model call.
    pub fn book(&mut self, trace_id: TraceKey, call: Call<T>, now: Instant) {
        if self.settings.max_traces == 0 {
            return;
        }
        let now = self.clock(now);
        self.expire(now);
        let service = self.service(&call.service);
        let model = call.model.as_ref().map(|name| self.models.id(name));
        let Some(slot) = self.open(trace_id, now) else { return };
        let Some(trace) = self.traces.at_mut(slot) else { return };
        let is_repeated = is_kept(&self.receipts, trace.receipts, &call);
        trace.account.add(&call.share);
        if trace.booked == 0 && trace.service == 0 {
            trace.service = service;
        } else if trace.service != service {
            trace.account.mark(Gap::OtherServices);
        }
        widen(&mut trace.first_ns, &mut trace.last_ns, call.time_ns);
        trace.note_model(model);
        trace.booked = trace.booked.saturating_add(u32::from(!is_repeated));
        if self.settings.is_watched && !std::mem::replace(&mut trace.is_active, true) {
            self.active.push_back(trace_id);
        }
        if let Some(id) = &call.conversation {
            self.book_conversation(id, trace_id, &call, now);
        }
        if !is_repeated {
            self.keep_receipt(slot, call, now);
        }
        self.make_room();
    }

    /// Takes note that the root of a trace passed, by its service: nothing where no call of the trace is known.
    pub fn root(&mut self, trace_id: &TraceKey, service: &Arc<str>) {
        let service = self.service(service);
        if let Some(trace) = self.traces.get_mut(trace_id)
            && trace.service != service
        {
            trace.account.mark(Gap::OtherServices);
        }
    }

    /// What is known of a trace, for its root of this service. What is known of nothing is empty.
    #[must_use]
    pub fn account(&self, trace_id: &TraceKey, service: &str, now: Instant) -> Account {
        let now = self.reading(now);
        match self.traces.get(trace_id).filter(|(_, touched)| !self.is_over(*touched, now)) {
            Some((trace, _)) => {
                let mut account = trace.account;
                if trace.service != hash(service) {
                    account.mark(Gap::OtherServices);
                }
                account
            }
            None => {
                let mut account = Account::default();
                if let Some(gap) = self.left(trace_id).map(gap_of) {
                    account.mark(gap);
                }
                account
            }
        }
    }

    /// A trace with its receipts.
    ///
    /// # Errors
    /// [`Absence`]: why there is none.
    pub fn trace(&self, trace_id: &TraceKey, now: Instant) -> Result<TraceView<T>, Absence> {
        let now = self.reading(now);
        let (trace, touched) = self.traces.get(trace_id).ok_or_else(|| self.left(trace_id))?;
        if self.is_over(touched, now) {
            return Err(Absence::Expired);
        }
        let kept = self.receipts.at(trace.receipts);
        let mut calls = kept.map_or_else(Vec::new, |standing| standing.item.calls.clone());
        calls.sort_by_key(|call| (call.time_ns, call.span_id));
        let missing = trace.booked.saturating_sub(u32::try_from(calls.len()).unwrap_or(u32::MAX));
        Ok(TraceView { listed: self.listed(trace_id, trace, touched), calls, missing })
    }

    /// A conversation.
    ///
    /// # Errors
    /// [`Absence`]: why there is none.
    pub fn conversation(&self, id: &str, now: Instant) -> Result<ConversationView, Absence> {
        let now = self.reading(now);
        let key = hash(id);
        let left = || Absence::from(self.departed_conversations.why(|| key));
        let (conversation, touched) = self.conversations.get(&key).ok_or_else(left)?;
        if self.is_over(touched, now) {
            return Err(Absence::Expired);
        }
        Ok(ConversationView {
            account: conversation.account,
            traces: conversation.traces.clone(),
            more_traces: conversation.more_traces,
            time_ns: (conversation.first_ns, conversation.last_ns),
            touched_ms: touched,
        })
    }

    /// The traces that something was booked for last, the newest first, and how long ago that was.
    #[must_use]
    pub fn recent(&self, most: usize, now: Instant) -> Vec<(TraceKey, Duration)> {
        let now = self.reading(now);
        let fresh = self.traces.iter().take(most).take_while(|(_, _, touched)| !self.is_over(*touched, now));
        fresh.map(|(id, _, touched)| (*id, Duration::from_millis(now.saturating_sub(touched)))).collect()
    }

    /// Some of all traces, in no order: those in `most` places from `from` on, by their CO2e in grams; and where to go
    /// on. Whoever wants all of them lets others in between.
    #[must_use]
    pub fn stretch(&self, from: usize, most: usize, now: Instant) -> (Vec<(TraceKey, f64)>, Option<usize>) {
        let now = self.reading(now);
        let (things, next) = self.traces.stretch(from, most);
        let fresh = things.filter(|(_, _, touched)| !self.is_over(*touched, now));
        let co2e_g = |trace: &Trace| trace.account.co2e_g().map_or(0.0, |range| range.value);
        (fresh.map(|(id, trace, _)| (*id, co2e_g(trace))).collect(), next)
    }

    /// A trace as a list says it; `None` where it left meanwhile.
    #[must_use]
    pub fn entry(&self, trace_id: &TraceKey) -> Option<Listed> {
        self.traces.get(trace_id).map(|(trace, touched)| self.listed(trace_id, trace, touched))
    }

    /// Some of the traces that something was booked for since they were given here last, `most` at most.
    pub(super) fn take_active(&mut self, most: usize) -> Vec<TraceKey> {
        let some: Vec<_> = self.active.drain(..most.min(self.active.len())).collect();
        for trace_id in &some {
            if let Some(trace) = self.traces.get_mut(trace_id) {
                trace.is_active = false;
            }
        }
        some
    }

    /// How long nothing has been booked for a trace; `None` for one that is not there.
    pub(super) fn silence(&self, trace_id: &TraceKey, now: Instant) -> Option<Duration> {
        let (_, touched) = self.traces.get(trace_id)?;
        Some(Duration::from_millis(self.reading(now).saturating_sub(touched)))
    }

    /// `now` in milliseconds on the ledger's clock, which begins with the first booking.
    #[must_use]
    pub fn reading(&self, now: Instant) -> u64 {
        let since = self.born.map_or(Duration::ZERO, |born| now.saturating_duration_since(born));
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn clock(&mut self, now: Instant) -> u64 {
        self.born.get_or_insert(now);
        self.reading(now)
    }

    fn is_over(&self, touched: u64, now: u64) -> bool {
        Duration::from_millis(now.saturating_sub(touched)) >= self.settings.ttl
    }

    fn left(&self, trace_id: &TraceKey) -> Option<Departure> {
        self.departed.why(|| hash(trace_id))
    }

    fn listed(&self, trace_id: &TraceKey, trace: &Trace, touched: u64) -> Listed {
        Listed {
            trace_id: *trace_id,
            account: trace.account,
            models: trace.models.iter().filter_map(|id| self.models.name(*id).cloned()).collect(),
            more_models: trace.more_models,
            time_ns: (trace.first_ns, trace.last_ns),
            touched_ms: touched,
        }
    }

    /// The hash of a service, which tells it from others.
    fn service(&mut self, service: &Arc<str>) -> u64 {
        match &self.last_service {
            Some((known, hash)) if Arc::ptr_eq(known, service) => *hash,
            _ => self.last_service.insert((Arc::clone(service), hash(&**service))).1,
        }
    }

    /// The place of the trace, which is the newest from now on; a new one knows whether it was there before.
    fn open(&mut self, trace_id: TraceKey, now: u64) -> Option<Slot> {
        let (slot, touched) = self.traces.open(trace_id, now)?;
        let left = match touched {
            Some(touched) if !self.is_over(touched, now) => return Some(slot),
            Some(_) => {
                let before = self.traces.at_mut(slot).map(std::mem::take);
                self.depart(&trace_id, before.unwrap_or_default().receipts, Departure::Expired);
                Some(Departure::Expired)
            }
            None => self.left(&trace_id),
        };
        if let (Some(trace), Some(departure)) = (self.traces.at_mut(slot), left) {
            trace.account.mark(gap_of(departure));
        }
        Some(slot)
    }

    fn book_conversation(&mut self, id: &str, trace_id: TraceKey, call: &Call<T>, now: u64) {
        let key = hash(id);
        let Some((slot, touched)) = self.conversations.open(key, now) else { return };
        let is_over = touched.is_some_and(|touched| self.is_over(touched, now));
        let Some(conversation) = self.conversations.at_mut(slot) else { return };
        if is_over {
            *conversation = Conversation::default();
            self.departed_conversations.note(key, Departure::Expired);
        }
        if (touched.is_none() || is_over)
            && let Some(departure) = self.departed_conversations.why(|| key)
        {
            conversation.account.mark(gap_of(departure));
        }
        conversation.account.add(&call.share);
        widen(&mut conversation.first_ns, &mut conversation.last_ns, call.time_ns);
        if !conversation.traces.contains(&trace_id) {
            if conversation.traces.len() == TRACES_EACH {
                conversation.traces.remove(0);
                conversation.more_traces = true;
            }
            conversation.traces.push(trace_id);
        }
    }

    fn keep_receipt(&mut self, slot: Slot, call: Call<T>, now: u64) {
        let settings = self.settings;
        if settings.receipt_traces == 0 || settings.receipts_each == 0 {
            return;
        }
        let Some(trace) = self.traces.at_mut(slot) else { return };
        if trace.receipts == NOWHERE {
            let new = Receipts { trace: slot, ..Receipts::default() };
            let Some(place) = self.receipts.push(new, now) else { return };
            trace.receipts = place;
        } else {
            self.receipts.touch(trace.receipts, now);
        }
        if let Some(receipts) = self.receipts.get_mut(trace.receipts)
            && receipts.calls.len() < settings.receipts_each
        {
            self.receipt_bytes += receipts.keep(call);
            self.receipts_kept += 1;
        }
        if self.receipts.len() > settings.receipt_traces {
            self.drop_oldest_receipts();
        }
    }

    fn drop_oldest_receipts(&mut self) {
        if let Some((oldest, _)) = self.receipts.oldest() {
            self.drop_receipts(oldest);
        }
    }

    fn drop_receipts(&mut self, place: Slot) {
        let Some(receipts) = self.receipts.take(place) else { return };
        self.receipts_kept -= receipts.calls.len() as u64;
        self.receipt_bytes -= receipts.bytes;
        if let Some(trace) = self.traces.at_mut(receipts.trace).filter(|trace| trace.receipts == place) {
            trace.receipts = NOWHERE;
        }
    }

    /// Traces that wait to be heard of are counted twice: a queue grows by doubling.
    fn trace_bytes(&self) -> usize {
        self.traces.len() * Self::TRACE_BYTES
            + self.receipts.len() * Self::RECEIPTS_BYTES
            + self.receipt_bytes
            + self.active.len() * 2 * size_of::<TraceKey>()
    }

    /// Receipts go first, the oldest first; then whole traces.
    fn make_room(&mut self) {
        let for_conversations = self.settings.max_bytes / CONVERSATIONS_PART;
        let for_traces = self.settings.max_bytes - for_conversations;
        // Some of them have left, or there would not be so many.
        while self.active.len() > self.settings.max_traces {
            self.take_active(1);
        }
        while self.trace_bytes() > for_traces && self.receipts.len() > 1 {
            self.drop_oldest_receipts();
        }
        while self.traces.len() > 1 && (self.traces.len() > self.settings.max_traces || self.trace_bytes() > for_traces)
        {
            if let Some((trace_id, trace)) = self.traces.pop_oldest() {
                self.evicted += 1;
                self.depart(&trace_id, trace.receipts, Departure::Evicted);
            }
        }
        let most = (for_conversations / Self::CONVERSATION_BYTES).clamp(1, self.settings.max_traces.max(1));
        while self.conversations.len() > most {
            if let Some((key, _)) = self.conversations.pop_oldest() {
                self.departed_conversations.note(key, Departure::Evicted);
            }
        }
    }

    fn expire(&mut self, now: u64) {
        for _ in 0..EXPIRED_AT_ONCE {
            if !self.traces.oldest().is_some_and(|touched| self.is_over(touched, now)) {
                break;
            }
            if let Some((trace_id, trace)) = self.traces.pop_oldest() {
                self.depart(&trace_id, trace.receipts, Departure::Expired);
            }
        }
        for _ in 0..EXPIRED_AT_ONCE {
            if !self.conversations.oldest().is_some_and(|touched| self.is_over(touched, now)) {
                break;
            }
            if let Some((key, _)) = self.conversations.pop_oldest() {
                self.departed_conversations.note(key, Departure::Expired);
            }
        }
    }

    /// A trace has left; its receipts follow.
    fn depart(&mut self, trace_id: &TraceKey, receipts: Slot, departure: Departure) {
        self.departed.note(hash(trace_id), departure);
        self.drop_receipts(receipts);
    }
}

/// Tells services, conversations and what departed apart.
fn hash<K: std::hash::Hash + ?Sized>(key: &K) -> u64 {
    Keyed.hash_one(key)
}

/// Whether the receipt of this very span is there: of a call without usage nobody else knows that it came before.
fn is_kept<T>(receipts: &Queue<Receipts<T>>, place: Slot, call: &Call<T>) -> bool {
    let is_same = |kept: &Call<T>| kept.span_id == call.span_id && kept.status == call.status;
    let unknown = matches!(call.share.standing, Standing::WithoutUsage | Standing::Failed);
    unknown && receipts.at(place).is_some_and(|standing| standing.item.calls.iter().any(is_same))
}

impl Trace {
    fn note_model(&mut self, model: Option<Option<NameId>>) {
        let Some(model) = model else { return };
        let Some(model) = model else {
            self.more_models = true;
            return;
        };
        match self.models.iter_mut().find(|known| **known == model || **known == NAMELESS) {
            Some(place) => *place = model,
            None => self.more_models = true,
        }
    }
}

const fn gap_of(departure: Departure) -> Gap {
    match departure {
        Departure::Evicted => Gap::Evicted,
        Departure::Expired => Gap::Expired,
    }
}

/// What is known of a time only widens.
fn widen(first_ns: &mut u64, last_ns: &mut u64, (start, end): (u64, u64)) {
    if start != 0 && (*first_ns == 0 || start < *first_ns) {
        *first_ns = start;
    }
    *last_ns = (*last_ns).max(end);
}
