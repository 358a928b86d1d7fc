//! The standard health service of gRPC: whether the receiver takes requests, asked once or watched.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>. Knows services by name; nothing of their messages.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::otlp::{Reader, Value};
use crate::wire::frame;

pub(super) const CHECK: &str = "/grpc.health.v1.Health/Check";
pub(super) const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// A question is a name; longer ones are of no service here.
pub(super) const LONGEST_QUESTION: usize = 1024;

/// `HealthCheckResponse.ServingStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Serving,
    NotServing,
    ServiceUnknown,
}

impl Status {
    /// A framed `HealthCheckResponse`: its only field is the status, a varint of field 1.
    pub(super) fn framed(self) -> Bytes {
        let message: &[u8] = match self {
            Self::Serving => b"\x08\x01",
            Self::NotServing => b"\x08\x02",
            Self::ServiceUnknown => b"\x08\x03",
        };
        frame::encode(message).unwrap_or_default()
    }
}

/// Whether a receiver takes requests. Clones speak of the same receiver.
#[derive(Debug, Clone)]
pub(super) struct Serving(Arc<watch::Sender<bool>>);

impl Default for Serving {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Serving {
    /// From now on it takes no request.
    pub(super) fn end(&self) {
        self.0.send_replace(false);
    }

    pub(super) fn status(&self) -> Status {
        if *self.0.borrow() { Status::Serving } else { Status::NotServing }
    }

    /// Ends when it takes no request any longer.
    pub(super) async fn ended(self) {
        // The sender is held here, so that waiting for it cannot fail.
        let _ = self.0.subscribe().wait_for(|serves| !*serves).await;
    }
}

/// The service that a `HealthCheckRequest` asks about, its field 1; empty is the whole server. `None` for bytes that
/// are no such message.
pub(super) fn service(message: &[u8]) -> Option<&str> {
    let mut name: &[u8] = &[];
    let mut fields = Reader::new(message);
    while let Some(field) = fields.field().ok()? {
        if let (1, Value::Bytes(extent)) = (field.number, field.value) {
            name = message.get(extent.start..extent.end)?;
        }
    }
    str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_field_1_of_the_question() {
        assert_eq!(service(b""), Some(""));
        assert_eq!(service(b"\x0a\x03abc"), Some("abc"));
        assert_eq!(service(b"\x0a\x03ab"), None);
        assert_eq!(service(b"\x0a\x01\xff"), None);
    }

    #[tokio::test]
    async fn who_watches_hears_the_end() {
        let serving = Serving::default();
        let watched = tokio::spawn(serving.clone().ended());
        assert_eq!(serving.status(), Status::Serving);
        serving.end();
        watched.await.unwrap();
        assert_eq!(serving.status(), Status::NotServing);
    }
}
