//! The books while everything happens at once: backends that refuse, are busy, take parts only or reject some, senders
//! that go away. They balance at every reading, and at the end say what the backends themselves counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gramtrace::exporter::{DeliverySettings, Destination, GrpcExporter, GrpcExporterSettings};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline};
use gramtrace::telemetry::Metrics;
use gramtrace::wire::frame;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::task::JoinSet;

use crate::books::Books;
use crate::support::raw::{Raw, grpc_answer};
use crate::support::{grpc_settings, impatient, many_spans, span_ids};

const TRACES: Signal = Signal::Traces;
const REQUESTS: usize = 120;
/// Spans of each request; some are too many for a backend at once.
const SPANS: [usize; 4] = [1, 5, 40, 90];

/// What a backend counted for itself: spans that it took, and spans that it rejected in partial successes.
#[derive(Default)]
struct Ledger {
    taken: AtomicU64,
    rejected: AtomicU64,
    asked: AtomicU64,
}

/// A backend that takes at most 2 KiB, and of that, by turns: all, nothing for now, nothing ever, all but one.
async fn moody() -> (Raw, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::default());
    let book = Arc::clone(&ledger);
    let raw = Raw::answering(move |arrival| {
        let message = frame::decode_unary(arrival.body()).unwrap().message;
        if message.len() > 2048 {
            let words = [("grpc-status", "8"), ("grpc-message", "received message larger than max (9 vs. 2048)")];
            return grpc_answer(&[], "", &words);
        }
        let spans = span_ids([message]).len() as u64;
        match book.asked.fetch_add(1, Ordering::Relaxed) % 8 {
            0 | 3 => grpc_answer(&[], "", &[("grpc-status", "14"), ("grpc-message", "busy")]),
            5 => grpc_answer(&[], "", &[("grpc-status", "3"), ("grpc-message", "no name")]),
            6 => {
                let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
                let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
                book.taken.fetch_add(spans - 1, Ordering::Relaxed);
                book.rejected.fetch_add(1, Ordering::Relaxed);
                grpc_answer(&[], frame::encode(&answer).unwrap(), &[("grpc-status", "0")])
            }
            _ => {
                book.taken.fetch_add(spans, Ordering::Relaxed);
                grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])
            }
        }
    });
    (raw.await, ledger)
}

fn destination(name: &str, backend: &Raw, delivery: DeliverySettings) -> Destination {
    let settings = GrpcExporterSettings { name: name.to_owned(), ..grpc_settings(backend.address) };
    Destination { exporter: Arc::new(GrpcExporter::new(settings).unwrap().into()), delivery }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance_at_every_moment_and_say_what_the_backends_counted() {
    let ((one, ones), (two, twos)) = (moody().await, moody().await);
    let metrics = Metrics::new();
    let destinations = vec![
        destination("one", &one, DeliverySettings::default()),
        destination("two", &two, DeliverySettings { max_request_bytes: 1500, ..impatient() }),
    ];
    let pipeline = Arc::new(Pipeline::new(None, destinations, metrics.clone()));
    let mut sends = JoinSet::new();
    for spans in SPANS.into_iter().cycle().take(REQUESTS) {
        let (pipeline, origin) = (Arc::clone(&pipeline), metrics.receiver("otlp", "grpc"));
        let body = many_spans(spans);
        sends.spawn(async move {
            pipeline.export(Export { signal: TRACES, body: body.into(), deadline: None, origin }).await
        });
    }
    let mut answered = 0;
    while let Some(sent) = sends.join_next().await {
        // An answer, whatever it is.
        let _ = sent.unwrap();
        answered += 1;
        Books::balanced(&metrics.encode());
    }
    let books = Books::balanced(&metrics.encode());
    assert_eq!((answered, books.in_flight()), (REQUESTS, 0));
    for (exporter, ledger) in [("one", ones), ("two", twos)] {
        assert_eq!(books.sent(exporter, "traces"), ledger.taken.load(Ordering::Relaxed), "{exporter}");
        assert_eq!(books.rejected(exporter, "traces"), ledger.rejected.load(Ordering::Relaxed), "{exporter}");
        assert!(books.failed(exporter, "traces", "refused") > 0, "{exporter}");
        assert!(books.attempts(exporter, "traces", "part") > 0, "{exporter}");
    }
    assert_eq!(books.failed("two", "traces", "unavailable"), 0, "it is sent again until it is taken");
    assert!(books.failed("one", "traces", "unavailable") > 0 && books.attempts("two", "traces", "retry") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_be_sent_is_at_the_backend_however_many_senders_go_away() {
    let (backend, ledger) = moody().await;
    let metrics = Metrics::new();
    let pipeline = Pipeline::new(None, vec![destination("one", &backend, impatient())], metrics.clone());
    let pipeline = Arc::new(pipeline);
    let mut sends = JoinSet::new();
    let mut senders = Vec::new();
    for spans in SPANS.into_iter().cycle().take(REQUESTS) {
        let (pipeline, origin) = (Arc::clone(&pipeline), metrics.receiver("otlp", "grpc"));
        let body = many_spans(spans);
        let send =
            async move { pipeline.export(Export { signal: TRACES, body: body.into(), deadline: None, origin }).await };
        senders.push(sends.spawn(send));
    }
    // With each request that ends, a sender goes away whose own is under way.
    while let Some(sent) = sends.join_next().await {
        assert!(sent.is_ok() || sent.is_err_and(|error| error.is_cancelled()));
        Books::balanced(&metrics.encode());
        senders.retain(|sender| !sender.is_finished());
        if let Some(sender) = senders.pop() {
            sender.abort();
        }
    }
    let books = Books::balanced(&metrics.encode());
    assert_eq!(books.in_flight(), 0);
    assert!(books.failed("one", "traces", "abandoned") > 0);
    // What a sender did not wait for may have arrived.
    assert!(books.sent("one", "traces") <= ledger.taken.load(Ordering::Relaxed));
}
