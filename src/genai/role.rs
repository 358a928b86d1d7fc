//! Step one of counting: is a span a model call, or does it repeat what its children report? Decided before tokens
//! are looked at, because aggregates carry tokens too.

use super::keys::{Extensions, Meaning};
use super::span::{Hits, SpanFields};
use crate::semconv::read;

/// What a span of the GenAI kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Repeats its children, or is no call at all (a tool, a chain).
    Aggregate,
    /// `invoke_agent` from a client: a call if nothing below it counts, else an aggregate.
    RemoteAgent,
    /// A model call.
    Inference,
}

impl Role {
    /// The role of a span; `None` for one that is not of the GenAI kind.
    #[must_use]
    pub fn of(request: &[u8], hits: &Hits, fields: &SpanFields<'_>, more: &Extensions) -> Option<Self> {
        let string = |meaning| hits.string(request, meaning);
        let operation = string(Meaning::Operation);
        let openinference = string(Meaning::OpenInferenceKind);
        let ai = string(Meaning::AiOperation);
        let langfuse = string(Meaning::LangfuseType);
        let is_inference_kind = |kind: &str| is(kind, read::OPENINFERENCE_INFERENCE);

        let aggregate = openinference
            .is_some_and(|kind| !is_inference_kind(kind) && !kind.eq_ignore_ascii_case(read::OPENINFERENCE_RERANKER))
            || ai.is_some_and(|operation| !operation.contains(read::AI_INFERENCE))
            || string(Meaning::TraceloopKind).is_some_and(|kind| is(kind, read::TRACELOOP_AGGREGATE))
            || langfuse.is_some_and(|kind| !is(kind, read::LANGFUSE_INFERENCE));
        if aggregate {
            return Some(Self::Aggregate);
        }
        if let Some(operation) = operation {
            if fields.client && operation.eq_ignore_ascii_case(read::INVOKE_AGENT) {
                return Some(Self::RemoteAgent);
            }
            if is(operation, read::AGGREGATE_OPERATIONS)
                || operation.contains(read::MEMORY_OPERATION)
                || is_one_of(operation, &more.aggregate_operations)
            {
                return Some(Self::Aggregate);
            }
        }
        let is_inference =
            |operation| is(operation, read::INFERENCE_OPERATIONS) || is_one_of(operation, &more.inference_operations);
        let inference = operation.is_some_and(is_inference)
            || openinference.is_some_and(is_inference_kind)
            || ai.is_some()
            || string(Meaning::SpanType).is_some_and(|kind| kind.eq_ignore_ascii_case(read::SPAN_TYPE_INFERENCE))
            || string(Meaning::LlmRequestType).is_some()
            || string(Meaning::MlflowSpanType).is_some_and(|kind| is(kind.trim_matches('"'), read::MLFLOW_INFERENCE))
            || langfuse.is_some();
        // An operation that is not on any list, with tokens, is a call: new operations appear before this list does.
        let tokens = || [Meaning::Input, Meaning::Output, Meaning::UsageJson].into_iter().any(|m| hits.has(m));
        (inference || tokens()).then_some(Self::Inference)
    }
}

fn is_one_of(value: &str, list: &[String]) -> bool {
    list.iter().any(|name| value.eq_ignore_ascii_case(name))
}

fn is(value: &str, list: &[&str]) -> bool {
    list.iter().any(|name| value.eq_ignore_ascii_case(name))
}
