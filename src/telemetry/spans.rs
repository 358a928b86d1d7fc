//! Own spans: one a request that came in, and one below it for each backend that it went to, under the Collector's
//! names. Off, they cost a load; on, they are made when the request has ended, so that nothing is recorded of a request
//! that turns out to carry this process's own telemetry. Knows nothing of where spans go.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use memchr::memmem;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::flow::Loss;
use crate::otlp::Signal;

tokio::task_local! {
    /// The journal of the request that the task works on.
    static CURRENT: Journal;
}

/// Whether and where own spans are recorded. Cheap to clone: clones change together.
#[derive(Debug, Clone, Default)]
pub struct Tracing(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    on: AtomicBool,
    recorder: RwLock<Option<Recorder>>,
}

/// What records spans, and how own telemetry is told from others'.
#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) tracer: SdkTracer,
    /// Bytes that stand in every request of this process's own telemetry, and in no other.
    pub(super) marker: Arc<[u8]>,
}

/// What happens to one request, for its spans; or nothing. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Journal(Option<Arc<Entry>>);

#[derive(Debug)]
struct Entry {
    recorder: Recorder,
    receiver: String,
    transport: &'static str,
    began: SystemTime,
    items: AtomicU64,
    withdrawn: AtomicBool,
    sent: Mutex<Vec<Sent>>,
}

/// One delivery that has ended.
#[derive(Debug)]
struct Sent {
    exporter: String,
    began: SystemTime,
    ended: SystemTime,
    outcome: &'static str,
}

/// One delivery that is under way. Dropped without a word it was given up.
#[derive(Debug)]
pub struct Sending {
    journal: Journal,
    exporter: String,
    began: SystemTime,
    outcome: &'static str,
}

impl Tracing {
    /// From now on `recorder` records, or nobody. Requests under way end where they began.
    pub(super) fn switch_to(&self, recorder: Option<Recorder>) {
        let mut current = self.0.recorder.write().unwrap_or_else(PoisonError::into_inner);
        self.0.on.store(recorder.is_some(), Ordering::Relaxed);
        *current = recorder;
    }

    /// From now on nobody records.
    pub fn stop(&self) {
        self.switch_to(None);
    }

    /// Opens the journal of a request that comes in by `receiver`.
    #[must_use]
    pub fn begin(&self, receiver: &str, transport: &'static str) -> Journal {
        if !self.0.on.load(Ordering::Relaxed) {
            return Journal::default();
        }
        let recorder = self.0.recorder.read().unwrap_or_else(PoisonError::into_inner).clone();
        Journal(recorder.map(|recorder| {
            Arc::new(Entry {
                recorder,
                receiver: receiver.to_owned(),
                transport,
                began: SystemTime::now(),
                items: AtomicU64::new(0),
                withdrawn: AtomicBool::new(false),
                sent: Mutex::default(),
            })
        }))
    }
}

impl Journal {
    /// That of the request that the calling task works on.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Is the current one while `work` is done.
    pub async fn over<F: Future>(self, work: F) -> F::Output {
        match self.0 {
            Some(_) => CURRENT.scope(self, work).await,
            None => work.await,
        }
    }

    /// Looks whether the request carries this process's own telemetry: then nothing is recorded of it, else each
    /// export of own spans that comes back here, on whatever way, would cause the next.
    pub fn reads(&self, body: &[u8]) {
        if let Some(entry) = &self.0
            && memmem::find(body, &entry.recorder.marker).is_some()
        {
            entry.withdrawn.store(true, Ordering::Relaxed);
        }
    }

    /// Notes how many items the request has.
    pub fn holds(&self, items: u64) {
        if let Some(entry) = &self.0 {
            entry.items.store(items, Ordering::Relaxed);
        }
    }

    /// Notes that the request goes to a backend.
    #[must_use]
    pub fn sends(&self, exporter: &str) -> Option<Sending> {
        let begin = |_: &Arc<Entry>| Sending {
            journal: self.clone(),
            exporter: exporter.to_owned(),
            began: SystemTime::now(),
            outcome: Loss::Abandoned.name(),
        };
        self.0.as_ref().map(begin)
    }

    /// The request has ended: `ok`, or the reason for which it was refused.
    pub fn ends(&self, signal: Option<Signal>, outcome: &'static str) {
        if let Some(entry) = self.0.as_ref().filter(|entry| !entry.withdrawn.load(Ordering::Relaxed)) {
            entry.record(signal, outcome);
        }
    }
}

impl Sending {
    /// The delivery has ended: `ok`, or why it failed.
    pub fn ended(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(entry) = &self.journal.0 {
            let sent = Sent {
                exporter: std::mem::take(&mut self.exporter),
                began: self.began,
                ended: SystemTime::now(),
                outcome: self.outcome,
            };
            entry.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        }
    }
}

impl Entry {
    fn record(&self, signal: Option<Signal>, outcome: &'static str) {
        let name = format!("receiver/{}/{}", self.receiver, received(signal));
        let mut attributes = vec![
            KeyValue::new("receiver", self.receiver.clone()),
            KeyValue::new("transport", self.transport),
            KeyValue::new("outcome", outcome),
        ];
        attributes.extend(self.items(signal, "accepted_", "refused_", outcome));
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(self.began)
            .with_attributes(attributes);
        let mut span = self.recorder.tracer.build_with_context(builder, &Context::new());
        if !span.is_recording() {
            return;
        }
        for sent in &*self.sent.lock().unwrap_or_else(PoisonError::into_inner) {
            self.record_sent(span.span_context(), signal, sent);
        }
        span.set_status(status(outcome));
        span.end();
    }

    fn record_sent(&self, request: &SpanContext, signal: Option<Signal>, sent: &Sent) {
        let name = format!("exporter/{}/{}", sent.exporter, signal.map_or("none", Signal::name));
        let mut attributes =
            vec![KeyValue::new("exporter", sent.exporter.clone()), KeyValue::new("outcome", sent.outcome)];
        attributes.extend(self.items(signal, "sent_", "failed_to_send_", sent.outcome));
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Client)
            .with_start_time(sent.began)
            .with_attributes(attributes);
        let parent = Context::new().with_remote_span_context(request.clone());
        let mut span = self.recorder.tracer.build_with_context(builder, &parent);
        span.set_status(status(sent.outcome));
        span.end_with_timestamp(sent.ended);
    }

    /// How many items went well or did not, under the Collector's name, where it is known what they are.
    fn items(&self, signal: Option<Signal>, well: &str, badly: &str, outcome: &str) -> Option<KeyValue> {
        let items = match signal? {
            Signal::Traces => "spans",
            Signal::Metrics => "metric_points",
            Signal::Logs => "log_records",
        };
        let key = format!("{}{items}", if outcome == "ok" { well } else { badly });
        Some(KeyValue::new(key, i64::try_from(self.items.load(Ordering::Relaxed)).unwrap_or(i64::MAX)))
    }
}

/// The Collector's names for what a receiver got.
const fn received(signal: Option<Signal>) -> &'static str {
    match signal {
        Some(Signal::Traces) => "TraceDataReceived",
        Some(Signal::Metrics) => "MetricsReceived",
        Some(Signal::Logs) => "LogsReceived",
        None => "Refused",
    }
}

fn status(outcome: &'static str) -> Status {
    if outcome == "ok" { Status::Unset } else { Status::error(outcome) }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};

    use super::*;

    /// Keeps what it is given.
    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn recording(sampler: Sampler) -> (Tracing, Kept, SdkTracerProvider) {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_sampler(sampler).with_simple_exporter(kept.clone()).build();
        let tracing = Tracing::default();
        let recorder = Recorder { tracer: provider.tracer("test"), marker: Arc::from(*b"marker") };
        tracing.switch_to(Some(recorder));
        (tracing, kept, provider)
    }

    fn attribute(span: &SpanData, key: &str) -> String {
        span.attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string()).unwrap()
    }

    #[tokio::test]
    async fn a_request_and_its_deliveries_are_spans_of_one_trace() {
        let (tracing, kept, _provider) = recording(Sampler::AlwaysOn);
        let journal = tracing.begin("otlp", "grpc");
        journal
            .clone()
            .over(async {
                let journal = Journal::current();
                journal.reads(b"a body");
                journal.holds(7);
                journal.sends("otlp_http").unwrap().ended("ok");
                drop(journal.sends("otlp_grpc/2"));
            })
            .await;
        journal.ends(Some(Signal::Traces), "backend");
        let spans = kept.0.lock().unwrap();
        let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
        let expected = ["exporter/otlp_http/traces", "exporter/otlp_grpc/2/traces", "receiver/otlp/TraceDataReceived"];
        assert_eq!(names, expected);
        let request = &spans[2];
        assert_eq!(request.parent_span_id, SpanId::INVALID);
        for sent in &spans[..2] {
            assert_eq!(sent.parent_span_id, request.span_context.span_id());
            assert_eq!(sent.span_context.trace_id(), request.span_context.trace_id());
            assert!(request.start_time <= sent.start_time && sent.end_time <= request.end_time);
        }
        assert_eq!((attribute(&spans[0], "sent_spans"), &spans[0].status), ("7".to_owned(), &Status::Unset));
        assert_eq!(attribute(&spans[1], "failed_to_send_spans"), "7");
        assert_eq!(spans[1].status, Status::error("abandoned"));
        assert_eq!(
            (attribute(request, "refused_spans"), attribute(request, "outcome")),
            ("7".into(), "backend".into())
        );
    }

    #[test]
    fn nothing_is_recorded_of_own_telemetry_that_comes_back() {
        let (tracing, kept, _provider) = recording(Sampler::AlwaysOn);
        let journal = tracing.begin("otlp", "http");
        journal.reads(b"somewhere in it stands the marker of this process");
        journal.ends(Some(Signal::Traces), "ok");
        assert_eq!(kept.0.lock().unwrap().len(), 0);
    }

    #[test]
    fn what_is_not_sampled_or_switched_off_leaves_no_span() {
        let (tracing, kept, _provider) = recording(Sampler::AlwaysOff);
        let journal = tracing.begin("otlp", "http");
        journal.sends("debug").unwrap().ended("ok");
        journal.ends(None, "not_found");
        tracing.switch_to(None);
        let journal = tracing.begin("otlp", "http");
        assert!(journal.sends("debug").is_none());
        journal.ends(None, "ok");
        assert_eq!(kept.0.lock().unwrap().len(), 0);
    }
}
