//! Which keys each level of detail writes: the contract's lists, not the writer's.

use std::collections::BTreeSet;
use std::time::Instant;

use gramtrace::enrich::Detail;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{bodies, enricher};

const HEADLINE: &[&str] = &["co2e_g", "energy_wh", "status", "model", "tier"];
const STANDARD: &[&str] = &[
    "co2e_low_g",
    "co2e_high_g",
    "energy_low_wh",
    "energy_high_wh",
    "embodied_co2e_g",
    "match",
    "factor",
    "method",
    "registry",
    "grid.zone",
    "grid.g_per_kwh",
    "grid.basis",
    "pue",
    "tokens.input",
    "tokens.output",
    "band",
];
const FULL: &[&str] = &["embodied_co2e_low_g", "embodied_co2e_high_g", "water_ml", "source"];
/// Written at `full` where the span tells them.
const WHERE_TOLD: &[&str] = &["tokens.cache_read", "tokens.cache_write", "tokens.reasoning"];

fn spans(detail: Detail) -> Vec<Span> {
    let enricher = enricher(detail);
    bodies("traces")
        .into_iter()
        .flat_map(|(_, body)| {
            ExportTraceServiceRequest::decode(enricher.enrich(&body, Instant::now()).unwrap().bytes)
                .unwrap()
                .resource_spans
        })
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

/// The keys with our prefix, without it, but for the totals on roots; each must stand once.
fn ours(span: &Span) -> BTreeSet<&str> {
    let keys: Vec<_> = span.attributes.iter().filter_map(|pair| pair.key.strip_prefix("gramtrace.")).collect();
    let set: BTreeSet<_> = keys.iter().copied().collect();
    assert_eq!(set.len(), keys.len(), "a key stands twice: {keys:?}");
    set.into_iter().filter(|key| !key.starts_with("trace.")).collect()
}

fn has(span: &Span, key: &str) -> bool {
    span.attributes.iter().any(|pair| pair.key == key)
}

#[test]
fn each_level_writes_exactly_its_keys_on_a_span_with_a_value() {
    let levels = [
        (Detail::Headline, vec![HEADLINE]),
        (Detail::Standard, vec![HEADLINE, STANDARD]),
        (Detail::Full, vec![HEADLINE, STANDARD, FULL]),
    ];
    for (detail, lists) in levels {
        let expected: BTreeSet<&str> = lists.concat().into_iter().collect();
        let mut told = BTreeSet::new();
        let spans = spans(detail);
        let valued: Vec<_> = spans.iter().map(ours).filter(|keys| keys.contains("co2e_g")).collect();
        assert!(valued.len() > 50, "{} spans have a value", valued.len());
        for keys in valued {
            let extra: BTreeSet<_> = keys.iter().copied().filter(|key| WHERE_TOLD.contains(key)).collect();
            assert_eq!(&keys - &extra, expected, "{detail:?}");
            told.extend(extra);
        }
        let all_told = if detail == Detail::Full { WHERE_TOLD.len() } else { 0 };
        assert_eq!(told.len(), all_told, "{detail:?}: {told:?}");
    }
}

#[test]
fn what_does_not_count_has_its_status_alone() {
    for span in spans(Detail::Full) {
        let keys = ours(&span);
        if !keys.is_empty() && !keys.contains("tokens.input") {
            assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["status"]);
        }
    }
}

#[test]
fn the_headline_pair_stands_again_only_beside_gen_ai_keys() {
    let mut without = 0;
    for span in spans(Detail::Headline) {
        let is_gen_ai =
            span.attributes.iter().any(|pair| pair.key.starts_with("gen_ai.") && !pair.key.contains("footprint"));
        let valued = has(&span, "gramtrace.co2e_g");
        assert_eq!(has(&span, "gen_ai.footprint.co2e_g"), valued && is_gen_ai);
        assert_eq!(has(&span, "gen_ai.footprint.energy_wh"), valued && is_gen_ai);
        without += usize::from(valued && !is_gen_ai);
    }
    assert!(without > 0, "OpenInference spans have no gen_ai keys");
}
