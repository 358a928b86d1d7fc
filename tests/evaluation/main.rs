//! How the default method does against published figures: the table of config/factors/METHODOLOGY.md, made and checked.
//! `cargo test --test evaluation -- --ignored` writes it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking

mod figures;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use figures::{Figure, Verdict};
use gramtrace::estimate::Method;
use gramtrace::factors::{Registry, RegistryFile};
use page::Variant;

fn methodology() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/factors/METHODOLOGY.md")
}

fn evaluated() -> Vec<Figure> {
    figures::evaluated(&Registry::builtin().unwrap(), Method::PhaseAware)
}

/// The built-in files without the measured models, and with another batch in the fit.
fn fitted_alone(batch: u32) -> Registry {
    let files = RegistryFile::builtin().into_iter().filter(|file| !file.name().ends_with("/measured.yaml"));
    let files: Vec<RegistryFile> = files
        .map(|file| match file.name().ends_with("/methods.yaml") {
            true => {
                let text = std::str::from_utf8(file.bytes()).unwrap();
                RegistryFile::new(file.name(), text.replace("batch: 64", &format!("batch: {batch}")).into_bytes())
            }
            false => file,
        })
        .collect();
    Registry::load(&files).unwrap()
}

fn variants() -> Vec<Variant> {
    let by = |name, registry: &Registry, method| Variant { name, figures: figures::evaluated(registry, method) };
    vec![
        by("all, by the fit alone, without measured energies", &fitted_alone(64), Method::PhaseAware),
        by("all, by the fit alone at the batch of 8 that Jegham et al. assume", &fitted_alone(8), Method::PhaseAware),
        by("all, by ecologits/0.11.3", &Registry::builtin().unwrap(), Method::EcoLogits),
    ]
}

fn written(page: &str) -> String {
    page::with_evaluation(page, &evaluated(), &variants())
}

#[test]
fn the_page_has_the_table_that_the_code_makes() {
    let page = fs::read_to_string(methodology()).unwrap();
    assert!(page == written(&page), "out of date; write it with `cargo test --test evaluation -- --ignored`");
}

#[test]
#[ignore = "writes the page"]
fn write_the_page() {
    let page = fs::read_to_string(methodology()).unwrap();
    fs::write(methodology(), written(&page)).unwrap();
}

#[test]
fn every_published_figure_is_judged_or_left_out_for_a_reason() {
    let figures = evaluated();
    assert_eq!(figures.len(), 94, "rows of the table of published figures");
    let comparable = figures.iter().filter(|figure| matches!(figure.verdict, Verdict::Inside | Verdict::Outside(_)));
    // Those of Jegham et al. whose model EcoLogits 0.11.3 has, without an effort that multiplies hidden tokens.
    assert_eq!(comparable.count(), 39);
}

/// What the page says above its table. Writing the page anew takes over whatever the code makes, so that the floor
/// stands here: fewer points inside, or values that are further below the published ones, are to be decided upon.
#[test]
fn at_least_25_of_the_39_comparable_points_are_inside_and_the_median_value_is_a_quarter_of_the_published_or_more() {
    let figures = evaluated();
    let inside = figures.iter().filter(|figure| matches!(figure.verdict, Verdict::Inside));
    assert!(inside.clone().count() >= 25, "{} inside", inside.count());
    let comparable = figures.iter().filter(|figure| matches!(figure.verdict, Verdict::Inside | Verdict::Outside(_)));
    let ratio = |figure: &Figure| figure.energy_wh.unwrap()[1] / figure.published_wh.unwrap();
    let mut ratios: Vec<f64> = comparable.map(ratio).collect();
    assert_eq!(ratios.len(), 39, "every comparable point has a value and a published one");
    ratios.sort_by(f64::total_cmp);
    let median = ratios[19];
    // 0.30 at first; above 4 it would be as far off to the other side.
    assert!((0.25..=4.0).contains(&median), "the median of value / published is {median}");
}

#[test]
fn googles_metered_prompt_is_within_a_factor_of_ten() {
    let figures = evaluated();
    let google = figures.iter().find(|figure| figure.source.starts_with("Google") && figure.published_wh == Some(0.24));
    let [_, value, _] = google.unwrap().energy_wh.unwrap();
    assert!((0.024..=2.4).contains(&value), "{value}");
}
