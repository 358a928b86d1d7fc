//! `gramtrace run`: the service, from its configuration to the signal that ends it.
//! Knows the process (signals, runtimes, log); what a service is made of is the application's.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::RunArgs;
use crate::app::{App, BuildError, Drained, Running, Surroundings};
use crate::config::{Config, ConfigErrors, Environment, ExporterConfig, LogEncoding, LogLevel};
use crate::telemetry::{self, LogControl, LogError, LogSampling, LogSettings, Metrics, logs};

/// Reads the configuration.
type Load<'a> = dyn Fn() -> Result<Config, ConfigErrors> + 'a;

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

/// Loads the configuration, builds the service and runs it until SIGINT or SIGTERM; SIGHUP loads the configuration again.
///
/// # Errors
/// [`RunError`]: before anything is accepted, or because not everything that was accepted could be answered.
pub fn run(args: &RunArgs, environment: Environment<'_>) -> Result<(), RunError> {
    let load = || Config::load_or_default(args.config.as_deref(), environment);
    let config = load()?;
    let log = logs::install(log_settings(&config), environment(logs::FILTER_VARIABLE).as_deref())?;
    warn_of(&config);
    // Signals have a thread of their own, this one: whatever keeps the workers busy, the process can be ended.
    let workers = Builder::new_multi_thread().enable_all().build()?;
    let outcome =
        Builder::new_current_thread().enable_all().build()?.block_on(supervise((config, log), &load, &workers));
    // Not the place to wait for a name that is being resolved or a console that does not take what is written.
    workers.shutdown_background();
    outcome
}

/// The signals that a service heeds.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

pub(super) enum Heard {
    /// To end: the signal's name and number.
    End(&'static str, u8),
    /// To read the configuration again.
    Reload,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::End("SIGINT", 2),
            _ = self.terminate.recv() => Heard::End("SIGTERM", 15),
            _ = self.hangup.recv() => Heard::Reload,
        }
    }
}

/// What the service is told: by a value that is read when there is time, the last one counts.
struct Orders {
    stop: CancellationToken,
    /// The configuration to go over to, or why there is none.
    reload: watch::Receiver<Option<Result<Config, ConfigErrors>>>,
}

async fn supervise((config, log): (Config, LogControl), load: &Load<'_>, workers: &Runtime) -> Result<(), RunError> {
    let mut signals = Signals::listen()?;
    let (stop, (reloads, reload)) = (CancellationToken::new(), watch::channel(None));
    let mut service = workers.spawn(serve(config, log, Orders { stop: stop.clone(), reload }));
    loop {
        let heard = tokio::select! {
            ended = &mut service => return ended?,
            heard = signals.next() => heard,
        };
        match heard {
            // Nobody hears it where the service has just ended.
            Heard::Reload => drop(reloads.send(Some(load()))),
            Heard::End(signal, number) if stop.is_cancelled() => return Err(RunError::Interrupted { signal, number }),
            Heard::End(signal, _) => {
                tracing::info!(signal, "stopping: requests in flight are finished");
                stop.cancel();
            }
        }
    }
}

async fn serve(config: Config, log: LogControl, mut orders: Orders) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let surroundings = Surroundings { metrics: metrics.clone(), console: standard_output };
    let mut running = App::build(&config, &surroundings).await?.start();
    metrics.configuration_started(SystemTime::now());
    let mut told = Told::default();
    told.addresses(&running);
    told.destinations(&config);
    let reloading = async {
        while orders.reload.changed().await.is_ok() {
            let next = orders.reload.borrow_and_update().clone();
            if let Some(next) = next {
                reload(&mut running, next, (&metrics, &log), &mut told).await;
            }
        }
        // Its sender is where the signals are heard: only the end of that ends the service.
        orders.stop.cancelled().await;
    };
    tokio::select! {
        biased;
        () = orders.stop.cancelled() => {}
        () = reloading => {}
    }
    match running.drain().await {
        Drained::Clean => {
            tracing::info!("stopped");
            Ok(())
        }
        Drained::TimedOut { requests } => Err(RunError::NotDrained { requests }),
    }
}

/// Goes over to another configuration, or stays with the one in force and says why.
async fn reload(
    running: &mut Running,
    next: Result<Config, ConfigErrors>,
    (metrics, log): (&Metrics, &LogControl),
    told: &mut Told,
) {
    let problems = match next {
        Ok(config) => match running.reload(&config).await {
            Ok(()) => {
                metrics.configuration_reloaded(SystemTime::now());
                if !log.change(log_settings(&config)) {
                    tracing::warn!("service::telemetry::logs::encoding changes with the next start");
                }
                warn_of(&config);
                tracing::info!("configuration reloaded");
                told.addresses(running);
                return told.destinations(&config);
            }
            Err(error) => vec![error.to_string()],
        },
        Err(ConfigErrors(errors)) => errors.iter().map(ToString::to_string).collect(),
    };
    metrics.configuration_refused();
    for problem in problems {
        tracing::error!(%problem, "configuration not reloaded: the one in force stays");
    }
}

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Where things listen and where they are sent, as the log has it: each once, and again where it has changed.
#[derive(Default)]
struct Told {
    listening: BTreeSet<String>,
    sending: BTreeSet<String>,
}

impl Told {
    fn addresses(&mut self, service: &Running) {
        let before = std::mem::take(&mut self.listening);
        let mut is_new = |line: String| {
            let is_new = !before.contains(&line);
            self.listening.insert(line);
            is_new
        };
        for (receiver, transport, endpoint) in service.endpoints() {
            if is_new(format!("{receiver} {transport} {endpoint}")) {
                tracing::info!(receiver, transport, %endpoint, "listening for OTLP");
            }
        }
        if let Some(endpoint) = service.health_address().filter(|endpoint| is_new(format!("health {endpoint}"))) {
            tracing::info!(%endpoint, "health page");
        }
        if let Some(endpoint) = service.api_address().filter(|endpoint| is_new(format!("api {endpoint}"))) {
            tracing::info!(%endpoint, path = "/api/v1", "lookup API");
        }
        if let Some(endpoint) = service.metrics_address().filter(|endpoint| is_new(format!("metrics {endpoint}"))) {
            tracing::info!(%endpoint, path = "/metrics", "metrics page");
        }
    }

    fn destinations(&mut self, config: &Config) {
        let before = std::mem::take(&mut self.sending);
        let of_pipelines = config.service.pipelines.values().flat_map(|pipeline| &pipeline.exporters);
        for id in of_pipelines.collect::<BTreeSet<_>>() {
            for endpoint in config.exporters.get(id).map(destinations).unwrap_or_default() {
                let line = format!("{id} {endpoint}");
                if !before.contains(&line) {
                    tracing::info!(exporter = %id, endpoint, "sending on what comes in");
                }
                self.sending.insert(line);
            }
        }
    }
}

/// Where an exporter sends to.
fn destinations(exporter: &ExporterConfig) -> Vec<String> {
    match exporter {
        ExporterConfig::OtlpGrpc(grpc) => vec![grpc.endpoint.to_string()],
        ExporterConfig::OtlpHttp(http) => {
            let named = [&http.endpoint, &http.traces_endpoint, &http.metrics_endpoint, &http.logs_endpoint];
            named.into_iter().flatten().map(ToString::to_string).collect()
        }
        ExporterConfig::Debug(_) => vec!["the console".to_owned()],
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
        sampling: logs.sampling.enabled.then_some(LogSampling {
            tick: logs.sampling.tick,
            initial: logs.sampling.initial,
            thereafter: logs.sampling.thereafter,
        }),
    }
}
