//! gramtrace: OTLP in, OTLP out, with the energy and the CO2e of every GenAI model call on its span.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod enrich;
pub mod estimate;
pub mod exporter;
pub mod factors;
pub mod genai;
pub mod otlp;
pub mod pipeline;
pub mod receiver;
pub mod rejection;
pub mod semconv;
pub mod telemetry;
pub mod trace;
pub mod units;
pub mod wire;
