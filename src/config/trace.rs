//! `processors.gramtrace.trace`: how much is kept of traces, and for how long.
//! Knows keys, bounds and advice; nothing of traces.

use std::time::Duration;

use serde::Serialize;

use super::section::{Field, Section};

/// `processors.gramtrace.trace`: what totals of traces may take. Whatever is full first, the oldest leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceConfig {
    /// Traces at most; 1000000. 0 turns totals off.
    pub max_traces: u64,
    /// In MiB, 1 to 65536; 256. With `summary_span` half as much again, for roots that are waited with.
    pub max_size_mib: u64,
    /// How long a trace is kept after its last call; 1 h.
    #[serde(serialize_with = "super::duration::serialize")]
    pub ttl: Duration,
    /// Receipts of single calls.
    pub receipts: ReceiptsConfig,
    /// Whether a span with the final totals is added under the root; false.
    pub summary_span: bool,
    /// How long nothing has come for a trace before it is summed up; 30 s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub quiet: Duration,
}

/// `processors.gramtrace.trace.receipts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptsConfig {
    /// Traces whose receipts are kept at most, the newest; 10000. 0 keeps none.
    pub max_traces: u64,
    /// Receipts of one trace at most, the first; 64.
    pub max_calls: u64,
}

impl Default for TraceConfig {
    fn default() -> Self {
        let receipts = ReceiptsConfig { max_traces: 10_000, max_calls: 64 };
        Self {
            max_traces: 1_000_000,
            max_size_mib: 256,
            ttl: Duration::from_secs(60 * 60),
            receipts,
            summary_span: false,
            quiet: Duration::from_secs(30),
        }
    }
}

impl TraceConfig {
    /// What roots that are waited with may take beside `max_size_mib`, in bytes.
    #[must_use]
    pub const fn max_root_bytes(&self) -> u64 {
        if self.summary_span { self.max_size_mib << 19 } else { 0 }
    }

    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("max_traces", &mut config.max_traces, |field| field.whole(0, 100_000_000));
        section.read("max_size_mib", &mut config.max_size_mib, |field| field.whole(1, 65_536));
        section.read("ttl", &mut config.ttl, ttl);
        if let Some(mut receipts) = section.section("receipts") {
            receipts.read("max_traces", &mut config.receipts.max_traces, |field| field.whole(0, 100_000_000));
            receipts.read("max_calls", &mut config.receipts.max_calls, |field| field.whole(1, 10_000));
            receipts.finish(&[]);
        }
        section.read("summary_span", &mut config.summary_span, Field::flag);
        section.read("quiet", &mut config.quiet, quiet);
        if config.summary_span && config.quiet >= config.ttl {
            section
                .error_in("quiet", "a trace is forgotten before it has been quiet for so long; write less than `ttl`");
        }
        if config.summary_span && config.max_traces == 0 {
            section.error_in("summary_span", "without totals there is nothing to sum up; write `max_traces` above 0");
        }
        section.finish(&[]);
        config
    }
}

fn quiet(field: &Field<'_>) -> Result<Duration, String> {
    match super::duration::parse(field.text()?)? {
        quiet if quiet.is_zero() => {
            Err("calls of a trace come one after the other; write one such as `30s`".to_owned())
        }
        quiet => Ok(quiet),
    }
}

fn ttl(field: &Field<'_>) -> Result<Duration, String> {
    match super::duration::parse(field.text()?)? {
        ttl if ttl.is_zero() => {
            Err("nothing is kept for no time; write one such as `1h`, or `max_traces: 0`".to_owned())
        }
        ttl => Ok(ttl),
    }
}
