//! Own metrics and spans on their way out: from the configuration to what the SDK is told, sent by the same exporters as
//! everything else, so that TLS, compression, headers and messages are the same. Knows nothing of what is told.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

use super::{BuildError, settings};
use crate::config::{OwnCompression, OwnOtlpConfig, OwnProtocol, TelemetryConfig};
use crate::exporter::{
    DEFAULT_LEVEL, Exporter, ExporterBuildError, GrpcExporter, GrpcExporterSettings, HttpExporter,
    HttpExporterSettings, Keepalive, Outcome, Problem, TlsSettings, http_endpoint,
};
use crate::otlp::Signal;
use crate::rejection::Failure;
use crate::telemetry::{BatchSettings, INSTANCE_ID, Metrics, OwnSettings, OwnTelemetry, PeriodicSettings, Tracing};
use crate::wire::Encoding;

/// Own telemetry that is being sent, and what it was configured by.
#[derive(Debug)]
pub(super) struct Own {
    config: TelemetryConfig,
    telemetry: OwnTelemetry,
}

/// What becomes of own telemetry with the next configuration.
#[derive(Debug)]
pub(super) enum NextOwn {
    /// It is what it was: the figures go on without a break.
    Stays,
    /// It is something else, or nothing.
    Changes(Option<Own>),
}

impl NextOwn {
    /// Starts what `config` asks for beside what there is.
    pub(super) fn build(
        before: Option<&Own>,
        config: &TelemetryConfig,
        (instance, metrics): (&str, &Metrics),
    ) -> Result<Self, BuildError> {
        if before.is_some_and(|own| is_same(&own.config, config)) {
            return Ok(Self::Stays);
        }
        let settings = own_settings(config, instance)?;
        if settings.metrics.is_empty() && settings.traces.is_empty() {
            return Ok(Self::Changes(None));
        }
        let telemetry = OwnTelemetry::start(&settings, metrics)?;
        Ok(Self::Changes(Some(Own { config: config.clone(), telemetry })))
    }

    /// Takes the place of `own`, which sends what it still has.
    pub(super) fn replace(self, own: &mut Option<Own>, tracing: &Tracing) {
        let Self::Changes(next) = self else { return };
        match &next {
            Some(next) => next.telemetry.record(tracing),
            None => tracing.stop(),
        }
        if let Some(before) = std::mem::replace(own, next) {
            tokio::task::spawn_blocking(|| before.telemetry.end());
        }
    }
}

impl Own {
    /// Sends what is left.
    pub(super) async fn end(self) {
        // What could not be sent has been said where it was tried.
        let _ = tokio::task::spawn_blocking(|| self.telemetry.end()).await;
    }
}

/// Logs are no part of it.
fn is_same(one: &TelemetryConfig, other: &TelemetryConfig) -> bool {
    (&one.metrics, &one.traces, &one.resource) == (&other.metrics, &other.traces, &other.resource)
}

fn own_settings(config: &TelemetryConfig, instance: &str) -> Result<OwnSettings, BuildError> {
    let mut metrics = Vec::new();
    for (index, periodic) in config.metrics.periodic() {
        let (name, otlp) = (format!("service::telemetry::metrics::readers::{index}"), &periodic.exporter.otlp);
        let client = Courier::build(name, otlp, Signal::Metrics)?;
        metrics.push(PeriodicSettings { interval: periodic.interval, timeout: otlp.timeout, client });
    }
    let mut traces = Vec::new();
    for (index, processor) in config.traces.processors.iter().enumerate() {
        let (name, batch) = (format!("service::telemetry::traces::processors::{index}"), &processor.batch);
        traces.push(BatchSettings {
            schedule_delay: batch.schedule_delay,
            max_queue_size: usize::try_from(batch.max_queue_size).unwrap_or(usize::MAX),
            max_export_batch_size: usize::try_from(batch.max_export_batch_size).unwrap_or(usize::MAX),
            timeout: batch.exporter.otlp.timeout,
            client: Courier::build(name, &batch.exporter.otlp, Signal::Traces)?,
        });
    }
    let sampled = config.traces.sampler.trace_id_ratio_based.ratio;
    Ok(OwnSettings { resource: resource(config, instance), metrics, traces, sampled })
}

/// What own telemetry comes from: what it always is, unless the configuration says otherwise.
fn resource(config: &TelemetryConfig, instance: &str) -> BTreeMap<String, String> {
    let usual =
        [("service.name", "gramtrace"), ("service.version", env!("CARGO_PKG_VERSION")), (INSTANCE_ID, instance)];
    let mut resource: BTreeMap<_, _> = usual.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    for (key, value) in &config.resource {
        match value {
            Some(value) => resource.insert(key.clone(), value.clone()),
            None => resource.remove(key),
        };
    }
    resource
}

/// Takes what the SDK has encoded to a backend by one of this process's own exporters.
struct Courier {
    exporter: Arc<Exporter>,
    signal: Signal,
    /// The SDK has threads of its own, where no exporter can run.
    runtime: Handle,
}

impl Courier {
    fn build(name: String, config: &OwnOtlpConfig, signal: Signal) -> Result<Arc<dyn HttpClient>, ExporterBuildError> {
        let exporter = match config.protocol {
            OwnProtocol::Grpc => GrpcExporter::new(grpc(name, config, signal))?.into(),
            OwnProtocol::Http => HttpExporter::new(http(name, config, signal)?)?.into(),
        };
        Ok(Arc::new(Self { exporter: Arc::new(exporter), signal, runtime: Handle::current() }))
    }
}

impl HttpClient for Courier {
    /// Only the body counts: where it goes and with which headers the exporter knows. The SDK tries again what is
    /// answered by 503.
    fn send_bytes<'client, 'answer>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        let (exporter, signal) = (Arc::clone(&self.exporter), self.signal);
        let sent = self.runtime.spawn(async move { exporter.send(signal, request.into_body(), None).await });
        Box::pin(async move {
            let (status, body) = match sent.await? {
                Outcome::Delivered { response } => (StatusCode::OK, response),
                Outcome::Retry(failure) | Outcome::OurFault(failure) => {
                    (StatusCode::SERVICE_UNAVAILABLE, not_taken(signal, failure))
                }
                Outcome::Refused(failure) | Outcome::TooLarge(failure) => {
                    (StatusCode::BAD_REQUEST, not_taken(signal, failure))
                }
            };
            let mut answer = Response::new(body);
            *answer.status_mut() = status;
            Ok(answer)
        })
    }
}

fn not_taken(signal: Signal, failure: Failure) -> Bytes {
    tracing::warn!(signal = signal.name(), error = %failure.message, "own telemetry was not taken");
    failure.message.into()
}

impl fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Courier").field("exporter", &self.exporter.name()).finish_non_exhaustive()
    }
}

fn grpc(name: String, config: &OwnOtlpConfig, signal: Signal) -> GrpcExporterSettings {
    GrpcExporterSettings {
        name,
        endpoint: config.url(signal),
        tls: tls(config),
        encoding: encoding(config.compression),
        level: DEFAULT_LEVEL,
        headers: settings::headers(&config.headers),
        timeout: config.timeout,
        keepalive: Keepalive::default(),
    }
}

fn http(name: String, config: &OwnOtlpConfig, signal: Signal) -> Result<HttpExporterSettings, ExporterBuildError> {
    let endpoints = match http_endpoint(&config.url(signal)) {
        Ok(uri) => [(signal, uri)].into(),
        Err(error) => return Err(ExporterBuildError { exporter: name, problem: Problem::Endpoint(error) }),
    };
    Ok(HttpExporterSettings {
        name,
        endpoints,
        tls: tls(config),
        encoding: encoding(config.compression),
        level: DEFAULT_LEVEL,
        headers: settings::headers(&config.headers),
        timeout: config.timeout,
    })
}

fn tls(config: &OwnOtlpConfig) -> TlsSettings {
    TlsSettings {
        insecure: config.insecure,
        ca_file: config.certificate.clone(),
        cert_file: config.client_certificate.clone(),
        key_file: config.client_key.clone(),
        ..TlsSettings::default()
    }
}

const fn encoding(compression: OwnCompression) -> Encoding {
    match compression {
        OwnCompression::None => Encoding::Identity,
        OwnCompression::Gzip => Encoding::Gzip,
    }
}
