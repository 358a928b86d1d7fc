//! The memory that requests may take together, on either transport.

use std::time::Duration;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use gramtrace::receiver::{Admission, Budget, BudgetSettings};
use gramtrace::telemetry::Metrics;
use gramtrace::wire::Encoding;
use tonic::Code;
use tonic_types::StatusExt;

use super::support::{Answer, Chunks, End, H2, JSON, PROTOBUF, Server, Setup, call, framed, sample, soon};

/// The soft limit of these tests; a byte of a request takes three.
const SOFT: u64 = 6_000;
const HARD: u64 = 9_000;

struct Narrow {
    metrics: Metrics,
    admission: Admission,
}

impl Narrow {
    fn new() -> Self {
        let metrics = Metrics::new();
        let budget = Budget::new(&metrics);
        budget.set(BudgetSettings { hard_bytes: HARD, soft_bytes: SOFT });
        let admission = Admission::new(100, Duration::from_millis(2500)).within(budget);
        Self { metrics, admission }
    }

    async fn start(&self, setup: Setup) -> Server {
        Setup { admission: self.admission.clone(), metrics: self.metrics.clone(), ..setup }.start().await
    }

    fn reserved(&self) -> f64 {
        sample(&self.metrics, "gramtrace_receiver_memory_reserved_bytes")
    }

    async fn holds(&self, bytes: f64) {
        soon(async {
            while self.reserved() < bytes {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn is_told_to_come_back(answer: &Answer) {
    let status = answer.grpc();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the memory limit is reached: retry after 2.5s"));
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(delay, Some(Duration::from_millis(2500)));
}

/// A call whose body has begun and does not end.
fn begin(client: &mut H2) -> impl Future<Output = ()> + use<> {
    let left = [vec![0; 1000], vec![0; 1005]].map(Bytes::from).into();
    let body = Chunks { left, end: End::Never };
    let pending = client.sender.send_request(call(Signal::Traces).body(body).unwrap());
    async move { drop(pending.await) }
}

#[tokio::test]
async fn o_23_a_message_that_announces_more_than_there_is_is_refused_before_it_comes() {
    let narrow = Narrow::new();
    let server = narrow.start(Setup::grpc()).await;
    let mut client = server.h2().await;
    // 2001 bytes and the prefix, three times: over 6000.
    let stalled = call(Signal::Traces).body(Chunks::stalled(&b"\0\0\0\x07\xd1"[..])).unwrap();
    is_told_to_come_back(&client.send(stalled).await);
    let labels = "gramtrace_receiver_requests_total{receiver=\"otlp\",transport=\"grpc\",signal=\"traces\",";
    assert_eq!(sample(&narrow.metrics, &format!("{labels}outcome=\"memory_limit\"}}")), 1.0);
    assert_eq!(sample(&narrow.metrics, "gramtrace_receiver_memory_limit_bytes"), 9_000.0);
    assert_eq!(client.export(&b"\0\0\0\0\0"[..]).await.code(), Code::Ok);
    assert_eq!(narrow.reserved(), 0.0);
}

#[tokio::test]
async fn o_23_a_body_that_announces_more_than_there_is_is_503_with_retry_after_before_it_comes() {
    let narrow = Narrow::new();
    let server = narrow.start(Setup::http()).await;
    let mut client = server.h1().await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n";
    client.write(format!("{head}{JSON}\r\ncontent-length: 2001\r\n\r\n")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "3"));
    assert_eq!(answer.json()["code"], 14);
    assert_eq!(answer.json()["details"][0]["retryDelay"], "2.500s");
    assert_eq!(server.h1().await.post("/v1/traces", &[JSON], b"{}").await.status.as_u16(), 200);
}

#[tokio::test]
async fn o_23_o_24_while_one_request_holds_the_memory_others_come_back_later_and_get_it_when_it_has_gone() {
    let narrow = Narrow::new();
    let (grpc, http) = (narrow.start(Setup::grpc()).await, narrow.start(Setup::http()).await);
    let mut holder = grpc.h2().await;
    let begun = tokio::spawn(begin(&mut holder));
    narrow.holds(6_015.0).await;
    is_told_to_come_back(&grpc.h2().await.export(&b"\0\0\0\0\0"[..]).await);
    let mut client = http.h1().await;
    let answer = client.post("/v1/logs", &[PROTOBUF], b"").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "3"));

    begun.abort();
    drop(holder);
    soon(async { while grpc.h2().await.export(&b"\0\0\0\0\0"[..]).await.code() != Code::Ok {} }).await;
    assert_eq!(client.post("/v1/logs", &[PROTOBUF], b"").await.status.as_u16(), 200);
    assert_eq!(narrow.reserved(), 0.0);
}

#[tokio::test]
async fn o_14_o_23_what_inflates_to_more_than_there_is_comes_back_later() {
    let narrow = Narrow::new();
    let (grpc, http) = (narrow.start(Setup::grpc()).await, narrow.start(Setup::http()).await);
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let request = call(Signal::Traces).header("grpc-encoding", encoding.name());
        let body = framed(encoding, &[0; 30_000]);
        is_told_to_come_back(&grpc.h2().await.send(request.body(Chunks::whole(body)).unwrap()).await);

        let body = encoding.deflate(&Bytes::from(vec![b' '; 30_000]), 1).unwrap();
        let encoded = format!("content-encoding: {}", encoding.name());
        let answer = http.h1().await.post("/v1/traces", &[JSON, &encoded], &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "3"), "{encoding:?}");
        assert_eq!(narrow.reserved(), 0.0);
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_refused_where_its_memory_ends() {
    let narrow = Narrow::new();
    let server = narrow.start(Setup::http()).await;
    let mut client = server.h1().await;
    let head =
        format!("POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n{PROTOBUF}\r\ntransfer-encoding: chunked\r\n\r\n");
    client.write([head.as_bytes(), b"bb9\r\n", &[0; 3001], b"\r\n"].concat()).await;
    assert_eq!(client.answer().await.status.as_u16(), 503);
}
