//! Arbitrary requests survive the way through JSON, whichever way the sender writes them.

use gramtrace::otlp::{Signal, json};
use proptest::prelude::*;
use prost::Message;

use super::{arbitrary, metric_points, writer};

/// Compares encodings, since NaN is not equal to itself.
fn assert_same<M: Message + Default>(signal: Signal, body: &str, expected: &M) -> Result<(), TestCaseError> {
    let bytes =
        json::decode(signal, body.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
    let actual = M::decode(bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(actual.encode_to_vec(), expected.encode_to_vec(), "from {}", body);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_traces_survive(request in arbitrary::traces(), style in writer::style()) {
        assert_same(Signal::Traces, &style.traces(&request), &request)?;
    }

    #[test]
    fn arbitrary_logs_survive(request in arbitrary::logs(), style in writer::style()) {
        assert_same(Signal::Logs, &style.logs(&request), &request)?;
    }

    #[test]
    fn arbitrary_metrics_survive(request in metric_points::metrics(), style in writer::style()) {
        assert_same(Signal::Metrics, &style.metrics(&request), &request)?;
    }
}
