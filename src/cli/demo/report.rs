//! What the demo shows: where things listen, what arrived, and how to send one's own traces. Pure text from the bytes
//! that the backend received.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use prost::DecodeError;

use super::Service;
use super::captures::{CAPTURES, Transport};
use crate::enrich::EnrichSettings;
use crate::otlp::{Signal, count, json};
use crate::trace::{Receipt, Receipts, Row, Style, Totals, by_trace, line, receipts, table};

/// What the backend received, read.
pub(super) struct Report {
    receipts: Vec<Receipt>,
    other_spans: u64,
    requests: usize,
    bytes: usize,
    metric_points: u64,
    log_records: u64,
    untouched: bool,
}

impl Report {
    pub(super) fn of(arrived: &[(Signal, Bytes)]) -> Result<Self, DecodeError> {
        let mut report = Self {
            receipts: Vec::new(),
            other_spans: 0,
            requests: arrived.len(),
            bytes: arrived.iter().map(|(_, body)| body.len()).sum(),
            metric_points: 0,
            log_records: 0,
            untouched: true,
        };
        for (signal, body) in arrived {
            match signal {
                Signal::Traces => {
                    let Receipts { receipts, other_spans } = read(body)?;
                    report.receipts.extend(receipts);
                    report.other_spans += other_spans;
                }
                Signal::Metrics => report.metric_points += items(*signal, body),
                Signal::Logs => report.log_records += items(*signal, body),
            }
            report.untouched &= *signal == Signal::Traces || was_sent(*signal, body);
        }
        Ok(report)
    }

    pub(super) fn write(&self, out: &mut dyn Write, saved: Option<&Path>) -> io::Result<()> {
        let spans = self.receipts.len() as u64 + self.other_spans;
        writeln!(out, "arrived  {} requests, {} bytes", self.requests, self.bytes)?;
        writeln!(out, "         {spans} spans, {} of them with a receipt", self.receipts.len())?;
        let untouched = if self.untouched { ", byte for byte as they were sent" } else { "" };
        writeln!(out, "         {} metric points and {} log records{untouched}", self.metric_points, self.log_records)?;
        if let Some(folder) = saved {
            writeln!(out, "         bytes saved in {}", folder.display())?;
        }
        writeln!(out, "\nA line a trace with model calls, from what the backend received:\n")?;
        out.write_all(table("instrumentation", &self.rows(), Style::Plain).as_bytes())?;
        let totals = Totals::of(&self.receipts);
        if let Some(embodied) = totals.embodied_co2e_g() {
            writeln!(out, "embodied CO2e, not in the figures above: {}", crate::trace::figures::mass_range(embodied))?;
        }
        Ok(())
    }

    /// A row a trace that has a call, by what instrumented it.
    fn rows(&self) -> Vec<Row> {
        let row = |(trace_id, totals): (String, Totals)| {
            let of_trace = self.receipts.iter().filter(|receipt| receipt.trace_id == trace_id);
            let mut scopes: Vec<&str> = of_trace.map(|receipt| receipt.scope.as_str()).collect();
            scopes.dedup();
            let scope = scopes.first().copied().unwrap_or_default();
            let scope = ["opentelemetry.instrumentation.", "openinference.instrumentation."]
                .iter()
                .find_map(|prefix| scope.strip_prefix(prefix))
                .unwrap_or(scope);
            Row { label: scope.to_owned(), totals }
        };
        by_trace(&self.receipts).into_iter().map(row).collect()
    }
}

/// Where things listen.
pub(super) fn introduction(out: &mut dyn Write, service: &Service, backend: SocketAddr) -> io::Result<()> {
    writeln!(out, "gramtrace {}: OTLP in, receipts on the spans, OTLP out\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "service  {} (OTLP/gRPC), {} (OTLP/HTTP)", service.grpc, service.http)?;
    writeln!(out, "backend  {backend} (OTLP/gRPC), a receiver that keeps what it gets")?;
    let mut names: Vec<&str> = CAPTURES.iter().map(|capture| capture.instrumentation).collect();
    names.dedup();
    writeln!(out, "sent     {} captured exports of {} instrumentations", CAPTURES.len(), names.len())
}

/// How to send one's own.
pub(super) fn instructions(out: &mut dyn Write, kept: Option<&Service>) -> io::Result<()> {
    writeln!(
        out,
        "\nco2e is the use phase, location-based; [low–high] is the range of the estimate; tier is the quality
of its factor (A: metered, B: measured open model, C: known architecture, D: assumed one, E: of a
class of models). Estimates for decisions, not an inventory: see README.md.\n"
    )?;
    if let Some(service) = kept {
        writeln!(out, "Still listening; Ctrl-C ends it. Point an OpenTelemetry SDK here:\n")?;
        writeln!(out, "    export OTEL_EXPORTER_OTLP_ENDPOINT=http://{}   # HTTP", service.http)?;
        return writeln!(out, "    export OTEL_EXPORTER_OTLP_ENDPOINT=http://{}   # gRPC\n", service.grpc);
    }
    writeln!(
        out,
        "Your own traces, with any OpenTelemetry SDK:\n
    gramtrace run                                             # receipts on the console
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318  # for your application; gRPC: 4317

To send them on to your backend:\n
    OTEL_EXPORTER_OTLP_ENDPOINT=http://your-backend:4318 gramtrace run"
    )
}

/// What arrived while the demo is kept running.
pub(super) fn arrival(out: &mut dyn Write, signal: Signal, body: &Bytes) -> io::Result<()> {
    match (signal, read(body)) {
        (Signal::Traces, Ok(read)) if !read.receipts.is_empty() => {
            read.receipts.iter().try_for_each(|receipt| writeln!(out, "{}", line(receipt)))
        }
        _ => writeln!(out, "{}: {} {}", signal.name(), items(signal, body), signal.items().replace('_', " ")),
    }
}

/// Whether some capture is exactly this; JSON arrives as protobuf, which is the same in other bytes.
fn was_sent(signal: Signal, body: &[u8]) -> bool {
    CAPTURES.iter().filter(|capture| capture.signal == signal).any(|capture| match capture.transport {
        Transport::HttpJson => json::decode(signal, capture.body).is_ok_and(|sent| sent == body),
        Transport::Grpc | Transport::HttpProtobuf => capture.body == body,
    })
}

fn read(body: &[u8]) -> Result<Receipts, DecodeError> {
    receipts::read(body, &EnrichSettings::default().prefix)
}

fn items(signal: Signal, body: &[u8]) -> u64 {
    count(signal, body).unwrap_or(0)
}
