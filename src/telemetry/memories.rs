//! What processors remember: how full their memories of calls and their ledgers of traces are, read when somebody asks,
//! and what became of the summaries of traces. Knows figures; nothing of calls and traces.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::families as name;
use super::roll::Roll;
use super::text::{Exposition, Family};

/// How full the memories of a processor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryLevel {
    /// Reports of calls that are remembered.
    pub reports: u64,
    /// Reports that ever left before their time because there was no room.
    pub reports_evicted: u64,
    /// Traces in its ledger.
    pub traces: u64,
    /// Receipts of single calls in it.
    pub receipts: u64,
    /// Bytes that all of the ledger takes, as they are accounted.
    pub bytes: u64,
    /// Traces that ever left before their time because there was no room.
    pub traces_evicted: u64,
    /// Where traces are summed up: roots that are waited with, the bytes that they take, and roots that ever left before
    /// their time because there was no room.
    pub roots: Option<[u64; 3]>,
}

/// Reads the level of a processor whenever it is asked: it has to be quick, and to hold nobody up.
#[derive(Clone)]
pub struct LevelReader(Arc<dyn Fn() -> MemoryLevel + Send + Sync>);

impl LevelReader {
    /// Asks `read`.
    pub fn new(read: impl Fn() -> MemoryLevel + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }
}

impl fmt::Debug for LevelReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LevelReader").finish_non_exhaustive()
    }
}

/// What became of an attempt to send a summary. A closed set: it is a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryOutcome {
    /// Every backend took it.
    Taken,
    /// It is said again later.
    Failed,
    /// It is not said again.
    GivenUp,
}

impl SummaryOutcome {
    /// Every outcome, in the order of their labels.
    const ALL: [Self; 3] = [Self::Failed, Self::GivenUp, Self::Taken];

    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// The memories of all processors.
#[derive(Debug, Default)]
pub(super) struct Memories {
    readers: Mutex<BTreeMap<String, LevelReader>>,
    summaries: Roll<Summaries>,
}

#[derive(Debug)]
struct Summaries {
    processor: Arc<str>,
    /// In the order of [`SummaryOutcome::ALL`].
    counts: [AtomicU64; SummaryOutcome::ALL.len()],
}

type Figure = fn(&MemoryLevel) -> Option<u64>;

impl Memories {
    /// The processors that there are from now on.
    pub(super) fn watch(&self, readers: BTreeMap<String, LevelReader>) {
        *self.readers.lock().unwrap_or_else(PoisonError::into_inner) = readers;
    }

    /// What became of summaries of a processor's traces.
    pub(super) fn summaries(&self, processor: &str, outcome: SummaryOutcome, summaries: u64) {
        let new = || Summaries { processor: processor.into(), counts: Default::default() };
        let known = self.summaries.find_or_add(|known| &*known.processor == processor, new);
        let counts = known.iter().flat_map(|known| SummaryOutcome::ALL.into_iter().zip(&known.counts));
        for (_, count) in counts.filter(|(known, _)| *known == outcome) {
            count.fetch_add(summaries, Ordering::Relaxed);
        }
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let levels: Vec<_> = readers.iter().map(|(processor, reader)| (processor, (reader.0)())).collect();
        let figures: [(Family, Figure); 9] = [
            (name::REMEMBERED, |it| Some(it.reports)),
            (name::EVICTED, |it| Some(it.reports_evicted)),
            (name::TRACES, |it| Some(it.traces)),
            (name::TRACE_RECEIPTS, |it| Some(it.receipts)),
            (name::TRACE_BYTES, |it| Some(it.bytes)),
            (name::TRACES_EVICTED, |it| Some(it.traces_evicted)),
            (name::TRACE_ROOTS, |it| it.roots.map(|[roots, ..]| roots)),
            (name::TRACE_ROOT_BYTES, |it| it.roots.map(|[_, bytes, _]| bytes)),
            (name::TRACE_ROOTS_EVICTED, |it| it.roots.map(|[.., evicted]| evicted)),
        ];
        for (family, figure) in figures {
            let samples = levels
                .iter()
                .filter_map(|(processor, level)| Some((vec![("processor", processor.as_str())], figure(level)?)));
            text.family(family, samples);
        }
        let samples = self.summaries.iter().flat_map(|it| {
            let labels = |outcome: SummaryOutcome| vec![("processor", &*it.processor), ("outcome", outcome.name())];
            let counts = it.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            SummaryOutcome::ALL.into_iter().zip(counts).map(move |(outcome, count)| (labels(outcome), count))
        });
        text.family(name::TRACE_SUMMARIES, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(memories: &Memories) -> Vec<String> {
        let mut text = Exposition::default();
        memories.encode(&mut text);
        let text = text.finish();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn a_level_is_that_of_the_moment_and_of_the_processors_that_there_are() {
        let (memories, traces) = (Memories::default(), Arc::new(AtomicU64::new(0)));
        let read = Arc::clone(&traces);
        let reader = LevelReader::new(move || MemoryLevel {
            traces: read.load(Ordering::Relaxed),
            bytes: 2048,
            roots: Some([2, 512, 1]),
            ..MemoryLevel::default()
        });
        memories.watch([("gramtrace".to_owned(), reader)].into());
        traces.store(4, Ordering::Relaxed);
        memories.summaries("gramtrace", SummaryOutcome::Failed, 2);
        let expected = [
            "gramtrace_memory_reports{processor=\"gramtrace\"} 0",
            "gramtrace_memory_evicted_reports_total{processor=\"gramtrace\"} 0",
            "gramtrace_traces{processor=\"gramtrace\"} 4",
            "gramtrace_trace_receipts{processor=\"gramtrace\"} 0",
            "gramtrace_trace_bytes{processor=\"gramtrace\"} 2048",
            "gramtrace_traces_evicted_total{processor=\"gramtrace\"} 0",
            "gramtrace_trace_roots{processor=\"gramtrace\"} 2",
            "gramtrace_trace_root_bytes{processor=\"gramtrace\"} 512",
            "gramtrace_trace_roots_evicted_total{processor=\"gramtrace\"} 1",
            "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"failed\"} 2",
            "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"given_up\"} 0",
            "gramtrace_trace_summaries_total{processor=\"gramtrace\",outcome=\"taken\"} 0",
        ];
        assert_eq!(lines(&memories), expected);
        memories.watch(BTreeMap::new());
        assert_eq!(lines(&memories), expected[9..]);
    }
}
