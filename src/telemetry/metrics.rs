//! Counters of the hop itself, by closed sets of labels, and their text form.

use crate::otlp::Signal;

/// Every counter of this process. Cheap to clone: clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {}

impl Metrics {
    /// Counts one export request and its end: `ok` or [`crate::rejection::Rejection::reason`].
    pub fn request(&self, _receiver: &str, _transport: &'static str, _signal: Option<Signal>, _outcome: &'static str) {}

    /// Counts items of a request that was acknowledged.
    pub fn accepted(&self, _receiver: &str, _transport: &'static str, _signal: Signal, _items: u64) {}

    /// Counts items of a request that was refused after it was understood.
    pub fn refused(&self, _receiver: &str, _transport: &'static str, _signal: Signal, _items: u64) {}

    /// Counts items that an exporter's backend acknowledged.
    pub fn sent(&self, _exporter: &str, _signal: Signal, _items: u64) {}

    /// Counts items that an exporter could not deliver.
    pub fn send_failed(&self, _exporter: &str, _signal: Signal, _items: u64) {}

    /// Counts items that a backend rejected in a partial success.
    pub fn rejected_by_backend(&self, _exporter: &str, _signal: Signal, _items: u64) {}

    /// Counts spans of the GenAI kind by their `gramtrace.status`.
    pub fn spans(&self, _status: &'static str, _spans: u64) {}
}
