//! Why one export request is refused, in the terms of this hop. A closed set: the receivers give each its
//! gRPC code and HTTP status, the metrics each its reason.

use std::time::Duration;

use tonic::Code;

use crate::wire::InflateError;

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
    #[error("unsupported content type `{0}`: send application/x-protobuf or application/json")]
    UnsupportedMediaType(String),
    /// The compressed body is broken.
    #[error("{0}")]
    Corrupt(String),
    /// The body is over the limit, before or after inflating. Sending it again cannot help.
    #[error("the request is larger than {limit} bytes: send smaller batches or raise the receiver's limit")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not a path or method that is served.
    #[error("no OTLP service at {0}")]
    NotFound(String),
    /// A method other than POST.
    #[error("{0} is not allowed here: OTLP requests are POST")]
    MethodNotAllowed(String),
    /// Too much is in flight. The sender is asked to come back.
    #[error("overloaded: retry after {} s", retry_after.as_secs())]
    Overloaded {
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
}

impl Rejection {
    /// The reason as a metric label: a closed set.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Corrupt(_) => "corrupt",
            Self::TooLarge { .. } => "too_large",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Overloaded { .. } => "overloaded",
            Self::DeadlineExceeded(_) => "deadline_exceeded",
            Self::Interrupted(_) => "interrupted",
            Self::Backend(_) => "backend",
        }
    }
}

impl From<InflateError> for Rejection {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { limit } => Self::TooLarge { limit },
            InflateError::Corrupt { .. } => Self::Corrupt(error.to_string()),
        }
    }
}
