//! The pages for those who run the service: health, own metrics and the lookup API, each for a listener of its own, so
//! that neither is open where only the other is meant to be. Knows HTTP; nothing of sockets, OTLP or pipelines.

mod budgets;
mod health;
pub mod lookup;
mod metrics;

pub use health::{Bodies, HealthSettings, Readiness, routes as health_page};
pub use lookup::{Lookup, LookupSettings, is_page, routes as lookup_api};
pub use metrics::routes as metrics_page;
