//! Which models the built-in registry has: all of EcoLogits, the open ones that were measured or whose size is known,
//! those of the seed, those that are retired, and embeddings.

use gramtrace::estimate::{Estimate, Method, ModelCall};
use gramtrace::factors::{Factor, Model, PlaceQuery, Registry, Tier};
use gramtrace::units::{TokenUsage, Tokens};
use serde_json::Value;

fn registry() -> Registry {
    Registry::builtin().unwrap()
}

fn found<'r>(registry: &'r Registry, provider: &str, name: &str) -> Option<&'r Model> {
    registry.model(registry.resolve(name, Some(provider), None)?.model)
}

fn priced(registry: &Registry, provider: &str, name: &str, output: u64) -> Option<Estimate> {
    let model = registry.resolve(name, Some(provider), None)?.model;
    let place = registry.place(&PlaceQuery { provider: Some(provider), model: Some(model), ..PlaceQuery::default() });
    let usage = TokenUsage { input: Tokens::new(1000), output: Tokens::new(output), ..TokenUsage::default() };
    let call = ModelCall { model: Some(model), place, usage, duration_s: None, metered: None };
    Method::PhaseAware.estimate(registry, &call)
}

#[test]
fn every_row_and_alias_of_ecologits_is_found_by_its_very_name() {
    let registry = registry();
    let table: Value = serde_json::from_str(include_str!("../../config/factors/ecologits/models.json")).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let (rows, aliases) = (table["models"].as_array().unwrap(), table["aliases"].as_array().unwrap());
    assert_eq!((rows.len(), aliases.len()), (342, 9), "of EcoLogits 0.11.3");
    for row in rows.iter().chain(aliases) {
        let (provider, name) = (text(row, "provider"), text(row, "name"));
        let found = registry.ecologits(&provider, &name).unwrap_or_else(|error| panic!("{error}"));
        let model = registry.model(found.model).unwrap();
        assert!(model.architecture().is_some() && model.sources().next().is_some(), "{name}");
    }
}

#[test]
fn the_seeds_four_models_have_its_factors() {
    let registry = registry();
    // emission_factors.json of api_emissions_tracker 0.0.7: grams a token, for prompts and completions alike.
    for (name, grams) in [("gpt-35-turbo", 0.00246), ("gpt-4", 0.00553), ("gpt-4o", 0.00339), ("gpt-4o-mini", 0.00021)]
    {
        let model = registry.model(registry.tracker(name).unwrap()).unwrap();
        let Some(Factor::Co2e(factor)) = model.factor() else { panic!("{name}") };
        assert_eq!((factor.per_input.get(), factor.per_output.get()), (grams, grams), "{name}");
        assert_eq!(model.tier(), Tier::E);
    }
}

#[test]
fn retired_models_keep_a_value() {
    let registry = registry();
    for (provider, name, tier) in [
        ("anthropic", "claude-3-opus-20240229", Tier::D),
        ("anthropic", "claude-3-haiku-20240307", Tier::D),
        ("anthropic", "claude-3-5-sonnet-20241022", Tier::D),
        ("anthropic", "claude-3-7-sonnet-latest", Tier::D),
        ("anthropic", "claude-2.1", Tier::D),
        ("gcp.gemini", "gemini-1.5-pro", Tier::D),
        ("gcp.gemini", "gemini-1.5-flash-8b", Tier::D),
        ("gcp.gemini", "gemini-1.0-pro", Tier::D),
        ("openai", "o3-2025-04-16", Tier::D),
        ("openai", "o1-mini", Tier::D),
        ("openai", "gpt-4", Tier::D),
        ("openai", "gpt-4-32k", Tier::D),
        ("openai", "gpt-3.5-turbo-0125", Tier::D),
        ("openai", "gpt-3.5-turbo-instruct", Tier::D),
        ("openai", "text-davinci-003", Tier::D),
        ("mistral_ai", "mistral-large-2407", Tier::C),
        ("mistral_ai", "open-mixtral-8x7b", Tier::C),
    ] {
        let estimate = priced(&registry, provider, name, 300).unwrap_or_else(|| panic!("{name} has no value"));
        assert_eq!(estimate.tier, tier, "{name}");
    }
}

#[test]
fn embeddings_take_what_their_input_weighs() {
    let registry = registry();
    for (provider, name) in [
        ("openai", "text-embedding-3-small"),
        ("openai", "text-embedding-ada-002"),
        ("cohere", "embed-english-v3.0"),
        ("gcp.gemini", "gemini-embedding-001"),
        ("mistral_ai", "mistral-embed"),
        ("aws.bedrock", "amazon.titan-embed-text-v2:0"),
        ("huggingface", "BAAI/bge-m3"),
    ] {
        let estimate = priced(&registry, provider, name, 0).unwrap_or_else(|| panic!("{name} has no value"));
        assert!(estimate.energy_wh.unwrap().value().get() > 0.0, "{name}");
        assert!(estimate.embodied_co2e_g.unwrap().value().get() > 0.0, "{name}");
    }
}

#[test]
fn open_models_have_the_architecture_that_their_maker_or_their_name_says() {
    let registry = registry();
    for (provider, name, id, total, active) in [
        ("together", "deepseek-ai/DeepSeek-V3", "deepseek/deepseek-v3", 671.0, 37.0),
        ("moonshot", "kimi-k2-0905-preview", "moonshot/kimi-k2", 1000.0, 32.0),
        ("groq", "meta-llama/Llama-3.2-1B-Instruct", "meta/llama-3.2-1b-instruct", 1.0, 1.0),
        ("ollama", "phi3:mini", "microsoft/phi-3-mini", 3.8, 3.8),
    ] {
        let model = found(&registry, provider, name).unwrap_or_else(|| panic!("{name} is not found"));
        let architecture = model.architecture().unwrap();
        assert_eq!(model.id(), id);
        assert_eq!((architecture.total.min.get(), architecture.active.max.get()), (total, active), "{name}");
        assert_eq!(model.tier(), Tier::C, "{name}");
    }
}

#[test]
fn every_factor_has_a_source_that_is_known() {
    let registry = registry();
    for (_, model) in registry.models().filter(|(_, model)| model.factor().is_some()) {
        let sources: Vec<&str> = model.sources().collect();
        assert!(!sources.is_empty(), "{}", model.id());
        for source in sources {
            assert!(registry.source(source).is_some() || source.starts_with("https://"), "{}: {source}", model.id());
        }
    }
}

/// What the log and the lookup API write for a name that nobody has.
#[test]
fn the_entry_that_is_offered_for_an_unknown_model_loads_once_it_is_filled_in() {
    let metrics = gramtrace::telemetry::Metrics::new();
    for (name, provider) in [
        ("nobodys-model", None),
        ("Nobody's \"Model\" 2", Some("azure.ai.openai")),
        ("acme/Chat-é:7b", Some("acme")),
        ("chat-9", Some("acme")),
    ] {
        metrics.unknown_model(name, provider);
        let listed = metrics.unknown_models().models;
        let stub = &listed.iter().find(|model| model.name == name).expect("the name").stub;
        let filled = [("MAKER", "acme"), ("NUMBER", "2"), ("SOURCE", "\"https://example.com\"")]
            .iter()
            .fold(stub.clone(), |stub, (hole, filling)| stub.replace(hole, filling));
        let registry = crate::over("mine.yaml", &format!("models:\n  {filled}\n"));
        let model = found(&registry, provider.unwrap_or_default(), name).expect("the model");
        assert!(model.id().starts_with("acme/") && model.factor().is_some(), "{filled}");
    }
}
