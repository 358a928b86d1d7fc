//! The running totals of a trace or a conversation, in a fixed size: sums, counts, and what is known to be missing.
//! Knows neither ids nor time.

use super::call::{Figures, Share, Standing};
use crate::trace::Range;

/// Why a trace's totals are not the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gap {
    /// Calls were counted that have no value.
    UnknownCalls,
    /// Model calls passed without usage: nothing is known of them.
    CallsWithoutUsage,
    /// Model calls came from another service than the root's: more of them may be on their way, or elsewhere.
    OtherServices,
    /// What was known before left for want of room.
    Evicted,
    /// What was known before was forgotten at the end of its time.
    Expired,
}

impl Gap {
    /// Every gap, in the order in which they are told.
    pub const ALL: [Self; 5] =
        [Self::UnknownCalls, Self::CallsWithoutUsage, Self::OtherServices, Self::Evicted, Self::Expired];

    /// The word for it in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownCalls => "unknown_calls",
            Self::CallsWithoutUsage => "calls_without_usage",
            Self::OtherServices => "other_services",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
        }
    }

    const fn mark(self) -> u16 {
        1 << self as u16
    }
}

/// Sums of one quantity: low ends, values, high ends.
type Ends = [f64; 3];

/// The quantities that are summed.
const QUANTITIES: usize = 3;
/// The marks of quantities with a term, and of those with a term whose ends are not known, behind those of [`Gap`].
const PRESENT: u16 = 1 << 8;
const WITHOUT_ENDS: u16 = 1 << 12;

/// What is known of the calls of one trace, or of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Account {
    /// CO2e of use, energy, embodied CO2e.
    sums: [Ends; QUANTITIES],
    input_tokens: u64,
    output_tokens: u64,
    calls: u32,
    unknown: u32,
    marks: u16,
}

impl Account {
    /// Takes one call in.
    pub fn add(&mut self, share: &Share) {
        match share.standing {
            Standing::Counted => {
                self.calls = self.calls.saturating_add(1);
                self.unknown = self.unknown.saturating_add(u32::from(share.figures.co2e_g.is_none()));
                self.input_tokens = self.input_tokens.saturating_add(share.usage.input.get());
                self.output_tokens = self.output_tokens.saturating_add(share.usage.output.get());
            }
            Standing::Repriced => {
                self.unknown = self.unknown.saturating_sub(u32::from(share.figures.co2e_g.is_some()));
            }
            Standing::WithoutUsage => self.mark(Gap::CallsWithoutUsage),
            Standing::Failed => {}
        }
        self.add_figures(&share.figures);
    }

    fn add_figures(&mut self, figures: &Figures) {
        let terms = [figures.co2e_g, figures.energy_wh, figures.embodied_co2e_g];
        for (quantity, (sums, term)) in self.sums.iter_mut().zip(terms).enumerate() {
            let Some(Range { low, value, high }) = term else { continue };
            self.marks |= PRESENT << quantity;
            sums[1] += value;
            match (low, high) {
                (Some(low), Some(high)) => {
                    sums[0] += low;
                    sums[2] += high;
                }
                _ => self.marks |= WITHOUT_ENDS << quantity,
            }
        }
    }

    /// Notes that something is missing.
    pub const fn mark(&mut self, gap: Gap) {
        self.marks |= gap.mark();
    }

    /// Grams of CO2e of the use phase; `None` where no call has a value, which is not 0.
    #[must_use]
    pub fn co2e_g(&self) -> Option<Range> {
        self.total(0)
    }

    /// Wh, likewise.
    #[must_use]
    pub fn energy_wh(&self) -> Option<Range> {
        self.total(1)
    }

    /// Grams of CO2e of making the machines, likewise.
    #[must_use]
    pub fn embodied_co2e_g(&self) -> Option<Range> {
        self.total(2)
    }

    fn total(&self, quantity: usize) -> Option<Range> {
        let [low, value, high] = *self.sums.get(quantity)?;
        let end = |end| (self.marks & WITHOUT_ENDS << quantity == 0).then_some(end);
        (self.marks & PRESENT << quantity != 0).then(|| Range { low: end(low), value, high: end(high) })
    }

    /// Calls that were counted.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// Those of them without a value.
    #[must_use]
    pub const fn unknown_calls(&self) -> u32 {
        self.unknown
    }

    /// Input tokens of counted calls, cached ones included.
    #[must_use]
    pub const fn input_tokens(&self) -> u64 {
        self.input_tokens
    }

    /// Output tokens of counted calls, reasoning included.
    #[must_use]
    pub const fn output_tokens(&self) -> u64 {
        self.output_tokens
    }

    /// All of it in words: equal where accounts are.
    pub(super) fn words(&self) -> [u64; 13] {
        let mut words = [0; 13];
        let sums = self.sums.iter().flatten().map(|sum| sum.to_bits());
        let counts = [self.input_tokens, self.output_tokens, u64::from(self.calls) << 32 | u64::from(self.unknown)];
        let all = sums.chain(counts).chain([u64::from(self.marks)]);
        words.iter_mut().zip(all).for_each(|(word, of)| *word = of);
        words
    }

    /// What is known to be missing.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        let (marks, unknown) = (self.marks, self.unknown > 0);
        Gap::ALL.into_iter().filter(move |gap| marks & gap.mark() != 0 || *gap == Gap::UnknownCalls && unknown)
    }

    /// Whether nothing is known to be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps().next().is_none()
    }

    /// Whether it holds anything at all: without a model call there is nothing to tell.
    #[must_use]
    pub const fn has_calls(&self) -> bool {
        self.calls > 0 || self.marks & Gap::CallsWithoutUsage.mark() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{TokenUsage, Tokens};

    fn range(low: f64, value: f64, high: f64) -> Option<Range> {
        Some(Range { low: Some(low), value, high: Some(high) })
    }

    fn counted(co2e_g: Option<Range>) -> Share {
        let usage = TokenUsage { input: Tokens::new(100), output: Tokens::new(10), ..TokenUsage::default() };
        Share { standing: Standing::Counted, usage, figures: Figures { co2e_g, ..Figures::default() } }
    }

    #[test]
    fn values_add_up_and_unknown_is_absent_until_a_value_comes() {
        let mut account = Account::default();
        account.add(&counted(None));
        assert_eq!((account.co2e_g(), account.calls(), account.unknown_calls()), (None, 1, 1));
        account.add(&counted(range(0.5, 1.0, 4.0)));
        account.add(&counted(range(0.25, 0.5, 1.0)));
        assert_eq!(account.co2e_g(), range(0.75, 1.5, 5.0));
        assert_eq!(account.energy_wh(), None);
        assert_eq!((account.calls(), account.unknown_calls()), (3, 1));
        assert_eq!((account.input_tokens(), account.output_tokens()), (300, 30));
        assert!(!account.is_complete());
    }

    #[test]
    fn a_repriced_report_brings_the_value_of_a_call_that_was_counted() {
        let mut account = Account::default();
        account.add(&counted(None));
        account.add(&Share { standing: Standing::Repriced, ..counted(range(1.0, 2.0, 3.0)) });
        assert_eq!((account.calls(), account.unknown_calls(), account.input_tokens()), (1, 0, 100));
        assert_eq!(account.co2e_g(), range(1.0, 2.0, 3.0));
        assert!(account.is_complete());
    }

    #[test]
    fn ends_are_known_as_long_as_those_of_every_term_are() {
        let mut account = Account::default();
        account.add(&counted(range(1.0, 2.0, 3.0)));
        account.add(&counted(Some(Range { low: None, value: 1.0, high: None })));
        assert_eq!(account.co2e_g(), Some(Range { low: None, value: 3.0, high: None }));
    }

    #[test]
    fn calls_without_usage_are_a_gap_and_failed_ones_are_not() {
        let mut account = Account::default();
        account.add(&Share { standing: Standing::Failed, ..counted(None) });
        assert!(!account.has_calls());
        assert!(account.is_complete());
        account.add(&Share { standing: Standing::WithoutUsage, ..counted(None) });
        assert!(account.has_calls());
        assert_eq!(account.gaps().collect::<Vec<_>>(), [Gap::CallsWithoutUsage]);
        assert_eq!((account.calls(), account.unknown_calls()), (0, 0));
    }
}
