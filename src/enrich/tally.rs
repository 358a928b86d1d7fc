//! What was found in one request, as numbers for the books: one addition to the metrics a request, not one a span.
//! Knows no metric.

use crate::genai::{Dialect, Status};
use crate::units::TokenUsage;

/// Kinds of tokens, disjoint: together they are input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    /// Input that no cache was involved in.
    Input,
    /// Input that was read from a cache.
    CacheRead,
    /// Input that was written to a cache.
    CacheWrite,
    /// Output that is no reasoning.
    Output,
    /// Output that was spent on reasoning.
    Reasoning,
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Input, Self::CacheRead, Self::CacheWrite, Self::Output, Self::Reasoning];

    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
        }
    }

    /// The tokens of each class in `usage`. Parts that are told larger than their whole are cut to it.
    pub(super) fn of(usage: &TokenUsage) -> [u64; 5] {
        let (input, output) = (usage.input.get(), usage.output.get());
        let part = |tokens: Option<crate::units::Tokens>, rest: u64| tokens.map_or(0, |it| it.get().min(rest));
        let read = part(usage.cache_read, input);
        let write = part(usage.cache_write, input - read);
        let reasoning = part(usage.reasoning, output);
        [input - read - write, read, write, output - reasoning, reasoning]
    }
}

/// Spans of one request.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Every span.
    pub spans: u64,
    /// Spans that came with a receipt already.
    pub enriched_before: u64,
    /// Spans whose operation is on no list and that carry tokens.
    pub unlisted: u64,
    by_status: [u64; Status::ALL.len()],
    by_dialect: [u64; Dialect::ALL.len()],
}

impl Tally {
    pub(super) fn new(spans: u64, enriched_before: u64) -> Self {
        Self { spans, enriched_before, ..Self::default() }
    }

    /// Adds one span of the GenAI kind.
    pub(super) fn add(&mut self, status: Status, dialect: Dialect) {
        // Statuses and dialects stand in the order of their numbers.
        let counts = [self.by_status.get_mut(status as usize), self.by_dialect.get_mut(dialect as usize)];
        counts.into_iter().flatten().for_each(|count| *count += 1);
    }

    /// Spans of the GenAI kind by the name of their status.
    pub fn by_status(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Status::ALL.map(Status::name).into_iter().zip(self.by_status)
    }

    /// Spans of the GenAI kind by the name of their dialect.
    pub fn by_dialect(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Dialect::ALL.map(Dialect::name).into_iter().zip(self.by_dialect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    #[test]
    fn classes_are_disjoint_and_add_up_to_input_and_output() {
        let usage = TokenUsage {
            input: Tokens::new(1380),
            output: Tokens::new(210),
            cache_read: Some(Tokens::new(1036)),
            cache_write: Some(Tokens::new(268)),
            reasoning: Some(Tokens::new(67)),
        };
        assert_eq!(TokenClass::of(&usage), [76, 1036, 268, 143, 67]);
        let odd = TokenUsage { cache_read: Some(Tokens::new(5000)), reasoning: Some(Tokens::new(999)), ..usage };
        assert_eq!(TokenClass::of(&odd), [0, 1380, 0, 0, 210], "parts never exceed the whole");
    }

    #[test]
    fn statuses_and_dialects_stand_in_the_order_of_their_numbers() {
        assert!(Status::ALL.iter().enumerate().all(|(at, status)| *status as usize == at));
        assert!(Dialect::ALL.iter().enumerate().all(|(at, dialect)| *dialect as usize == at));
    }

    #[test]
    fn every_span_of_the_kind_is_counted_by_what_became_of_it() {
        let mut tally = Tally::default();
        tally.add(Status::Ok, Dialect::GenAi);
        tally.add(Status::Aggregate, Dialect::GenAi);
        assert_eq!(tally.by_status().next(), Some(("ok", 1)));
        assert_eq!(tally.by_dialect().next(), Some(("gen_ai", 2)));
    }
}
