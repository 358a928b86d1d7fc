//! Names as they arrive against the models that they mean. A name may stay unknown until the registry has its model;
//! it never means another one.

use gramtrace::factors::{Match, PlaceQuery, Registry, region_hint};
use proptest::prelude::*;

use crate::csv::rows;

/// What the column of kinds calls no model.
const NO_MODEL: [&str; 2] = ["none", "fallback"];

fn registry() -> Registry {
    Registry::builtin().expect("the built-in registry")
}

/// The registry id and the kind of match.
fn resolved<'r>(registry: &'r Registry, name: &str, provider: &str) -> Option<(&'r str, Match)> {
    let resolution = registry.resolve(name, Some(provider), None)?;
    Some((registry.model(resolution.model)?.id(), resolution.matched))
}

fn is_same_kind(matched: Match, expected: &str) -> bool {
    let class = |name: &'static str| if name == "alias" { "exact" } else { name };
    class(matched.name()) == if expected == "alias" { "exact" } else { expected }
}

#[test]
fn no_name_means_another_model_than_expected() {
    let registry = registry();
    let mut found = Vec::new();
    for row in rows(include_str!("data/names.csv")) {
        // What the response says outranks what was asked for; maps of deployments are the operator's.
        let name = if row["response_model"].is_empty() { &row["raw_model"] } else { &row["response_model"] };
        let Some((id, matched)) = resolved(&registry, name, &row["gen_ai_provider"]) else { continue };
        let kind = &row["expected_match_kind"];
        assert!(!NO_MODEL.contains(&kind.as_str()), "{name} means no model, and not {id}");
        assert_eq!(id, row["expected_canonical"], "{name}");
        assert!(is_same_kind(matched, kind), "{name}: {matched:?} instead of {kind}");
        found.push(name.clone());
    }
    // Most of the others are models that these tables do not have.
    assert!(found.len() >= 25, "{} found: {found:#?}", found.len());
}

#[test]
fn regions_are_hinted_also_by_names_of_no_model() {
    for row in rows(include_str!("data/names.csv")) {
        assert_eq!(region_hint(&row["raw_model"]).unwrap_or_default(), row["expected_region_hint"], "{row:?}");
    }
}

#[test]
fn names_that_instrumentations_sent_find_their_model() {
    let registry = registry();
    for (name, provider, id, matched, factor) in [
        ("gpt-4o", "openai", "openai/gpt-4o", Match::Exact, "openai/gpt-4o"),
        ("\"gpt-4o\"", "langchain", "openai/gpt-4o", Match::Exact, "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai.chat", "openai/gpt-4o", Match::DatedSnapshot, "openai/gpt-4o-2024-08-06"),
        (
            "gpt-4o-mini-2024-07-18",
            "openai",
            "openai/gpt-4o-mini",
            Match::DatedSnapshot,
            "openai/gpt-4o-mini-2024-07-18",
        ),
        ("gpt-4o-mini", "", "openai/gpt-4o-mini", Match::Exact, "openai/gpt-4o-mini"),
        ("openai/gpt-4o-mini", "litellm", "openai/gpt-4o-mini", Match::PlatformId, "openai/gpt-4o-mini"),
        ("gpt-5-2025-08-07", "openai.responses", "openai/gpt-5", Match::DatedSnapshot, "openai/gpt-5-2025-08-07"),
        ("o4-mini-2025-04-16", "spring_ai", "openai/o4-mini", Match::DatedSnapshot, "openai/o4-mini-2025-04-16"),
        (
            "claude-sonnet-4-5-20250929",
            "anthropic",
            "anthropic/claude-sonnet-4-5",
            Match::DatedSnapshot,
            "anthropic/claude-sonnet-4-5-20250929",
        ),
        (
            "claude-sonnet-4-5",
            "strands-agents",
            "anthropic/claude-sonnet-4-5",
            Match::Exact,
            "anthropic/claude-sonnet-4-5-20250929",
        ),
        (
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws.bedrock",
            "anthropic/claude-sonnet-4-5",
            Match::PlatformId,
            "anthropic/claude-sonnet-4-5-20250929",
        ),
        ("gemini-2.5-flash", "gcp.gemini", "google/gemini-2.5-flash", Match::Exact, "google_genai/gemini-2.5-flash"),
    ] {
        assert_eq!(resolved(&registry, name, provider), Some((id, matched)), "{name}");
        let row = registry.resolve_ecologits(name, Some(provider)).and_then(|found| registry.model(found.model)?.row());
        assert_eq!(row, Some(format!("ecologits/0.11.3:{factor}").as_str()), "{name}");
    }
}

#[test]
fn one_name_of_several_makers_spellings_is_one_model() {
    let registry = registry();
    for (name, provider, id, matched) in [
        // A later snapshot than the tables know, and a preview of what is released since.
        ("gpt-4o-2099-01-01", "openai", "openai/gpt-4o", Match::DatedSnapshot),
        ("gemini-2.5-pro-preview-06-05", "gcp.gemini", "google/gemini-2.5-pro", Match::DatedSnapshot),
        ("gemini-2.5-flash-lite-preview-09-2025", "gemini", "google/gemini-2.5-flash-lite", Match::DatedSnapshot),
        ("gemini-3-flash-preview", "gemini", "google/gemini-3-flash-preview", Match::Exact),
        // The operators of platforms rename.
        ("gpt-35-turbo", "azure.ai.openai", "openai/gpt-3.5-turbo", Match::Alias),
        ("gpt-35-turbo-0613", "az.ai.openai", "openai/gpt-3.5-turbo", Match::DatedSnapshot),
        ("vertex_ai/claude-opus-5@default", "litellm", "anthropic/claude-opus-5", Match::PlatformId),
        // An SDK that speaks OpenAI's protocol says `openai`, whoever answers.
        ("claude-opus-5-5", "openai", "anthropic/claude-opus-5-5", Match::Exact),
        ("openai/gpt-oss-20b", "openai", "openai/gpt-oss-20b", Match::PlatformId),
        ("Meta-LLAMA/meta-llama-3.1-8b-instruct", "together", "meta/llama-3.1-8b-instruct", Match::PlatformId),
        ("mistral-large-latest", "mistral_ai", "mistral/mistral-large-3", Match::Alias),
        ("mistral-small-2603", "mistral_ai", "mistral/mistral-small-4", Match::DatedSnapshot),
        ("mistral-large-latest", "langchain", "mistral/mistral-large-3", Match::Alias),
        ("mistral/mistral-large-latest", "openai", "mistral/mistral-large-3", Match::PlatformId),
        ("openrouter/mistralai/ministral-8b-latest", "openai", "mistral/ministral-8b", Match::PlatformId),
        ("chat-latest", "openai", "openai/chat-latest", Match::Exact),
    ] {
        assert_eq!(resolved(&registry, name, provider), Some((id, matched)), "{name}");
    }
}

#[test]
fn names_that_only_resemble_a_model_mean_none() {
    let registry = registry();
    for (name, provider) in [
        ("fast", "openai"),
        ("claude", "anthropic"),
        ("prod-chat", "azure.ai.openai"),
        ("error-model", "openai"),
        ("", "openai"),
        ("gpt", "openai"),
        ("gpt-4o-", "openai"),
        ("someone/gpt-4o", "huggingface"),
        ("my-org/ft:gpt-4o", "huggingface"),
        ("meta-llama/Llama-2-7b-20240101", "huggingface"),
        ("chat-latest", "azure"),
        ("azure/mistral-large-latest", "litellm"),
        ("mistral-large-latest", "azure.ai.inference"),
        ("glm-5-2", "zai"),
        ("mistral-medium-2505", "mistral_ai"),
        ("mistral-medium@2505", "gcp.vertex_ai"),
        ("command-r", "cohere"),
        ("command-r-plus-04-2024", "cohere"),
        ("cohere.command-r-v1:0", "aws.bedrock"),
        ("anthropic.claude-v1", "aws.bedrock"),
        ("amazon.gpt-4o-v1:0", "aws.bedrock"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/gpt-4o", "aws.bedrock"),
        ("arn:aws:sagemaker:us-east-1:1:endpoint/gpt-4o", "aws.sagemaker"),
    ] {
        assert_eq!(resolved(&registry, name, provider), None, "{name}");
    }
}

#[test]
fn a_known_name_inside_a_longer_one_means_nothing() {
    let registry = registry();
    let known: Vec<_> = registry.models().map(|(_, model)| model.name().to_owned()).collect();
    for name in &known {
        for longer in
            [format!("{name}x"), format!("x{name}"), format!("{name}-mini"), format!("my-{name}"), format!("{name} v2")]
        {
            let is_known = known.iter().any(|other| other.eq_ignore_ascii_case(&longer));
            for provider in ["openai", "huggingface", "azure.ai.openai", "litellm"] {
                assert!(is_known || resolved(&registry, &longer, provider).is_none(), "{longer}");
            }
        }
    }
}

proptest! {
    #[test]
    fn anything_that_arrives_is_survived(name in "\\PC{0,80}", provider in "\\PC{0,20}", address in "\\PC{0,80}") {
        static REGISTRY: std::sync::LazyLock<Registry> = std::sync::LazyLock::new(registry);
        let model = REGISTRY.resolve(&name, Some(&provider), None).map(|resolution| resolution.model);
        let place = REGISTRY.place(&PlaceQuery {
            provider: Some(&provider),
            model,
            span_region: Some(&name),
            server_address: Some(&address),
            region_hint: region_hint(&name),
            ..PlaceQuery::default()
        });
        prop_assert!(REGISTRY.zone(place.zone).is_some());
    }
}
