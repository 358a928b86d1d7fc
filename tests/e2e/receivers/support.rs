//! A receiver on port 0 in front of a pipeline that acknowledges everything, and clients that may misbehave.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gramtrace::exporter::Exporter;
use gramtrace::otlp::Signal;
use gramtrace::pipeline::{Pipeline, Pipelines};
use gramtrace::receiver::{
    Admission, Authenticator, BodyLimits, CorsSettings, GrpcService, GrpcSettings, HttpService, HttpSettings, Intake,
    Listener, ListenerSettings, Protocol, ServerTls, ServerTlsSettings,
};
use gramtrace::telemetry::Metrics;
use gramtrace::wire::{Encoding, frame};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::books::Books;
use super::logs;

/// The limit on a body in these tests.
pub(super) const LIMIT: usize = 64 * 1024;

/// No answer in these tests takes longer: what waits for it would wait for ever.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer within 20 s")
}

/// What a test may set.
pub(super) struct Setup {
    pub(super) address: String,
    pub(super) tls: Option<ServerTlsSettings>,
    pub(super) auth: Option<Authenticator>,
    pub(super) signals: Vec<Signal>,
    pub(super) limits: BodyLimits,
    pub(super) admission: Admission,
    pub(super) listener: ListenerSettings,
    pub(super) paths: Vec<(Signal, String)>,
    pub(super) cors: Option<CorsSettings>,
    pub(super) metrics: Metrics,
    pub(super) exporter: Exporter,
}

impl Setup {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            address: "localhost:0".to_owned(),
            tls: None,
            auth: None,
            signals: Signal::ALL.to_vec(),
            limits: BodyLimits { max_bytes: LIMIT, timeout: Duration::from_secs(30) },
            admission: Admission::default(),
            listener: ListenerSettings::new(protocol),
            paths: HttpSettings::default().paths,
            cors: None,
            metrics: Metrics::default(),
            exporter: Exporter::Discard,
        }
    }

    pub(super) fn grpc() -> Self {
        Self::new(Protocol::Http2)
    }

    pub(super) fn http() -> Self {
        Self::new(Protocol::Auto)
    }

    pub(super) async fn start(self) -> Server {
        logs::install();
        let pipeline = Arc::new(Pipeline::new(None, vec![Arc::new(self.exporter)], self.metrics.clone()));
        let pipelines: Pipelines = self.signals.iter().map(|signal| (*signal, Arc::clone(&pipeline))).collect();
        let protocol = self.listener.protocol;
        let mut listener = Listener::bind(&self.address, self.listener).await.unwrap();
        if let Some(tls) = self.tls {
            let transport = if protocol == Protocol::Http2 { "grpc" } else { "http" };
            listener =
                listener.secured(ServerTls::load(tls, protocol, self.metrics.receiver("otlp", transport)).unwrap());
        }
        let books = Closing(self.metrics.clone());
        let intake = Intake::new("otlp", pipelines, self.admission, self.metrics);
        let inside = intake.clone();
        let address = listener.local_addr().unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let served = match protocol {
            Protocol::Http2 => {
                let service = GrpcService::new(intake, &GrpcSettings { limits: self.limits, auth: self.auth });
                tokio::spawn(listener.serve(service, stopped))
            }
            Protocol::Auto => {
                let settings =
                    HttpSettings { limits: self.limits, paths: self.paths, auth: self.auth, cors: self.cors };
                let service = HttpService::new(intake, settings);
                tokio::spawn(listener.serve(service, stopped))
            }
        };
        Server { address, intake: inside, stop, served, _books: books }
    }
}

/// A receiver that runs.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) intake: Intake,
    pub(super) stop: CancellationToken,
    pub(super) served: JoinHandle<()>,
    _books: Closing,
}

/// Holds the books to their balance when a test ends: what was received is accepted, refused or still inside.
struct Closing(Metrics);

impl Drop for Closing {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Books::balanced(&self.0.encode());
        }
    }
}

impl Server {
    pub(super) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(super) async fn h2(&self) -> H2 {
        H2::over(self.connect().await).await
    }

    pub(super) async fn h1(&self) -> H1 {
        H1::over(self.connect().await)
    }
}

/// A body that comes in these chunks and then ends as told.
pub(super) struct Chunks {
    pub(super) left: VecDeque<Bytes>,
    pub(super) end: End,
}

pub(super) enum End {
    /// The body is whole.
    Whole,
    /// Nothing more comes until the token is cancelled; then this, and the body is whole.
    After(Pin<Box<dyn Future<Output = Bytes> + Send>>),
    /// Nothing more comes, ever.
    Never,
    /// The sender resets the stream.
    Broken,
}

impl Chunks {
    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        Self { left: VecDeque::from([body.into()]), end: End::Whole }
    }

    pub(super) fn stalled(begin: impl Into<Bytes>) -> Self {
        Self { left: VecDeque::from([begin.into()]), end: End::Never }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(chunk) = self.left.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &mut self.end {
            End::Whole => Poll::Ready(None),
            End::Never => Poll::Pending,
            End::Broken => Poll::Ready(Some(Err(io::Error::other("the sender changed its mind")))),
            End::After(rest) => match rest.as_mut().poll(cx) {
                Poll::Ready(rest) => {
                    self.end = End::Whole;
                    Poll::Ready(Some(Ok(Frame::data(rest))))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The gRPC status of the trailers, or of the headers of an answer without a message.
    pub(super) fn grpc(&self) -> tonic::Status {
        tonic::Status::from_header_map(if self.trailers.is_empty() { &self.headers } else { &self.trailers })
            .expect("a grpc-status")
    }

    pub(super) fn code(&self) -> tonic::Code {
        self.grpc().code()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One HTTP/2 connection.
pub(super) struct H2 {
    pub(super) sender: http2::SendRequest<Chunks>,
    pub(super) connection: JoinHandle<Result<(), String>>,
}

impl H2 {
    pub(super) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        Self { sender, connection: tokio::spawn(async move { connection.await.map_err(|error| error.to_string()) }) }
    }

    pub(super) async fn send(&mut self, request: Request<Chunks>) -> Answer {
        soon(self.try_send(request)).await.unwrap()
    }

    pub(super) async fn try_send(&mut self, request: Request<Chunks>) -> Result<Answer, String> {
        self.sender.ready().await.map_err(|error| error.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|error| error.to_string())?;
        whole(response).await
    }

    /// One call of `Export` with a body as it stands on the wire.
    pub(super) async fn export(&mut self, body: impl Into<Bytes>) -> Answer {
        self.send(call(Signal::Traces).body(Chunks::whole(body)).unwrap()).await
    }
}

async fn whole(response: Response<hyper::body::Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.map_err(|error| error.to_string())?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, body: collected.to_bytes(), trailers })
}

/// The head of a gRPC call.
pub(super) fn call(signal: Signal) -> http::request::Builder {
    Request::post(format!("http://localhost{}", signal.grpc_path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

/// A gRPC frame with `message` in `encoding`.
pub(super) fn framed(encoding: Encoding, message: &[u8]) -> Bytes {
    let message = encoding.deflate(&Bytes::copy_from_slice(message), 1).unwrap();
    let prefix = frame::prefix(encoding != Encoding::Identity, message.len()).unwrap();
    [&prefix[..], &message[..]].concat().into()
}

/// One HTTP/1.1 connection, spoken by hand.
pub(super) struct H1<S = TcpStream> {
    pub(super) stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> H1<S> {
    pub(super) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a POST of `body` with these further header lines.
    pub(super) async fn post(&mut self, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        for header in headers {
            head += header;
            head += "\r\n";
        }
        self.write([head.as_bytes(), b"\r\n", body].concat()).await;
        self.answer().await
    }

    /// Reads the next answer. Its body has a content-length.
    pub(super) async fn answer(&mut self) -> Answer {
        soon(self.try_answer()).await.unwrap()
    }

    pub(super) async fn try_answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers: HeaderMap = pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let length = headers.get("content-length").map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        while self.read.len() < length {
            self.more().await?;
        }
        let body = self.read.drain(..length).collect::<Vec<u8>>().into();
        Ok(Answer { status, headers, body, trailers: HeaderMap::new() })
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.read.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }

    /// Reads until the server has closed the connection: what it still said.
    pub(super) async fn closed(mut self) -> Vec<u8> {
        while soon(self.more()).await.is_ok() {}
        self.read
    }
}

/// The value of a sample on `/metrics`; 0 where it does not stand there.
pub(super) fn sample(metrics: &Metrics, name_and_labels: &str) -> f64 {
    let text = metrics.encode();
    let found = text.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.parse().unwrap())
}

pub(super) const PROTOBUF: &str = "content-type: application/x-protobuf";
pub(super) const JSON: &str = "content-type: application/json";
