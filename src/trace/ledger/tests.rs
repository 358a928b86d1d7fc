//! The ledger against hand-made bookings: what adds up, what leaves first, and what is said about what left.
//! Calls rest on nothing here, and time is what a test says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::trace::Range;
use crate::units::{TokenUsage, Tokens};

fn id(number: u32) -> TraceKey {
    let mut id = [0xaa; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn call(span: u8, co2e_g: f64) -> Call<()> {
    let exact = Range { low: Some(co2e_g / 2.0), value: co2e_g, high: Some(co2e_g * 2.0) };
    let usage = TokenUsage { input: Tokens::new(100), output: Tokens::new(10), ..TokenUsage::default() };
    let figures = Figures { co2e_g: Some(exact), ..Figures::default() };
    Call {
        span_id: [span; 8],
        parent_id: None,
        name: "chat".into(),
        service: "shop".into(),
        time_ns: (u64::from(span) * 10, u64::from(span) * 10 + 5),
        status: "ok",
        share: Share { standing: Standing::Counted, usage, figures },
        model: Some("openai/gpt-4o".into()),
        conversation: None,
        terms: Arc::new(()),
        own_terms_bytes: 0,
    }
}

fn ledger(settings: LedgerSettings) -> (Ledger<()>, Instant) {
    (Ledger::new(settings), Instant::now())
}

#[test]
fn a_trace_is_the_sum_of_what_was_booked_and_its_receipts_are_in_order() {
    let (mut ledger, now) = ledger(LedgerSettings::default());
    ledger.book(id(1), call(2, 0.5), now);
    ledger.book(id(2), call(9, 8.0), now);
    ledger.book(id(1), Call { model: Some("meta/llama".into()), ..call(1, 0.25) }, now);
    let trace = ledger.trace(&id(1), now).unwrap();
    assert_eq!(trace.listed.account.co2e_g(), Some(Range { low: Some(0.375), value: 0.75, high: Some(1.5) }));
    assert_eq!((trace.listed.account.calls(), trace.listed.account.input_tokens()), (2, 200));
    assert_eq!(trace.listed.models.iter().map(|it| &**it).collect::<Vec<_>>(), ["openai/gpt-4o", "meta/llama"]);
    assert_eq!(trace.listed.time_ns, (10, 25));
    assert_eq!(trace.calls.iter().map(|call| call.span_id[0]).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(trace.missing, 0);
    assert!(trace.listed.account.is_complete());
}

#[test]
fn what_was_never_seen_has_expired_or_was_evicted_says_so() {
    let ttl = Duration::from_secs(60);
    let (mut ledger, now) = ledger(LedgerSettings { max_traces: 2, ttl, ..LedgerSettings::default() });
    (1..=3).for_each(|number| ledger.book(id(number), call(1, 1.0), now));
    assert_eq!(ledger.trace(&id(1), now).unwrap_err(), Absence::Evicted);
    assert_eq!(ledger.trace(&id(9), now).unwrap_err(), Absence::NeverSeen);
    let later = now + ttl;
    assert_eq!(ledger.trace(&id(3), later).unwrap_err(), Absence::Expired, "nothing has to be booked for it");
    ledger.book(id(4), call(1, 1.0), later);
    assert_eq!(ledger.trace(&id(3), later).unwrap_err(), Absence::Expired);
    assert_eq!((ledger.level().traces, ledger.level().evicted), (1, 1));
}

#[test]
fn a_trace_that_comes_back_says_that_something_is_missing() {
    let ttl = Duration::from_secs(60);
    let (mut ledger, now) = ledger(LedgerSettings { max_traces: 1, ttl, ..LedgerSettings::default() });
    ledger.book(id(1), call(1, 1.0), now);
    ledger.book(id(2), call(1, 1.0), now);
    ledger.book(id(1), call(2, 1.0), now);
    let gaps = |ledger: &Ledger<()>, number, at| {
        ledger.trace(&id(number), at).unwrap().listed.account.gaps().collect::<Vec<_>>()
    };
    assert_eq!(gaps(&ledger, 1, now), [Gap::Evicted]);
    ledger.book(id(1), call(3, 1.0), now + ttl);
    assert_eq!(gaps(&ledger, 1, now + ttl), [Gap::Expired]);
    assert_eq!(ledger.account(&id(2), "shop", now).gaps().collect::<Vec<_>>(), [Gap::Evicted]);
}

#[test]
fn what_is_touched_stays() {
    let (mut ledger, now) = ledger(LedgerSettings { max_traces: 2, ..LedgerSettings::default() });
    [1, 2, 1, 3].into_iter().for_each(|number| ledger.book(id(number), call(1, 1.0), now));
    assert!(ledger.trace(&id(1), now).is_ok());
    assert_eq!(ledger.trace(&id(2), now).unwrap_err(), Absence::Evicted);
    let recent: Vec<_> = ledger.recent(9, now).into_iter().map(|(trace_id, _)| trace_id).collect();
    assert_eq!(recent, [id(3), id(1)]);
}

#[test]
fn receipts_are_of_the_newest_traces_and_totals_of_all() {
    let settings = LedgerSettings { receipt_traces: 1, receipts_each: 2, ..LedgerSettings::default() };
    let (mut ledger, now) = ledger(settings);
    ledger.book(id(1), call(1, 1.0), now);
    (1..=3).for_each(|span| ledger.book(id(2), call(span, 1.0), now));
    let (old, new) = (ledger.trace(&id(1), now).unwrap(), ledger.trace(&id(2), now).unwrap());
    assert_eq!((old.calls.len(), old.missing, old.listed.account.calls()), (0, 1, 1));
    assert_eq!((new.calls.len(), new.missing, new.listed.account.calls()), (2, 1, 3));
    assert_eq!(ledger.level().receipts, 2);
}

#[test]
fn bytes_are_bounded_by_leaving_out_receipts_first_and_traces_then() {
    let (mut ledger, now) = ledger(LedgerSettings { max_bytes: 64 << 10, ..LedgerSettings::default() });
    for number in 0..2000 {
        ledger.book(id(number), Call { name: "x".repeat(200).into(), ..call(1, 1.0) }, now);
        assert!(ledger.level().bytes <= 64 << 10, "{:?}", ledger.level());
    }
    let level = ledger.level();
    assert_eq!(level.evicted + level.traces, 2000);
    assert_eq!(level.receipts, 1, "the newest keeps its receipt");
}

#[test]
fn what_a_receipt_rests_on_alone_is_accounted_and_bounded_too() {
    let bytes_of = |own_terms_bytes| {
        let (mut ledger, now) = ledger(LedgerSettings::default());
        ledger.book(id(1), Call { own_terms_bytes, ..call(1, 1.0) }, now);
        ledger.level().bytes
    };
    assert_eq!(bytes_of(1000), bytes_of(0) + 1000);
    let (mut ledger, now) = ledger(LedgerSettings { max_bytes: 64 << 10, ..LedgerSettings::default() });
    for number in 0..100 {
        ledger.book(id(number), Call { own_terms_bytes: 10_000, ..call(1, 1.0) }, now);
        assert!(ledger.level().bytes <= 64 << 10, "{:?}", ledger.level());
    }
    // Of 60 KiB a hundred traces take over 20: there is room for three receipts of 10.
    assert_eq!((ledger.level().traces, ledger.level().receipts), (100, 3));
}

#[test]
fn calls_of_another_service_than_the_roots_make_it_incomplete() {
    let (mut ledger, now) = ledger(LedgerSettings::default());
    let other = |span| Call { service: "gateway".into(), ..call(span, 1.0) };
    ledger.book(id(1), call(1, 1.0), now);
    assert!(ledger.account(&id(1), "shop", now).is_complete());
    assert!(!ledger.account(&id(1), "front", now).is_complete());
    ledger.book(id(1), other(2), now);
    assert_eq!(ledger.account(&id(1), "shop", now).gaps().collect::<Vec<_>>(), [Gap::OtherServices]);
    ledger.book(id(2), other(1), now);
    ledger.root(&id(2), &"shop".into());
    assert_eq!(ledger.trace(&id(2), now).unwrap().listed.account.gaps().collect::<Vec<_>>(), [Gap::OtherServices]);
}

#[test]
fn a_call_without_usage_that_comes_again_has_one_receipt() {
    let (mut ledger, now) = ledger(LedgerSettings::default());
    let silent = || {
        let share =
            Share { standing: Standing::WithoutUsage, usage: TokenUsage::default(), figures: Figures::default() };
        Call { status: "no_tokens", share, model: None, ..call(1, 0.0) }
    };
    (0..2).for_each(|_| ledger.book(id(1), silent(), now));
    let trace = ledger.trace(&id(1), now).unwrap();
    assert_eq!((trace.calls.len(), trace.missing, trace.listed.account.calls()), (1, 0, 0));
    assert_eq!(trace.listed.account.gaps().collect::<Vec<_>>(), [Gap::CallsWithoutUsage]);
}

#[test]
fn a_conversation_goes_over_traces() {
    let (mut ledger, now) = ledger(LedgerSettings::default());
    let said = |span| Call { conversation: Some("c-1".into()), ..call(span, 0.5) };
    ledger.book(id(1), said(1), now);
    ledger.book(id(1), said(2), now);
    ledger.book(id(2), said(3), now);
    ledger.book(id(2), call(4, 9.0), now);
    let conversation = ledger.conversation("c-1", now).unwrap();
    assert_eq!((conversation.account.calls(), conversation.traces), (3, vec![id(1), id(2)]));
    assert_eq!(conversation.account.co2e_g().map(|range| range.value), Some(1.5));
    assert_eq!(ledger.conversation("c-2", now).unwrap_err(), Absence::NeverSeen);
}

#[test]
fn a_million_open_traces_fit_where_the_default_says_so() {
    let settings = LedgerSettings::default();
    let of_all = settings.max_bytes - settings.max_bytes / CONVERSATIONS_PART;
    let of_receipts = settings.receipt_traces * (Ledger::<()>::RECEIPTS_BYTES + size_of::<Call<()>>() + 200);
    assert!(of_all - of_receipts >= settings.max_traces * Ledger::<()>::TRACE_BYTES, "{}", Ledger::<()>::TRACE_BYTES);
}

#[test]
fn services_are_counted_with_the_receipts_that_keep_them() {
    let (mut shared, now) = ledger(LedgerSettings::default());
    let (mut own, _) = ledger(LedgerSettings::default());
    let service: Arc<str> = "s".repeat(128).into();
    for span in 1..=64 {
        shared.book(id(1), Call { service: Arc::clone(&service), ..call(span, 1.0) }, now);
        own.book(id(1), Call { service: format!("{span:0>128}").into(), ..call(span, 1.0) }, now);
    }
    let bytes = [&shared, &own].map(|ledger| ledger.level().bytes);
    assert!(bytes[1] - bytes[0] >= 63 * (128 + 16), "63 names more, with the two counts of each: {bytes:?}");
}
