//! The OTLP wire format, read and spliced as bytes. Knows protobuf and the shape of OTLP;
//! nothing of GenAI, of carbon, or of the transports that carry it.

mod glance;
pub mod json;
mod reader;
mod signal;
mod splice;
mod split;
pub mod value;
mod walk;

pub use glance::{any_attribute, parent_id};
pub use reader::{Extent, Field, Found, PlainField, Reader, Value, WireError, WireErrorKind};
pub use signal::Signal;
pub use splice::Splice;
pub use split::{Part, Parts, halves, split};
pub use walk::{SpanAt, count, walk};
