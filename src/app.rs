//! The composition root: from a configuration to a service that is built (every listener bound, every exporter
//! checked), and from there to one that runs until it is told to stop.

mod settings;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{Admin, AdminError, Readiness};
use crate::config::{ComponentId, Config, ExporterConfig, PipelineConfig, PipelineId};
use crate::enrich::Enricher;
use crate::exporter::{DebugExporter, Exporter, ExporterBuildError, GrpcExporter, HttpExporter};
use crate::factors::{Registry, RegistryError};
use crate::genai::Status;
use crate::pipeline::{Pipeline, Pipelines};
use crate::receiver::{Admission, BindError, GrpcService, HttpService, Intake, Listener};
use crate::telemetry::Metrics;

/// Requests of one receiver that may be under way at once; beyond it the answer is "retry after".
const MAX_IN_FLIGHT: usize = 4096;
/// When a sender that found no place may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a service cannot be built. Nothing was started.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The factors that are compiled in, or laid over them, do not load.
    #[error("registry: {0}")]
    Registry(#[from] RegistryError),
    /// An exporter's settings cannot be used.
    #[error("{0}")]
    Exporter(#[from] ExporterBuildError),
    /// A receiver's address cannot be listened on.
    #[error("receivers::{receiver}::protocols::{transport}: {source}")]
    Receiver {
        /// The receiver's id.
        receiver: String,
        /// `grpc` or `http`.
        transport: &'static str,
        /// Why not.
        source: BindError,
    },
    /// The health or metrics page cannot listen.
    #[error("{0}")]
    Admin(#[from] AdminError),
}

/// Opens what the debug exporter writes to: standard output, unless in a test.
pub type Console = fn() -> Box<dyn Write + Send>;

/// What a service uses that is not in its configuration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where it counts.
    pub metrics: Metrics,
    /// Where the debug exporter writes.
    pub console: Console,
}

/// One OTLP listener of a built service.
#[derive(Debug)]
struct Bound {
    receiver: String,
    transport: &'static str,
    listener: Listener,
    service: Service,
}

#[derive(Debug)]
enum Service {
    Grpc(GrpcService),
    Http(HttpService),
}

/// A service that is built and takes no request yet.
#[derive(Debug)]
pub struct App {
    bound: Vec<Bound>,
    admin: Admin,
    readiness: Readiness,
}

impl App {
    /// Builds what `config` describes: the registry is loaded, exporters are checked (not connected), listeners bound.
    ///
    /// # Errors
    /// [`BuildError`] for the first part that cannot be built; what was bound is given back.
    pub async fn build(config: &Config, surroundings: &Surroundings) -> Result<Self, BuildError> {
        let readiness = Readiness::starting();
        let pipelines = build_pipelines(config, surroundings)?;
        let mut bound = Vec::new();
        for (id, receiver) in &config.receivers {
            let feeds = fed_by(id, config, &pipelines);
            if feeds.is_empty() {
                continue;
            }
            let admission = Admission::new(MAX_IN_FLIGHT, RETRY_AFTER);
            let intake = Intake::new(id.to_string(), feeds, admission, surroundings.metrics.clone());
            if let Some(grpc) = &receiver.protocols.grpc {
                let service = Service::Grpc(GrpcService::new(intake.clone(), &settings::grpc(grpc)));
                bound.push(Bound::bind(id, "grpc", &grpc.endpoint.to_string(), service).await?);
            }
            if let Some(http) = &receiver.protocols.http {
                let service = Service::Http(HttpService::new(intake, settings::http(http)));
                bound.push(Bound::bind(id, "http", &http.endpoint.to_string(), service).await?);
            }
        }
        let pages = settings::admin(config);
        let admin = Admin::bind(&pages, readiness.clone(), surroundings.metrics.clone()).await?;
        Ok(Self { bound, admin, readiness })
    }

    /// Where OTLP is taken: the receiver's id, `grpc` or `http`, and the address with the port that was picked.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, &'static str, SocketAddr)> {
        self.bound.iter().map(|bound| (&*bound.receiver, bound.transport, bound.listener.local_addr()))
    }

    /// Where the health page listens.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.admin.health_address()
    }

    /// Where the lookup API listens.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.admin.api_address()
    }

    /// Where the metrics page listens.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.admin.metrics_address()
    }

    /// Runs until `shutdown`, then stops accepting, lets requests in flight end, and returns. The health page says so
    /// meanwhile and stops last.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
        let mut receivers = JoinSet::new();
        for bound in self.bound {
            receivers.spawn(bound.serve(stop.clone()));
        }
        let admin = tokio::spawn(self.admin.run(drained.clone().cancelled_owned()));
        self.readiness.ready(SystemTime::now());
        shutdown.await;
        self.readiness.draining();
        stop.cancel();
        receivers.join_all().await;
        drained.cancel();
        // It ends by itself within its grace; if it panicked there is nothing left to stop.
        let _ = admin.await;
    }
}

impl Bound {
    async fn bind(
        receiver: &ComponentId,
        transport: &'static str,
        address: &str,
        service: Service,
    ) -> Result<Self, BuildError> {
        let receiver = receiver.to_string();
        match Listener::bind(address, settings::listener(&service)).await {
            Ok(listener) => Ok(Self { receiver, transport, listener, service }),
            Err(source) => Err(BuildError::Receiver { receiver, transport, source }),
        }
    }

    async fn serve(self, stop: CancellationToken) {
        match self.service {
            Service::Grpc(service) => self.listener.serve(service, stop.cancelled_owned()).await,
            Service::Http(service) => self.listener.serve(service, stop.cancelled_owned()).await,
        }
    }
}

/// Every pipeline that the configuration lists, with its exporters and, for traces, its enricher.
fn build_pipelines<'a>(
    config: &'a Config,
    surroundings: &Surroundings,
) -> Result<BTreeMap<&'a PipelineId, Arc<Pipeline>>, BuildError> {
    let registry = Arc::new(Registry::builtin()?);
    let exporters = build_exporters(config, surroundings)?;
    for status in Status::ALL {
        surroundings.metrics.spans(status.name(), 0);
    }
    // Pipelines that name the same processor share it, and so count a call once between them.
    let enrichers: BTreeMap<_, _> = config
        .processors
        .iter()
        .map(|(id, gramtrace)| (id, Arc::new(Enricher::new(Arc::clone(&registry), &settings::enrich(id, gramtrace)))))
        .collect();
    let build = |pipeline: &PipelineConfig| {
        let enricher = pipeline.processors.iter().find_map(|id| enrichers.get(id)).map(Arc::clone);
        let exporters = pipeline.exporters.iter().filter_map(|id| exporters.get(id).map(Arc::clone)).collect();
        Arc::new(Pipeline::new(enricher, exporters, surroundings.metrics.clone()))
    };
    Ok(config.service.pipelines.iter().map(|(id, pipeline)| (id, build(pipeline))).collect())
}

fn build_exporters<'a>(
    config: &'a Config,
    surroundings: &Surroundings,
) -> Result<BTreeMap<&'a ComponentId, Arc<Exporter>>, BuildError> {
    let is_used = |id: &ComponentId| config.service.pipelines.values().any(|pipeline| pipeline.exporters.contains(id));
    let mut exporters = BTreeMap::new();
    for (id, exporter) in config.exporters.iter().filter(|(id, _)| is_used(id)) {
        let exporter = match exporter {
            ExporterConfig::OtlpGrpc(grpc) => {
                Exporter::Grpc(Box::new(GrpcExporter::new(settings::grpc_exporter(id, grpc))?))
            }
            ExporterConfig::OtlpHttp(http) => {
                Exporter::Http(Box::new(HttpExporter::new(settings::http_exporter(id, http)?)?))
            }
            ExporterConfig::Debug(debug) => {
                Exporter::Debug(DebugExporter::new(settings::debug(id, config, debug), (surroundings.console)()))
            }
        };
        exporters.insert(id, Arc::new(exporter));
    }
    Ok(exporters)
}

/// The pipelines that list a receiver, by signal; the configuration allows one a signal.
fn fed_by(id: &ComponentId, config: &Config, pipelines: &BTreeMap<&PipelineId, Arc<Pipeline>>) -> Pipelines {
    pipelines
        .iter()
        .filter(|(pipeline, _)| {
            config.service.pipelines.get(pipeline).is_some_and(|pipeline| pipeline.receivers.contains(id))
        })
        .map(|(pipeline, built)| (pipeline.signal, Arc::clone(built)))
        .collect()
}
