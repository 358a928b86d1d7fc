//! What both sides of the hop share below OTLP: content encodings and the gRPC message frame.
//! Knows bytes and limits; nothing of signals, configuration or sockets.

pub mod encoding;
pub mod frame;
mod gzip;
mod payload;

pub use encoding::{Encoding, InflateError};
pub use frame::FrameError;
pub use payload::Payload;
