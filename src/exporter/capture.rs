//! The exporter whose backend is this process: requests go to a channel, byte for byte. The demo's backend is made of
//! it.

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Code;

use super::Outcome;
use crate::otlp::Signal;
use crate::rejection::Failure;

/// Hands requests to whoever holds the other end of a channel.
#[derive(Debug)]
pub struct CaptureExporter {
    name: String,
    sender: mpsc::Sender<(Signal, Bytes)>,
}

impl CaptureExporter {
    /// An exporter into `sender`, by the id `name`.
    #[must_use]
    pub fn new(name: &str, sender: mpsc::Sender<(Signal, Bytes)>) -> Self {
        Self { name: name.to_owned(), sender }
    }

    /// The exporter's id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for room in the channel; delivered once the request is in it.
    pub async fn send(&self, signal: Signal, body: Bytes) -> Outcome {
        match self.sender.send((signal, body)).await {
            Ok(()) => Outcome::Delivered { response: Bytes::new() },
            Err(_) => Outcome::Retry(Failure {
                code: Code::Unavailable,
                message: format!("{}: nobody takes what is captured any more", self.name),
                retry_after: None,
            }),
        }
    }
}
