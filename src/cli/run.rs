//! `gramtrace run`: the service, from its configuration to SIGTERM.
//! Knows the process (signals, runtime, log); what a service is made of is the application's.

use std::io::{self, Write};

use tokio::signal::unix::{SignalKind, signal};

use super::RunArgs;
use crate::app::{App, BuildError, Surroundings};
use crate::config::{Config, ConfigErrors, Environment, LogEncoding, LogLevel};
use crate::telemetry::{self, LogError, LogSettings, Metrics, logs};

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// The log cannot begin.
    #[error("{0}")]
    Log(#[from] LogError),
    /// A part cannot be built.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// The system refused a runtime or a signal handler.
    #[error("the system refused what the service needs: {0}")]
    System(#[from] io::Error),
}

/// Loads the configuration, builds the service and runs it until SIGINT or SIGTERM.
///
/// # Errors
/// [`RunError`], before anything is accepted.
pub fn run(args: &RunArgs, environment: Environment<'_>) -> Result<(), RunError> {
    let config = Config::load_or_default(args.config.as_deref(), environment)?;
    logs::install(log_settings(&config), environment(logs::FILTER_VARIABLE).as_deref())?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&config))
}

async fn serve(config: &Config) -> Result<(), RunError> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let app = App::build(config, &Surroundings { metrics: Metrics::new(), console: standard_output }).await?;
    log_addresses(&app);
    app.run(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "stopping: requests in flight are finished"),
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "stopping: requests in flight are finished"),
        }
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}

fn log_addresses(app: &App) {
    for (receiver, transport, endpoint) in app.endpoints() {
        tracing::info!(receiver, transport, %endpoint, "listening for OTLP");
    }
    if let Some(endpoint) = app.health_address() {
        tracing::info!(%endpoint, "health page");
    }
    if let Some(endpoint) = app.api_address() {
        tracing::info!(%endpoint, path = "/api/v1", "lookup API");
    }
    if let Some(endpoint) = app.metrics_address() {
        tracing::info!(%endpoint, path = "/metrics", "metrics page");
    }
}

pub(super) fn standard_output() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

fn log_settings(config: &Config) -> LogSettings {
    let logs = &config.service.telemetry.logs;
    LogSettings {
        level: match logs.level {
            LogLevel::Debug => telemetry::LogLevel::Debug,
            LogLevel::Info => telemetry::LogLevel::Info,
            LogLevel::Warn => telemetry::LogLevel::Warn,
            LogLevel::Error => telemetry::LogLevel::Error,
        },
        encoding: match logs.encoding {
            LogEncoding::Console => telemetry::LogEncoding::Console,
            LogEncoding::Json => telemetry::LogEncoding::Json,
        },
    }
}
