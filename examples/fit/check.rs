//! Whether the shipped files have what the table makes: the coefficients of methods.yaml to four decimals, and the
//! figures of measured.yaml to four digits.

use std::collections::BTreeMap;

use gramtrace::factors::{Factor, Registry};

use crate::regression::Fit;
use crate::table::{CHAT, CODE, H100, PROBLEMS, Row};

/// Requests at a time that the figures stand for.
const BATCH: u32 = 64;

pub(crate) fn differences(fit: &Fit, rows: &[Row]) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let registry = Registry::builtin()?;
    let shipped = registry.phase().ok_or("no constants of the default method")?.fit;
    let of_method = [
        shipped.constant,
        shipped.ln_active_b,
        shipped.ln_total_b,
        shipped.ln_batch,
        shipped.ln_batch_squared,
        fit.0[5], // B200: the method is for H100
        shipped.reduced_precision,
    ];
    let mut differences: Vec<String> = of_method
        .iter()
        .zip(fit.0)
        .filter(|(shipped, fitted)| (*shipped - fitted).abs() > 0.5001e-4)
        .map(|(shipped, fitted)| format!("methods.yaml: {shipped} is {fitted:.4} by the fit"))
        .collect();
    for (model, joules) in derived(fit, rows) {
        let found =
            registry.resolve(model, Some("huggingface_hub"), None).and_then(|found| registry.model(found.model));
        let factor = match found.and_then(|model| model.factor()) {
            Some(Factor::Energy(own)) => own.per_output.map(|spread| spread.value().get() * 3600.0),
            _ => None,
        };
        match factor {
            Some(shipped) if (shipped / joules - 1.0).abs() < 5e-4 => {}
            Some(shipped) => {
                differences.push(format!("measured.yaml: {model} has {shipped:.4} J, measured {joules:.4}"));
            }
            None => differences.push(format!("measured.yaml: {model} is missing, measured {joules:.4} J")),
        }
    }
    Ok(differences)
}

/// A figure a model: the geometric mean of its configurations on H100 GPUs with 64 requests at a time in the task chat;
/// where there are none, of what comes nearest, brought there by the fit.
fn derived<'r>(fit: &Fit, rows: &'r [Row]) -> BTreeMap<&'r str, f64> {
    let rank = |row: &Row| {
        let task = [CHAT, PROBLEMS, CODE].iter().position(|task| *task == row.task).unwrap_or(usize::MAX);
        (row.gpu != H100, task, row.max_num_seqs > BATCH, row.max_num_seqs.abs_diff(BATCH), row.task.clone())
    };
    let mut nearest: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let known = nearest.entry(&row.model).or_default();
        match known.first().map(|known| rank(row).cmp(&rank(known))) {
            None | Some(std::cmp::Ordering::Equal) => known.push(row),
            Some(std::cmp::Ordering::Less) => *known = vec![row],
            Some(std::cmp::Ordering::Greater) => {}
        }
    }
    let mean = |rows: Vec<&Row>| {
        let logarithms = rows.iter().map(|row| fit.brought_to(row, f64::from(BATCH)).ln());
        (logarithms.sum::<f64>() / rows.len() as f64).exp()
    };
    nearest.into_iter().map(|(model, rows)| (model, mean(rows))).collect()
}
