//! What gramtrace says of itself: metrics and logs. Knows signals and closed sets of labels; nothing of
//! configuration, of sockets, or of what is inside a request.

mod counting;
mod families;
mod flow;
pub mod logs;
mod metrics;
mod roll;
mod text;
mod throttle;
mod unknown_models;

pub use flow::InFlight;
pub use logs::{LogEncoding, LogError, LogLevel, LogSettings};
pub use metrics::{ExporterMetrics, Metrics, ReceiverMetrics};
pub use throttle::{Suppressed, Throttle};
pub use unknown_models::{UnknownModel, UnknownModelList};
