//! A sender that cuts its messages into small HTTP/2 frames, whatever its peer would take, as grpc-go does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gramtrace::exporter::Outcome;
use gramtrace::otlp::Signal;
use gramtrace::wire::frame;
use http::{HeaderValue, Method, Request, Uri, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tonic::transport::{Channel, Endpoint};
use tower::{Service as _, ServiceExt as _};

/// One connection.
#[derive(Debug)]
pub struct Frames {
    channel: Channel,
    max_frame: usize,
}

/// A message in pieces, each of which becomes a frame.
struct Pieces(VecDeque<Bytes>);

impl Frames {
    pub fn new(url: &str, max_frame: u32) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        Self { channel, max_frame: max_frame as usize }
    }

    /// Sends one message, and has it acknowledged.
    pub async fn send(&self, message: Bytes) -> Outcome {
        let prefix = Bytes::copy_from_slice(&frame::prefix(false, message.len()).unwrap());
        let pieces = (0..message.len()).step_by(self.max_frame);
        let pieces = pieces.map(|at| message.slice(at..message.len().min(at + self.max_frame)));
        let body = Pieces(std::iter::once(prefix).chain(pieces).collect());
        let mut request = Request::new(tonic::body::Body::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(Signal::Traces.grpc_path());
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        let mut channel = self.channel.clone();
        let response = channel.ready().await.unwrap().call(request).await.unwrap();
        let answer = response.into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap().get("grpc-status").unwrap(), "0");
        Outcome::Delivered { response: answer.to_bytes() }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}
