//! `gramtrace demo`: the main job with nothing else installed. The real service and a backend start on free ports,
//! captured exports go through the real receivers, and what arrived is shown. The table is computed from the bytes
//! that the backend received and from nothing else.

mod backend;
mod captures;
mod report;
mod sender;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::DemoArgs;
use super::run::{Signals, standard_output};
use crate::app::{App, BuildError, Drained, Surroundings};
use crate::config::{Config, ConfigErrors};
use crate::otlp::Signal;
use crate::receiver::BindError;
use crate::telemetry::Metrics;
use backend::Backend;
use captures::CAPTURES;
use report::Report;
use sender::{SendError, Sender};

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The backend could not listen.
    #[error("the demo's backend: {0}")]
    Backend(#[from] BindError),
    /// The configuration of the demo is wrong: a fault of this program.
    #[error("the demo's configuration: {0}")]
    Config(#[from] ConfigErrors),
    /// The service could not be built.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// The service did not take a capture.
    #[error("{0}")]
    Send(#[from] SendError),
    /// What arrived cannot be read.
    #[error("what the backend received is no OTLP: {0}")]
    Arrived(#[from] prost::DecodeError),
    /// Standard output or the folder of `--save` cannot be written, or the system refused a runtime.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs the demo and writes what it shows to `out`.
///
/// # Errors
/// [`DemoError`], at the first step that fails.
pub fn demo(args: &DemoArgs, out: &mut dyn Write) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| DemoError::Io { what: "starting the runtime".to_owned(), source })?;
    match runtime.block_on(show(args, out)) {
        // Who closes the output has seen enough.
        Err(DemoError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

async fn show(args: &DemoArgs, out: &mut dyn Write) -> Result<(), DemoError> {
    let mut backend = Backend::start().await?;
    let service = Service::start(backend.address).await?;
    let printing = |source| DemoError::Io { what: "printing".to_owned(), source };
    report::introduction(out, &service, backend.address).map_err(printing)?;

    let sender = Sender::new(service.grpc, service.http)?;
    let mut arrived = Vec::new();
    for capture in CAPTURES {
        sender.send(capture).await?;
        // Direct mode: what is acknowledged is at the backend.
        while let Ok(request) = backend.arrived.try_recv() {
            arrived.push(request);
        }
    }
    if let Some(folder) = &args.save {
        save(folder, &arrived)
            .map_err(|source| DemoError::Io { what: format!("writing {}", folder.display()), source })?;
    }
    // Heard from here on, so that whoever reads that it listens can end it.
    let signals = Signals::listen().map_err(|source| DemoError::Io { what: "listening to signals".to_owned(), source });
    let report = Report::of(&arrived)?;
    report.write(out, args.save.as_deref()).map_err(printing)?;
    report::instructions(out, args.keep.then_some(&service)).map_err(printing)?;
    if args.keep {
        keep_showing(&mut backend, signals?, out).await?;
    }
    service.stop().await;
    backend.stop().await;
    Ok(())
}

/// Shows what arrives until a signal comes: Ctrl-C, SIGTERM, or the hang-up of the terminal.
async fn keep_showing(backend: &mut Backend, mut signals: Signals, out: &mut dyn Write) -> Result<(), DemoError> {
    loop {
        let (signal, body) = tokio::select! {
            Some(request) = backend.arrived.recv() => request,
            _ = signals.next() => return Ok(()),
        };
        report::arrival(out, signal, &body).map_err(|source| DemoError::Io { what: "printing".to_owned(), source })?;
    }
}

/// Writes each body as it arrived: `001-traces.pb`, `002-metrics.pb` ..
fn save(folder: &Path, arrived: &[(Signal, Bytes)]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, (signal, body)) in (1..).zip(arrived) {
        std::fs::write(folder.join(format!("{number:03}-{}.pb", signal.name())), body)?;
    }
    Ok(())
}

/// The real service on free loopback ports.
struct Service {
    grpc: SocketAddr,
    http: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Drained>,
}

impl Service {
    async fn start(backend: SocketAddr) -> Result<Self, DemoError> {
        let config = Config::parse("demo", configuration(backend).as_bytes(), &|_| None)?;
        let app = App::build(&config, &Surroundings { metrics: Metrics::new(), console: standard_output }).await?;
        let found = |wanted| app.endpoints().find(|(_, transport, _)| *transport == wanted);
        let address = |wanted| found(wanted).and_then(|(.., address)| address.network());
        // The configuration has both.
        let (grpc, http) = address("grpc").zip(address("http")).unwrap_or((backend, backend));
        let stop = CancellationToken::new();
        let task = tokio::spawn(app.run(stop.clone().cancelled_owned()));
        Ok(Self { grpc, http, stop, task })
    }

    async fn stop(self) {
        self.stop.cancel();
        // A service that panicked has stopped.
        let _ = self.task.await;
    }
}

fn configuration(backend: SocketAddr) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
      http:
        endpoint: 127.0.0.1:0
processors:
  gramtrace:
exporters:
  otlp_grpc:
    endpoint: {backend}
    tls:
      insecure: true
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [gramtrace]
      exporters: [otlp_grpc]
    metrics:
      receivers: [otlp]
      exporters: [otlp_grpc]
    logs:
      receivers: [otlp]
      exporters: [otlp_grpc]
  telemetry:
    metrics:
      level: none
"
    )
}
