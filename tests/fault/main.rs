//! The service under faults, through its real binary, for as long as `FAULT_SECONDS` says: at the end the books balance,
//! nothing that was acknowledged is missing at the backend, and memory stayed below its limit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a long run says how it goes")]

mod backend;
#[path = "../support/books.rs"]
mod books;
mod chance;
mod senders;
mod service;
mod spans;

use std::time::{Duration, Instant};

use backend::{Backend, Mood};
use chance::Chance;
use senders::Senders;
use service::{MEMORY_LIMIT_MIB, Service};

/// As part of every test run; `tests/fault/run` asks for more.
const SECONDS: u64 = 5;

/// A mood lasts for so many outcomes that senders see, the least and the most.
const MOOD: (u64, u64) = (3, 15);

/// The backend's moods, the good one most often.
const MOODS: [Mood; 11] = [
    Mood::Takes,
    Mood::Slow,
    Mood::Takes,
    Mood::Refuses,
    Mood::Takes,
    Mood::Resets,
    Mood::Silent,
    Mood::Takes,
    Mood::Gone,
    Mood::HalfCloses,
    Mood::Rejects,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_48_o_50_nothing_acknowledged_is_lost_under_faults_and_memory_stays_below_its_limit() {
    let seconds = std::env::var("FAULT_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let (backend, started) = (Backend::start().await, Instant::now());
    let mut service = Service::start(backend.address);
    let senders = Senders::start(&service);
    let mut chance = Chance::of(7);
    let (mut moods, mut told) = (MOODS.iter().cycle(), Duration::ZERO);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mood = *moods.next().unwrap();
        backend.feels(mood).await;
        senders.outcomes(chance.from(MOOD.0, MOOD.1)).await;
        if chance.one_in(3) {
            service.reload(&mut chance);
        }
        if started.elapsed() > told {
            let (acknowledged, peak) = (senders.acknowledged(), service.peak_mib());
            println!("{:>4} s: {acknowledged} spans acknowledged, peak {peak} MiB", started.elapsed().as_secs());
            told += Duration::from_secs(30);
        }
    }
    backend.feels(Mood::Takes).await;
    let sent = senders.end().await;
    let books = service.books_at_rest().await;
    let peak = service.peak_mib();
    let log = service.end().await;

    let received = backend.received();
    let arrived = received.iter().filter(|id| sent.acknowledged.contains(id)).count();
    let report = format!(
        "{seconds} s: {} requests, {} acknowledged with {} spans, {} refused, {} vanished; backend: {} spans, {} twice or \
         more; accepted {}, sent {}, over the memory limit {}; reloads {}; peak {peak} of {MEMORY_LIMIT_MIB} MiB",
        sent.requests,
        sent.requests_acknowledged,
        sent.acknowledged.len(),
        sent.refused,
        sent.vanished,
        received.len(),
        backend.repeated(),
        books.accepted("traces"),
        books.sent("otlp_grpc", "traces"),
        books.sum("gramtrace_receiver_requests_total", &[("outcome", "memory_limit")]),
        books.sum("gramtrace_config_reloads_total", &[("outcome", "success")]),
    );
    println!("{report}");
    assert_eq!(books.in_flight(), 0, "{report}");
    assert_eq!(arrived, sent.acknowledged.len(), "acknowledged and missing at the backend: {report}");
    assert!(books.accepted("traces") >= sent.acknowledged.len() as u64, "{report}");
    assert!(books.sent("otlp_grpc", "traces") <= backend.spans(), "sent and never counted by the backend: {report}");
    assert!(books.sum("gramtrace_receiver_requests_total", &[("outcome", "memory_limit")]) > 0, "{report}");
    assert!(sent.requests_acknowledged > 0 && sent.refused > 0 && sent.vanished > 0, "{report}");
    assert_eq!(books.sum("gramtrace_config_reloads_total", &[("outcome", "failure")]), 0, "{report}");
    assert!(books.sum("gramtrace_config_reloads_total", &[("outcome", "success")]) > 0, "{report}");
    assert!(peak <= MEMORY_LIMIT_MIB, "{report}");
    let panics: Vec<_> = log.iter().filter(|line| line.contains("panicked")).collect();
    assert!(panics.is_empty(), "{panics:?}");
}
