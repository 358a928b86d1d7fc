//! From an attribute's key to what it means, fast for the many keys that mean nothing: a mask of lengths for every
//! first byte refuses most without hashing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::semconv::read;

/// What a key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// `gen_ai.operation.name`.
    Operation,
    /// `openinference.span.kind`.
    OpenInferenceKind,
    /// `ai.operationId`.
    AiOperation,
    /// `traceloop.span.kind`.
    TraceloopKind,
    /// `langfuse.observation.type`.
    LangfuseType,
    /// `span.type`.
    SpanType,
    /// `llm.request.type`.
    LlmRequestType,
    /// `mlflow.spanType`.
    MlflowSpanType,
    /// Input tokens.
    Input,
    /// Output tokens.
    Output,
    /// Input and output tokens as a JSON string.
    UsageJson,
    /// Input tokens under the plain name.
    PlainInput,
    /// Output tokens under the plain name.
    PlainOutput,
    /// Cached input tokens, read.
    CacheRead,
    /// Cached input tokens, written.
    CacheWrite,
    /// Reasoning tokens.
    Reasoning,
    /// Total tokens.
    Total,
    /// A name of the model.
    Model,
    /// A name of the provider.
    Provider,
    /// An id of the answer.
    ResponseId,
    /// The called host.
    ServerAddress,
    /// The called region.
    CloudRegion,
    /// Our own status: the span was enriched before.
    Enriched,
}

impl Meaning {
    /// Whether a span with such a key may be of the GenAI kind; the others only add to one that is.
    #[must_use]
    pub const fn marks(self) -> bool {
        !matches!(
            self,
            Self::ServerAddress
                | Self::CloudRegion
                | Self::Model
                | Self::Provider
                | Self::ResponseId
                | Self::CacheRead
                | Self::CacheWrite
                | Self::Reasoning
                | Self::Total
                | Self::PlainInput
                | Self::PlainOutput
                | Self::Enriched
        )
    }
}

/// The keys that are read, each with its meaning and its place in the list that it comes from.
#[derive(Debug, Clone)]
pub struct KeyTable {
    /// For every first byte, the lengths (bit n: n bytes; bit 63: 63 and more) of keys that begin with it.
    lengths: [u64; 256],
    keys: HashMap<Box<[u8]>, (Meaning, u8), BuildHasherDefault<KeyHasher>>,
}

/// Names that are read behind those of [`read`], in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// Attributes by what they mean; only meanings that have a list in [`read`].
    pub keys: Vec<(Meaning, Vec<String>)>,
    /// Values of the operation on model calls.
    pub inference_operations: Vec<String>,
    /// Values of the operation on spans that repeat their children.
    pub aggregate_operations: Vec<String>,
    /// Scopes whose input tokens exclude cached ones; a trailing `*` stands for any ending.
    pub input_excludes_cache_scopes: Vec<String>,
}

impl KeyTable {
    /// The table of [`read`], for spans whose own status is `enriched_key`.
    #[must_use]
    pub fn new(enriched_key: &str) -> Self {
        let mut table = Self { lengths: [0; 256], keys: HashMap::default() };
        let singles = [
            (read::OPERATION, Meaning::Operation),
            (read::OPENINFERENCE_KIND, Meaning::OpenInferenceKind),
            (read::AI_OPERATION, Meaning::AiOperation),
            (read::TRACELOOP_KIND, Meaning::TraceloopKind),
            (read::LANGFUSE_TYPE, Meaning::LangfuseType),
            (read::SPAN_TYPE, Meaning::SpanType),
            (read::LLM_REQUEST_TYPE, Meaning::LlmRequestType),
            (read::MLFLOW_SPAN_TYPE, Meaning::MlflowSpanType),
            (read::PLAIN_INPUT_TOKENS, Meaning::PlainInput),
            (read::PLAIN_OUTPUT_TOKENS, Meaning::PlainOutput),
            (read::SERVER_ADDRESS, Meaning::ServerAddress),
            (read::CLOUD_REGION, Meaning::CloudRegion),
            (enriched_key, Meaning::Enriched),
        ];
        for (key, meaning) in singles {
            table.insert(key, meaning, 0);
        }
        let lists = [
            (read::INPUT_TOKENS, Meaning::Input),
            (read::OUTPUT_TOKENS, Meaning::Output),
            (read::USAGE_JSON, Meaning::UsageJson),
            (read::CACHE_READ_TOKENS, Meaning::CacheRead),
            (read::CACHE_WRITE_TOKENS, Meaning::CacheWrite),
            (read::REASONING_TOKENS, Meaning::Reasoning),
            (read::TOTAL_TOKENS, Meaning::Total),
            (read::MODELS, Meaning::Model),
            (read::PROVIDERS, Meaning::Provider),
            (read::RESPONSE_IDS, Meaning::ResponseId),
        ];
        for (keys, meaning) in lists {
            for (rank, key) in (0..=u8::MAX).zip(keys) {
                table.insert(key, meaning, rank);
            }
        }
        table
    }

    /// This table with more keys. A key that is there keeps its meaning.
    #[must_use]
    pub fn extended(mut self, keys: &[(Meaning, Vec<String>)]) -> Self {
        for (meaning, names) in keys {
            let ranks = self.keys.values().filter(|(known, _)| known == meaning).map(|(_, rank)| *rank);
            let next = ranks.max().map_or(0, |rank| rank.saturating_add(1));
            for (rank, key) in (next..=u8::MAX).zip(names) {
                if !self.keys.contains_key(key.as_bytes()) {
                    self.insert(key, *meaning, rank);
                }
            }
        }
        self
    }

    fn insert(&mut self, key: &str, meaning: Meaning, rank: u8) {
        if let Some(lengths) = key.bytes().next().and_then(|first| self.lengths.get_mut(usize::from(first))) {
            *lengths |= 1 << key.len().min(63);
        }
        self.keys.insert(key.as_bytes().into(), (meaning, rank));
    }

    /// What `key` means, and its rank among the keys that mean the same: lower is tried first.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<(Meaning, u8)> {
        let first = *key.first()?;
        if self.lengths[usize::from(first)] & (1 << key.len().min(63)) == 0 {
            return None;
        }
        self.keys.get(key).copied()
    }
}

/// FNV-1a over eight bytes at a time: keys are short, few, and chosen by us, so a keyed hash would be wasted on them.
#[derive(Debug, Clone, Copy)]
struct KeyHasher(u64);

impl Default for KeyHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_with_their_rank_and_others_are_not() {
        let table = KeyTable::new("gramtrace.status");
        assert_eq!(table.get(b"gen_ai.usage.prompt_tokens"), Some((Meaning::Input, 1)));
        assert_eq!(table.get(b"model"), Some((Meaning::Model, 14)));
        assert_eq!(table.get(b"gramtrace.status"), Some((Meaning::Enriched, 0)));
        assert_eq!(table.get(b"gen_ai.usage.details.cache_read_tokens"), Some((Meaning::CacheRead, 4)));
        assert_eq!(table.get(b"gen_ai.usage.prompt_tokenz"), None);
        assert_eq!(table.get(b"http.request.method"), None);
        assert_eq!(table.get(b""), None);
        assert_eq!(table.get(&[b'g'; 300]), None);
    }

    #[test]
    fn more_keys_stand_behind_the_built_in_ones_and_take_none_away() {
        let more = [(Meaning::Input, vec!["acme.tokens.in".to_owned(), "model".to_owned()])];
        let table = KeyTable::new("gramtrace.status").extended(&more);
        assert_eq!(table.get(b"acme.tokens.in"), Some((Meaning::Input, 7)));
        assert_eq!(table.get(b"model"), Some((Meaning::Model, 14)));
    }
}
