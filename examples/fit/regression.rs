//! Least squares on logarithms: `ln(J per output token)` as a sum of terms.
//! Knows the rows; nothing of what is made of the coefficients.

use crate::table::{B200, CODE, PROBLEMS, Row};

/// The terms, in the order of the coefficients.
pub(crate) const TERMS: [&str; 9] = [
    "constant",
    "ln active parameters, billions",
    "ln all parameters, billions",
    "ln batch",
    "(ln batch)^2",
    "B200 instead of H100",
    "8 bits or less instead of 16",
    "task gpqa instead of chat",
    "task sourcegraph-fim instead of chat",
];

/// Coefficients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit(pub(crate) [f64; 9]);

fn terms(row: &Row) -> [f64; 9] {
    let ln_batch = row.avg_batch.ln();
    let one_if = |holds: bool| if holds { 1.0 } else { 0.0 };
    [
        1.0,
        row.active_params_b.ln(),
        row.total_params_b.ln(),
        ln_batch,
        ln_batch * ln_batch,
        one_if(row.gpu == B200),
        one_if(row.is_reduced()),
        one_if(row.task == PROBLEMS),
        one_if(row.task == CODE),
    ]
}

impl Fit {
    /// By the normal equations; `None` where the rows do not determine it.
    pub(crate) fn of<'r>(rows: impl Iterator<Item = &'r Row>) -> Option<Self> {
        let mut equations = [[0.0; 10]; 9];
        for row in rows {
            let (terms, value) = (terms(row), row.j_per_output_token.ln());
            for (equation, term) in equations.iter_mut().zip(terms) {
                for (sum, other) in equation.iter_mut().zip(terms.into_iter().chain([value])) {
                    *sum += term * other;
                }
            }
        }
        solved(equations).map(Self)
    }

    /// Measured over fitted.
    pub(crate) fn ratio(&self, row: &Row) -> f64 {
        let ln_fitted: f64 = self.0.iter().zip(terms(row)).map(|(coefficient, term)| coefficient * term).sum();
        (row.j_per_output_token.ln() - ln_fitted).exp()
    }

    /// What the row would have been at another batch, on H100 GPUs, in the task chat.
    pub(crate) fn brought_to(&self, row: &Row, batch: f64) -> f64 {
        let [.., ln, ln_squared, b200, _, problems, code] = self.0;
        let [.., from, from_squared, is_b200, _, is_problems, is_code] = terms(row);
        let to = batch.ln();
        let moved = ln * (to - from) + ln_squared * (to * to - from_squared);
        let off = b200 * is_b200 + problems * is_problems + code * is_code;
        (row.j_per_output_token.ln() + moved - off).exp()
    }
}

/// Gauss and Jordan, with the largest pivot.
fn solved(mut equations: [[f64; 10]; 9]) -> Option<[f64; 9]> {
    for at in 0..9 {
        let pivot = (at..9).max_by(|one, other| equations[*one][at].abs().total_cmp(&equations[*other][at].abs()))?;
        equations.swap(at, pivot);
        if equations[at][at].abs() < 1e-9 {
            return None;
        }
        for other in (0..9).filter(|other| *other != at) {
            let factor = equations[other][at] / equations[at][at];
            let row = equations[at];
            for (number, above) in equations[other].iter_mut().zip(row) {
                *number -= factor * above;
            }
        }
    }
    let mut solution = [0.0; 9];
    for (at, number) in solution.iter_mut().enumerate() {
        *number = equations[at][9] / equations[at][at];
    }
    Some(solution)
}
