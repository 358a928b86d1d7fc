//! What may not make a difference: the order of spans in a request; the order of attributes where no key stands twice;
//! the split into requests where the reports of a call agree. On random traces of calls that one to three
//! instrumentations report, below agents and beside each other. The truth is known: it is how the trace was made.

use proptest::collection::vec;
use proptest::prelude::*;

use super::trace::{Reported, count, span};

const SCOPES: [&str; 3] = ["client", "instrumentation", "gateway"];

/// One call: its tokens, when it began, how many report it, and which of them (if any) tell the response id.
#[derive(Debug, Clone)]
struct Call {
    tokens: (i64, i64),
    start: u64,
    reports: usize,
    has_id: [bool; 3],
}

fn call() -> impl Strategy<Value = Call> {
    // Few values, so that calls with equal totals at the same time do occur.
    let tokens = (prop_oneof![Just(100i64), Just(200), 1..5000i64], prop_oneof![Just(10i64), 1..500i64]);
    (tokens, prop_oneof![Just(0u64), 0..60u64], 1..=3usize, any::<[bool; 3]>())
        .prop_map(|(tokens, start, reports, has_id)| Call { tokens, start, reports, has_id })
}

/// The spans of a trace: a root agent that repeats the sum, and below it every report of every call, each a child of
/// the one before.
fn spans(calls: &[Call]) -> Vec<Reported> {
    let (input, output) = calls.iter().fold((0, 0), |sum, call| (sum.0 + call.tokens.0, sum.1 + call.tokens.1));
    let root = span("agent", 1).text("gen_ai.operation.name", "invoke_agent").usage(input, output).time(0, 1000);
    let mut spans = vec![root];
    for (index, call) in calls.iter().enumerate() {
        let mut parent = 1;
        for (scope, has_id) in SCOPES.into_iter().zip(call.has_id).take(call.reports) {
            let number = u8::try_from(spans.len() + 1).unwrap();
            let mut reported = span(scope, number)
                .below(parent)
                .chat("gpt-4o")
                .usage(call.tokens.0, call.tokens.1)
                .time(call.start, call.start + 5);
            if has_id {
                reported = reported.text("gen_ai.response.id", &format!("response-{index}"));
            }
            spans.push(reported);
            parent = number;
        }
    }
    spans
}

/// A trace with its spans in another order, and where to cut it into requests.
fn shuffled() -> impl Strategy<Value = (Vec<Call>, Vec<Reported>, Vec<bool>)> {
    vec(call(), 1..8).prop_flat_map(|calls| {
        let spans = spans(&calls);
        let cuts = vec(any::<bool>(), spans.len());
        (Just(calls), Just(spans).prop_shuffle(), cuts)
    })
}

fn truth(calls: &[Call]) -> (usize, i64, i64) {
    (calls.len(), calls.iter().map(|call| call.tokens.0).sum(), calls.iter().map(|call| call.tokens.1).sum())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_spans_in_a_request_does_not_decide((calls, order, _) in shuffled()) {
        let made = count(&[spans(&calls)]);
        prop_assert_eq!((made.calls, made.input, made.output), truth(&calls));
        let other = count(&[order]);
        prop_assert_eq!(&made.status, &other.status);
        prop_assert!((made.co2e_g - other.co2e_g).abs() <= 1e-12 * made.co2e_g);
    }

    #[test]
    fn the_order_of_attributes_does_not_decide((calls, _, _) in shuffled(), seed: u8) {
        let mut turned = spans(&calls);
        for reported in &mut turned {
            let attributes = &mut reported.span.attributes;
            let by = usize::from(seed) % attributes.len();
            attributes.rotate_left(by);
        }
        prop_assert_eq!(count(&[turned]), count(&[spans(&calls)]));
    }

    #[test]
    fn the_split_into_requests_does_not_decide((calls, order, cuts) in shuffled()) {
        let mut requests: Vec<Vec<Reported>> = vec![Vec::new()];
        for (reported, cut) in order.into_iter().zip(cuts) {
            if cut {
                requests.push(Vec::new());
            }
            requests.last_mut().unwrap().push(reported);
        }
        let split = count(&requests);
        prop_assert_eq!((split.calls, split.input, split.output), truth(&calls), "{:?}", split.status);
        let whole = count(&[spans(&calls)]);
        prop_assert!((whole.co2e_g - split.co2e_g).abs() <= 1e-12 * whole.co2e_g);
    }
}
