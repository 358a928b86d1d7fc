//! Every attribute key that is read or written, and nothing else. Names that we write are a contract;
//! names that we read are lists in the order in which they are tried.

/// What we read. Each list is in the order in which its keys are tried: the first that parses wins.
/// `gen_ai.*`: <https://github.com/open-telemetry/semantic-conventions-genai>, with every name that it had before;
/// `llm.*`, `openinference.*`, `embedding.*`: <https://github.com/Arize-ai/openinference/blob/main/spec>;
/// `ai.*`: <https://ai-sdk.dev/docs/ai-sdk-core/telemetry>; the others: their instrumentations' captures.
pub mod read {
    /// The operation: decides between a model call and a span that repeats its children.
    pub const OPERATION: &str = "gen_ai.operation.name";
    /// OpenInference's kind of span.
    pub const OPENINFERENCE_KIND: &str = "openinference.span.kind";
    /// The Vercel AI SDK's operation; its model calls have `.do` inside.
    pub const AI_OPERATION: &str = "ai.operationId";
    /// OpenLLMetry's kind of span, on spans that are no model call.
    pub const TRACELOOP_KIND: &str = "traceloop.span.kind";
    /// Langfuse's kind of observation.
    pub const LANGFUSE_TYPE: &str = "langfuse.observation.type";
    /// Claude Code's kind of span.
    pub const SPAN_TYPE: &str = "span.type";
    /// OpenLLMetry's kind of request; its presence means a model call.
    pub const LLM_REQUEST_TYPE: &str = "llm.request.type";
    /// MLflow's kind of span, in JSON quotes.
    pub const MLFLOW_SPAN_TYPE: &str = "mlflow.spanType";

    /// Input tokens, whether or not the dialect includes cached ones.
    pub const INPUT_TOKENS: &[&str] = &[
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ];
    /// Output tokens, whether or not the dialect includes reasoning.
    pub const OUTPUT_TOKENS: &[&str] = &[
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ];
    /// JSON strings that hold input and output tokens: tried after the lists above.
    pub const USAGE_JSON: &[&str] = &["mlflow.chat.tokenUsage", "langfuse.observation.usage_details"];
    /// Names of input tokens inside [`USAGE_JSON`].
    pub const USAGE_JSON_INPUT: &[&str] = &["input_tokens", "prompt_tokens", "input"];
    /// Names of output tokens inside [`USAGE_JSON`].
    pub const USAGE_JSON_OUTPUT: &[&str] = &["output_tokens", "completion_tokens", "output"];
    /// Input tokens under a name so plain that it is read with [`SPAN_TYPE`] `llm_request` only, and last.
    pub const PLAIN_INPUT_TOKENS: &str = "input_tokens";
    /// Output tokens, likewise.
    pub const PLAIN_OUTPUT_TOKENS: &str = "output_tokens";
    /// Input tokens that were read from a cache.
    pub const CACHE_READ_TOKENS: &[&str] = &[
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
        "gen_ai.usage.details.cache_read_tokens",
        "cache_read_tokens",
    ];
    /// Input tokens that were written to a cache.
    pub const CACHE_WRITE_TOKENS: &[&str] = &[
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "cache_creation_tokens",
    ];
    /// Output tokens that were spent on reasoning.
    pub const REASONING_TOKENS: &[&str] = &[
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens",
        "gen_ai.usage.details.reasoning_tokens",
        "codex.usage.reasoning_output_tokens",
    ];
    /// Totals: read only to decide what a dialect includes.
    pub const TOTAL_TOKENS: &[&str] =
        &["gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens"];

    /// Model names, most telling first; the first that the registry knows wins.
    pub const MODELS: &[&str] = &[
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "llm.response.model",
        "llm.request.model",
        "ai.response.model",
        "ai.model.id",
        "litellm.provider.model",
        "langfuse.observation.model.name",
        "mlflow.llm.model",
        "model_name",
        "model",
    ];
    /// Provider names; values are messy.
    pub const PROVIDERS: &[&str] =
        &["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor", "ai.model.provider"];
    /// Ids that the model server gave to its answer.
    pub const RESPONSE_IDS: &[&str] = &["gen_ai.response.id", "ai.response.id", "llm.openai.id"];
    /// The called host: a name, a URL, or an address.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// On a span, the region of the called service; on a resource, that of the client, which is not read.
    pub const CLOUD_REGION: &str = "cloud.region";
    /// The conversation that a call belongs to.
    pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
    /// On a resource: who called.
    pub const SERVICE_NAME: &str = "service.name";

    /// Values of [`OPERATION`] on spans that repeat what their children report.
    pub const AGGREGATE_OPERATIONS: &[&str] = &[
        "invoke_agent",
        "invoke_workflow",
        "create_agent",
        "plan",
        "execute_tool",
        "retrieval",
        "agent_step",
        "execute_event_loop_cycle",
        "execute_task",
        "chain",
        "framework",
    ];
    /// The one of [`AGGREGATE_OPERATIONS`] that, from a client, may be a remote agent.
    pub const INVOKE_AGENT: &str = "invoke_agent";
    /// What every memory operation (`search_memory`, `update_memory` ..) has in its name.
    pub const MEMORY_OPERATION: &str = "memory";
    /// Values of [`OPERATION`] on model calls.
    pub const INFERENCE_OPERATIONS: &[&str] = &[
        "chat",
        "generate_content",
        "text_completion",
        "embeddings",
        "embedding",
        "completion",
        "acompletion",
        "responses",
    ];
    /// Values of [`OPENINFERENCE_KIND`] on model calls.
    pub const OPENINFERENCE_INFERENCE: &[&str] = &["LLM", "EMBEDDING"];
    /// A value of [`OPENINFERENCE_KIND`] that is neither: it counts if it carries tokens.
    pub const OPENINFERENCE_RERANKER: &str = "RERANKER";
    /// What the Vercel AI SDK has in [`AI_OPERATION`] of a model call.
    pub const AI_INFERENCE: &str = ".do";
    /// Values of [`TRACELOOP_KIND`] on spans that repeat what their children report.
    pub const TRACELOOP_AGGREGATE: &[&str] = &["workflow", "task", "agent", "tool"];
    /// Values of [`LANGFUSE_TYPE`] on model calls.
    pub const LANGFUSE_INFERENCE: &[&str] = &["generation", "embedding"];
    /// The value of [`SPAN_TYPE`] on model calls.
    pub const SPAN_TYPE_INFERENCE: &str = "llm_request";
    /// Values of [`MLFLOW_SPAN_TYPE`], without quotes, on model calls.
    pub const MLFLOW_INFERENCE: &[&str] = &["CHAT_MODEL", "LLM", "EMBEDDING"];

    /// Every key that is read on spans, those that mean the same together.
    pub const ALL: [&[&str]; 23] = [
        &[OPERATION],
        &[OPENINFERENCE_KIND],
        &[AI_OPERATION],
        &[TRACELOOP_KIND],
        &[LANGFUSE_TYPE],
        &[SPAN_TYPE],
        &[LLM_REQUEST_TYPE],
        &[MLFLOW_SPAN_TYPE],
        INPUT_TOKENS,
        OUTPUT_TOKENS,
        USAGE_JSON,
        &[PLAIN_INPUT_TOKENS],
        &[PLAIN_OUTPUT_TOKENS],
        CACHE_READ_TOKENS,
        CACHE_WRITE_TOKENS,
        REASONING_TOKENS,
        TOTAL_TOKENS,
        MODELS,
        PROVIDERS,
        RESPONSE_IDS,
        &[SERVER_ADDRESS],
        &[CLOUD_REGION],
        &[CONVERSATION_ID],
    ];

    /// Whether `key` has a meaning already.
    #[must_use]
    pub fn is_read(key: &str) -> bool {
        ALL.iter().any(|list| list.contains(&key))
    }

    /// Instrumentation scopes whose input tokens exclude cached ones; a trailing `*` stands for any ending.
    pub const INPUT_EXCLUDES_CACHE_SCOPES: &[&str] =
        &["openlit.instrumentation.anthropic", "opentelemetry.instrumentation.botocore*", "com.anthropic.claude_code*"];
}

/// What we write, without the prefix (`gramtrace.` unless configured).
pub mod out {
    /// Use phase, location-based, grams of CO2e of this call (double).
    pub const CO2E_G: &str = "co2e_g";
    /// Low end of [`CO2E_G`].
    pub const CO2E_LOW_G: &str = "co2e_low_g";
    /// High end of [`CO2E_G`].
    pub const CO2E_HIGH_G: &str = "co2e_high_g";
    /// Energy of this call in Wh, PUE included (double).
    pub const ENERGY_WH: &str = "energy_wh";
    /// Low end of [`ENERGY_WH`].
    pub const ENERGY_LOW_WH: &str = "energy_low_wh";
    /// High end of [`ENERGY_WH`].
    pub const ENERGY_HIGH_WH: &str = "energy_high_wh";
    /// Embodied share, grams of CO2e (double); never inside [`CO2E_G`].
    pub const EMBODIED_CO2E_G: &str = "embodied_co2e_g";
    /// Low end of [`EMBODIED_CO2E_G`].
    pub const EMBODIED_CO2E_LOW_G: &str = "embodied_co2e_low_g";
    /// High end of [`EMBODIED_CO2E_G`].
    pub const EMBODIED_CO2E_HIGH_G: &str = "embodied_co2e_high_g";
    /// Water in millilitres (double).
    pub const WATER_ML: &str = "water_ml";
    /// What became of the span (string): see `crate::genai::Status`.
    pub const STATUS: &str = "status";
    /// The exceeded budgets that a call falls into, in the order of the configuration, with `,` between them.
    pub const BUDGET: &str = "budget";
    /// Registry id of the model, `<maker>/<name>` (string).
    pub const MODEL: &str = "model";
    /// Quality of the factor, `A` to `E` (string).
    pub const TIER: &str = "tier";
    /// How the model's name matched (string).
    pub const MATCH: &str = "match";
    /// Id of the factor that was used (string).
    pub const FACTOR: &str = "factor";
    /// Id and version of the method (string).
    pub const METHOD: &str = "method";
    /// `<version>+<8 hex digits of its sha256>` of the registry (string).
    pub const REGISTRY: &str = "registry";
    /// Zone of the grid (string).
    pub const GRID_ZONE: &str = "grid.zone";
    /// Intensity of the grid in gCO2e/kWh (double).
    pub const GRID_G_PER_KWH: &str = "grid.g_per_kwh";
    /// How the zone was decided (string).
    pub const GRID_BASIS: &str = "grid.basis";
    /// Where hourly intensities are loaded: `hour`, or `year` where the hour was missing (string).
    pub const GRID_PERIOD: &str = "grid.period";
    /// Power usage effectiveness that was used (double).
    pub const PUE: &str = "pue";
    /// Input tokens, cached ones included (int).
    pub const TOKENS_INPUT: &str = "tokens.input";
    /// Output tokens, reasoning included (int).
    pub const TOKENS_OUTPUT: &str = "tokens.output";
    /// Input tokens read from a cache (int).
    pub const TOKENS_CACHE_READ: &str = "tokens.cache_read";
    /// Input tokens written to a cache (int).
    pub const TOKENS_CACHE_WRITE: &str = "tokens.cache_write";
    /// Output tokens spent on reasoning (int).
    pub const TOKENS_REASONING: &str = "tokens.reasoning";
    /// Size class of [`CO2E_G`] for backends that search by equality (string).
    pub const BAND: &str = "band";
    /// Where the factor comes from (string).
    pub const SOURCE: &str = "source";

    /// What the keys on roots begin with.
    pub const TRACE: &str = "trace.";
    /// On a root: [`CO2E_G`] of all calls of its trace that are known when it passes (double).
    pub const TRACE_CO2E_G: &str = "trace.co2e_g";
    /// Low end of [`TRACE_CO2E_G`].
    pub const TRACE_CO2E_LOW_G: &str = "trace.co2e_low_g";
    /// High end of [`TRACE_CO2E_G`].
    pub const TRACE_CO2E_HIGH_G: &str = "trace.co2e_high_g";
    /// On a root: [`ENERGY_WH`] of those calls (double).
    pub const TRACE_ENERGY_WH: &str = "trace.energy_wh";
    /// On a root: the number of those calls (int).
    pub const TRACE_CALLS: &str = "trace.calls";
    /// On a root: those of them that have no value (int).
    pub const TRACE_UNKNOWN_CALLS: &str = "trace.unknown_calls";
    /// On a root: [`TOKENS_INPUT`] of those calls (int).
    pub const TRACE_INPUT_TOKENS: &str = "trace.input_tokens";
    /// On a root: [`TOKENS_OUTPUT`] of those calls (int).
    pub const TRACE_OUTPUT_TOKENS: &str = "trace.output_tokens";
    /// On a root: [`BAND`] of [`TRACE_CO2E_G`] (string).
    pub const TRACE_BAND: &str = "trace.band";
    /// On a root: whether nothing is known to be missing from the others (bool).
    pub const TRACE_COMPLETE: &str = "trace.complete";

    /// The headline CO2e again, for views that show `gen_ai.*` only.
    pub const ALIAS_CO2E_G: &str = "gen_ai.footprint.co2e_g";
    /// The headline energy again, for views that show `gen_ai.*` only.
    pub const ALIAS_ENERGY_WH: &str = "gen_ai.footprint.energy_wh";
}
