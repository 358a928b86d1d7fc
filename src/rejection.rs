//! Why one export request is refused, in the terms of this hop. A closed set: the receivers give each its
//! gRPC code and HTTP status, the metrics each its reason.

use std::time::Duration;

use tonic::Code;

use crate::wire::{FrameError, InflateError};

/// The answer of a backend, or of this hop about its backend, that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The gRPC code; answers over HTTP are mapped to one where they arrive.
    pub code: Code,
    /// For a person: what happened and what to do.
    pub message: String,
    /// How long the backend asked to wait, where it did.
    pub retry_after: Option<Duration>,
}

/// Why a request was not taken. Nothing of it was forwarded unless [`Rejection::Backend`] says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The body is no OTLP request.
    #[error("malformed OTLP {0}")]
    Malformed(String),
    /// The content encoding is not spoken here.
    #[error("unsupported content encoding `{0}`: send identity, gzip or zstd")]
    UnsupportedEncoding(String),
    /// The content type is not spoken here.
    #[error("unsupported content type `{found}`: send {expected}")]
    UnsupportedMediaType {
        /// What came.
        found: String,
        /// What is spoken on this transport.
        expected: &'static str,
    },
    /// The request breaks a rule of gRPC itself.
    #[error("gRPC protocol error: {0}")]
    Protocol(String),
    /// The compressed body is broken.
    #[error("{0}")]
    Corrupt(String),
    /// The body is over the limit, before or after inflating. Sending it again cannot help.
    #[error("the request is larger than {limit} bytes: send smaller batches or raise the receiver's limit")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sender is not one of those that are known.
    #[error("not authenticated: {cure}")]
    Unauthenticated {
        /// The value of `www-authenticate`.
        challenge: String,
        /// What to send. Holds no secret.
        cure: String,
    },
    /// Not a path or method that is served.
    #[error("no OTLP service at {0}")]
    NotFound(String),
    /// The receiver feeds no pipeline of this signal.
    #[error(
        "receiver `{receiver}` feeds no {signal} pipeline: list it under `service::pipelines::{signal}::receivers`"
    )]
    NoPipeline {
        /// The signal's name.
        signal: &'static str,
        /// The receiver's id in the configuration.
        receiver: String,
    },
    /// A method other than POST.
    #[error("{0} is not allowed here: OTLP requests are POST")]
    MethodNotAllowed(String),
    /// Too much is in flight. The sender is asked to come back.
    #[error("overloaded: retry after {retry_after:?}")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The requests in flight hold what memory they may. The sender is asked to come back.
    #[error("the memory limit is reached: retry after {retry_after:?}")]
    MemoryLimit {
        /// When to come back.
        retry_after: Duration,
    },
    /// The sender's deadline passed before the backend acknowledged.
    #[error("the deadline of {0:?} passed before the backend answered")]
    DeadlineExceeded(Duration),
    /// The peer stopped sending before the body was whole.
    #[error("the request's body did not arrive whole: {0}")]
    Interrupted(String),
    /// The backend did not take it.
    #[error("{}", .0.message)]
    Backend(Failure),
    /// A fault of this process.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Rejection {
    /// The reason as a metric label: a closed set.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::Protocol(_) => "protocol",
            Self::Corrupt(_) => "corrupt",
            Self::TooLarge { .. } => "too_large",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::NotFound(_) => "not_found",
            Self::NoPipeline { .. } => "no_pipeline",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Overloaded { .. } => "overloaded",
            Self::MemoryLimit { .. } => "memory_limit",
            Self::DeadlineExceeded(_) => "deadline_exceeded",
            Self::Interrupted(_) => "interrupted",
            Self::Backend(Failure { code: Code::Unimplemented, .. }) => "unserved",
            Self::Backend(_) => "backend",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<InflateError> for Rejection {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { limit } => Self::TooLarge { limit },
            InflateError::Corrupt { .. } | InflateError::WindowTooLarge => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<FrameError> for Rejection {
    fn from(error: FrameError) -> Self {
        Self::Malformed(format!("request: {error}"))
    }
}

/// What a sender wrote, for a message or a log line: escaped, and cut where it is long.
#[must_use]
pub fn excerpt(sent: &[u8]) -> String {
    const LONGEST: usize = 80;
    let text = String::from_utf8_lossy(&sent[..sent.len().min(LONGEST)]).escape_debug().to_string();
    if sent.len() > LONGEST { text + "..." } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_wrote_cannot_forge_a_log_line() {
        assert_eq!(excerpt(b"br\r\nERROR all is lost\x1b[31m"), "br\\r\\nERROR all is lost\\u{1b}[31m");
        assert_eq!(excerpt(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn what_a_sender_wrote_is_cut_where_it_is_long() {
        assert_eq!(excerpt(&[b'a'; 1000]), "a".repeat(80) + "...");
        assert_eq!(excerpt(&[b'a'; 80]), "a".repeat(80));
    }

    #[test]
    fn a_signal_without_a_pipeline_is_told_what_to_configure() {
        let rejection = Rejection::NoPipeline { signal: "metrics", receiver: "otlp/edge".to_owned() };
        assert_eq!(
            rejection.to_string(),
            "receiver `otlp/edge` feeds no metrics pipeline: list it under `service::pipelines::metrics::receivers`"
        );
    }
}
