//! `gramtrace run`: the service, from its configuration to the signal that ends it.
//! Knows the process (signals, runtimes, log); what a service is made of is the application's.

use std::io::{self, Write};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::RunArgs;
use crate::app::{App, BuildError, Drained, Running, Surroundings};
use crate::config::{Config, ConfigErrors, Environment, LogEncoding, LogLevel};
use crate::telemetry::{self, LogError, LogSettings, Metrics, logs};

/// Why the service did not start, or did not end well.
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
    /// The service's task panicked.
    #[error("the service ended by a fault of its own: {0}")]
    Fault(#[from] tokio::task::JoinError),
    /// The time to drain was over.
    #[error(
        "`service::drain_timeout` was over with {requests} requests in flight: they were not acknowledged, so their \
         senders still have them"
    )]
    NotDrained {
        /// Requests that got no answer.
        requests: usize,
    },
    /// A second signal came while requests in flight were waited for.
    #[error("a second {signal} ended the service at once")]
    Interrupted {
        /// Its name.
        signal: &'static str,
        /// Its number.
        number: u8,
    },
}

impl RunError {
    /// 1, or 128 and the number of the signal that ended the process, as shells have it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Interrupted { number, .. } => ExitCode::from(number.saturating_add(128)),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Loads the configuration, builds the service and runs it until SIGINT or SIGTERM.
///
/// # Errors
/// [`RunError`]: before anything is accepted, or because not everything that was accepted could be answered.
pub fn run(args: &RunArgs, environment: Environment<'_>) -> Result<(), RunError> {
    let config = Config::load_or_default(args.config.as_deref(), environment)?;
    logs::install(log_settings(&config), environment(logs::FILTER_VARIABLE).as_deref())?;
    warn_of(&config);
    // Signals have a thread of their own, this one: whatever keeps the workers busy, the process can be ended.
    let workers = Builder::new_multi_thread().enable_all().build()?;
    let outcome = Builder::new_current_thread().enable_all().build()?.block_on(supervise(config, &workers));
    // Not the place to wait for a name that is being resolved or a console that does not take what is written.
    workers.shutdown_background();
    outcome
}

/// The signals that a service heeds.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal to end: its name and number.
    async fn end(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", 2),
            _ = self.terminate.recv() => ("SIGTERM", 15),
        }
    }
}

async fn supervise(config: Config, workers: &Runtime) -> Result<(), RunError> {
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let mut service = workers.spawn(serve(config, stop.clone()));
    tokio::select! {
        ended = &mut service => return ended?,
        (signal, _) = signals.end() => tracing::info!(signal, "stopping: requests in flight are finished"),
    }
    stop.cancel();
    tokio::select! {
        ended = service => ended?,
        (signal, number) = signals.end() => Err(RunError::Interrupted { signal, number }),
    }
}

async fn serve(config: Config, stop: CancellationToken) -> Result<(), RunError> {
    let surroundings = Surroundings { metrics: Metrics::new(), console: standard_output };
    let running = App::build(&config, &surroundings).await?.start();
    log_addresses(&running);
    stop.cancelled().await;
    match running.drain().await {
        Drained::Clean => {
            tracing::info!("stopped");
            Ok(())
        }
        Drained::TimedOut { requests } => Err(RunError::NotDrained { requests }),
    }
}

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

fn log_addresses(service: &Running) {
    for (receiver, transport, endpoint) in service.endpoints() {
        tracing::info!(receiver, transport, %endpoint, "listening for OTLP");
    }
    if let Some(endpoint) = service.health_address() {
        tracing::info!(%endpoint, "health page");
    }
    if let Some(endpoint) = service.api_address() {
        tracing::info!(%endpoint, path = "/api/v1", "lookup API");
    }
    if let Some(endpoint) = service.metrics_address() {
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
