//! Sending again: what is, when, how often, and what is booked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gramtrace::exporter::DeliverySettings;
use gramtrace::otlp::Signal;
use gramtrace::wire::frame;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::books::Books;
use crate::support::collector::{Answer, Collector};
use crate::support::raw::{Raw, answer, grpc_answer};
use crate::support::{
    NAME, delivered, delivery, grpc, http, impatient, many_spans, our_fault, refused, request, retry,
};

const TRACES: Signal = Signal::Traces;

/// A collector that gives `answers` one after the other, and takes everything then.
async fn answering(answers: Vec<Answer>) -> Collector {
    let given = AtomicUsize::new(0);
    let answer = move || answers.get(given.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or(Ok(None));
    Collector::answering(answer).await
}

fn later(delay: Duration) -> Status {
    Status::with_error_details(Code::Unavailable, "busy", ErrorDetails::with_retry_info(Some(delay)))
}

#[tokio::test]
async fn without_retry_a_request_is_sent_once() {
    let collector = answering(vec![Err(Status::unavailable("busy"))]).await;
    let (delivery, metrics) = delivery(grpc(collector.address), DeliverySettings::default());
    let failure = retry(delivery.deliver(TRACES, request(TRACES), 1, None).await);
    assert_eq!((failure.code, collector.arrivals().len()), (Code::Unavailable, 1));
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.failed(NAME, "traces", "unavailable")), (0, 1));
}

#[tokio::test]
async fn o_25_o_29_what_passes_is_sent_again_until_it_is_taken_and_booked_once() {
    let codes =
        [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss];
    let collector = answering(codes.map(|code| Err(Status::new(code, "busy"))).into()).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    delivered(delivery.deliver(TRACES, many_spans(5), 5, None).await);
    let arrivals = collector.arrivals();
    assert_eq!(arrivals.len(), 7);
    assert!(arrivals.iter().all(|arrival| arrival.body == many_spans(5)));
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.in_flight()), (5, 0));
    assert_eq!((books.attempts(NAME, "traces", "first"), books.attempts(NAME, "traces", "retry")), (1, 6));
}

#[tokio::test]
async fn o_26_the_four_statuses_and_lost_connections_are_sent_again() {
    let statuses = [429, 502, 503, 504];
    let given = AtomicUsize::new(0);
    let raw = Raw::answering(move |_| {
        answer(statuses.get(given.fetch_add(1, Ordering::Relaxed)).copied().unwrap_or(200), &[], "")
    });
    let raw = raw.await;
    let (delivery, metrics) = delivery(http(&raw.url()), impatient());
    delivered(delivery.deliver(TRACES, request(TRACES), 1, None).await);
    assert_eq!(raw.arrivals().len(), 5);
    assert_eq!(Books::balanced(&metrics.encode()).attempts(NAME, "traces", "retry"), 4);
}

#[tokio::test]
async fn a_backend_that_is_not_there_yet_is_reached_when_it_comes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // The first connection finds nobody who answers.
    let first = async {
        drop(listener.accept().await.unwrap());
        Raw::on(listener, |_| grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")]))
    };
    let (delivery, _) = delivery(grpc(address), impatient());
    let (outcome, raw) = tokio::join!(delivery.deliver(TRACES, request(TRACES), 1, None), first);
    delivered(outcome);
    assert_eq!(raw.arrivals().len(), 1);
}

#[tokio::test]
async fn o_25_o_26_nothing_else_is_sent_again() {
    for code in [Code::InvalidArgument, Code::Internal, Code::Unknown, Code::ResourceExhausted, Code::Unimplemented] {
        let collector = answering(vec![Err(Status::new(code, "no"))]).await;
        let (delivery, _) = delivery(grpc(collector.address), impatient());
        refused(delivery.deliver(TRACES, request(TRACES), 1, None).await);
        assert_eq!(collector.arrivals().len(), 1, "{code:?}");
    }
    for status in [400, 404, 500, 501] {
        let raw = Raw::answering(move |_| answer(status, &[], "")).await;
        let (delivery, _) = delivery(http(&raw.url()), impatient());
        refused(delivery.deliver(TRACES, request(TRACES), 1, None).await);
        assert_eq!(raw.arrivals().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_not_tried_again_from_here() {
    let collector = answering(vec![Err(Status::unauthenticated("bad token"))]).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    let failure = our_fault(delivery.deliver(TRACES, request(TRACES), 1, None).await);
    assert_eq!((failure.code, collector.arrivals().len()), (Code::Unavailable, 1));
    assert_eq!(Books::balanced(&metrics.encode()).failed(NAME, "traces", "credentials"), 1);
}

#[tokio::test]
async fn o_19_o_20_a_partial_success_is_not_sent_again() {
    let collector = answering(vec![Ok(Some((2, "too old".to_owned())))]).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    delivered(delivery.deliver(TRACES, many_spans(5), 5, None).await);
    assert_eq!(collector.arrivals().len(), 1);
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.rejected(NAME, "traces")), (3, 2));
}

#[tokio::test]
async fn o_28_a_retry_info_is_waited_for() {
    let delay = Duration::from_millis(120);
    let collector = answering(vec![Err(later(delay))]).await;
    let (delivery, _) = delivery(grpc(collector.address), impatient());
    let begun = Instant::now();
    delivered(delivery.deliver(TRACES, request(TRACES), 1, None).await);
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn o_27_a_retry_after_is_waited_for() {
    let given = AtomicUsize::new(0);
    let raw = Raw::answering(move |_| match given.fetch_add(1, Ordering::Relaxed) {
        0 => answer(503, &[("retry-after", "1")], ""),
        _ => answer(200, &[], ""),
    });
    let (delivery, _) = delivery(http(&raw.await.url()), impatient());
    let begun = Instant::now();
    delivered(delivery.deliver(TRACES, request(TRACES), 1, None).await);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn o_29_a_wait_beyond_the_senders_deadline_ends_with_the_backends_answer_at_once() {
    let asked = Duration::from_secs(60);
    let collector = Collector::answering(move || Err(later(asked))).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    let begun = Instant::now();
    let outcome = delivery.deliver(TRACES, request(TRACES), 1, Some(begun + Duration::from_secs(10))).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the deadline is in 10 s");
    let failure = retry(outcome);
    assert_eq!((failure.code, failure.retry_after), (Code::Unavailable, Some(asked)));
    assert_eq!(failure.message, "exporter `otlp/backend`: busy");
    assert_eq!(collector.arrivals().len(), 1);
    Books::balanced(&metrics.encode());
}

#[tokio::test]
async fn o_29_attempts_end_at_the_senders_deadline() {
    let collector = Collector::answering(|| Err(Status::unavailable("busy"))).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    let deadline = Instant::now() + Duration::from_millis(100);
    retry(delivery.deliver(TRACES, request(TRACES), 1, Some(deadline)).await);
    assert!(collector.arrivals().len() > 1);
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.in_flight()), (0, 0));
}

#[tokio::test]
async fn a_sender_that_goes_away_ends_the_attempts_and_its_items_are_abandoned() {
    let collector = Collector::answering(|| Err(Status::unavailable("busy"))).await;
    let (delivery, metrics) = delivery(grpc(collector.address), impatient());
    let delivery = Arc::new(delivery);
    let sending = Arc::clone(&delivery);
    let task = tokio::spawn(async move { sending.deliver(TRACES, many_spans(3), 3, None).await });
    while collector.arrivals().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Books::balanced(&metrics.encode()).in_flight(), 3);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.in_flight(), books.failed(NAME, "traces", "abandoned")), (0, 3));
}
