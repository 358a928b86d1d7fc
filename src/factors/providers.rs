//! Who serves a model: the six providers of EcoLogits, and what the many spellings of `gen_ai.provider.name` and
//! `gen_ai.system` say about them. Knows no models and no places.

use super::any_case::strip_prefix;

/// A provider that the registry has a data centre and models for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Anthropic's own API.
    Anthropic,
    /// Cohere's own API.
    Cohere,
    /// Google's Gemini API.
    Google,
    /// Hugging Face's inference API; the rows of open models by their hub id.
    HuggingFace,
    /// Mistral's own API.
    Mistral,
    /// OpenAI's own API.
    OpenAi,
}

/// What the value of a provider attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderHint {
    /// One of the six.
    Known(Provider),
    /// A cloud that serves models of several makers: Azure, Bedrock, Vertex.
    Platform,
    /// Nothing: empty, or the name of a framework or router that calls someone else.
    Unstated,
    /// Ollama, whose names are families with tags.
    Ollama,
    /// Someone whom the registry does not know.
    Other,
}

impl Provider {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] =
        [Self::Anthropic, Self::Cohere, Self::Google, Self::HuggingFace, Self::Mistral, Self::OpenAi];

    /// EcoLogits' name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::Google => "google_genai",
            Self::HuggingFace => "huggingface_hub",
            Self::Mistral => "mistralai",
            Self::OpenAi => "openai",
        }
    }

    /// The provider that EcoLogits calls `name`, exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

impl ProviderHint {
    /// Reads the value of a provider attribute as it arrived. The first part decides where the rest names an endpoint
    /// (`openai.chat`, `anthropic.messages`); case and surrounding quotes do not matter.
    #[must_use]
    pub fn read(value: &str) -> Self {
        let value = value.trim().trim_matches('"').trim();
        if let Some(hint) =
            PREFIXES.iter().find(|(prefix, _)| strip_prefix(value, prefix).is_some()).map(|(_, hint)| *hint)
        {
            return hint;
        }
        let first = value.split('.').next().unwrap_or_default();
        NAMES
            .iter()
            .find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(first)))
            .map_or(Self::Other, |(_, hint)| *hint)
    }
}

/// Every word that a value is known by.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let names = NAMES.iter().flat_map(|(names, _)| names.iter().copied());
    PREFIXES.iter().map(|(prefix, _)| *prefix).chain(names)
}

/// Heads of values that mean a platform whatever follows; looked at before [`NAMES`].
const PREFIXES: &[(&str, ProviderHint)] = &[
    ("azure", ProviderHint::Platform), // azure, azure.ai.openai, azure.ai.inference, azure_openai, azure-openai.chat
    ("az.", ProviderHint::Platform),   // az.ai.openai, az.ai.inference
    ("aws", ProviderHint::Platform),   // aws.bedrock, aws_bedrock, aws.sagemaker
    ("amazon", ProviderHint::Platform), // amazon-bedrock, amazon_bedrock
    ("bedrock", ProviderHint::Platform), // bedrock, bedrock_converse
    ("gcp.vertex", ProviderHint::Platform), // gcp.vertex_ai, gcp.vertex.agent
    ("google.vertex", ProviderHint::Platform), // google.vertex.chat
    ("google_vertex", ProviderHint::Platform), // google_vertexai
    ("google-vertex", ProviderHint::Platform), // google-vertex
    ("vertex", ProviderHint::Platform), // vertex_ai, vertexai, vertex.anthropic.messages
    ("google", ProviderHint::Known(Provider::Google)), // google_genai, google.generative-ai, google_ai_studio
    ("gcp", ProviderHint::Known(Provider::Google)), // gcp.gemini, gcp.gen_ai
];

/// First parts of values.
const NAMES: &[(&[&str], ProviderHint)] = &[
    (&["openai", "openai_chat", "openai-chat", "chatgpt"], ProviderHint::Known(Provider::OpenAi)),
    (&["anthropic", "claude"], ProviderHint::Known(Provider::Anthropic)),
    (&["gemini"], ProviderHint::Known(Provider::Google)),
    (&["mistral_ai", "mistralai", "mistral", "mistral-ai"], ProviderHint::Known(Provider::Mistral)),
    (&["cohere", "cohere_chat"], ProviderHint::Known(Provider::Cohere)),
    (&["ollama", "ollama_chat"], ProviderHint::Ollama),
    (
        &["huggingface", "hugging_face", "hugging-face", "huggingface_hub", "hf"],
        ProviderHint::Known(Provider::HuggingFace),
    ),
    (
        // Frameworks and observability libraries.
        &[
            "",
            "langchain",
            "langgraph",
            "langsmith",
            "langfuse",
            "langserve",
            "strands-agents",
            "strands",
            "spring_ai",
            "spring-ai",
            "microsoft",
            "semantic_kernel",
            "semantic-kernel",
            "autogen",
            "pydantic_ai",
            "pydantic-ai",
            "llama_index",
            "llamaindex",
            "haystack",
            "crewai",
            "smolagents",
            "dspy",
            "agno",
            "mlflow",
            "traceloop",
            "openlit",
            "openllmetry",
            "openinference",
            "openai_agents",
            "openai-agents",
            "langchain4j",
            "ai",
            "vercel_ai",
            "vercel-ai",
        ],
        ProviderHint::Unstated,
    ),
    (
        // Routers and gateways.
        &[
            "litellm",
            "litellm_proxy",
            "litellm-proxy",
            "openrouter",
            "gateway",
            "vercel_ai_gateway",
            "portkey",
            "helicone",
            "kong",
            "cloudflare-ai-gateway",
            "openai-compatible",
            "openai_compatible",
            "custom",
            "custom_openai",
            "unknown",
            "none",
            "null",
            "_other",
            "other",
        ],
        ProviderHint::Unstated,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_that_were_captured_are_read() {
        for (value, expected) in [
            ("openai", ProviderHint::Known(Provider::OpenAi)),
            ("OpenAI", ProviderHint::Known(Provider::OpenAi)),
            ("openai.chat", ProviderHint::Known(Provider::OpenAi)),
            ("openai.responses", ProviderHint::Known(Provider::OpenAi)),
            ("\"openai\"", ProviderHint::Known(Provider::OpenAi)),
            ("anthropic.messages", ProviderHint::Known(Provider::Anthropic)),
            ("gemini", ProviderHint::Known(Provider::Google)),
            ("gcp.gemini", ProviderHint::Known(Provider::Google)),
            ("google", ProviderHint::Known(Provider::Google)),
            ("google.generative-ai", ProviderHint::Known(Provider::Google)),
            ("mistral_ai", ProviderHint::Known(Provider::Mistral)),
            ("cohere", ProviderHint::Known(Provider::Cohere)),
            ("HuggingFace", ProviderHint::Known(Provider::HuggingFace)),
            ("gcp.vertex_ai", ProviderHint::Platform),
            ("gcp.vertex.agent", ProviderHint::Platform),
            ("google.vertex.chat", ProviderHint::Platform),
            ("az.ai.openai", ProviderHint::Platform),
            ("azure.ai.openai", ProviderHint::Platform),
            ("Azure", ProviderHint::Platform),
            ("aws.bedrock", ProviderHint::Platform),
            ("amazon-bedrock", ProviderHint::Platform),
            ("", ProviderHint::Unstated),
            ("  ", ProviderHint::Unstated),
            ("langchain", ProviderHint::Unstated),
            ("strands-agents", ProviderHint::Unstated),
            ("spring_ai", ProviderHint::Unstated),
            ("microsoft.agent_framework", ProviderHint::Unstated),
            ("litellm", ProviderHint::Unstated),
            ("ollama", ProviderHint::Ollama),
            ("groq", ProviderHint::Other),
            ("deepseek", ProviderHint::Other),
            ("openaix", ProviderHint::Other),
            ("é", ProviderHint::Other),
        ] {
            assert_eq!(ProviderHint::read(value), expected, "{value:?}");
        }
    }

    #[test]
    fn the_names_of_ecologits_are_exact() {
        assert_eq!(Provider::from_name("mistralai"), Some(Provider::Mistral));
        assert_eq!(Provider::from_name("azure"), None);
        assert_eq!(Provider::from_name("OpenAI"), None);
    }
}
