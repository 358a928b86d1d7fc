//! The real binary in front of a backend that takes everything, and ways to send it what it should not get.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic_types::pb;

use super::super::support::{Chunks, H1, H2, soon};
use super::process::Service;
use super::{Answered, Input, TRACES};

pub(super) struct Target {
    pub(super) service: Service,
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    metrics: SocketAddr,
    backend: SocketAddr,
    /// Holds the configuration.
    _folder: tempfile::TempDir,
}

/// Requests by transport, signal and outcome.
type Counts = BTreeMap<String, u64>;

impl Target {
    pub(super) async fn start(grpc_limit: &str, http_limit: &str, memory_mib: &str) -> Self {
        let backend = backend().await;
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0', {grpc_limit}}}, http: {{endpoint: \
             '127.0.0.1:0', max_request_body_size: {http_limit}}}}}}}}}
processors: {{gramtrace: {{memory: {{max_size_mib: 1}}, trace: {{max_size_mib: 1}}}}, memory_limiter: {{limit_mib: {memory_mib}}}}}
exporters: {{otlp_http: {{endpoint: 'http://{backend}', compression: none}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [memory_limiter, gramtrace], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}}}
"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gramtrace.yaml");
        std::fs::write(&path, config).unwrap();
        let service = Service::start(&path);
        let (grpc, http) = (service.address("\"grpc\""), service.address("\"http\""));
        let metrics = service.address("metrics page");
        Self { service, grpc, http, metrics, backend, _folder: folder }
    }

    pub(super) async fn answer_to(&self, input: Input) -> Answered {
        let before = self.counts().await;
        let (status, message) = match input {
            Input::Call { method, path, headers, body } => self.call(method, path, headers, body).await,
            Input::GrpcBytes(bytes) if bytes.starts_with(b"PRI") => (self.goes_away(&bytes).await, String::new()),
            Input::GrpcBytes(bytes) => exchange(self.grpc, &bytes, false).await,
            Input::HttpBytes(bytes) => exchange(self.http, &bytes, false).await,
            Input::HttpBytesAndEnd(bytes) => exchange(self.http, &bytes, true).await,
        };
        let counted = self.counted_since(before).await;
        let message = message.replace(&self.backend.to_string(), "BACKEND");
        Answered { status, message, counted }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(&'static str, Vec<u8>)>,
        body: Bytes,
    ) -> (String, String) {
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let stream = TcpStream::connect(self.grpc).await.unwrap();
        let answer = H2::over(stream).await.send(request.body(Chunks::whole(body)).unwrap()).await;
        let status = answer.grpc();
        let http = if answer.status.as_u16() == 200 { String::new() } else { format!(" {}", answer.status.as_u16()) };
        (format!("{:?}{http}", status.code()), status.message().to_owned())
    }

    /// Sends bytes over HTTP/2 and waits for the end of the connection: the error that the last GOAWAY names.
    async fn goes_away(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.grpc).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        // Reset or ended: it is closed.
        let _ = soon(stream.read_to_end(&mut said)).await;
        let mut named = "closed";
        let mut rest = &said[..];
        // RFC 9113, 4.1: three bytes of length, then type and flags and the stream; 6.8: a stream, then the error.
        while let Some((&[a, b, c, kind, ..], behind)) = rest.split_first_chunk::<9>() {
            let (payload, next) = behind.split_at(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
            if kind == 7 {
                named = HTTP_2_ERRORS[usize::from(payload[7])];
            }
            rest = next;
        }
        named.to_owned()
    }

    /// Over both transports, on connections of their own.
    pub(super) async fn serves_good_requests(&self, after: &str) {
        let stream = TcpStream::connect(self.grpc).await.unwrap();
        let call = Request::post(format!("http://localhost{TRACES}")).header("content-type", "application/grpc");
        let answer = H2::over(stream).await.send(call.body(Chunks::whole(&b"\0\0\0\0\0"[..])).unwrap()).await;
        assert_eq!(answer.code(), tonic::Code::Ok, "after {after}");
        let mut client = H1::over(TcpStream::connect(self.http).await.unwrap());
        let answer = client.post("/v1/traces", &[super::super::support::JSON], b"{}").await;
        assert_eq!(answer.status.as_u16(), 200, "after {after}");
    }

    /// What was counted more than in `before`: nothing, or one request, which may still be on its way into the books
    /// where its sender is not answered.
    async fn counted_since(&self, before: Counts) -> String {
        for _ in 0..50 {
            let now = self.counts().await;
            let new: Vec<_> = now.iter().filter(|(key, count)| before.get(*key).unwrap_or(&0) < count).collect();
            if let [(key, count)] = new[..] {
                assert_eq!(count - before.get(key).unwrap_or(&0), 1, "{key}");
                return key.clone();
            }
            assert!(new.is_empty(), "{new:?}");
        }
        "not a request".to_owned()
    }

    async fn counts(&self) -> Counts {
        let text = self.page().await;
        let samples = text.lines().filter_map(|line| line.strip_prefix("gramtrace_receiver_requests_total{"));
        let read = |sample: &str| {
            let (labels, count) = sample.split_once("} ").unwrap();
            let values: Vec<_> = labels.split(',').map(|label| label.split('"').nth(1).unwrap()).collect();
            (values[1..].join(" "), count.parse().unwrap())
        };
        samples.map(read).collect()
    }

    /// The metrics page.
    pub(super) async fn page(&self) -> String {
        let mut stream = TcpStream::connect(self.metrics).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The most memory in MiB that was ever resident.
    pub(super) fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.service.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() / 1024
    }
}

/// Sends bytes over HTTP/1.1 and reads one answer.
async fn exchange(address: SocketAddr, bytes: &[u8], ends: bool) -> (String, String) {
    let mut client = H1::over(TcpStream::connect(address).await.unwrap());
    // A listener that has heard enough may hang up before all is written.
    let _ = client.stream.write_all(bytes).await;
    if ends {
        let _ = client.stream.shutdown().await;
    }
    let Ok(answer) = soon(client.try_answer()).await else { return ("closed".to_owned(), String::new()) };
    let message = match answer.header("content-type") {
        "application/json" => answer.json()["message"].as_str().unwrap_or_default().to_owned(),
        "application/x-protobuf" => pb::Status::decode(answer.body.clone()).unwrap().message,
        _ => String::new(),
    };
    (answer.status.as_u16().to_string(), message)
}

/// RFC 9113, section 7.
const HTTP_2_ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Takes whatever it is sent.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let take = service_fn(|request: Request<Incoming>| async move {
                let _ = request.into_body().collect().await;
                let taken = Response::builder().header("content-type", "application/x-protobuf");
                Ok::<_, Infallible>(taken.body(Full::new(Bytes::new())).unwrap())
            });
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), take).await;
            });
        }
    });
    address
}

/// How long bombs may take to be refused.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
