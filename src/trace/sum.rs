//! Adding many small doubles, and ranges of them, without losing any.
//! Knows nothing of units.

use super::receipts::Range;

/// A sum whose rounding error does not grow with the number of its terms: Neumaier's variant of Kahan's
/// summation, <https://doi.org/10.1002/zamm.19740540106>.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.add(other.lost);
    }

    pub(super) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

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
    fn small_terms_beside_a_large_one_are_not_lost() {
        let mut sum = Sum::default();
        for term in [1.0, 1e100, 1.0, -1e100] {
            sum.add(term);
        }
        assert_eq!(sum.value(), 2.0);
    }

    #[test]
    fn ten_million_tenths_of_a_milligram_are_exactly_a_kilogram() {
        let mut sum = Sum::default();
        for _ in 0..10_000_000 {
            sum.add(0.0001);
        }
        assert_eq!(sum.value(), 1000.0);
        assert_ne!((0..10_000_000).map(|_| 0.0001).sum::<f64>(), 1000.0);
    }

    #[test]
    fn merged_sums_are_the_sum_of_all_terms() {
        let (mut left, mut right) = (Sum::default(), Sum::default());
        [1e100, 1.0].into_iter().for_each(|term| left.add(term));
        [1.0, -1e100].into_iter().for_each(|term| right.add(term));
        left.merge(right);
        assert_eq!(left.value(), 2.0);
    }

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
