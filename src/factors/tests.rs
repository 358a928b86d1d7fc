//! The built-in registry's answers: models with their provenance, places with the step that decided.
//! Expected values are those of the tables, and of maps.

use super::*;

fn registry() -> Registry {
    Registry::builtin().unwrap()
}

fn code_and_basis<'r>(registry: &'r Registry, query: &PlaceQuery<'_>) -> (&'r str, Basis) {
    let place = registry.place(query);
    (registry.zone(place.zone).unwrap().code(), place.basis)
}

#[test]
fn the_label_is_a_version_and_eight_hex_digits() {
    let registry = registry();
    let (version, hash) = registry.label().split_once('+').unwrap();
    assert_eq!(version, "2026.1");
    assert!(hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
}

#[test]
fn a_model_is_told_with_its_provenance() {
    let registry = registry();
    let model = |provider, name| registry.model(registry.ecologits(provider, name).unwrap().model).unwrap();
    let gpt_4o = model("openai", "gpt-4o-2024-08-06");
    assert_eq!((gpt_4o.id(), gpt_4o.maker(), gpt_4o.tier().name()), ("openai/gpt-4o", "openai", "D"));
    assert_eq!(gpt_4o.row(), Some("ecologits/0.11.3:openai/gpt-4o-2024-08-06"));
    assert!(gpt_4o.sources().all(|source| source.starts_with("https://")));
    assert_eq!(model("huggingface_hub", "openai/gpt-oss-120b").tier().name(), "C");
}

#[test]
fn a_strict_look_up_tells_names_from_aliases() {
    let registry = registry();
    let matched = |name| registry.ecologits("anthropic", name).map(|resolution| resolution.matched);
    assert_eq!(matched("claude-haiku-4-5-20251001"), Ok(Match::Exact));
    assert_eq!(matched("claude-haiku-4-5"), Ok(Match::Alias));
    assert_eq!(matched("Claude-haiku-4-5").unwrap_err().code(), "model-not-registered");
    assert_eq!(registry.ecologits_zone("usa").unwrap_err().code(), "zone-not-registered");
}

#[test]
fn regions_stand_in_the_right_country() {
    let registry = registry();
    for (region, country) in [
        ("northeurope", "IE"),
        ("westeurope", "NL"),
        ("westus2", "US-NW-GCPD"),
        ("EastUS2", "US-MIDA-PJM"),
        ("swedencentral", "SE-SE3"),
        ("eastasia", "HK"),
        ("southeastasia", "SG"),
        ("brazilsouth", "BR-CS"),
        ("eu-west-1", "IE"),
        ("eu-west-2", "GB"),
        ("eu-central-1", "DE"),
        ("eu-central-2", "CH"),
        ("us-west-2", "US-NW-BPAT"),
        ("ca-central-1", "CA-QC"),
        ("ap-northeast-2", "KR"),
        ("me-central-1", "AE"),
        ("europe-west1", "BE"),
        ("europe-north1", "FI"),
        ("europe-north2", "SE-SE3"),
        ("me-central1", "QA"),
        ("us-east5", "US-MIDA-PJM"),
        ("eu", "EEE"),
    ] {
        let zone = registry.zone_of_region(region).map(|zone| registry.zone(zone).unwrap().code());
        assert_eq!(zone, Some(country), "{region}");
    }
    for unbounded in ["apac", "global", "eu-west-99", ""] {
        assert_eq!(registry.zone_of_region(unbounded), None, "{unbounded}");
    }
}

#[test]
fn the_surest_word_on_the_place_decides() {
    let registry = registry();
    let model = registry.resolve("mistral-large-2512", Some("mistral_ai"), None).map(|resolution| resolution.model);
    let mut query = PlaceQuery {
        provider: Some("aws.bedrock"),
        model,
        span_region: Some("eu-west-3"),
        server_address: Some("https://bedrock-runtime.eu-central-1.amazonaws.com"),
        region_hint: Some("us"),
        ..PlaceQuery::default()
    };
    assert_eq!(code_and_basis(&registry, &query), ("FR", Basis::SpanRegion));
    query.span_region = Some("nowhere-1");
    assert_eq!(code_and_basis(&registry, &query), ("DE", Basis::HostRegion));
    query.server_address = Some("127.0.0.1:8080");
    assert_eq!(code_and_basis(&registry, &query), ("US", Basis::ModelRegion));
    query.region_hint = Some("eu");
    assert_eq!(code_and_basis(&registry, &query), ("EEE", Basis::ModelRegion));
    query.region_hint = Some("global");
    assert_eq!(code_and_basis(&registry, &query), ("SE", Basis::Provider));
    assert_eq!(code_and_basis(&registry, &PlaceQuery::default()), ("WOR", Basis::World));
}

#[test]
fn a_released_model_at_someone_else_can_be_anywhere() {
    let registry = registry();
    let place = |name, provider| {
        let model = registry.resolve(name, Some(provider), None).map(|resolution| resolution.model);
        assert!(model.is_some(), "{name}");
        code_and_basis(&registry, &PlaceQuery { provider: Some(provider), model, ..PlaceQuery::default() })
    };
    assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "some-host"), ("WOR", Basis::World));
    assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "openai"), ("WOR", Basis::World));
    assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", "huggingface"), ("US", Basis::Provider));
    assert_eq!(place("meta-llama/Meta-Llama-3.1-8B-Instruct", ""), ("US", Basis::Provider));
    assert_eq!(place("gpt-4o", "some-host"), ("US", Basis::Provider));
    assert_eq!(place("gpt-4o", "azure.ai.openai"), ("US", Basis::Provider));
}

#[test]
fn the_data_centre_is_that_of_who_serves_else_of_the_models_host() {
    let registry = registry();
    let facility = |provider, name| {
        let model = registry.resolve(name, Some(provider), None).map(|resolution| resolution.model);
        let place = registry.place(&PlaceQuery { provider: Some(provider), model, ..PlaceQuery::default() });
        registry.facility(place.facility.unwrap()).unwrap().id()
    };
    assert_eq!(facility("gcp.vertex_ai", "claude-opus-5"), "gcp");
    assert_eq!(facility("aws.bedrock", "claude-opus-5"), "aws");
    assert_eq!(facility("az.ai.openai", "gpt-4o"), "azure");
    assert_eq!(facility("azure.ai.openai", "gpt-4o"), "azure");
    assert_eq!(facility("openai.chat", "gpt-4o"), "openai");
    assert_eq!(facility("langchain", "gpt-4o"), "openai");
    assert_eq!(facility("cohere", "no-such-model"), "cohere");
    assert_eq!(facility("ollama", "no-such-model"), "unknown");
    assert_eq!(facility("awsome", "no-such-model"), "unknown");
}

#[test]
fn an_id_of_another_registry_finds_nothing() {
    let registry = registry();
    assert_eq!(registry.model(ModelId(u32::MAX)), None);
    assert_eq!(registry.zone(ZoneId(u32::MAX)), None);
    assert_eq!(registry.facility(FacilityId(u32::MAX)), None);
}
