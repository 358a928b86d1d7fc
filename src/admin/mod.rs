//! The pages for those who run the service: health, own metrics and the lookup API, each for a listener of its own, so
//! that neither is open where only the other is meant to be. Knows HTTP; nothing of sockets, OTLP or pipelines.

mod api;
mod health;
mod metrics;

pub use api::routes as api;
pub use health::{Bodies, HealthSettings, Readiness, routes as health_page};
pub use metrics::routes as metrics_page;
