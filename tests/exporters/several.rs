//! Several backends behind one pipeline: each gets everything, whatever becomes of the others.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::{Exporter, GrpcExporter, PartialSuccess, partial_success};
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Export, Pipeline};
use gramtrace::rejection::{Failure, Rejection};
use gramtrace::telemetry::Metrics;
use tokio::net::TcpListener;
use tonic::{Code, Status};

use crate::books::Books;
use crate::support::collector::{Answer, Collector};
use crate::support::raw::{Raw, answer};
use crate::support::{grpc_settings, http_settings, many_spans, request};

const TRACES: Signal = Signal::Traces;

/// A pipeline to several backends, and what is booked on the way.
struct Fan {
    pipeline: Arc<Pipeline>,
    metrics: Metrics,
}

impl Fan {
    fn to(exporters: impl IntoIterator<Item = Exporter>) -> Self {
        let metrics = Metrics::new();
        let exporters: Vec<_> = exporters.into_iter().map(Arc::new).collect();
        Self { pipeline: Arc::new(Pipeline::new(None, exporters, metrics.clone())), metrics }
    }

    async fn send(&self, signal: Signal, body: Bytes) -> Result<Bytes, Failure> {
        let origin = self.metrics.receiver("otlp", "grpc");
        match self.pipeline.export(Export { signal, body: body.into(), deadline: None, origin }).await {
            Ok(response) => Ok(response),
            Err(Rejection::Backend(failure)) => Err(failure),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn books(&self) -> Books {
        Books::balanced(&self.metrics.encode())
    }
}

fn exporter(name: &str, endpoint: impl ToString) -> Exporter {
    let settings = gramtrace::exporter::GrpcExporterSettings { name: name.to_owned(), ..grpc_settings(endpoint) };
    GrpcExporter::new(settings).unwrap().into()
}

async fn saying(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Collector {
    Collector::answering(answer).await
}

/// An address where nothing listens.
async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn o_48_every_backend_gets_the_same_bytes_and_all_must_acknowledge() {
    let (one, two) = (Collector::start().await, Collector::start().await);
    let fan = Fan::to([exporter("one", one.address), exporter("two", two.address)]);
    assert_eq!(fan.send(TRACES, many_spans(7)).await, Ok(Bytes::new()));
    for collector in [&one, &two] {
        assert_eq!(collector.arrivals()[0].body, many_spans(7));
    }
    let books = fan.books();
    assert_eq!((books.accepted("traces"), books.sent("one", "traces"), books.sent("two", "traces")), (7, 7, 7));
}

#[tokio::test]
async fn o_48_a_backend_that_is_not_there_keeps_nothing_from_the_others() {
    let there = Collector::start().await;
    let fan = Fan::to([exporter("gone", nobody().await), exporter("there", there.address)]);
    let failure = fan.send(TRACES, many_spans(7)).await.unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.starts_with("exporter `gone`: cannot reach "), "{}", failure.message);
    assert_eq!(there.arrivals().len(), 1);
    let books = fan.books();
    assert_eq!((books.sent("there", "traces"), books.failed("gone", "traces", "unavailable")), (7, 7));
    assert_eq!(books.accepted("traces"), 0);
}

#[tokio::test]
async fn o_48_a_backend_that_is_slow_holds_up_no_other() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let quick = Collector::start().await;
    let fan = Arc::new(Fan::to([exporter("silent", silent.local_addr().unwrap()), exporter("quick", quick.address)]));
    let sending = Arc::clone(&fan);
    let task = tokio::spawn(async move { sending.send(TRACES, many_spans(7)).await });
    while fan.books().sent("quick", "traces") < 7 {
        tokio::task::yield_now().await;
    }
    assert_eq!(quick.arrivals().len(), 1);
    assert!(!task.is_finished(), "not before the other has answered");
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    // The tasks of each backend end with the request's, one after the other.
    while fan.books().in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    let books = fan.books();
    assert_eq!((books.failed("silent", "traces", "abandoned"), books.accepted("traces")), (7, 0));
}

#[tokio::test]
async fn o_48_a_backend_that_refuses_for_good_is_heard_and_the_others_have_it() {
    let refusing = saying(|| Err(Status::invalid_argument("no name"))).await;
    let taking = Collector::start().await;
    let fan = Fan::to([exporter("refusing", refusing.address), exporter("taking", taking.address)]);
    let failure = fan.send(TRACES, many_spans(7)).await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (Code::InvalidArgument, "exporter `refusing`: no name"));
    let books = fan.books();
    assert_eq!((books.sent("taking", "traces"), books.failed("refusing", "traces", "refused")), (7, 7));
}

#[tokio::test]
async fn o_48_a_passing_failure_outweighs_a_lasting_one() {
    let refusing = saying(|| Err(Status::invalid_argument("no name"))).await;
    let busy = saying(|| Err(Status::unavailable("busy"))).await;
    let fan = Fan::to([exporter("refusing", refusing.address), exporter("busy", busy.address)]);
    let failure = fan.send(TRACES, many_spans(7)).await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (Code::Unavailable, "exporter `busy`: busy"));
}

#[tokio::test]
async fn o_19_o_48_the_partial_success_of_one_is_handed_back() {
    let partial = saying(|| Ok(Some((2, "too old".to_owned())))).await;
    let taking = Collector::start().await;
    let fan = Fan::to([exporter("taking", taking.address), exporter("partial", partial.address)]);
    let response = fan.send(TRACES, many_spans(7)).await.unwrap();
    let said = PartialSuccess { rejected: 2, message: "too old".to_owned() };
    assert_eq!(partial_success(TRACES, &response), Some(said));
    let books = fan.books();
    assert_eq!((books.sent("taking", "traces"), books.sent("partial", "traces")), (7, 5));
    assert_eq!((books.rejected("partial", "traces"), books.accepted("traces")), (2, 7));
}

#[tokio::test]
async fn o_48_each_backend_has_its_own_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = grpc_settings(silent.local_addr().unwrap());
    settings.timeout = Duration::from_millis(50);
    let taking = Collector::start().await;
    let fan = Fan::to([GrpcExporter::new(settings).unwrap().into(), exporter("taking", taking.address)]);
    assert_eq!(fan.send(TRACES, many_spans(7)).await.unwrap_err().code, Code::DeadlineExceeded);
    let books = fan.books();
    assert_eq!((books.sent("taking", "traces"), books.failed("otlp/backend", "traces", "timeout")), (7, 7));
}

#[tokio::test]
async fn a_backend_that_takes_traces_only_is_told_as_that_and_its_traces_arrive() {
    // As a gRPC server answers a service that it does not know, and an HTTP server a path.
    let over_grpc = Raw::answering(|arrival| {
        let path = arrival.uri().path();
        match path == Signal::Traces.grpc_path() {
            true => crate::support::raw::grpc_answer(&[], &b"\0\0\0\0\0"[..], &[("grpc-status", "0")]),
            false => answer(200, &[("content-type", "application/grpc"), ("grpc-status", "12")], ""),
        }
    });
    let over_http =
        Raw::answering(|arrival| answer(if arrival.uri().path() == "/v1/traces" { 200 } else { 404 }, &[], ""));
    let (over_grpc, over_http) = (over_grpc.await, over_http.await);
    let http = gramtrace::exporter::HttpExporter::new(http_settings(&over_http.url())).unwrap();
    for exporter in [exporter("otlp/backend", over_grpc.address), http.into()] {
        let fan = Fan::to([exporter]);
        for _ in 0..3 {
            for signal in [Signal::Metrics, Signal::Logs] {
                let failure = fan.send(signal, request(signal)).await.unwrap_err();
                assert_eq!(failure.code, Code::Unimplemented);
                let cure =
                    format!("if the backend takes no {0}, take the exporter out of the {0} pipelines", signal.name());
                assert!(failure.message.ends_with(&cure), "{}", failure.message);
            }
            assert_eq!(fan.send(TRACES, many_spans(7)).await, Ok(Bytes::new()));
        }
        let books = fan.books();
        assert_eq!((books.sent("otlp/backend", "traces"), books.failed("otlp/backend", "logs", "unserved")), (21, 3));
    }
}

#[tokio::test]
async fn o_48_a_backend_for_traces_alone_fails_no_metrics_and_logs_that_another_took() {
    let over_http =
        Raw::answering(|arrival| answer(if arrival.uri().path() == "/v1/traces" { 200 } else { 404 }, &[], "")).await;
    let http: Exporter = gramtrace::exporter::HttpExporter::new(http_settings(&over_http.url())).unwrap().into();
    let name = http.name().to_owned();
    let taking = Collector::start().await;
    let fan = Fan::to([http, exporter("taking", taking.address)]);
    for signal in [Signal::Metrics, Signal::Logs] {
        assert_eq!(fan.send(signal, request(signal)).await, Ok(Bytes::new()));
    }
    assert_eq!(fan.send(TRACES, many_spans(7)).await, Ok(Bytes::new()));
    let books = fan.books();
    assert_eq!(
        (books.accepted("logs"), books.sent("taking", "logs"), books.failed(&name, "logs", "unserved")),
        (1, 1, 1)
    );
    assert_eq!((books.accepted("traces"), books.sent(&name, "traces"), books.sent("taking", "traces")), (7, 7, 7));
}
