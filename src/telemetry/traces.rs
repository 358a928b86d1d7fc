//! How full the ledgers of traces are, a processor each, as each said when it last booked something.
//! Knows figures; nothing of traces.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::families as name;
use super::roll::Roll;
use super::text::Exposition;

/// The ledgers of a process.
#[derive(Debug, Default)]
pub(super) struct Ledgers(Roll<Ledger>);

#[derive(Debug)]
struct Ledger {
    processor: Arc<str>,
    traces: AtomicU64,
    receipts: AtomicU64,
    bytes: AtomicU64,
    evicted: AtomicU64,
    /// Summaries that backends took, and that they did not.
    summaries: [AtomicU64; 2],
}

/// How full a processor's ledger of traces is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceLevel {
    /// Traces in it.
    pub traces: u64,
    /// Receipts of single calls in it.
    pub receipts: u64,
    /// Bytes that all of it takes, as they are accounted.
    pub bytes: u64,
    /// Traces that ever left before their time because there was no room.
    pub evicted: u64,
}

impl Ledgers {
    /// What the ledger of a processor holds now.
    pub(super) fn reads(&self, processor: &str, level: TraceLevel) {
        if let Some(known) = self.of(processor) {
            known.traces.store(level.traces, Ordering::Relaxed);
            known.receipts.store(level.receipts, Ordering::Relaxed);
            known.bytes.store(level.bytes, Ordering::Relaxed);
            known.evicted.fetch_max(level.evicted, Ordering::Relaxed);
        }
    }

    /// Summaries of a processor's traces were taken by every backend, or not.
    pub(super) fn summaries(&self, processor: &str, is_taken: bool, summaries: u64) {
        if let Some([taken, failed]) = self.of(processor).map(|known| &known.summaries) {
            (if is_taken { taken } else { failed }).fetch_add(summaries, Ordering::Relaxed);
        }
    }

    fn of(&self, processor: &str) -> Option<&Ledger> {
        let nothing = AtomicU64::default;
        let new = || Ledger {
            processor: processor.into(),
            traces: nothing(),
            receipts: nothing(),
            bytes: nothing(),
            evicted: nothing(),
            summaries: [nothing(), nothing()],
        };
        self.0.find_or_add(|known| &*known.processor == processor, new)
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let read = |figure: fn(&Ledger) -> &AtomicU64| {
            self.0.iter().map(move |it| (vec![("processor", &*it.processor)], figure(it).load(Ordering::Relaxed)))
        };
        text.family(name::TRACES, read(|ledger| &ledger.traces));
        text.family(name::TRACE_RECEIPTS, read(|ledger| &ledger.receipts));
        text.family(name::TRACE_BYTES, read(|ledger| &ledger.bytes));
        text.family(name::TRACES_EVICTED, read(|ledger| &ledger.evicted));
        let samples = self.0.iter().flat_map(|it| {
            let labels = |outcome| vec![("processor", &*it.processor), ("outcome", outcome)];
            let [taken, failed] = it.summaries.each_ref().map(|count| count.load(Ordering::Relaxed));
            [(labels("taken"), taken), (labels("failed"), failed)]
        });
        text.family(name::TRACE_SUMMARIES, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_told_as_it_was_read_last() {
        let ledgers = Ledgers::default();
        ledgers.reads("gramtrace", TraceLevel { traces: 5, receipts: 9, bytes: 4096, evicted: 0 });
        ledgers.reads("gramtrace", TraceLevel { traces: 4, receipts: 7, bytes: 2048, evicted: 3 });
        ledgers.summaries("gramtrace", false, 2);
        let mut text = Exposition::default();
        ledgers.encode(&mut text);
        let text = text.finish();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "gramtrace_traces{processor=\"gramtrace\"} 4",
            "gramtrace_trace_receipts{processor=\"gramtrace\"} 7",
            "gramtrace_trace_bytes{processor=\"gramtrace\"} 2048",
            "gramtrace_traces_evicted_total{processor=\"gramtrace\"} 3",
            "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"failed\"} 2",
            "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"taken\"} 0",
        ];
        assert_eq!(lines, expected);
    }
}
