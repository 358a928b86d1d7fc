//! Reading what came back for an OTLP/HTTP request: success with its `Export*ServiceResponse`, or a
//! `google.rpc.Status` and when to come back. <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>
//! Answers that are no OTLP are judged by their status alone, as in the Collector; nothing is read beyond the limit.

use std::time::SystemTime;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use prost::Message as _;
use tonic_types::pb;

use super::answer;
use super::backend::{Backend, MAX_ANSWER_BYTES};
use super::outcome::Outcome;
use super::retry_after::retry_after;
use crate::otlp::Signal;
use crate::wire::{Encoding, InflateError};

/// What is read of an error: a message, not a page.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// What is passed on of an error in plain text.
const MAX_TEXT_CHARS: usize = 256;

/// What a body is, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Protobuf,
    Json,
    Text,
    Other,
}

/// Reads an answer to its end and says what it means.
pub(super) async fn read(backend: &Backend, signal: Signal, response: Response<Incoming>) -> Outcome {
    let (head, body) = response.into_parts();
    if head.status.is_success() {
        return match collect(body, MAX_ANSWER_BYTES).await {
            Ok(body) => success(backend, signal, &head.headers, body),
            Err(error) if error.is::<LengthLimitError>() => backend.answer_too_large(),
            Err(error) => backend.unreachable(&*error),
        };
    }
    // An error that is too long, or breaks off, is still an error with this status.
    let body = collect(body, MAX_ERROR_BYTES).await.unwrap_or_default();
    let message = match head.status.is_redirection() {
        true => redirection(&head.headers),
        false => error_message(&head.headers, body),
    };
    backend.answered_http(head.status, &message, retry_after(&head.headers, SystemTime::now()))
}

async fn collect(body: Incoming, limit: usize) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Limited::new(body, limit).collect().await?.to_bytes())
}

fn success(backend: &Backend, signal: Signal, headers: &HeaderMap, body: Bytes) -> Outcome {
    let kind = kind(headers);
    if body.is_empty() || matches!(kind, Kind::Text | Kind::Other) {
        if !body.is_empty() {
            tracing::debug!(exporter = backend.exporter, "success with a body that is no OTLP answer");
        }
        return Outcome::Delivered { response: Bytes::new() };
    }
    let body = match inflated(headers, body, MAX_ANSWER_BYTES) {
        Ok(body) => body,
        Err(InflateError::TooLarge { .. }) => return backend.answer_too_large(),
        Err(error) => return backend.answer_unreadable(&error),
    };
    let read = match kind {
        Kind::Json => answer::from_json(signal, &body),
        _ => answer::read(signal, &body).map(|_| body),
    };
    match read {
        Ok(response) => Outcome::Delivered { response },
        Err(error) => backend.answer_unreadable(&error),
    }
}

fn error_message(headers: &HeaderMap, body: Bytes) -> String {
    let Ok(body) = inflated(headers, body, MAX_ERROR_BYTES) else { return String::new() };
    match kind(headers) {
        Kind::Protobuf => pb::Status::decode(body).map(|status| status.message).unwrap_or_default(),
        Kind::Json => json_message(&body).unwrap_or_default(),
        Kind::Text => String::from_utf8_lossy(&body).trim().chars().take(MAX_TEXT_CHARS).collect(),
        Kind::Other => String::new(),
    }
}

fn json_message(body: &[u8]) -> Option<String> {
    let status: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(status.get("message")?.as_str()?.to_owned())
}

fn redirection(headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or("nowhere");
    let location = location.split('?').next().unwrap_or_default();
    format!("it redirects to {location}, which is not followed: write that URL in `endpoint`")
}

/// No encoding is asked for; one that comes all the same is undone.
fn inflated(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, InflateError> {
    let named = headers.get(CONTENT_ENCODING).map_or(Some("identity"), |name| name.to_str().ok());
    match named.and_then(Encoding::from_name) {
        Some(encoding) => encoding.inflate(body, limit),
        None => Err(InflateError::Corrupt { encoding: "answer's", reason: "its encoding is not known".to_owned() }),
    }
}

fn kind(headers: &HeaderMap) -> Kind {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Kind::Protobuf,
        "application/json" => Kind::Json,
        "text/plain" => Kind::Text,
        _ => Kind::Other,
    }
}
