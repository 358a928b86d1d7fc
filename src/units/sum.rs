//! Adding many small doubles without losing any.
//! Knows nothing of what is added.

/// A sum whose rounding error does not grow with the number of its terms: Neumaier's variant of Kahan's
/// summation, <https://doi.org/10.1002/zamm.19740540106>.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// A sum that goes on where one with these [`Self::parts`] ended.
    #[must_use]
    pub const fn resumed(sum: f64, lost: f64) -> Self {
        Self { sum, lost }
    }

    /// What it takes to go on later.
    #[must_use]
    pub const fn parts(self) -> (f64, f64) {
        (self.sum, self.lost)
    }

    /// Adds one term.
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    /// Adds every term of another sum.
    pub fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.add(other.lost);
    }

    /// The sum of every term so far, rounded once.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.sum + self.lost
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
}
