//! The pages for those who run the service: health, own metrics and the lookup API, each on a listener of its own, so that
//! neither is open where only the other is meant to be. Knows sockets and HTTP; nothing of OTLP or pipelines.

mod api;
mod health;
mod metrics;
mod server;

pub use health::Readiness;
pub use server::{Admin, AdminError, AdminSettings};
