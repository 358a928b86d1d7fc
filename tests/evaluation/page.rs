//! The evaluation as a part of a page in Markdown, between two marks.

use std::fmt::Write;

use gramtrace::factors::Tier;

use crate::figures::{Figure, Verdict};

const BEGIN: &str = "<!-- evaluation: written by `cargo test --test evaluation -- --ignored` -->\n";
const END: &str = "<!-- end of the evaluation -->\n";

/// The page with what stands between the marks written anew.
pub(crate) fn with_evaluation(page: &str, figures: &[Figure], variants: &[Variant]) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the mark of the beginning");
    let (_, after) = rest.split_once(END).expect("the mark of the end");
    format!("{before}{BEGIN}{}{END}{after}", evaluation(figures, variants))
}

/// The same points by something else than the default.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) figures: Vec<Figure>,
}

fn evaluation(figures: &[Figure], variants: &[Variant]) -> String {
    let mut text = String::new();
    summary(&mut text, figures);
    text.push_str(
        "\n| of the comparable points | inside | median high / low | median value / published |\n|---|---|---|---|\n",
    );
    for tier in [Tier::B, Tier::C, Tier::D] {
        let of_tier = comparable(figures).into_iter().filter(|figure| figure.tier == Some(tier)).collect();
        line(&mut text, &format!("those of tier {}", tier.name()), of_tier);
    }
    for variant in variants {
        line(&mut text, variant.name, comparable(&variant.figures));
    }
    table(&mut text, "Inside the range", figures, |verdict| matches!(verdict, Verdict::Inside));
    table(&mut text, "Misses", figures, |verdict| matches!(verdict, Verdict::Outside(_)));
    table(&mut text, "Told beside", figures, |verdict| matches!(verdict, Verdict::Beside(_)));
    table(&mut text, "Left out", figures, |verdict| matches!(verdict, Verdict::LeftOut(_)));
    text
}

fn summary(text: &mut String, figures: &[Figure]) {
    let comparable = comparable(figures);
    let (inside, width, off) = counted(&comparable);
    let below = off.iter().filter(|ratio| **ratio < 1.0).count();
    let percent = 100 * inside / comparable.len();
    writeln!(
        text,
        "
**{inside} of {} comparable points are inside the range: {percent} %.** The goal is 70 %. The median of high / low is {width:.0}: a wide
range is no merit. The median of value / published is {:.2}; {below} values are below the published ones, {} above.",
        comparable.len(),
        median(off.clone()),
        off.len() - below,
    )
    .unwrap();
}

fn comparable(figures: &[Figure]) -> Vec<&Figure> {
    figures.iter().filter(|figure| matches!(figure.verdict, Verdict::Inside | Verdict::Outside(_))).collect()
}

/// How many are inside, the median of high over low, and every value over what was published.
fn counted(figures: &[&Figure]) -> (usize, f64, Vec<f64>) {
    let inside = figures.iter().filter(|figure| matches!(figure.verdict, Verdict::Inside)).count();
    let width = median(figures.iter().filter_map(|figure| figure.energy_wh).map(|[low, _, high]| high / low).collect());
    let off = figures.iter().filter_map(|figure| Some(figure.energy_wh?[1] / figure.published_wh?));
    (inside, width, off.collect())
}

fn line(text: &mut String, name: &str, figures: Vec<&Figure>) {
    let (inside, width, off) = counted(&figures);
    let percent = 100 * inside / figures.len();
    writeln!(text, "| {name} | {inside} of {}, {percent} % | {width:.1} | {:.2} |", figures.len(), median(off))
        .unwrap();
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn table(text: &mut String, title: &str, figures: &[Figure], is_in: impl Fn(&Verdict) -> bool) {
    let figures: Vec<&Figure> = figures.iter().filter(|figure| is_in(&figure.verdict)).collect();
    writeln!(text, "\n### {title}: {}\n", figures.len()).unwrap();
    text.push_str("| source | model | tokens in, out | published | low | value | high | tier | |\n|---|---|---|---|---|---|---|---|---|\n");
    for figure in figures {
        let why = match figure.verdict {
            Verdict::Inside => "",
            Verdict::Outside(why) | Verdict::Beside(why) | Verdict::LeftOut(why) => why,
        };
        let (published, estimate, unit) = match (figure.published_wh, figure.published_g) {
            (Some(wh), _) => (wh, figure.energy_wh, "Wh"),
            (None, Some(g)) => (g, figure.footprint_g, "g"),
            (None, None) => continue,
        };
        let [low, value, high] = estimate.map_or(["".into(), "".into(), "".into()], |ends| ends.map(significant));
        let source = figure.source.split([':', ',', '(']).next().unwrap_or_default().trim();
        let source = source.split(" arXiv").next().unwrap_or_default();
        let (input, output) = figure.tokens;
        let tier = figure.tier.map_or("", |tier| tier.name());
        writeln!(
            text,
            "| {source} | {} | {input}, {output} | {published} {unit} | {low} | {value} | {high} | {tier} | {why} |",
            figure.model
        )
        .unwrap();
    }
}

/// Three significant digits, down to a thousandth.
fn significant(number: f64) -> String {
    let decimals = [100.0, 10.0, 1.0, 0.1, 0.01].iter().position(|least| number >= *least).unwrap_or(5);
    format!("{number:.decimals$}")
}
