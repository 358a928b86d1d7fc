//! Own metrics and spans on their way out over OTLP, where somebody wants them: what is collected when, what it is said
//! to come from, and what has to leave before the end. Knows no transport: a client is handed in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, IdGenerator as _, RandomIdGenerator, Sampler, SdkTracerProvider,
};

use super::metrics::Metrics;
use super::spans::{Recorder, Tracing};
use super::{emissions, instruments};
use crate::hex;

/// The attribute by which own telemetry is known again.
pub const INSTANCE_ID: &str = "service.instance.id";

/// What is told, and to whom.
#[derive(Debug, Clone)]
pub struct OwnSettings {
    /// What it is said to come from. Has [`INSTANCE_ID`].
    pub resource: BTreeMap<String, String>,
    /// Who gets metrics.
    pub metrics: Vec<PeriodicSettings>,
    /// Who gets spans.
    pub traces: Vec<BatchSettings>,
    /// The part of requests that leaves spans: 0 to 1.
    pub sampled: f64,
}

/// Metrics at intervals.
#[derive(Debug, Clone)]
pub struct PeriodicSettings {
    /// The time from one export to the next.
    pub interval: Duration,
    /// How long an export may take.
    pub timeout: Duration,
    /// How it is sent.
    pub client: Arc<dyn HttpClient>,
}

/// Spans in batches.
#[derive(Debug, Clone)]
pub struct BatchSettings {
    /// How long a span waits for others.
    pub schedule_delay: Duration,
    /// Spans that may wait; one more is dropped.
    pub max_queue_size: usize,
    /// Spans of one export.
    pub max_export_batch_size: usize,
    /// How long an export may take.
    pub timeout: Duration,
    /// How it is sent.
    pub client: Arc<dyn HttpClient>,
}

/// Own telemetry cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("own telemetry cannot be sent: {0}")]
pub struct OwnTelemetryError(String);

/// What leaves this process about itself, until it is ended.
pub struct OwnTelemetry {
    meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
    recorder: Option<Recorder>,
}

impl OwnTelemetry {
    /// Begins to send what `metrics` count. Spans are recorded once [`Self::record`] says so.
    ///
    /// # Errors
    /// [`OwnTelemetryError`] for what the SDK objects to.
    pub fn start(settings: &OwnSettings, metrics: &Metrics) -> Result<Self, OwnTelemetryError> {
        let scope = InstrumentationScope::builder("gramtrace").with_version(env!("CARGO_PKG_VERSION")).build();
        let pairs = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let resource = Resource::builder_empty().with_attributes(pairs).build();
        let meters = meters(settings, resource.clone(), metrics.emissions().capacity())?;
        if let Some(meters) = &meters {
            let meter = meters.meter_with_scope(scope.clone());
            instruments::register(&meter, metrics);
            emissions::register(&meter, metrics.emissions());
        }
        let tracers = tracers(settings, resource)?;
        let marker = marker(settings.resource.get(INSTANCE_ID).map_or("", String::as_str));
        let recorder = tracers.as_ref().map(|tracers| Recorder { tracer: tracers.tracer_with_scope(scope), marker });
        Ok(Self { meters, tracers, recorder })
    }

    /// From now on requests leave their spans here.
    pub fn record(&self, tracing: &Tracing) {
        tracing.switch_to(self.recorder.clone());
    }

    /// Sends what is left. Blocks for as long as that takes, which the caller bounds.
    pub fn end(self) {
        // What could not be sent has been said where it was tried.
        let _ = self.tracers.map(|tracers| tracers.shutdown());
        let _ = self.meters.map(|meters| meters.shutdown());
    }
}

/// `most_series`: of one instrument. The SDK's own limit stands above it, since what is beyond that is summed in silence.
fn meters(
    settings: &OwnSettings,
    resource: Resource,
    most_series: usize,
) -> Result<Option<SdkMeterProvider>, OwnTelemetryError> {
    if settings.metrics.is_empty() {
        return Ok(None);
    }
    let roomy = move |instrument: &Instrument| {
        let is_many = emissions::INSTRUMENTS.contains(&instrument.name());
        is_many.then(|| Stream::builder().with_cardinality_limit(most_series + 1).build().ok())?
    };
    let mut provider = SdkMeterProvider::builder().with_resource(resource).with_view(roomy);
    for periodic in &settings.metrics {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(UNUSED)
            .with_timeout(periodic.timeout)
            .with_shared_http_client(Arc::clone(&periodic.client))
            .build()
            .map_err(refused)?;
        provider = provider.with_reader(PeriodicReader::builder(exporter).with_interval(periodic.interval).build());
    }
    Ok(Some(provider.build()))
}

fn tracers(settings: &OwnSettings, resource: Resource) -> Result<Option<SdkTracerProvider>, OwnTelemetryError> {
    if settings.traces.is_empty() {
        return Ok(None);
    }
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampled)));
    let mut provider = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler);
    for batch in &settings.traces {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(UNUSED)
            .with_timeout(batch.timeout)
            .with_shared_http_client(Arc::clone(&batch.client))
            .build()
            .map_err(refused)?;
        let config = BatchConfigBuilder::default()
            .with_scheduled_delay(batch.schedule_delay)
            .with_max_queue_size(batch.max_queue_size)
            .with_max_export_batch_size(batch.max_export_batch_size)
            .build();
        provider =
            provider.with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(config).build());
    }
    Ok(Some(provider.build()))
}

/// The client knows where it sends.
const UNUSED: &str = "http://localhost";

fn refused(error: ExporterBuildError) -> OwnTelemetryError {
    OwnTelemetryError(error.to_string())
}

/// A random id of this process, as a UUID of version 4.
#[must_use]
pub fn instance_id() -> String {
    let [a, b, c, d, e, f, version, h, variant, rest @ ..] = RandomIdGenerator::default().new_trace_id().to_bytes();
    let (version, variant) = (version & 0x0f | 0x40, variant & 0x3f | 0x80);
    let [tail, node @ ..] = rest;
    let groups = [&[a, b, c, d][..], &[e, f], &[version, h], &[variant, tail], &node];
    groups.map(hex::encode).join("-")
}

/// The attribute as every encoder writes it: `KeyValue {key, value: {string_value}}` without its own prefix. Lengths
/// stand in one byte each; of a longer id the text alone must do.
fn marker(instance_id: &str) -> Arc<[u8]> {
    let Some(len) = u8::try_from(instance_id.len()).ok().filter(|len| *len < 126) else {
        return instance_id.as_bytes().into();
    };
    [INSTANCE_ID.as_bytes(), &[0x12, len + 2, 0x0a, len], instance_id.as_bytes()].concat().into()
}

impl fmt::Debug for OwnTelemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OwnTelemetry")
            .field("metrics", &self.meters.is_some())
            .field("traces", &self.tracers.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_marker_stands_in_what_an_encoder_writes_and_only_under_its_key() {
        let encoded = |key: &str, value: &str| {
            let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
            KeyValue { key: key.to_owned(), value, ..KeyValue::default() }.encode_to_vec()
        };
        let id = instance_id();
        let has = |bytes: &[u8]| memchr::memmem::find(bytes, &marker(&id)).is_some();
        assert!(has(&encoded("service.instance.id", &id)));
        assert!(!has(&encoded("service.name", &id)));
        assert!(!has(&encoded("service.instance.id", &format!("{id}0"))));
        let long = "x".repeat(200);
        assert!(memchr::memmem::find(&encoded("service.instance.id", &long), &marker(&long)).is_some());
    }

    #[test]
    fn an_instance_id_is_a_uuid_of_version_4_and_its_own() {
        let id = instance_id();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_ne!(id, instance_id());
    }
}
