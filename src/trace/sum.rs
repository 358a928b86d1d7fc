//! Adding ranges without losing any of their small terms.
//! Knows nothing of units.

use super::receipts::Range;
use crate::units::Sum;

/// A sum of ranges. Its ends are known as long as those of every term are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RangeSum {
    terms: u64,
    without_range: u64,
    low: Sum,
    value: Sum,
    high: Sum,
}

impl RangeSum {
    pub(super) fn add(&mut self, range: Range) {
        self.terms += 1;
        self.value.add(range.value);
        match (range.low, range.high) {
            (Some(low), Some(high)) => {
                self.low.add(low);
                self.high.add(high);
            }
            _ => self.without_range += 1,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.terms += other.terms;
        self.without_range += other.without_range;
        self.low.merge(other.low);
        self.value.merge(other.value);
        self.high.merge(other.high);
    }

    /// `None` for a sum of nothing: unknown, not zero.
    pub(super) fn total(&self) -> Option<Range> {
        let end = |sum: Sum| (self.without_range == 0).then(|| sum.value());
        (self.terms > 0).then(|| Range { low: end(self.low), value: self.value.value(), high: end(self.high) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_sum_is_unknown_when_one_terms_is() {
        let mut sum = RangeSum::default();
        assert_eq!(sum.total(), None);
        sum.add(Range { low: Some(1.0), value: 2.0, high: Some(4.0) });
        sum.add(Range { low: Some(0.5), value: 1.0, high: Some(2.0) });
        assert_eq!(sum.total(), Some(Range { low: Some(1.5), value: 3.0, high: Some(6.0) }));
        sum.add(Range { low: None, value: 1.0, high: None });
        assert_eq!(sum.total(), Some(Range { low: None, value: 4.0, high: None }));
    }
}
