//! Step two of counting: tokens as a dialect writes them, and from them totals that mean the same everywhere: input
//! with cached tokens inside, output with reasoning inside.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::keys::Meaning;
use super::span::Hits;
use crate::otlp::value::Any;
use crate::semconv::read;
use crate::units::{TokenUsage, Tokens};

/// No model takes or gives more in one call: beyond it a count is an error of the instrumentation.
const MAX_TOKENS: u64 = 1_000_000_000;

/// Tokens as the span has them: nothing added, nothing assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawTokens {
    /// Input, with or without cached tokens.
    pub input: Option<u64>,
    /// Output, with or without reasoning.
    pub output: Option<u64>,
    /// Input read from a cache.
    pub cache_read: Option<u64>,
    /// Input written to a cache.
    pub cache_write: Option<u64>,
    /// Output spent on reasoning.
    pub reasoning: Option<u64>,
    /// The dialect's own total.
    pub total: Option<u64>,
}

impl RawTokens {
    /// Reads the tokens of one span. For each class the first key of its list that parses wins.
    #[must_use]
    pub fn read(hits: &Hits<'_>) -> Self {
        let count = |meaning| hits.parse(meaning, parse_count);
        let plain = |meaning| {
            let kind = hits.string(Meaning::SpanType)?;
            kind.eq_ignore_ascii_case(read::SPAN_TYPE_INFERENCE).then(|| count(meaning))?
        };
        let (mut input, mut output) = (count(Meaning::Input), count(Meaning::Output));
        if (input.is_none() || output.is_none()) && hits.has(Meaning::UsageJson) {
            let json = UsageJson::read(hits);
            (input, output) = (input.or(json.input), output.or(json.output));
        }
        Self {
            input: input.or_else(|| plain(Meaning::PlainInput)),
            output: output.or_else(|| plain(Meaning::PlainOutput)),
            cache_read: count(Meaning::CacheRead),
            cache_write: count(Meaning::CacheWrite),
            reasoning: count(Meaning::Reasoning),
            total: count(Meaning::Total),
        }
    }

    /// Whether the span says anything about its usage. Zero in and zero out means unknown, unless the call failed:
    /// instrumentations write it where a stream gave no usage.
    #[must_use]
    pub fn is_usage(&self, error: bool) -> bool {
        match (self.input, self.output) {
            (None, None) => false,
            (input, output) => error || input.unwrap_or(0) > 0 || output.unwrap_or(0) > 0,
        }
    }
}

/// The totals that mean the same in every dialect. `scope` is the instrumentation scope's name, `more_scopes` are those
/// that exclude cached tokens beside the known ones.
#[must_use]
pub fn inclusive(raw: &RawTokens, scope: &str, more_scopes: &[String]) -> TokenUsage {
    let (input, output) = (raw.input.unwrap_or(0), raw.output.unwrap_or(0));
    let cache = raw.cache_read.unwrap_or(0) + raw.cache_write.unwrap_or(0);
    let reasoning = raw.reasoning.unwrap_or(0);
    let excludes_cache = scope_excludes_cache(scope, more_scopes)
        || cache > input
        || (cache > 0 && raw.total == Some(input + cache + output));
    let excludes_reasoning = reasoning > output || (reasoning > 0 && raw.total == Some(input + output + reasoning));
    TokenUsage {
        input: Tokens::new(if excludes_cache { input + cache } else { input }),
        output: Tokens::new(if excludes_reasoning { output + reasoning } else { output }),
        cache_read: raw.cache_read.map(Tokens::new),
        cache_write: raw.cache_write.map(Tokens::new),
        reasoning: raw.reasoning.map(Tokens::new),
    }
}

fn scope_excludes_cache(scope: &str, more: &[String]) -> bool {
    let known = read::INPUT_EXCLUDES_CACHE_SCOPES.iter().copied();
    known.chain(more.iter().map(String::as_str)).any(|listed| match listed.strip_suffix('*') {
        Some(beginning) => scope.starts_with(beginning),
        None => scope == listed,
    })
}

/// A count of tokens: an integer, a double without a fraction, or a decimal string; 0 to a billion.
fn parse_count(any: Any<'_>) -> Option<u64> {
    let count = match any {
        Any::Int(int) => u64::try_from(int).ok()?,
        Any::Double(double) => whole(double)?,
        Any::String(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?.trim();
            // `parse` alone would take a sign.
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??
        }
        Any::Bool(_) | Any::Other | Any::Empty => return None,
    };
    (count <= MAX_TOKENS).then_some(count)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole, and within 0 and a billion
fn whole(double: f64) -> Option<u64> {
    (double.fract() == 0.0 && (0.0..=MAX_TOKENS as f64).contains(&double)).then_some(double as u64)
}

/// What attributes with usage in JSON say: of each kind the first count that there is.
#[derive(Debug, Clone, Copy, Default)]
struct UsageJson {
    input: Option<u64>,
    output: Option<u64>,
}

impl UsageJson {
    fn read(hits: &Hits<'_>) -> Self {
        let mut usage = Self::default();
        for any in hits.values(Meaning::UsageJson) {
            let Any::String(bytes) = any else { continue };
            let mut json = serde_json::Deserializer::from_slice(bytes);
            let Ok(counts) = Counts.deserialize(&mut json) else { continue };
            if json.end().is_ok() {
                usage.input = usage.input.or(counts.input);
                usage.output = usage.output.or(counts.output);
            }
        }
        usage
    }
}

/// Reads an object and keeps the counts of the names that are known, without a copy of the rest.
struct Counts;

impl<'de> DeserializeSeed<'de> for Counts {
    type Value = UsageJson;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<UsageJson, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Counts {
    type Value = UsageJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<UsageJson, A::Error> {
        // Of two equal names the last counts.
        let (mut input, mut output) = ([None; read::USAGE_JSON_INPUT.len()], [None; read::USAGE_JSON_OUTPUT.len()]);
        while let Some(at) = pairs.next_key_seed(NameAt)? {
            let count = pairs.next_value_seed(Count)?;
            match at {
                Some((Meaning::Input, at)) => input[at] = count,
                Some((_, at)) => output[at] = count,
                None => {}
            }
        }
        let first = |counts: &[Option<u64>]| counts.iter().flatten().next().copied();
        Ok(UsageJson { input: first(&input), output: first(&output) })
    }
}

/// Reads a string and says which name of input or output tokens it is.
struct NameAt;

impl<'de> DeserializeSeed<'de> for NameAt {
    type Value = Option<(Meaning, usize)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for NameAt {
    type Value = Option<(Meaning, usize)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let at = |names: &[&str]| names.iter().position(|name| *name == key);
        let input = at(read::USAGE_JSON_INPUT).map(|at| (Meaning::Input, at));
        Ok(input.or_else(|| at(read::USAGE_JSON_OUTPUT).map(|at| (Meaning::Output, at))))
    }
}

/// Reads any value and says which count it is.
struct Count;

impl<'de> DeserializeSeed<'de> for Count {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<u64>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(i64::try_from(number).ok().and_then(|number| parse_count(Any::Int(number))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<u64>, E> {
        Ok(parse_count(Any::Int(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<u64>, E> {
        Ok(parse_count(Any::Double(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<u64>, E> {
        Ok(parse_count(Any::String(text.as_bytes())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Option<u64>, A::Error> {
        while values.next_element::<serde_json::Value>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Option<u64>, A::Error> {
        while pairs.next_entry::<String, serde_json::Value>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_as_integers_whole_doubles_and_decimal_strings() {
        let text = |text: &'static str| parse_count(Any::String(text.as_bytes()));
        assert_eq!(parse_count(Any::Int(17)), Some(17));
        assert_eq!(parse_count(Any::Double(17.0)), Some(17));
        assert_eq!(text("17"), Some(17));
        assert_eq!(text(" 17 "), Some(17));
        assert_eq!(parse_count(Any::Int(1_000_000_000)), Some(1_000_000_000));
    }

    #[test]
    fn what_cannot_be_a_count_is_refused() {
        let text = |text: &'static str| parse_count(Any::String(text.as_bytes()));
        let refused = [Any::Int(-1), Any::Int(1_000_000_001), Any::Bool(true), Any::Empty, Any::Other];
        assert!(refused.into_iter().all(|any| parse_count(any).is_none()));
        let doubles = [f64::NAN, f64::INFINITY, -1.0, 0.5, 1e9 + 1.0];
        assert!(doubles.into_iter().all(|double| parse_count(Any::Double(double)).is_none()));
        let texts = ["", "-1", "+1", "1.0", "1e3", "abc", "99999999999999999999"];
        assert!(texts.into_iter().all(|it| text(it).is_none()));
    }

    #[test]
    fn input_without_cache_gets_the_cache_added() {
        let raw = RawTokens { input: Some(76), cache_read: Some(1036), cache_write: Some(268), ..Default::default() };
        assert_eq!(inclusive(&raw, "any", &[]).input, Tokens::new(1380), "more cache than input");
        let raw = RawTokens { input: Some(507), cache_read: Some(64), ..Default::default() };
        assert_eq!(inclusive(&raw, "any", &[]).input, Tokens::new(507), "inclusive already");
        let scope = "opentelemetry.instrumentation.botocore.bedrock-runtime";
        assert_eq!(inclusive(&raw, scope, &[]).input, Tokens::new(571), "a scope on the list");
        assert_eq!(inclusive(&raw, "acme.llm", &["acme.*".to_owned()]).input, Tokens::new(571), "a configured scope");
        let raw = RawTokens {
            input: Some(100),
            output: Some(10),
            cache_read: Some(40),
            total: Some(150),
            ..Default::default()
        };
        assert_eq!(inclusive(&raw, "any", &[]).input, Tokens::new(140), "the total says so");
    }

    #[test]
    fn output_without_reasoning_gets_it_added() {
        let raw = RawTokens { output: Some(10), reasoning: Some(95), ..Default::default() };
        assert_eq!(inclusive(&raw, "any", &[]).output, Tokens::new(105));
        let raw = RawTokens {
            input: Some(100),
            output: Some(50),
            reasoning: Some(30),
            total: Some(180),
            ..Default::default()
        };
        assert_eq!(inclusive(&raw, "any", &[]).output, Tokens::new(80));
        let raw = RawTokens { total: Some(150), ..raw };
        assert_eq!(inclusive(&raw, "any", &[]).output, Tokens::new(50));
    }

    #[test]
    fn zero_in_and_out_is_unknown_unless_the_call_failed() {
        let zeros = RawTokens { input: Some(0), output: Some(0), ..Default::default() };
        assert!(!zeros.is_usage(false));
        assert!(zeros.is_usage(true));
        assert!(!RawTokens::default().is_usage(true));
        assert!(RawTokens { input: Some(366), ..Default::default() }.is_usage(false));
    }
}
