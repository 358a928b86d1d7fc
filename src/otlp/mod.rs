//! The OTLP wire format, read and spliced as bytes. Knows protobuf and the shape of OTLP;
//! nothing of GenAI, of carbon, or of the transports that carry it.

mod signal;

pub use signal::Signal;
