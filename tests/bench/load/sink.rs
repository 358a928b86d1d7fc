//! A backend that takes everything, over gRPC and HTTP, and counts requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use gramtrace::wire::frame::PREFIX_LEN;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Either, Full, combinators::WithTrailers};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A backend while it is not dropped.
#[derive(Debug)]
pub struct Sink {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;

impl Sink {
    /// Takes HTTP/2 frames of at most `max_frame` bytes.
    pub async fn start(max_frame: u32) -> Self {
        Self::serve(max_frame, None).await
    }

    /// The same, and hands on the messages that come over gRPC.
    pub async fn keeping(max_frame: u32, bodies: mpsc::Sender<Bytes>) -> Self {
        Self::serve(max_frame, Some(bodies)).await
    }

    async fn serve(max_frame: u32, bodies: Option<mpsc::Sender<Bytes>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (counted, bodies) = (Arc::clone(&counted), bodies.clone());
                let service = service_fn(move |request| take(request, Arc::clone(&counted), bodies.clone()));
                tokio::spawn(async move {
                    let mut builder = auto::Builder::new(TokioExecutor::new());
                    builder
                        .http2()
                        .max_frame_size(max_frame)
                        .initial_stream_window_size(2 << 20)
                        .initial_connection_window_size(8 << 20);
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, requests, task }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    request: Request<Incoming>,
    counted: Arc<AtomicUsize>,
    bodies: Option<mpsc::Sender<Bytes>>,
) -> Result<Response<Either<WithTrailers<Full<Bytes>, Trailers>, Full<Bytes>>>, Infallible> {
    let (head, mut body) = request.into_parts();
    match bodies {
        Some(bodies) => {
            let whole = body.collect().await.unwrap().to_bytes();
            bodies.send(whole.slice(PREFIX_LEN..)).await.unwrap();
        }
        None => while let Some(Ok(_)) = body.frame().await {},
    }
    counted.fetch_add(1, Ordering::Relaxed);
    let is_grpc = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        let kind = HeaderValue::from_static("application/x-protobuf");
        let mut response = Response::new(Either::Right(Full::new(Bytes::new())));
        response.headers_mut().insert("content-type", kind);
        return Ok(response);
    }
    let trailers =
        HeaderMap::from_iter([(http::header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let empty = Full::new(Bytes::from_static(&[0; 5]));
    let mut response = Response::new(Either::Left(empty.with_trailers(std::future::ready(Some(Ok(trailers))))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}
