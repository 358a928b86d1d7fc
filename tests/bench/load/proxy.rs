//! The proxy that passes bytes unread, on the stack and with the transport settings of the real binary: what a hop costs
//! that does nothing. In its other form it inflates and compresses every message, as tonic does.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tower::{Service as _, ServiceExt as _};

/// Says where the backend is, whether HTTP/1.1 is spoken, and whether messages are compressed anew.
pub const ROLE: &str = "GRAMTRACE_BENCH_PROXY";

pub fn main(role: &str) {
    let parts: Vec<&str> = role.split(' ').collect();
    let [backend, is_http, does_gzip] = parts[..] else { panic!("{role}") };
    let backend: SocketAddr = backend.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (is_http, does_gzip) = (is_http == "true", does_gzip == "true");
    // Inside of the runtime: a channel wants one to be made.
    runtime.block_on(async { serve(Way::to(backend, is_http, does_gzip)).await });
}

/// How requests go on.
#[derive(Debug, Clone)]
enum Way {
    Grpc(Channel),
    Gzip(Channel),
    Http(Box<Client<HttpConnector, Incoming>>, SocketAddr),
}

impl Way {
    fn to(backend: SocketAddr, is_http: bool, does_gzip: bool) -> Self {
        if is_http {
            return Self::Http(Box::new(Client::builder(TokioExecutor::new()).build(HttpConnector::new())), backend);
        }
        let channel = Endpoint::from_shared(format!("http://{backend}"))
            .unwrap()
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(8 << 20)
            .connect_lazy();
        if does_gzip { Self::Gzip(channel) } else { Self::Grpc(channel) }
    }

    async fn pass(self, request: Request<Incoming>) -> Result<Response<tonic::body::Body>, Infallible> {
        let passed = match self {
            Self::Grpc(mut channel) => {
                let channel = channel.ready().await.unwrap();
                channel.call(request.map(tonic::body::Body::new)).await.unwrap()
            }
            Self::Gzip(channel) => recompress(channel, request).await,
            Self::Http(client, backend) => {
                let (mut head, body) = request.into_parts();
                let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
                head.uri = format!("http://{backend}{path}").parse::<Uri>().unwrap();
                client.request(Request::from_parts(head, body)).await.unwrap().map(tonic::body::Body::new)
            }
        };
        Ok(passed)
    }
}

async fn serve(way: Way) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let protocol = if matches!(way, Way::Http(..)) { "http" } else { "grpc" };
    eprintln!("\"{protocol}\" endpoint={} ", listener.local_addr().unwrap());
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let way = way.clone();
        let service = service_fn(move |request| way.clone().pass(request));
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_frame_size(256 * 1024)
                .initial_stream_window_size(2 * 1024 * 1024)
                .initial_connection_window_size(8 * 1024 * 1024);
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn recompress(channel: Channel, request: Request<Incoming>) -> Response<tonic::body::Body> {
    let path = request.uri().path_and_query().cloned().unwrap();
    let mut gzip = EnabledCompressionEncodings::default();
    gzip.enable(CompressionEncoding::Gzip);
    tonic::server::Grpc::new(Bare)
        .apply_compression_config(gzip, EnabledCompressionEncodings::default())
        .apply_max_message_size_config(Some(64 << 20), None)
        .unary(Onward { channel, path }, request.map(tonic::body::Body::new))
        .await
}

/// Sends a message on, compressed anew.
struct Onward {
    channel: Channel,
    path: PathAndQuery,
}

impl tonic::server::UnaryService<Bytes> for Onward {
    type Response = Bytes;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (channel, path) = (self.channel.clone(), self.path.clone());
        Box::pin(async move {
            let mut client = tonic::client::Grpc::new(channel).send_compressed(CompressionEncoding::Gzip);
            client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            client.unary(tonic::Request::new(request.into_inner()), path, Bare).await
        })
    }
}

/// Messages as bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Bare;

impl Codec for Bare {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
