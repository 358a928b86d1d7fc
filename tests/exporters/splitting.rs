//! Requests that are too large for a backend: sent in parts, answered for as one, nothing lost and nothing twice.

use gramtrace::exporter::{
    DeliverySettings, Exporter, GrpcExporter, MAX_REQUEST_BYTES, PartialSuccess, partial_success,
};
use gramtrace::otlp::Signal;
use gramtrace::wire::{Encoding, frame};
use http::Response;
use tonic::{Code, Status};

use crate::books::Books;
use crate::support::collector::{Collector, Setup};
use crate::support::raw::{Arrival, Raw, RawBody, answer, grpc_answer};
use crate::support::{
    NAME, delivered, delivery, grpc, grpc_settings, http, impatient, many_spans, named_spans, refused, retry, span_ids,
};

const TRACES: Signal = Signal::Traces;
const KIB: usize = 1 << 10;

fn limited(max_request_bytes: usize) -> DeliverySettings {
    DeliverySettings { max_request_bytes, ..DeliverySettings::default() }
}

/// A backend of tonic's that takes messages of at most so many bytes.
fn small(max_bytes: usize) -> Collector {
    Collector::set_up(Setup { max_message_bytes: Some(max_bytes), ..Setup::default() }, || Ok(None))
}

/// Spans of about a kibibyte each.
fn kibibytes(spans: usize) -> bytes::Bytes {
    let name = "n".repeat(KIB);
    named_spans(std::iter::repeat_n(name.as_str(), spans))
}

fn arrived(collector: &Collector) -> Vec<u64> {
    span_ids(collector.arrivals().into_iter().map(|arrival| arrival.body))
}

/// What a gRPC backend answers to a message that it takes.
fn taken() -> Response<RawBody> {
    grpc_answer(&[], frame::encode(b"").unwrap(), &[("grpc-status", "0")])
}

fn message(arrival: &Arrival) -> bytes::Bytes {
    frame::decode_unary(arrival.body()).unwrap().message
}

#[tokio::test]
async fn o_52_a_request_that_tonic_finds_too_large_arrives_in_parts() {
    let collector = small(10 * KIB);
    let (delivery, metrics) = delivery(grpc(collector.address), DeliverySettings::default());
    assert!(delivered(delivery.deliver(TRACES, kibibytes(50), 50, None).await).is_empty());
    assert_eq!(arrived(&collector), (1..=50).collect::<Vec<_>>());
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.in_flight()), (50, 0));
    // 50 KiB, halved three times each: 2 + 4 + 8 parts, of which the last eight fit.
    assert_eq!((books.attempts(NAME, "traces", "first"), books.attempts(NAME, "traces", "part")), (1, 14));
}

#[tokio::test]
async fn o_52_the_words_of_other_backends_do_the_same() {
    type Says = fn(usize) -> (&'static str, String);
    let words: [Says; 4] = [
        |len| ("8", format!("grpc: received message larger than max ({len} vs. 10240)")),
        |_| ("8", "grpc: received message after decompression larger than max 10240".to_owned()),
        |len| ("8", format!("gRPC message exceeds maximum size 10240: {len}")),
        |_| ("8", "Received message exceeds the maximum configured message size.".to_owned()),
    ];
    for says in words {
        let raw = Raw::answering(move |arrival| match message(arrival).len() {
            len if len > 10 * KIB => {
                let (code, message) = says(len);
                grpc_answer(&[], "", &[("grpc-status", code), ("grpc-message", &message)])
            }
            _ => taken(),
        });
        let raw = raw.await;
        let (delivery, metrics) = delivery(grpc(raw.address), DeliverySettings::default());
        assert!(delivered(delivery.deliver(TRACES, kibibytes(20), 20, None).await).is_empty());
        let fitting =
            raw.arrivals().iter().map(message).filter(|message| message.len() <= 10 * KIB).collect::<Vec<_>>();
        assert_eq!(span_ids(fitting), (1..=20).collect::<Vec<_>>());
        assert_eq!(Books::balanced(&metrics.encode()).sent(NAME, "traces"), 20);
    }
}

#[tokio::test]
async fn o_52_413_over_http_and_from_a_proxy_before_grpc_do_the_same() {
    let raw = Raw::answering(|arrival| answer(if arrival.body().len() > 10 * KIB { 413 } else { 200 }, &[], "")).await;
    let (to_http, metrics) = delivery(http(&raw.url()), DeliverySettings::default());
    delivered(to_http.deliver(TRACES, kibibytes(20), 20, None).await);
    let fitting = raw.arrivals().into_iter().map(Arrival::into_body).filter(|body| body.len() <= 10 * KIB);
    assert_eq!(span_ids(fitting), (1..=20).collect::<Vec<_>>());
    assert_eq!(Books::balanced(&metrics.encode()).sent(NAME, "traces"), 20);

    let raw = Raw::answering(|arrival| match message(arrival).len() {
        len if len > 10 * KIB => answer(413, &[("content-type", "text/html")], "<html>"),
        _ => taken(),
    });
    let (to_grpc, metrics) = delivery(grpc(raw.await.address), DeliverySettings::default());
    delivered(to_grpc.deliver(TRACES, kibibytes(20), 20, None).await);
    assert_eq!(Books::balanced(&metrics.encode()).sent(NAME, "traces"), 20);
}

#[tokio::test]
async fn o_52_with_a_configured_maximum_nothing_larger_is_sent_and_as_few_parts_as_fit() {
    let collector = small(10 * KIB);
    let (delivery, metrics) = delivery(grpc(collector.address), limited(10 * KIB));
    delivered(delivery.deliver(TRACES, kibibytes(50), 50, None).await);
    let arrivals = collector.arrivals();
    // 9 spans of 1 KiB and their ids fit into 10 KiB.
    assert_eq!(
        arrivals.iter().map(|arrival| span_ids([arrival.body.clone()]).len()).collect::<Vec<_>>(),
        [9, 9, 9, 9, 9, 5]
    );
    assert_eq!(arrived(&collector), (1..=50).collect::<Vec<_>>());
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.attempts(NAME, "traces", "first"), books.attempts(NAME, "traces", "part")), (0, 6));
}

#[tokio::test]
async fn o_52_the_maximum_is_of_the_bytes_before_compression() {
    let mut settings = grpc_settings("");
    let collector = small(10 * KIB);
    settings.endpoint = collector.address.to_string();
    settings.encoding = Encoding::Gzip;
    let (delivery, _) = delivery(GrpcExporter::new(settings).unwrap(), limited(10 * KIB));
    // Compressed, all of it is below a kibibyte.
    delivered(delivery.deliver(TRACES, kibibytes(20), 20, None).await);
    assert_eq!(collector.arrivals().len(), 3);
}

#[tokio::test]
async fn o_52_a_request_that_fits_is_sent_byte_for_byte() {
    let raw = Raw::answering(|_| taken()).await;
    let body = kibibytes(20);
    let (delivery, _) = delivery(grpc(raw.address), limited(body.len()));
    delivered(delivery.deliver(TRACES, body.clone(), 20, None).await);
    assert_eq!(message(&raw.arrival()), body);
}

#[tokio::test]
async fn o_52_one_span_that_is_too_large_alone_is_rejected_and_the_others_arrive() {
    let large = "n".repeat(20 * KIB);
    let names = ["a", "b", &large, "c"];
    for settings in [DeliverySettings::default(), limited(10 * KIB)] {
        let collector = small(10 * KIB);
        let (delivery, metrics) = delivery(grpc(collector.address), settings);
        let response = delivered(delivery.deliver(TRACES, named_spans(names), 4, None).await);
        let said = partial_success(TRACES, &response).unwrap();
        assert_eq!(said.rejected, 1);
        assert!(said.message.starts_with("too large alone: exporter `otlp/backend`: "), "{}", said.message);
        assert_eq!(arrived(&collector), [1, 2, 4]);
        let books = Books::balanced(&metrics.encode());
        assert_eq!((books.sent(NAME, "traces"), books.failed(NAME, "traces", "too_large")), (3, 1));
    }
}

#[tokio::test]
async fn o_52_a_request_of_one_span_that_is_too_large_is_acknowledged_with_one_rejected() {
    let large = "n".repeat(20 * KIB);
    for settings in [DeliverySettings::default(), limited(10 * KIB), impatient()] {
        let collector = small(10 * KIB);
        let (delivery, metrics) = delivery(grpc(collector.address), settings);
        let response = delivered(delivery.deliver(TRACES, named_spans([large.as_str()]), 1, None).await);
        assert_eq!(partial_success(TRACES, &response).unwrap().rejected, 1);
        assert!(collector.arrivals().is_empty());
        assert_eq!(Books::balanced(&metrics.encode()).failed(NAME, "traces", "too_large"), 1);
    }
}

#[tokio::test]
async fn o_16_o_52_a_request_over_64_mib_goes_in_parts_below_it() {
    let collector = Collector::start().await;
    let name = "n".repeat(1 << 20);
    let body = named_spans(std::iter::repeat_n(name.as_str(), 65));
    assert!(body.len() > MAX_REQUEST_BYTES);
    let (delivery, metrics) = delivery(grpc(collector.address), DeliverySettings::default());
    delivered(delivery.deliver(TRACES, body, 65, None).await);
    assert!(collector.arrivals().iter().all(|arrival| arrival.body.len() <= MAX_REQUEST_BYTES));
    assert_eq!(arrived(&collector), (1..=65).collect::<Vec<_>>());
    assert_eq!(Books::balanced(&metrics.encode()).sent(NAME, "traces"), 65);
}

#[tokio::test]
async fn o_52_partial_successes_of_the_parts_are_summed_and_each_word_said_once() {
    let collector = Collector::answering(|| Ok(Some((1, "too old".to_owned())))).await;
    let (delivery, metrics) = delivery(grpc(collector.address), limited(10 * KIB));
    let response = delivered(delivery.deliver(TRACES, kibibytes(50), 50, None).await);
    let said = PartialSuccess { rejected: 6, message: "too old".to_owned() };
    assert_eq!(partial_success(TRACES, &response), Some(said));
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.rejected(NAME, "traces")), (44, 6));
}

/// Takes parts but the one with the span of this id, for which it has a status.
async fn objecting(id: u64, status: &'static str) -> Raw {
    let answer = move |arrival: &Arrival| match span_ids([message(arrival)]).contains(&id) {
        true => grpc_answer(&[], "", &[("grpc-status", status), ("grpc-message", "no")]),
        false => taken(),
    };
    Raw::answering(answer).await
}

#[tokio::test]
async fn o_52_all_parts_must_be_acknowledged_and_a_passing_failure_ends_the_sending() {
    let raw = objecting(20, "14").await;
    let (delivery, metrics) = delivery(grpc(raw.address), limited(10 * KIB));
    let failure = retry(delivery.deliver(TRACES, kibibytes(50), 50, None).await);
    assert_eq!((failure.code, failure.message.as_str()), (Code::Unavailable, "exporter `otlp/backend`: no"));
    // Two parts of nine are there; the sender repeats the whole.
    assert_eq!(raw.arrivals().len(), 3);
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.failed(NAME, "traces", "unavailable")), (18, 32));
}

#[tokio::test]
async fn o_52_a_lasting_refusal_of_one_part_does_not_keep_the_others_from_arriving() {
    let raw = objecting(20, "3").await;
    let (delivery, metrics) = delivery(grpc(raw.address), limited(10 * KIB));
    let failure = refused(delivery.deliver(TRACES, kibibytes(50), 50, None).await);
    assert_eq!(failure.code, Code::InvalidArgument);
    assert_eq!(raw.arrivals().len(), 6);
    let books = Books::balanced(&metrics.encode());
    assert_eq!((books.sent(NAME, "traces"), books.failed(NAME, "traces", "refused")), (41, 9));
}

#[tokio::test]
async fn o_29_o_52_each_part_is_sent_again_by_itself() {
    let given = std::sync::atomic::AtomicUsize::new(0);
    // Every second sending fails.
    let collector = Collector::answering(move || match given.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
        0 => Err(Status::unavailable("busy")),
        _ => Ok(None),
    });
    let collector = collector.await;
    let settings = DeliverySettings { max_request_bytes: 10 * KIB, ..impatient() };
    let (delivery, metrics) = delivery(grpc(collector.address), settings);
    delivered(delivery.deliver(TRACES, kibibytes(50), 50, None).await);
    assert_eq!(collector.arrivals().len(), 12);
    let books = Books::balanced(&metrics.encode());
    assert_eq!(books.sent(NAME, "traces"), 50);
    assert_eq!((books.attempts(NAME, "traces", "part"), books.attempts(NAME, "traces", "retry")), (6, 6));
}

#[tokio::test]
async fn o_52_a_backend_that_finds_everything_too_large_is_not_asked_for_ever() {
    let raw = Raw::answering(|_| answer(413, &[], "")).await;
    let (delivery, metrics) = delivery(http(&raw.url()), DeliverySettings::default());
    let failure = refused(delivery.deliver(TRACES, many_spans(5000), 5000, None).await);
    assert_eq!(failure.code, Code::ResourceExhausted);
    assert!(failure.message.contains("send smaller batches"), "{}", failure.message);
    let arrivals = raw.arrivals();
    assert!(arrivals.len() <= 1025, "{}", arrivals.len());
    assert_eq!(Books::balanced(&metrics.encode()).failed(NAME, "traces", "too_large"), 5000);
}

#[tokio::test]
async fn o_52_what_stays_in_this_process_is_never_taken_apart() {
    let (sender, mut captured) = tokio::sync::mpsc::channel(1);
    let exporter = Exporter::Capture(gramtrace::exporter::CaptureExporter::new("capture", sender));
    let (delivery, _) = delivery(exporter, DeliverySettings { max_request_bytes: usize::MAX, ..Default::default() });
    let body = bytes::Bytes::from(vec![0; MAX_REQUEST_BYTES + 1]);
    delivered(delivery.deliver(TRACES, body.clone(), 0, None).await);
    assert_eq!(captured.recv().await.unwrap().1.len(), body.len());
}
