//! What enriching allocates: nothing for a span without a model call, however many there are. Counts the allocations of
//! this thread; knows nothing of how the enricher works.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public

#[path = "../bench/traffic/mod.rs"]
mod traffic;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use traffic::{GenAi, MIX, Order, Shape, Traffic};

/// How often memory is set aside for a request of this shape on its way: planned, settled and spliced.
fn allocations(enricher: &Enricher, shape: Shape) -> u64 {
    let request = Bytes::from(Traffic::new(shape).request());
    // The first time that bytes are shared, that they are is noted.
    let _shared = request.clone();
    let way = || drop(enricher.enrich(&request, Instant::now()).unwrap());
    allocation_counter::measure(way).count_total
}

#[test]
fn spans_without_a_model_call_allocate_nothing() {
    let enricher = Enricher::new(Arc::new(Registry::builtin().unwrap()), &EnrichSettings::default());
    for order in [Order::Ascending, Order::Descending] {
        for spans in [1, 10, 512] {
            let shape = Shape { spans, gen_ai: GenAi::None, order, ..MIX };
            assert_eq!(allocations(&enricher, shape), 0, "{spans} spans, {order:?}");
        }
    }
    assert_ne!(allocations(&enricher, Shape { gen_ai: GenAi::All, ..MIX }), 0, "allocations are counted");
}

/// Then every root may be that of a trace with calls.
#[test]
fn where_traces_are_known_a_request_without_a_model_call_allocates_as_lists_grow_and_not_for_each_span() {
    let enricher = Enricher::new(Arc::new(Registry::builtin().unwrap()), &EnrichSettings::default());
    let shape = |spans| Shape { spans, gen_ai: GenAi::None, ..MIX };
    // The second request of as many spans has none of the traces of those below.
    let mut traffic = Traffic::new(Shape { gen_ai: GenAi::Fifth, ..shape(8192) });
    drop(traffic.request());
    let calls = Bytes::from(traffic.request());
    drop(enricher.enrich(&calls, Instant::now()).unwrap().claim.acknowledge());
    let [few, many] = [8, 8192].map(|spans| allocations(&enricher, shape(spans)));
    // Ten times twice as many spans, so at most so many times each of two lists has twice the room.
    assert!(many <= few + 20, "{few} for 8 spans, {many} for 8192");
}

#[test]
fn a_request_without_a_model_call_leaves_as_the_same_bytes_in_the_same_place() {
    let enricher = Enricher::new(Arc::new(Registry::builtin().unwrap()), &EnrichSettings::default());
    let request = Bytes::from(Traffic::new(Shape { gen_ai: GenAi::None, ..MIX }).request());
    let enriched = enricher.enrich(&request, Instant::now()).unwrap();
    assert_eq!(enriched.bytes.as_ptr(), request.as_ptr());
    assert_eq!(enriched.bytes, request);
}
