//! What gramtrace says of itself: metrics and logs. Knows signals and closed sets of labels; nothing of
//! configuration, of sockets, or of what is inside a request.

mod budgets;
mod counting;
mod emissions;
mod exporter;
mod families;
mod flow;
mod instruments;
mod keeping;
pub mod logs;
mod memories;
mod memory;
mod metrics;
mod own;
mod registries;
mod reloads;
mod roll;
mod sampling;
mod spans;
mod tally;
mod text;
mod throttle;
mod unknown_models;

pub use emissions::{Booking, EmissionBook, EmissionSettings, Exemplar};
pub use exporter::{Attempt, ExporterMetrics};
pub use flow::{InFlight, Loss};
pub use keeping::{StoreMetrics, TargetMetrics, Telling};
pub use logs::{LogControl, LogEncoding, LogError, LogLevel, LogSettings};
pub use memories::{LevelReader, MemoryLevel, SummaryOutcome};
pub use memory::MemoryLevels;
pub use metrics::{Metrics, ReceiverMetrics, resident_bytes};
pub use own::{
    BatchSettings, INSTANCE_ID, OwnSettings, OwnTelemetry, OwnTelemetryError, PeriodicSettings, instance_id,
};
pub use sampling::LogSampling;
pub use spans::{Journal, Sending, Tracing};
pub use text::TextFormat;
pub use throttle::{Suppressed, Throttle};
pub use unknown_models::{UnknownModel, UnknownModelList};
