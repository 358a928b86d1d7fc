//! Totals as a table for people, at most a hundred columns wide, whatever the names in it are.
//! Pure text; knows nothing of where it goes.

use super::columns::{clean, fit, left, right, width};
use super::figures::{ABSENT, count, energy, mass_range};
use super::receipts::Receipt;
use super::totals::{Totals, by_trace};

/// How wide a table may get.
const WIDTH: usize = 100;

/// Between two columns.
const GAP: &str = "  ";

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// Whether a table may use a terminal's emphasis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text alone: for files, pipes, and terminals without colours.
    #[default]
    Plain,
    /// With escape sequences for emphasis.
    Emphasis,
}

/// A line of a table: what it is about, and what that comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// For example the service of a trace, or the name of a set of requests.
    pub label: String,
    /// What it comes to.
    pub totals: Totals,
}

/// A column: its title, how its cells are aligned, and how far it may shrink.
struct Column {
    title: &'static str,
    align: fn(&str, usize) -> String,
    /// `None` for figures, which are useless when they are cut.
    narrowest: Option<usize>,
}

const COLUMNS: [Column; 8] = [
    Column { title: "", align: left, narrowest: Some(8) },
    Column { title: "calls", align: right, narrowest: None },
    Column { title: "tokens in/out", align: right, narrowest: None },
    Column { title: "model", align: left, narrowest: Some(8) },
    Column { title: "energy", align: right, narrowest: None },
    Column { title: "CO2e [low–high]", align: left, narrowest: None },
    Column { title: "place", align: left, narrowest: Some(6) },
    Column { title: "tier", align: left, narrowest: Some(4) },
];

type Cells = [String; COLUMNS.len()];

impl Row {
    /// A row for each trace in `receipts`, in the order in which they came, under the names of its services.
    #[must_use]
    pub fn by_trace(receipts: &[Receipt]) -> Vec<Self> {
        let row = |(_, totals): (String, Totals)| Self { label: listed(&totals.services), totals };
        by_trace(receipts).into_iter().map(row).collect()
    }
}

/// `rows`, whose labels stand under `heading`, then their total, then what a reader should know about what is not in
/// the figures. Every line ends with a line feed and is at most a hundred columns wide.
///
/// ```
/// use gramtrace::trace::{Range, Receipt, Row, Style, Totals, table};
/// let call = Receipt {
///     status: "ok".to_owned(),
///     model: Some("openai/gpt-4o".to_owned()),
///     co2e_g: Some(Range { low: Some(0.05), value: 0.1, high: Some(0.4) }),
///     ..Receipt::default()
/// };
/// let rows = [Row { label: "shop".to_owned(), totals: Totals::of([&call]) }];
/// assert_eq!(
///     table("service", &rows, Style::Plain),
///     "service  calls  tokens in/out  model   energy  CO2e [low–high]    place  tier\n\
///      shop         1            0/0  gpt-4o       –  100 mg [50.0–400]  –      –\n\
///      total        1            0/0  gpt-4o       –  100 mg [50.0–400]  –      –\n"
/// );
/// ```
#[must_use]
pub fn table(heading: &str, rows: &[Row], style: Style) -> String {
    let mut sum = Totals::default();
    rows.iter().for_each(|row| sum.merge(&row.totals));
    let notes = notes(&sum);
    let mut head = COLUMNS.each_ref().map(|column| column.title.to_owned());
    heading.clone_into(&mut head[0]);
    let body: Vec<Cells> = rows.iter().map(|row| cells(&row.label, &row.totals)).collect();
    let foot = foot(&sum);
    let widths = widths([&head, &foot].into_iter().chain(&body));

    let mut text = emphasized(&line(&head, &widths), BOLD, style);
    body.iter().for_each(|cells| text += &emphasized(&line(cells, &widths), "", style));
    text += &emphasized(&line(&foot, &widths), BOLD, style);
    notes.iter().for_each(|note| text += &emphasized(&fit(note, WIDTH), DIM, style));
    text
}

fn cells(label: &str, totals: &Totals) -> Cells {
    let unvalued = totals.unvalued();
    let calls = count(totals.calls.saturating_add(totals.repriced));
    [
        if label.is_empty() { ABSENT.to_owned() } else { clean(label) },
        if unvalued == 0 { calls } else { format!("{calls}+{}?", count(unvalued)) },
        format!("{}/{}", count(totals.input_tokens), count(totals.output_tokens)),
        listed(&totals.models.iter().map(|id| name_of(id).to_owned()).collect::<Vec<_>>()),
        totals.energy_wh().map_or_else(|| ABSENT.to_owned(), |range| energy(range.value)),
        totals.co2e_g().map_or_else(|| ABSENT.to_owned(), mass_range),
        listed(&totals.zones),
        listed(&totals.tiers),
    ]
}

/// The total of many models is of none by name.
fn foot(sum: &Totals) -> Cells {
    let [label, calls, tokens, model, energy, co2e, place, tier] = cells("total", sum);
    let several = |names: &[String], noun, one| if names.len() > 1 { format!("{} {noun}", names.len()) } else { one };
    let model = several(&sum.models, "models", model);
    [label, calls, tokens, model, energy, co2e, several(&sum.zones, "places", place), tier]
}

/// A registry id without its maker, which would take the room that tells models apart.
fn name_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, name)| name)
}

/// Names beside each other; one cell is never long.
fn listed(names: &[String]) -> String {
    match names {
        [] => ABSENT.to_owned(),
        names => clean(&names.iter().take(WIDTH).map(String::as_str).collect::<Vec<_>>().join(", ")),
    }
}

/// As wide as the widest cell, then, the widest first, the columns of names as narrow as it takes.
fn widths<'a>(lines: impl Iterator<Item = &'a Cells>) -> [usize; COLUMNS.len()] {
    let mut widths = [0; COLUMNS.len()];
    for cells in lines {
        for (known, cell) in widths.iter_mut().zip(cells) {
            *known = width(cell).min(WIDTH).max(*known);
        }
    }
    let gaps = GAP.len() * (COLUMNS.len() - 1);
    while widths.iter().sum::<usize>() + gaps > WIDTH {
        let yielding = widths
            .iter_mut()
            .zip(&COLUMNS)
            .filter(|(width, column)| column.narrowest.is_some_and(|narrowest| **width > narrowest));
        let Some((widest, _)) = yielding.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

fn line(cells: &Cells, widths: &[usize; COLUMNS.len()]) -> String {
    let cells = cells.iter().zip(widths).zip(&COLUMNS).map(|((cell, width), column)| (column.align)(cell, *width));
    fit(cells.collect::<Vec<_>>().join(GAP).trim_end(), WIDTH)
}

fn emphasized(line: &str, emphasis: &str, style: Style) -> String {
    match style {
        Style::Emphasis if !emphasis.is_empty() => format!("{emphasis}{line}{RESET}\n"),
        Style::Emphasis | Style::Plain => format!("{line}\n"),
    }
}

fn notes(sum: &Totals) -> Vec<String> {
    let mut notes = Vec::new();
    if sum.unvalued() > 0 {
        notes.push("? counted, but without a value: their model is not known".to_owned());
    }
    if sum.without_usage > 0 {
        notes.push(format!("not counted: {} without tokens", number_of(sum.without_usage, "call")));
    }
    let repeats = sum.duplicates.saturating_add(sum.aggregates);
    if repeats > 0 {
        notes.push(format!("not counted again: {} of calls that were counted", number_of(repeats, "more report")));
    }
    notes
}

fn number_of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Range;

    fn call(trace_id: &str, service: &str, model: &str) -> Receipt {
        Receipt {
            trace_id: trace_id.to_owned(),
            service: Some(service.to_owned()),
            status: "ok".to_owned(),
            model: Some(model.to_owned()),
            tier: Some("D".to_owned()),
            grid_zone: Some("US-CAL-CISO".to_owned()),
            input_tokens: Some(1200),
            output_tokens: Some(340),
            energy_wh: Some(Range { low: Some(0.2), value: 0.812, high: Some(3.0) }),
            co2e_g: Some(Range { low: Some(0.0625), value: 0.25, high: Some(1.0) }),
            ..Receipt::default()
        }
    }

    fn with_status(status: &str) -> Receipt {
        Receipt { trace_id: "b".to_owned(), status: status.to_owned(), ..Receipt::default() }
    }

    #[test]
    fn a_row_a_trace_then_the_total_then_what_is_not_in_it() {
        let receipts = [
            call("a", "shop", "openai/gpt-4o"),
            call("b", "agent", "mistral/mistral-large-2"),
            call("a", "shop", "openai/gpt-4o"),
            with_status("unknown_model"),
            with_status("aggregate"),
            with_status("duplicate"),
            with_status("no_tokens"),
        ];
        let expected = "\
service  calls  tokens in/out  model             energy  CO2e [low–high]     place        tier
shop         2       2400/680  gpt-4o           1.62 Wh  500 mg [125–2000]   US-CAL-CISO  D
agent     1+1?       1200/340  mistral-large-2  812 mWh  250 mg [62.5–1000]  US-CAL-CISO  D
total     3+1?      3600/1020  2 models         2.44 Wh  750 mg [188–3000]   US-CAL-CISO  D
? counted, but without a value: their model is not known
not counted: 1 call without tokens
not counted again: 2 more reports of calls that were counted
";
        assert_eq!(table("service", &Row::by_trace(&receipts), Style::Plain), expected);
    }

    #[test]
    fn no_line_is_wider_than_a_hundred_columns_whatever_the_names_are() {
        let names = ["x".repeat(5000), "環境".repeat(80), "a\u{301}".repeat(300), String::new()];
        for (at, name) in names.iter().enumerate() {
            let many = Receipt {
                grid_zone: Some(name.clone()),
                tier: Some(name.clone()),
                input_tokens: Some(u64::MAX),
                output_tokens: Some(123_456_789),
                energy_wh: Some(Range { low: None, value: 1e-9, high: None }),
                co2e_g: Some(Range { low: Some(1e-9), value: 1e200, high: Some(1e300) }),
                ..call(&at.to_string(), name, name)
            };
            let text = table("service", &Row::by_trace(&[many, with_status("no_model")]), Style::Plain);
            assert!(text.lines().all(|line| width(line) <= 100), "{text}");
            assert!(text.contains("1.00e194 t [<0.001–1.00e294]"), "{text}");
        }
    }

    #[test]
    fn nothing_at_all_is_a_table_of_nothing() {
        let expected = "\
service  calls  tokens in/out  model  energy  CO2e [low–high]  place  tier
total        0            0/0  –           –  –                –      –
";
        assert_eq!(table("service", &[], Style::Plain), expected);
    }

    #[test]
    fn emphasis_only_when_asked_and_never_from_a_name() {
        let rows = Row::by_trace(&[call("a", "\u{1b}[31mred\n", "m")]);
        assert!(!table("service", &rows, Style::Plain).contains('\u{1b}'));
        let emphasized = table("service", &rows, Style::Emphasis);
        assert!(emphasized.starts_with("\u{1b}[1mservice"));
        assert!(!emphasized.contains("\u{1b}[31m"));
        assert_eq!(emphasized.lines().count(), 3);
    }
}
