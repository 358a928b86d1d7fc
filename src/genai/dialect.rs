//! Whose words a span speaks: a closed set, for metrics.
//! Knows which keys are whose; nothing of what they say.

use super::keys::Meaning;
use super::span::Hits;

/// A family of attribute names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `gen_ai.*` of the semantic conventions, any version.
    GenAi,
    /// `openinference.*` and `llm.token_count.*`.
    OpenInference,
    /// `traceloop.*` and `llm.request.type`.
    OpenLlmetry,
    /// `ai.*` of the Vercel AI SDK.
    VercelAi,
    /// `mlflow.*`.
    Mlflow,
    /// `langfuse.*`.
    Langfuse,
    /// `span.type` of Claude Code.
    ClaudeCode,
    /// Tokens under other names.
    Other,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 8] = [
        Self::GenAi,
        Self::OpenInference,
        Self::OpenLlmetry,
        Self::VercelAi,
        Self::Mlflow,
        Self::Langfuse,
        Self::ClaudeCode,
        Self::Other,
    ];

    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenAi => "gen_ai",
            Self::OpenInference => "openinference",
            Self::OpenLlmetry => "openllmetry",
            Self::VercelAi => "vercel_ai",
            Self::Mlflow => "mlflow",
            Self::Langfuse => "langfuse",
            Self::ClaudeCode => "claude_code",
            Self::Other => "other",
        }
    }

    /// The dialect of a span of the GenAI kind. Many instrumentations write `gen_ai.*` beside their own names: their
    /// own tell more.
    #[must_use]
    pub fn of(hits: &Hits<'_>) -> Self {
        let telling = [
            (Meaning::OpenInferenceKind, Self::OpenInference),
            (Meaning::AiOperation, Self::VercelAi),
            (Meaning::MlflowSpanType, Self::Mlflow),
            (Meaning::LangfuseType, Self::Langfuse),
            (Meaning::SpanType, Self::ClaudeCode),
            (Meaning::TraceloopKind, Self::OpenLlmetry),
            (Meaning::LlmRequestType, Self::OpenLlmetry),
            (Meaning::Operation, Self::GenAi),
        ];
        let own = telling.into_iter().find(|(meaning, _)| hits.has(*meaning)).map(|(_, dialect)| dialect);
        own.unwrap_or(if hits.has_gen_ai_key() { Self::GenAi } else { Self::Other })
    }
}
