//! OTLP/JSON against the same requests in protobuf. The oracle is opentelemetry-proto's prost types; the writer of JSON and
//! the expected structures here are made by hand and share nothing with the decoder's table.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where its data is not as it says"
)]

mod arbitrary;
mod captured;
mod examples;
mod hostile;
mod lenient;
mod metric_points;
mod refused;
mod roundtrip;
#[allow(dead_code)] // fuzzers use more of it
mod writer;

use gramtrace::otlp::Signal;
use gramtrace::otlp::json;

/// What `body` decodes to, read back by prost.
fn decode<M: prost::Message + Default>(signal: Signal, body: impl AsRef<[u8]>) -> M {
    let bytes = json::decode(signal, body.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    M::decode(bytes).unwrap()
}
