//! A backend whose answers are made by hand, over HTTP/1.1 and HTTP/2, plaintext or TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

pub(crate) type RawBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// One request as it arrived.
pub(crate) type Arrival = Request<Bytes>;

pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    /// Answers every request with what `answer` makes of it.
    pub(crate) async fn answering(answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static) -> Self {
        Self::serve(None, false, answer).await
    }

    /// The same, from now on, for whoever comes to `listener`.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static,
    ) -> Self {
        Self::accept(listener, None, false, answer)
    }

    /// The same over TLS, where there is an acceptor.
    pub(crate) async fn over(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(tls, false, answer).await
    }

    /// The same in plaintext, and every connection is retired after its first request.
    pub(crate) async fn retiring(answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static) -> Self {
        Self::serve(None, true, answer).await
    }

    /// The same, for whoever comes to a socket of this machine: what arrives.
    pub(crate) fn on_socket(
        path: &Path,
        answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static,
    ) -> Arc<Mutex<Vec<Arrival>>> {
        let listener = UnixListener::bind(path).unwrap();
        let arrivals: Arc<Mutex<Vec<Arrival>>> = Arc::default();
        let (arrived, answer) = (Arc::clone(&arrivals), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, false, Arc::clone(&arrived), Arc::clone(&answer)));
            }
        });
        arrivals
    }

    async fn serve(
        tls: Option<TlsAcceptor>,
        retiring: bool,
        answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::accept(listener, tls, retiring, answer)
    }

    fn accept(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        retiring: bool,
        answer: impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let arrivals: Arc<Mutex<Vec<Arrival>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let raw = Self { address, arrivals: Arc::clone(&arrivals), connections: Arc::clone(&connections) };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let (tls, arrivals, answer) = (tls.clone(), Arc::clone(&arrivals), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Some(tls) = tls else { return converse(stream, retiring, arrivals, answer).await };
                    // A client that does not like the certificate is no failure of the server.
                    let Ok(stream) = tls.accept(stream).await else { return };
                    converse(stream, retiring, arrivals, answer).await;
                });
            }
        });
        raw
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// The one request that arrived.
    pub(crate) fn arrival(&self) -> Arrival {
        let [arrival] = &self.arrivals()[..] else { panic!("not one request") };
        arrival.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    retiring: bool,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    answer: Arc<impl Fn(&Arrival) -> Response<RawBody> + Send + Sync + 'static>,
) {
    let answered = Arc::new(Notify::new());
    let told = Arc::clone(&answered);
    let service = service_fn(move |request| {
        let (arrivals, answer, told) = (Arc::clone(&arrivals), Arc::clone(&answer), Arc::clone(&told));
        async move {
            let response = take(request, arrivals, answer).await;
            told.notify_one();
            response
        }
    });
    let auto = Builder::new(TokioExecutor::new());
    let mut connection = pin!(auto.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = answered.notified(), if retiring => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

async fn take(
    request: Request<Incoming>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    answer: Arc<impl Fn(&Arrival) -> Response<RawBody>>,
) -> Result<Response<RawBody>, Infallible> {
    let (head, body) = request.into_parts();
    let arrival = Request::from_parts(head, body.collect().await.unwrap().to_bytes());
    let response = answer(&arrival);
    arrivals.lock().unwrap().push(arrival);
    Ok(response)
}

/// An answer with a status, headers and a body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<RawBody> {
    let mut response = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status.try_into().unwrap();
    *response.headers_mut() = header_map(headers);
    response
}

/// A gRPC answer: a body, then trailers.
pub(crate) fn grpc_answer(
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
    trailers: &[(&str, &str)],
) -> Response<RawBody> {
    let trailers = header_map(trailers);
    let body = Full::new(body.into()).map_err(|never| match never {});
    let mut response = Response::new(body.with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync());
    *response.headers_mut() = header_map(headers);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

pub(crate) fn header_map(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    pairs.iter().map(pair).collect()
}
