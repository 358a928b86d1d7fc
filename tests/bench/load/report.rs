//! Tables of what was measured, and what they are good for.

use std::fmt::Write as _;

use crate::Measured;
use crate::cases::{Case, Subject};

type OfCase = Vec<(Subject, Vec<Measured>)>;

/// The middle one.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn spread(numbers: &[f64]) -> (f64, f64) {
    let fold = |of: fn(f64, f64) -> f64, first| numbers.iter().copied().fold(first, of);
    (fold(f64::min, f64::INFINITY), fold(f64::max, 0.0))
}

/// Each run's ratio to the run of the first subject beside it.
fn ratios(of_case: &OfCase, measured: &[Measured]) -> Vec<f64> {
    measured.iter().zip(&of_case[0].1).map(|(one, base)| one.cpu_us / base.cpu_us).collect()
}

/// One case on one line, while the rest is measured.
pub fn line(case: &Case, of_case: &OfCase) -> String {
    let cells = of_case.iter().map(|(subject, measured)| {
        let cpu = median(measured.iter().map(|run| run.cpu_us).collect());
        format!("{} {cpu:.2} us ({:.2}x)", subject.name(), median(ratios(of_case, measured)))
    });
    format!("{}: {}", case.name, cells.collect::<Vec<_>>().join(", "))
}

pub fn page(results: &[(Case, OfCase)], is_quick: bool) -> String {
    let mut page = String::from(
        "| case | what | CPU s a million spans: median (least to most) | ratio: median (least to most) | peak memory, MiB \
         | new pages a request | ms at a fixed rate: p50, p99, p99.9 |\n|---|---|--:|--:|--:|--:|--:|\n",
    );
    for (case, of_case) in results {
        for (subject, measured) in of_case {
            let cpu: Vec<f64> = measured.iter().map(|run| run.cpu_us).collect();
            let (least, most) = spread(&cpu);
            let ratios = ratios(of_case, measured);
            let (low, high) = spread(&ratios);
            let rss = measured.iter().map(|run| run.rss_mib).fold(0.0, f64::max);
            let faults = median(measured.iter().map(|run| run.faults).collect());
            let latency = measured.iter().filter_map(|run| run.latency_ms).collect::<Vec<_>>();
            let latency = match &latency[..] {
                [] => String::new(),
                runs => {
                    [0, 1, 2].map(|at| format!("{:.1}", median(runs.iter().map(|run| run[at]).collect()))).join(", ")
                }
            };
            let _ = writeln!(
                page,
                "| {} | {} | {:.2} ({least:.2} to {most:.2}) | {:.2} ({low:.2} to {high:.2}) | {rss:.0} | {faults:.1} \
                 | {latency} |",
                case.name,
                subject.name(),
                median(cpu),
                median(ratios),
            );
        }
    }
    if is_quick {
        page.push_str("\nA part of the cases, two runs each.\n");
    }
    page
}

/// The page as it stands in the repository: the table between what is written by hand in NOTES.md.
pub fn with_notes(page: &str) -> String {
    let notes = include_str!("NOTES.md");
    notes.replace("TABLE\n", page)
}
