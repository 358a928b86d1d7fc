//! Names as they arrive against the models that they mean, decided beforehand. A wrong model is worse than none.

use std::collections::BTreeSet;

use gramtrace::factors::{DeploymentSettings, Match, OperatorSettings, PlaceQuery, Registry, region_hint};
use proptest::prelude::*;

use crate::{registry, resolved, rows};

/// What the column of kinds calls no model.
const NO_MODEL: [&str; 2] = ["none", "fallback"];

/// What a row's deployments are: `name=model`.
fn furnished(deployments: &str) -> Registry {
    let deployments =
        deployments.split(';').filter_map(|deployment| deployment.split_once('=')).map(|(name, model)| {
            DeploymentSettings { name: name.to_owned(), model: Some(model.to_owned()), ..DeploymentSettings::default() }
        });
    let settings = OperatorSettings { deployments: deployments.collect(), ..OperatorSettings::default() };
    registry().furnished(&settings).expect("the row's deployments")
}

#[test]
fn every_name_means_what_was_expected_of_it_and_nothing_else() {
    let plain = registry();
    for row in rows(include_str!("data/expected.csv")) {
        // What the response says outranks what was asked for.
        let name = if row["response_model"].is_empty() { &row["raw_model"] } else { &row["response_model"] };
        let (expected, kind) = (&row["expected_canonical"], &row["expected_match_kind"]);
        if kind == Match::DeploymentMap.name() {
            let registry = furnished(&row["deployments"]);
            let model = registry.deployment(name).and_then(|deployment| registry.model(deployment.model()?));
            assert_eq!(model.map(gramtrace::factors::Model::id), Some(expected.as_str()), "{name}");
            continue;
        }
        let found = resolved(&plain, name, &row["gen_ai_provider"]);
        if NO_MODEL.contains(&kind.as_str()) {
            assert_eq!(found, None, "{name}");
        } else {
            let (id, matched) = found.unwrap_or_else(|| panic!("{name} means {expected}, and nothing was found"));
            assert_eq!(id, expected, "{name}");
            assert_eq!(matched.name(), kind, "{name}");
        }
    }
}

#[test]
fn regions_are_hinted_also_by_names_of_no_model() {
    for row in rows(include_str!("data/expected.csv")) {
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
            Match::Alias,
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
        // Spellings of routers.
        ("openrouter/anthropic/claude-3.5-sonnet", "openai", "anthropic/claude-3-5-sonnet", Match::PlatformId),
        ("claude-opus-4.5", "litellm", "anthropic/claude-opus-4-5", Match::Alias),
        ("vercel_ai_gateway/alibaba/qwen-3-32b", "litellm", "qwen/qwen3-32b", Match::PlatformId),
        ("x-ai/grok-4-0709", "openrouter", "xai/grok-4", Match::PlatformId),
        // Who serves open weights says how.
        ("llama-3.3-70b-versatile", "groq", "meta/llama-3.3-70b-instruct", Match::Alias),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "together", "meta/llama-3.1-70b-instruct", Match::PlatformId),
        ("vertex_ai/meta/llama-3.1-405b-instruct-maas", "litellm", "meta/llama-3.1-405b-instruct", Match::PlatformId),
        ("oci/meta.llama-3.3-70b-instruct-fp8-dynamic", "litellm", "meta/llama-3.3-70b-instruct", Match::PlatformId),
        ("databricks-claude-sonnet-4", "databricks", "anthropic/claude-sonnet-4", Match::PlatformId),
        // Versions of Bedrock are now the platform's, now the model's.
        ("amazon.titan-embed-text-v2:0", "aws.bedrock", "amazon/titan-embed-text-v2", Match::PlatformId),
        ("amazon.titan-embed-text-v1", "aws.bedrock", "amazon/titan-embed-text-v1", Match::PlatformId),
        ("cohere.embed-v4:0", "aws.bedrock", "cohere/embed-v4.0", Match::PlatformId),
        ("cohere.command-r-v1:0", "aws.bedrock", "cohere/command-r", Match::PlatformId),
        ("anthropic.claude-v1", "aws.bedrock", "anthropic/claude-1", Match::PlatformId),
        ("mistral.mistral-7b-instruct-v0:2", "aws.bedrock", "mistral/mistral-7b-instruct-v0.2", Match::PlatformId),
        ("us.deepseek.r1-v1:0", "aws.bedrock", "deepseek/deepseek-r1", Match::PlatformId),
        // Ollama.
        ("llama3.2:3b", "ollama", "meta/llama-3.2-3b-instruct", Match::PlatformId),
        ("llama3.2", "ollama", "meta/llama-3.2-3b-instruct", Match::PlatformId),
        ("mixtral", "ollama", "mistral/mixtral-8x7b-instruct-v0.1", Match::PlatformId),
        ("deepseek-r1", "ollama", "deepseek/deepseek-r1-0528-qwen3-8b", Match::PlatformId),
        ("deepseek-r1", "deepseek", "deepseek/deepseek-r1", Match::Exact),
        ("mistral:7b-instruct-v0.2-q4_0", "ollama", "mistral/mistral-7b-instruct-v0.2", Match::PlatformId),
        ("claude-3-5-sonnet-v2@20241022", "gcp.vertex_ai", "anthropic/claude-3-5-sonnet", Match::PlatformId),
        ("hf.co/bartowski/Some-Llama-3B-GGUF:Q4_K_M", "ollama", "size-parsed:3", Match::SizeParsed),
        ("someone/fine-tune-of-70b", "huggingface", "size-parsed:70", Match::SizeParsed),
        ("glm-5-2", "zai", "zai/glm-5.2", Match::Alias),
        ("mistral-medium-2505", "mistral_ai", "mistral/mistral-medium-3", Match::DatedSnapshot),
        ("mistral-medium@2505", "gcp.vertex_ai", "mistral/mistral-medium-3", Match::PlatformId),
        ("command-r", "cohere", "cohere/command-r", Match::Exact),
        ("command-r-plus-04-2024", "cohere", "cohere/command-r-plus", Match::DatedSnapshot),
        ("open-mistral-nemo", "mistral", "mistral/mistral-nemo", Match::Alias),
        ("mistralai/Mistral-Nemo-Instruct-2407", "huggingface", "mistral/mistral-nemo", Match::PlatformId),
    ] {
        assert_eq!(resolved(&registry, name, provider), Some((id, matched)), "{name}");
    }
}

#[test]
fn names_of_routers_and_platforms_that_came_later_are_the_very_version() {
    let registry = registry();
    for (name, provider, id, matched) in [
        // Versions of one line stay apart.
        ("mistral-small-2501", "mistral_ai", "mistral/mistral-small-3", Match::DatedSnapshot),
        ("mistral-small-2503", "mistral_ai", "mistral/mistral-small-3.1", Match::DatedSnapshot),
        (
            "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
            "huggingface",
            "mistral/mistral-small-3.2",
            Match::PlatformId,
        ),
        // Bedrock's `v3` is the maker's 3.1.
        ("deepseek.v3-v1:0", "aws.bedrock", "deepseek/deepseek-v3.1", Match::PlatformId),
        ("us.deepseek.v3-v1:0", "aws.bedrock", "deepseek/deepseek-v3.1", Match::PlatformId),
        ("anthropic.claude-v2:1", "aws.bedrock", "anthropic/claude-2.1", Match::PlatformId),
        ("eu.anthropic.claude-v2:1:200k", "aws.bedrock", "anthropic/claude-2.1", Match::PlatformId),
        ("anthropic.claude-v2", "aws.bedrock", "anthropic/claude-2", Match::PlatformId),
        ("claude-2.1", "anthropic", "anthropic/claude-2.1", Match::Exact),
        ("ministral-8b-2410", "mistral_ai", "mistral/ministral-8b-2410", Match::Exact),
        ("ministral-8b-2512", "mistral_ai", "mistral/ministral-8b", Match::DatedSnapshot),
        ("deepseek.v3.2", "aws.bedrock", "deepseek/deepseek-v3.2", Match::PlatformId),
        ("deepseek-v3-0324", "azure.ai.inference", "deepseek/deepseek-v3", Match::DatedSnapshot),
        // What a platform has trained further is another model.
        ("snowflake/snowflake-llama-3.3-70b", "litellm", "snowflake/snowflake-llama-3.3-70b", Match::PlatformId),
        ("snowflake/llama3.3-70b", "litellm", "meta/llama-3.3-70b-instruct", Match::PlatformId),
        ("glm-4-long", "zai", "zai/glm-4-long", Match::Exact),
        // New heads.
        ("workers-ai/@cf/meta/llama-3.1-8b-instruct", "cloudflare", "meta/llama-3.1-8b-instruct", Match::PlatformId),
        (
            "@cf/meta/llama-4-scout-17b-16e-instruct",
            "cloudflare",
            "meta/llama-4-scout-17b-16e-instruct",
            Match::PlatformId,
        ),
        ("hf:moonshotai/Kimi-K2.6", "synthetic", "moonshot/kimi-k2.6", Match::PlatformId),
        ("Pro/deepseek-ai/DeepSeek-R1", "siliconflow", "deepseek/deepseek-r1", Match::PlatformId),
        ("ZhipuAI/GLM-4.6", "modelscope", "zai/glm-4.6", Match::PlatformId),
        ("mistral-ai/mistral-medium-2505", "github", "mistral/mistral-medium-3", Match::PlatformId),
        ("anthropic--claude-4.5-sonnet", "sap", "anthropic/claude-sonnet-4-5", Match::PlatformId),
        // Tags of Ollama whose number is not all that a token passes.
        ("kimi-k2:1t-cloud", "ollama", "moonshot/kimi-k2", Match::PlatformId),
        ("mistral-large-3:675b", "ollama", "mistral/mistral-large-3", Match::PlatformId),
        ("nemotron-3-nano:30b", "ollama", "nvidia/nemotron-3-nano-30b-a3b", Match::PlatformId),
        // Makers who write a dash where others write a dot.
        ("grok-4-1-fast-reasoning", "azure.ai.inference", "xai/grok-4.1-fast-reasoning", Match::Alias),
        ("gpt-5.4-mini-2026-03-17", "openai", "openai/gpt-5.4-mini", Match::DatedSnapshot),
        ("global.anthropic.claude-opus-4-6-v1", "aws.bedrock", "anthropic/claude-opus-4-6", Match::PlatformId),
        ("claude-opus-4-6@default", "gcp.vertex_ai", "anthropic/claude-opus-4-6", Match::PlatformId),
        ("qwen.qwen3-coder-480b-a35b-v1:0", "aws.bedrock", "qwen/qwen3-coder-480b-a35b-instruct", Match::PlatformId),
    ] {
        assert_eq!(resolved(&registry, name, provider), Some((id, matched)), "{name}");
    }
    for (name, provider) in [
        ("someone/llama-4-scout-17b-16e-mine", "huggingface"),
        ("upstage/solar-10_7b-instruct", "nvidia"),
        ("Pro/gpt-4o", "siliconflow"),
        ("claude-instant-v0", "anthropic"),
        ("stealth/claude-opus-4.6", "kilo"),
        ("someone--gpt-4o", "sap"),
        ("~anthropic/claude-opus-latest", "openrouter"),
    ] {
        assert_eq!(resolved(&registry, name, provider), None, "{name}");
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
        ("chat-latest", "azure"),
        ("azure/mistral-large-latest", "litellm"),
        ("mistral-large-latest", "azure.ai.inference"),
        // Without a version these are now one, now another model.
        ("mistral-large", "azure"),
        ("codestral", "openrouter"),
        // Names of deployments that only resemble a model's.
        ("gpt4o", "azure.ai.openai"),
        ("gpt-4o-7b", "azure.ai.openai"),
        ("my-llama-8b", "azure.ai.inference"),
        // At Ollama a family's name is whatever size it gives by default.
        ("gpt-4o", "ollama"),
        ("accounts/mine/models/llama-v3p1-8b-instruct", "fireworks"),
        ("accounts/mine/deployments/abc", "fireworks"),
        ("someone/mixtral-8x7b-mine", "huggingface"),
        // What a maker calls turbo or fast is another model; that others serve one fast is not.
        ("grok-4-turbo", "xai"),
        ("gpt-4o-turbo", "openai"),
        ("gpt-4o-fp8", "openai"),
        ("gemini-2.5-pro-fast", "gcp.gemini"),
        ("amazon.gpt-4o-v1:0", "aws.bedrock"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/gpt-4o", "aws.bedrock"),
        ("arn:aws:sagemaker:us-east-1:1:endpoint/gpt-4o", "aws.sagemaker"),
    ] {
        assert_eq!(resolved(&registry, name, provider), None, "{name}");
    }
}

/// Names beyond all lists, decided beforehand: a third of them must not mean what they resemble.
#[test]
fn names_of_platforms_and_names_that_resemble_them_mean_what_was_decided() {
    let registry = registry();
    let table = rows(include_str!("data/others.csv"));
    assert!(table.len() > 350, "{}", table.len());
    for row in table {
        let found = resolved(&registry, &row["model"], &row["provider"]).map_or("", |(id, _)| id);
        assert_eq!(found, row["registry_model"], "{} at {}", row["model"], row["provider"]);
    }
}

#[test]
fn a_known_name_inside_a_longer_one_means_nothing() {
    let registry = registry();
    let spelled = |text: &str| text.to_ascii_lowercase().replace(['-', '.', '_', ' '], "");
    let table = rows(include_str!("../../config/factors/names.csv"));
    let listed = table.iter().flat_map(|row| row["names"].split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let known: BTreeSet<_> = registry.models().map(|(_, model)| model.name().to_owned()).chain(listed).collect();
    let spellings: BTreeSet<_> = known.iter().map(|name| spelled(name)).collect();
    for name in &known {
        for longer in
            [format!("{name}x"), format!("x{name}"), format!("{name}-mini"), format!("my-{name}"), format!("{name} v2")]
        {
            for provider in ["openai", "azure.ai.openai", "litellm"] {
                let Some((id, matched)) = resolved(&registry, &longer, provider) else { continue };
                // Another model may have that very name, in this spelling or another; of a stranger's only the size is
                // told.
                let is_its_name = spellings.contains(&spelled(&longer));
                assert!(is_its_name || matched == Match::SizeParsed, "{longer} is not {id}");
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
