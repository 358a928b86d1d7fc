//! The fit with its residuals, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::regression::{Fit, TERMS};
use crate::table::Row;

pub(crate) fn markdown(fit: &Fit, rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut by_model: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_fitted()) {
        by_model.entry(&row.model).or_default().push(row);
    }
    let mut text = String::new();
    let fitted: usize = by_model.values().map(Vec::len).sum();
    writeln!(text, "{fitted} rows of {} models.\n\n| term | coefficient |\n|---|---|", by_model.len())?;
    for (term, coefficient) in TERMS.iter().zip(fit.0) {
        writeln!(text, "| {term} | {coefficient:.4} |")?;
    }
    let all: Vec<f64> = by_model.values().flatten().map(|row| fit.ratio(row)).collect();
    let mut models = String::new();
    let mut left_out = Vec::new();
    for (model, own) in &by_model {
        let without = rows.iter().filter(|row| row.is_fitted() && row.model != *model);
        let without = Fit::of(without).map(|fit| own.iter().map(|row| fit.ratio(row)).collect::<Vec<_>>());
        let own: Vec<f64> = own.iter().map(|row| fit.ratio(row)).collect();
        let [low, high] = [0.05, 0.95].map(|part| quantile(&own, part));
        let blind = without.as_deref().map_or(String::new(), |ratios| format!("{:.2}", mean(ratios)));
        writeln!(models, "| {model} | {} | {:.2} | {low:.2} to {high:.2} | {blind} |", own.len(), mean(&own))?;
        left_out.extend(without.into_iter().flatten());
    }
    let line = |ratios: &[f64]| [0.05, 0.5, 0.95].map(|part| format!("{:.2}", quantile(ratios, part))).join(" | ");
    writeln!(text, "\n| measured / fitted | 5 % | median | 95 % |\n|---|---|---|---|")?;
    writeln!(text, "| all rows | {} |\n| leaving each model out | {} |", line(&all), line(&left_out))?;
    writeln!(text, "\n| model | rows | measured / fitted | 5 % to 95 % | fitted without it |\n|---|---|---|---|---|")?;
    text.push_str(models.trim_end());
    Ok(text)
}

/// The geometric mean.
fn mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// The ratio below which a part of them lies.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a list")]
fn quantile(ratios: &[f64], part: f64) -> f64 {
    let mut sorted = ratios.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * (sorted.len() - 1) as f64).round() as usize;
    sorted[at]
}
