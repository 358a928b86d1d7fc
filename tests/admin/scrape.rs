//! How long a page of ten thousand series takes, and what it costs those who book meanwhile.
//! A measurement: `cargo test --release --test admin -- --ignored --nocapture`. On two cores, without link-time optimisation: a
//! page takes 3 ms (slowest of 20: 5.2 ms); a booking 0.8 µs, p99.9 13 µs alone and 17 µs while pages are read without a pause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gramtrace::telemetry::{Booking, EmissionBook, EmissionSettings, Exemplar, Metrics, TextFormat};
use gramtrace::units::Sum;
use smallvec::smallvec;

const COMBINATIONS: usize = 1_000;

fn sum(of: f64) -> Sum {
    let mut sum = Sum::default();
    sum.add(of);
    sum
}

fn book(book: &EmissionBook, number: usize) {
    let (service, user) = (format!("service-{}", number % 100), format!("user-{}", number / 100).into_boxed_str());
    let part = 0.001 + number as f64 / 3.0;
    let booking = Booking {
        labels: [&service, "openai", "openai/gpt-4o", "US-CAL-CISO", "C"],
        more_labels: &[user, "red".into(), "search".into(), "production".into()],
        calls: smallvec![("ok", 1.0)],
        tokens: smallvec![("input", 100.0), ("cache_read", 10.0), ("output", 7.0), ("reasoning", 3.0)],
        energy_j: Some(sum(part)),
        co2e_g: Some([part, part / 2.0, part * 2.0].map(sum)),
        embodied_co2e_g: Some(sum(part)),
        exemplar: Some(Exemplar { trace_id: [9; 16], span_id: [3; 8], co2e_g: part, energy_j: Some(part) }),
    };
    book.add([booking], false, SystemTime::now());
}

fn filled() -> (Metrics, EmissionBook) {
    let metrics = Metrics::new();
    let labels = ["user", "team", "feature", "environment"].map(|name| (name.to_owned(), 1_000)).into();
    let settings = EmissionSettings { labels, max_services: 1_000, max_series: 20_000 };
    let emissions = metrics.emission_book(&settings);
    (0..COMBINATIONS).for_each(|number| book(&emissions, number));
    (metrics, emissions)
}

#[test]
fn a_page_has_every_series_of_every_combination_once() {
    let (metrics, _) = filled();
    let page = metrics.encode_as(TextFormat::OpenMetrics);
    let series = page.lines().filter(|line| line.contains("service=\"service-")).count();
    assert_eq!(series, COMBINATIONS * 10);
    assert_eq!(page.lines().filter(|line| line.contains("trace_id")).count(), COMBINATIONS * 2);
}

#[test]
#[ignore = "a measurement, of an optimised build"]
fn a_scrape_of_ten_thousand_series_is_quick_and_holds_nobody_up() {
    let (metrics, emissions) = filled();
    let mut pages: Vec<Duration> = (0..20)
        .map(|_| {
            let start = Instant::now();
            assert!(metrics.encode_as(TextFormat::OpenMetrics).len() > 1_000_000);
            start.elapsed()
        })
        .collect();
    let slowest_booking = |scraped: bool| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            if scraped {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        drop(metrics.encode());
                    }
                });
            }
            let mut took: Vec<Duration> = (0..200_000)
                .map(|number| {
                    let start = Instant::now();
                    book(&emissions, number % COMBINATIONS);
                    start.elapsed()
                })
                .collect();
            done.store(true, Ordering::Relaxed);
            took.sort_unstable();
            (took[took.len() / 2], took[took.len() * 999 / 1000], took[took.len() - 1])
        })
    };
    pages.sort_unstable();
    let (alone, beside) = (slowest_booking(false), slowest_booking(true));
    println!("a page of 10,000 series: median {:?}, slowest {:?}", pages[10], pages[19]);
    println!("a booking, median, p99.9, slowest: {alone:?}; while pages are read without a pause: {beside:?}");
    assert!(pages[19] < Duration::from_millis(100));
}
