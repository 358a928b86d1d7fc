//! From an attribute's key to what it means, fast for the many keys that mean nothing: a mask of lengths for every
//! first byte refuses most of them without a look at the rest. Knows keys, not their values.

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
    /// Energy that somebody metered, where the configuration says under which key.
    MeteredEnergy,
    /// The conversation.
    Conversation,
    /// Our own status: the span was enriched before.
    Enriched,
    /// Nothing by itself: a configured rule looks at its value.
    Rule,
}

impl Meaning {
    /// How many there are.
    pub(super) const MANY: usize = Self::Rule as usize + 1;

    /// Whether a span with such a key may be of the GenAI kind; the others only add to one that is.
    #[must_use]
    pub const fn marks(self) -> bool {
        !matches!(
            self,
            Self::ServerAddress
                | Self::CloudRegion
                | Self::MeteredEnergy
                | Self::Conversation
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
                | Self::Rule
        )
    }
}

/// What each of the lists in [`read::ALL`] means.
const READ: [Meaning; read::ALL.len()] = [
    Meaning::Operation,
    Meaning::OpenInferenceKind,
    Meaning::AiOperation,
    Meaning::TraceloopKind,
    Meaning::LangfuseType,
    Meaning::SpanType,
    Meaning::LlmRequestType,
    Meaning::MlflowSpanType,
    Meaning::Input,
    Meaning::Output,
    Meaning::UsageJson,
    Meaning::PlainInput,
    Meaning::PlainOutput,
    Meaning::CacheRead,
    Meaning::CacheWrite,
    Meaning::Reasoning,
    Meaning::Total,
    Meaning::Model,
    Meaning::Provider,
    Meaning::ResponseId,
    Meaning::ServerAddress,
    Meaning::CloudRegion,
    Meaning::Conversation,
];

/// The keys that are read, each with its meaning and its place in the list that it comes from.
#[derive(Debug, Clone)]
pub struct KeyTable {
    /// What all keys begin with and how long they are.
    shapes: KeyShapes,
    /// The same of those keys alone that make a span worth reading.
    telling: KeyShapes,
    keys: Vec<Key>,
    /// Places in `keys` by [`digest`], or the next free one behind it; a quarter full at most.
    slots: Vec<u16>,
}

#[derive(Debug, Clone)]
struct Key {
    name: Box<[u8]>,
    meaning: Meaning,
    rank: u8,
    /// Whether it makes a span worth reading.
    telling: bool,
}

/// A slot without a key.
const EMPTY: u16 = u16::MAX;

/// For every first byte the lengths of keys that begin with it, modulo 64: bit n for n bytes.
#[derive(Debug, Clone)]
struct KeyShapes([u64; 256]);

impl KeyShapes {
    fn insert(&mut self, key: &[u8]) {
        if let Some(lengths) = key.first().and_then(|first| self.0.get_mut(usize::from(*first))) {
            *lengths |= 1 << (key.len() % 64);
        }
    }

    /// Whether a key that begins with `first` and has `len` bytes may be one of those that were inserted.
    #[inline(always)]
    fn may_have(&self, first: u8, len: usize) -> bool {
        self.0[usize::from(first)] >> (len % 64) & 1 == 1
    }
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
    /// What else makes a span a model call.
    pub inference: Vec<RoleRule>,
    /// What else makes a span one that repeats its children; asked first.
    pub aggregate: Vec<RoleRule>,
    /// Scopes whose input tokens exclude cached ones; a trailing `*` stands for any ending.
    pub input_excludes_cache_scopes: Vec<String>,
}

/// An attribute whose value decides what a span is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// Its key, which may be one that is read anyway.
    pub attribute: String,
    /// Values that decide, in any case; any value where there are none.
    pub values: Vec<String>,
}

impl KeyTable {
    /// The table of [`read`], for spans whose own status is `enriched_key`.
    #[must_use]
    pub fn new(enriched_key: &str) -> Self {
        let (shapes, telling) = (KeyShapes([0; 256]), KeyShapes([0; 256]));
        let mut table = Self { shapes, telling, keys: Vec::new(), slots: Vec::new() };
        for (meaning, keys) in READ.iter().zip(read::ALL) {
            for (rank, key) in (0..=u8::MAX).zip(keys) {
                table.insert(key, *meaning, rank);
            }
        }
        table.insert(enriched_key, Meaning::Enriched, 0);
        table
    }

    /// This table with more keys. A key that is there keeps its meaning.
    #[must_use]
    pub fn extended(mut self, keys: &[(Meaning, Vec<String>)]) -> Self {
        for (meaning, names) in keys {
            let ranks = self.keys.iter().filter(|key| key.meaning == *meaning).map(|key| key.rank);
            let next = ranks.max().map_or(0, |rank| rank.saturating_add(1));
            for (rank, key) in (next..=u8::MAX).zip(names) {
                if self.get(key.as_bytes()).is_none() {
                    self.insert(key, *meaning, rank);
                }
            }
        }
        self
    }

    /// This table with the keys of rules: a span that has one is worth reading. A key that is there keeps its meaning.
    #[must_use]
    pub fn with_rules<'r>(mut self, rules: impl IntoIterator<Item = &'r RoleRule>) -> Self {
        for (rank, rule) in (0..=u8::MAX).zip(rules) {
            let key = rule.attribute.as_bytes();
            match self.keys.iter_mut().find(|known| *known.name == *key) {
                Some(known) => known.telling = true,
                None => self.insert(&rule.attribute, Meaning::Rule, rank),
            }
            self.telling.insert(key);
        }
        self
    }

    fn insert(&mut self, key: &str, meaning: Meaning, rank: u8) {
        let name: Box<[u8]> = key.as_bytes().into();
        let telling = meaning.marks() || matches!(meaning, Meaning::Enriched | Meaning::Rule);
        self.shapes.insert(&name);
        if telling {
            self.telling.insert(&name);
        }
        self.keys.push(Key { name, meaning, rank, telling });
        self.fill_slots();
    }

    fn fill_slots(&mut self) {
        self.slots = vec![EMPTY; (self.keys.len() * 4).next_power_of_two()];
        let mask = self.slots.len() - 1;
        for (number, key) in (0..EMPTY).zip(&self.keys) {
            let mut at = digest(&key.name) & mask;
            while self.slots.get(at).is_some_and(|slot| *slot != EMPTY) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }

    /// What `key` means, and its rank among the keys that mean the same: lower is tried first.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<(Meaning, u8)> {
        if !self.shapes.may_have(*key.first()?, key.len()) {
            return None;
        }
        self.find(key).map(|key| (key.meaning, key.rank))
    }

    /// Whether a span with `key` is worth reading: it may be of the GenAI kind, or was enriched before.
    #[must_use]
    pub fn tells(&self, key: &[u8]) -> bool {
        self.find(key).is_some_and(|key| key.telling)
    }

    /// Whether [`Self::tells`] may be true of a key that begins with `first` and has `len` bytes.
    #[inline(always)]
    #[must_use]
    pub fn may_tell(&self, first: u8, len: u8) -> bool {
        self.telling.may_have(first, usize::from(len))
    }

    /// Whether [`Self::get`] may find a key that begins with `first` and has `len` bytes.
    #[inline(always)]
    #[must_use]
    pub fn may_mean(&self, first: u8, len: u8) -> bool {
        self.shapes.may_have(first, usize::from(len))
    }

    fn find(&self, key: &[u8]) -> Option<&Key> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = digest(key) & mask;
        loop {
            let found = self.keys.get(usize::from(*self.slots.get(at)?))?;
            if *found.name == *key {
                return Some(found);
            }
            at = (at + 1) & mask;
        }
    }
}

/// A number for a key, from its length and its first and last eight bytes: keys of one family share their beginning, keys
/// of one meaning their end, and those that share both mostly differ in length.
#[inline]
fn digest(key: &[u8]) -> usize {
    let word = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(42),
        _ => key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let mixed = (word ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The upper half is the mixed one, and 16 bits of it are more than there are slots.
    usize::from((mixed >> 48) as u16)
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
    fn every_list_means_what_its_name_says() {
        let table = KeyTable::new("gramtrace.status");
        let first = |key: &str| table.get(key.as_bytes()).map(|(meaning, _)| meaning);
        let of_lists = [
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
        assert!(of_lists.iter().all(|(list, meaning)| list.iter().all(|key| first(key) == Some(*meaning))));
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
            (read::CONVERSATION_ID, Meaning::Conversation),
        ];
        assert!(singles.iter().all(|(key, meaning)| first(key) == Some(*meaning) && read::is_read(key)));
        assert_eq!(of_lists.len() + singles.len(), read::ALL.len());
    }

    #[test]
    fn whatever_tells_may_tell_by_its_head_and_means_something() {
        let rule = |attribute: &str| RoleRule { attribute: attribute.to_owned(), values: Vec::new() };
        let rules = [rule("acme.kind"), rule("model"), rule(&"k".repeat(127))];
        let more = [(Meaning::Input, vec!["acme.tokens.in".to_owned()])];
        let table = KeyTable::new("gramtrace.status").extended(&more).with_rules(&rules);
        let telling: Vec<&Key> = table.keys.iter().filter(|key| table.tells(&key.name)).collect();
        // Eight kinds, seven and six and two names of tokens, our own status, and what was configured.
        assert_eq!(telling.len(), 8 + 7 + 6 + 2 + 1 + 4);
        for key in telling {
            assert!(table.may_tell(key.name[0], u8::try_from(key.name.len()).unwrap()));
            assert!(table.may_mean(key.name[0], u8::try_from(key.name.len()).unwrap()));
            assert!(table.get(&key.name).is_some());
        }
    }

    #[test]
    fn more_keys_stand_behind_the_built_in_ones_and_take_none_away() {
        let more = [(Meaning::Input, vec!["acme.tokens.in".to_owned(), "model".to_owned()])];
        let table = KeyTable::new("gramtrace.status").extended(&more);
        assert_eq!(table.get(b"acme.tokens.in"), Some((Meaning::Input, 7)));
        assert_eq!(table.get(b"model"), Some((Meaning::Model, 14)));
    }

    #[test]
    fn keys_of_rules_make_a_span_worth_reading_and_keep_what_they_mean() {
        let rule = |attribute: &str| RoleRule { attribute: attribute.to_owned(), values: Vec::new() };
        let rules = [rule("acme.kind"), rule("model")];
        let plain = KeyTable::new("gramtrace.status");
        assert!(!plain.tells(b"acme.kind") && !plain.tells(b"model"));
        let table = plain.with_rules(&rules);
        assert!(table.tells(b"acme.kind") && table.tells(b"model") && !table.tells(b"acme.kino"));
        assert!(table.may_tell(b'a', 9) && table.may_tell(b'm', 5));
        assert_eq!(table.get(b"acme.kind"), Some((Meaning::Rule, 0)));
        assert_eq!(table.get(b"model"), Some((Meaning::Model, 14)));
    }
}
