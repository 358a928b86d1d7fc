//! Redoes the fit of the default method on measured open models, and checks that what is shipped is what it makes:
//! `cargo run --example fit -- TABLE`. The table is that of the ML.ENERGY leaderboard v3 as a CSV, which is not shipped:
//! config/factors/METHODOLOGY.md has its columns. On standard output: coefficients and residuals, in Markdown.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

mod check;
mod regression;
mod report;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: cargo run --example fit -- TABLE");
        return ExitCode::from(2);
    };
    match run(&path) {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(differences) => {
            for difference in differences {
                eprintln!("{difference}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the report, and gives what is shipped otherwise than the table makes it.
fn run(path: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let rows = table::rows(path)?;
    let fit = regression::Fit::of(rows.iter().filter(|row| row.is_fitted())).ok_or("the rows determine no fit")?;
    println!("{}", report::markdown(&fit, &rows)?);
    check::differences(&fit, &rows)
}
