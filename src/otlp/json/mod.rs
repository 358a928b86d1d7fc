//! OTLP/JSON requests to the same requests in protobuf, in one pass over the text and without a tree between.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>. Knows the three export requests, nothing of HTTP.
//!
//! What the specification leaves open, or real senders do:
//! - Names are lowerCamelCase; every other member is unknown and passed over, whatever it holds.
//! - `null` is a field that is not there. In a list it is no element; but among the values of an array it is an empty
//!   value, and among numbers an error: the place of the others has a meaning there.
//! - `{}` as an attribute's value is an empty value, so that the key survives.
//! - Numbers may stand in strings, and whole numbers may have a point or an exponent. No digit of them is lost.
//! - Ids of any length pass, if they are hex. Base64 may be of either alphabet, padded or not.
//! - Enums are integers; their names, which senders must not write, are read as the Collector reads them.
//! - A name that comes twice means what a field that comes twice means in protobuf: of numbers and strings the last
//!   counts, lists are joined, messages are merged. Of the members of a `oneof` the last counts.
//! - A byte order mark is passed over. Half a surrogate pair (a string cut inside an emoji) becomes U+FFFD.
//!
//! The message is at most four times as long as its JSON (`1,` in a list of fixed64 becomes eight bytes).

mod decoder;
mod error;
mod number;
mod quoted;
mod scan;
mod schema;
mod wire;

use bytes::Bytes;

use super::Signal;
use decoder::Decoder;

pub use error::{JsonError, SyntaxFault, ValueFault};

/// How many objects and lists may stand within each other, the body included. It leaves room for 29 key-value lists
/// within each other in a span's attribute; what passes is within the 100 messages that protobuf parsers allow.
pub const MAX_DEPTH: usize = 128;

/// The protobuf bytes of the export request that `body` holds as OTLP/JSON.
///
/// ```
/// use gramtrace::otlp::{Signal, json};
/// let body = br#"{"resourceSpans":[{"schemaUrl":"a"}]}"#;
/// assert_eq!(&json::decode(Signal::Traces, body)?[..], b"\x0a\x03\x1a\x01a");
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
/// [`JsonError`]: the body is not JSON, is not complete, or a known field has a value that it cannot take.
pub fn decode(signal: Signal, body: &[u8]) -> Result<Bytes, JsonError> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(invalid) => return Err(invalid_utf8(body, invalid)),
    };
    let mut decoder = Decoder::new(text);
    match decoder.request(schema::request(signal)) {
        Ok(()) => Ok(decoder.into_bytes()),
        Err(fault) => Err(JsonError::new(fault, text, decoder.path())),
    }
}

fn invalid_utf8(body: &[u8], invalid: std::str::Utf8Error) -> JsonError {
    let before = body.get(..invalid.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
    let fault = if invalid.error_len().is_some() { SyntaxFault::Encoding } else { SyntaxFault::End };
    JsonError::syntax(fault, before.unwrap_or_default())
}
