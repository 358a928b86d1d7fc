//! Step one of counting: is a span a model call, or does it repeat what its children report? Decided before tokens
//! are looked at, because aggregates carry tokens too.

use super::keys::{Extensions, KeyTable, Meaning, RoleRule};
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
    /// One whose operation is on no list, and that carries tokens: a model call, since new operations appear before the
    /// lists know them.
    Unlisted,
}

/// What the configuration adds to the lists that decide.
#[derive(Debug, Clone, Default)]
pub struct RoleRules {
    inference_operations: Vec<String>,
    aggregate_operations: Vec<String>,
    inference: Vec<Rule>,
    aggregate: Vec<Rule>,
}

/// Values of the key with a meaning and a rank.
#[derive(Debug, Clone)]
struct Rule {
    key: (Meaning, u8),
    values: Vec<String>,
}

impl RoleRules {
    /// The rules of `more`, whose keys are in `keys`.
    #[must_use]
    pub fn new(more: &Extensions, keys: &KeyTable) -> Self {
        let rule =
            |rule: &RoleRule| Some(Rule { key: keys.get(rule.attribute.as_bytes())?, values: rule.values.clone() });
        let rules = |list: &[RoleRule]| list.iter().filter_map(rule).collect();
        Self {
            inference_operations: more.inference_operations.clone(),
            aggregate_operations: more.aggregate_operations.clone(),
            inference: rules(&more.inference),
            aggregate: rules(&more.aggregate),
        }
    }
}

impl Rule {
    fn holds(&self, hits: &Hits<'_>) -> bool {
        let is_listed = |value: Option<&str>| value.is_some_and(|value| is_one_of(value, &self.values));
        hits.any_at(self.key, |value| self.values.is_empty() || is_listed(value))
    }
}

impl Role {
    /// The role of a span; `None` for one that is not of the GenAI kind.
    #[must_use]
    pub fn of(hits: &Hits<'_>, fields: &SpanFields<'_>, rules: &RoleRules) -> Option<Self> {
        let string = |meaning| hits.string(meaning);
        let operation = string(Meaning::Operation);
        let openinference = string(Meaning::OpenInferenceKind);
        let ai = string(Meaning::AiOperation);
        let langfuse = string(Meaning::LangfuseType);
        let is_inference_kind = |kind: &str| is(kind, read::OPENINFERENCE_INFERENCE);

        let aggregate = openinference
            .is_some_and(|kind| !is_inference_kind(kind) && !kind.eq_ignore_ascii_case(read::OPENINFERENCE_RERANKER))
            || ai.is_some_and(|operation| !operation.contains(read::AI_INFERENCE))
            || string(Meaning::TraceloopKind).is_some_and(|kind| is(kind, read::TRACELOOP_AGGREGATE))
            || langfuse.is_some_and(|kind| !is(kind, read::LANGFUSE_INFERENCE))
            || rules.aggregate.iter().any(|rule| rule.holds(hits));
        if aggregate {
            return Some(Self::Aggregate);
        }
        if let Some(operation) = operation {
            if fields.client && operation.eq_ignore_ascii_case(read::INVOKE_AGENT) {
                return Some(Self::RemoteAgent);
            }
            if is(operation, read::AGGREGATE_OPERATIONS)
                || operation.contains(read::MEMORY_OPERATION)
                || is_one_of(operation, &rules.aggregate_operations)
            {
                return Some(Self::Aggregate);
            }
        }
        let is_inference =
            |operation| is(operation, read::INFERENCE_OPERATIONS) || is_one_of(operation, &rules.inference_operations);
        let inference = operation.is_some_and(is_inference)
            || openinference.is_some_and(is_inference_kind)
            || ai.is_some()
            || string(Meaning::SpanType).is_some_and(|kind| kind.eq_ignore_ascii_case(read::SPAN_TYPE_INFERENCE))
            || string(Meaning::LlmRequestType).is_some()
            || string(Meaning::MlflowSpanType).is_some_and(|kind| is(kind.trim_matches('"'), read::MLFLOW_INFERENCE))
            || langfuse.is_some()
            || rules.inference.iter().any(|rule| rule.holds(hits));
        if inference {
            return Some(Self::Inference);
        }
        let tokens = [Meaning::Input, Meaning::Output, Meaning::UsageJson].into_iter().any(|m| hits.has(m));
        tokens.then_some(if operation.is_some() { Self::Unlisted } else { Self::Inference })
    }
}

fn is_one_of(value: &str, list: &[String]) -> bool {
    list.iter().any(|name| value.eq_ignore_ascii_case(name))
}

fn is(value: &str, list: &[&str]) -> bool {
    list.iter().any(|name| value.eq_ignore_ascii_case(name))
}
