//! The exporter for a person's eyes: receipts as lines on a console. It acknowledges everything, also what it
//! cannot read or write: a console is no backend whose failure is worth a sender's repeat. Knows no transport.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use prost::{DecodeError, Message};

use super::Outcome;
use crate::otlp::Signal;
use crate::trace::{Receipts, Totals, detail, figures, line, receipts};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// One line a request.
    Basic,
    /// One line a receipt; a request without any has its one line.
    #[default]
    Normal,
    /// As normal, and every key of each receipt.
    Detailed,
}

/// What is written, and which keys are receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugSettings {
    /// The exporter's id as configured, `type[/name]`.
    pub name: String,
    /// How much.
    pub verbosity: Verbosity,
    /// The prefix of the keys, with its dot: `gramtrace.` unless configured.
    pub prefix: String,
}

/// Writes receipts for people. Each request's lines stay together.
pub struct DebugExporter {
    settings: DebugSettings,
    writer: Mutex<Box<dyn Write + Send>>,
    broken: AtomicBool,
}

impl fmt::Debug for DebugExporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DebugExporter").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl DebugExporter {
    /// An exporter that writes to `writer`: standard output, unless in a test.
    #[must_use]
    pub fn new(settings: DebugSettings, writer: Box<dyn Write + Send>) -> Self {
        Self { settings, writer: Mutex::new(writer), broken: AtomicBool::new(false) }
    }

    /// The exporter's id as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Writes what `body`, an `Export*ServiceRequest` as protobuf, says. Always delivered.
    pub fn send(&self, signal: Signal, body: &Bytes) -> Outcome {
        let text = self
            .describe(signal, body)
            .unwrap_or_else(|error| format!("{}: {} bytes that cannot be read: {error}\n", signal.name(), body.len()));
        self.write(&text);
        Outcome::Delivered { response: Bytes::new() }
    }

    fn describe(&self, signal: Signal, body: &Bytes) -> Result<String, DecodeError> {
        Ok(match signal {
            Signal::Traces => self.traces(&receipts::read(body, &self.settings.prefix)?, body.len()),
            Signal::Metrics => items(signal, metric_points(body)?, body.len()),
            Signal::Logs => items(signal, log_records(body)?, body.len()),
        })
    }

    fn traces(&self, read: &Receipts, bytes: usize) -> String {
        let lines = |shown: fn(&_) -> String| read.receipts.iter().map(|receipt| shown(receipt) + "\n").collect();
        match self.settings.verbosity {
            Verbosity::Normal if !read.receipts.is_empty() => lines(line),
            Verbosity::Detailed if !read.receipts.is_empty() => lines(detail),
            _ => summary(read, bytes),
        }
    }

    fn write(&self, text: &str) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.write_all(text.as_bytes()).and_then(|()| writer.flush())
            && !self.broken.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(exporter = self.name(), %error, "the debug exporter cannot write: receipts are not shown");
        }
    }
}

fn summary(read: &Receipts, bytes: usize) -> String {
    let spans = read.other_spans + read.receipts.len() as u64;
    let mut text = format!("traces: {spans} spans, {bytes} bytes");
    if !read.receipts.is_empty() {
        let totals = Totals::of(&read.receipts);
        let calls = totals.calls + totals.repriced;
        // Writing to a String cannot fail.
        let _ = write!(text, ", {} with a receipt, {calls} counted", read.receipts.len());
        if totals.unvalued() > 0 {
            let _ = write!(text, " and {} without a value", totals.unvalued());
        }
        if let Some(energy_wh) = totals.energy_wh() {
            let _ = write!(text, ", {}", figures::energy(energy_wh.value));
        }
        if let Some(co2e_g) = totals.co2e_g() {
            let _ = write!(text, ", CO2e {}", figures::mass_range(co2e_g));
        }
    }
    text + "\n"
}

fn items(signal: Signal, items: usize, bytes: usize) -> String {
    format!("{}: {items} {}, {bytes} bytes\n", signal.name(), signal.items().replace('_', " "))
}

fn log_records(body: &[u8]) -> Result<usize, DecodeError> {
    let request = ExportLogsServiceRequest::decode(body)?;
    let scopes = request.resource_logs.iter().flat_map(|group| &group.scope_logs);
    Ok(scopes.map(|scope| scope.log_records.len()).sum())
}

fn metric_points(body: &[u8]) -> Result<usize, DecodeError> {
    let request = ExportMetricsServiceRequest::decode(body)?;
    let scopes = request.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
    Ok(scopes.flat_map(|scope| &scope.metrics).map(points_of).sum())
}

fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, NumberDataPoint, ResourceMetrics, ScopeMetrics};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;

    #[derive(Clone, Default)]
    struct Console(Arc<Mutex<Vec<u8>>>);

    impl Write for Console {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(verbosity: Verbosity, signal: Signal, body: Vec<u8>) -> String {
        let console = Console::default();
        let settings = DebugSettings { name: "debug".to_owned(), verbosity, prefix: "gramtrace.".to_owned() };
        let outcome = DebugExporter::new(settings, Box::new(console.clone())).send(signal, &body.into());
        assert_eq!(outcome, Outcome::Delivered { response: Bytes::new() });
        String::from_utf8(console.0.lock().unwrap().clone()).unwrap()
    }

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn span(attributes: Vec<KeyValue>) -> Span {
        Span { trace_id: vec![0xab; 16], name: "chat".to_owned(), attributes, ..Span::default() }
    }

    fn traces(spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let group = ResourceSpans { scope_spans, ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec()
    }

    fn one_call_one_unknown_one_other() -> Vec<u8> {
        let status = |status: &str| attribute("gramtrace.status", Value::StringValue(status.to_owned()));
        let counted = span(vec![
            status("ok"),
            attribute("gramtrace.co2e_g", Value::DoubleValue(0.25)),
            attribute("gramtrace.energy_wh", Value::DoubleValue(0.5)),
        ]);
        traces(vec![counted, span(vec![status("unknown_model")]), span(vec![])])
    }

    #[test]
    fn basic_is_one_line_a_request() {
        let body = one_call_one_unknown_one_other();
        let expected = format!(
            "traces: 3 spans, {} bytes, 2 with a receipt, 1 counted and 1 without a value, 500 mWh, CO2e 250 mg\n",
            body.len()
        );
        assert_eq!(shown(Verbosity::Basic, Signal::Traces, body), expected);
    }

    #[test]
    fn normal_is_one_line_a_receipt() {
        let expected = "–  chat  500 mWh  CO2e 250 mg  trace abababab\n\
                        –  chat  unknown_model: no factor for its model  trace abababab\n";
        assert_eq!(shown(Verbosity::Normal, Signal::Traces, one_call_one_unknown_one_other()), expected);
    }

    #[test]
    fn detailed_has_every_key_under_its_line() {
        let expected = "–  chat  500 mWh  CO2e 250 mg  trace abababab\n    gramtrace.status = ok\n    \
                        gramtrace.co2e_g = 0.25\n    gramtrace.energy_wh = 0.5\n\
                        –  chat  unknown_model: no factor for its model  trace abababab\n    \
                        gramtrace.status = unknown_model\n";
        assert_eq!(shown(Verbosity::Detailed, Signal::Traces, one_call_one_unknown_one_other()), expected);
    }

    #[test]
    fn a_request_without_receipts_has_its_line_whatever_the_verbosity() {
        let body = traces(vec![span(vec![]), span(vec![])]);
        let expected = format!("traces: 2 spans, {} bytes\n", body.len());
        for verbosity in [Verbosity::Basic, Verbosity::Normal, Verbosity::Detailed] {
            assert_eq!(shown(verbosity, Signal::Traces, body.clone()), expected);
        }
    }

    #[test]
    fn metric_points_and_log_records_are_counted() {
        let gauge = Gauge { data_points: vec![NumberDataPoint::default(); 3] };
        let metrics = vec![Metric { data: Some(Data::Gauge(gauge)), ..Metric::default() }, Metric::default()];
        let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
        let group = ResourceMetrics { scope_metrics, ..ResourceMetrics::default() };
        let body = ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec();
        let expected = format!("metrics: 3 metric points, {} bytes\n", body.len());
        assert_eq!(shown(Verbosity::Normal, Signal::Metrics, body), expected);

        let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default(); 2], ..ScopeLogs::default() }];
        let group = ResourceLogs { scope_logs, ..ResourceLogs::default() };
        let body = ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec();
        let expected = format!("logs: 2 log records, {} bytes\n", body.len());
        assert_eq!(shown(Verbosity::Normal, Signal::Logs, body), expected);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_acknowledged() {
        let text = shown(Verbosity::Normal, Signal::Traces, vec![0x0a, 0xff]);
        assert!(text.starts_with("traces: 2 bytes that cannot be read: "), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_console_that_is_gone_fails_no_delivery() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let settings =
            DebugSettings { name: "debug".to_owned(), verbosity: Verbosity::Normal, prefix: "gramtrace.".to_owned() };
        let exporter = DebugExporter::new(settings, Box::new(Closed));
        assert_eq!(exporter.send(Signal::Logs, &Bytes::new()), Outcome::Delivered { response: Bytes::new() });
    }
}
