//! What gramtrace says of itself: metrics and logs.

mod metrics;

pub use metrics::Metrics;
