//! `gramtrace compare`: the same tokens under every method, over models, or over zones, side by side.
//! A row without an answer says why, and stops no other.

use super::arithmetic::{Emphasis, Page, count, short, shown};
use super::console::{CommandError, Console};
use super::equivalents::equivalents;
use super::grid::table;
use super::loaded;
use super::question::{Answerer, Target, Trouble};
use super::row::{self, Answer, COLUMNS, Cell, Layout, RowWriter};
use super::{CallArgs, CompareArgs, Format};
use crate::config::Environment;
use crate::estimate::{Estimate, Method, ModelCall};
use crate::factors::{Registry, Zone};
use crate::trace::figures;

/// Answers the same question in several ways.
///
/// # Errors
/// [`CommandError::Usage`] where there is no question; otherwise only where the output fails.
pub fn compare(
    args: &CompareArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = loaded::registry(&args.registry, environment)?;
    let method = loaded::method(args.method.as_deref())?;
    args.call.usage()?;
    args.call.question()?;
    if args.call.input.unwrap_or(0) == 0 && args.call.output.unwrap_or(0) == 0 {
        let message =
            "of no tokens there is nothing to compare; write those of a call, as in `--input 1000 --output 500`";
        return Err(CommandError::Usage(message.to_owned()));
    }
    let rows = rows(&registry, method, args)?;
    if rows.is_empty() {
        let over = if args.models.is_empty() { "zones" } else { "models" };
        return Err(CommandError::Usage(format!("no name in `--{over}`; write some, with commas between them")));
    }
    if rows.iter().all(|row| row.outcome.is_err()) {
        let troubles: Vec<String> =
            rows.iter().filter_map(|row| Some(row.outcome.as_ref().err()?.message.clone())).collect();
        return Err(CommandError::Usage(troubles.join("\n")));
    }
    let layout = match args.format {
        Format::Table => {
            console.output.write_all(page(args, &rows, Emphasis::of(console)).as_bytes())?;
            return Ok(console.output.flush()?);
        }
        Format::Csv => Layout::Csv,
        Format::Json => Layout::JsonList,
    };
    write(&rows, layout, console)
}

/// One way to ask, with its answer.
struct Row<'r> {
    answerer: Answerer<'r>,
    call: CallArgs,
    target: Option<Target>,
    outcome: Result<(ModelCall, Estimate), Trouble>,
}

impl<'r> Row<'r> {
    fn of(answerer: Answerer<'r>, call: CallArgs) -> Result<Self, CommandError> {
        let usage = call.usage()?;
        let target = answerer.aim(&call.question()?);
        let outcome = target.as_ref().map_err(Clone::clone);
        let outcome = outcome.and_then(|target| answerer.estimate(target, usage, call.duration));
        Ok(Self { answerer, target: target.ok(), outcome, call })
    }

    fn method(&self) -> &'static str {
        self.answerer.method.id()
    }
}

fn rows<'r>(registry: &'r Registry, method: Method, args: &CompareArgs) -> Result<Vec<Row<'r>>, CommandError> {
    let answerer = |method| Answerer { registry, method, suggests: true, is_strict: false };
    let call = |change: &dyn Fn(&mut CallArgs)| {
        let mut call = args.call.clone();
        change(&mut call);
        call
    };
    let names = |names: &[String]| names.iter().filter(|name| !name.trim().is_empty()).cloned().collect::<Vec<_>>();
    if !args.models.is_empty() {
        let models = names(&args.models).into_iter();
        return models.map(|model| Row::of(answerer(method), call(&|call| call.model = Some(model.clone())))).collect();
    }
    if args.call.model.is_none() {
        return Err(CommandError::Usage("no model; write `--model M`, or `--models M,N`".to_owned()));
    }
    if !args.zones.is_empty() {
        let zones = names(&args.zones).into_iter();
        return zones.map(|zone| Row::of(answerer(method), call(&|call| call.zone = Some(zone.clone())))).collect();
    }
    Method::ALL.into_iter().map(|method| Row::of(answerer(method), args.call.clone())).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
fn write(rows: &[Row<'_>], layout: Layout, console: &mut Console<'_>) -> Result<(), CommandError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let given = first.call.given();
    let columns = given.iter().map(|(column, _)| (*column).to_owned()).chain(COLUMNS.map(str::to_owned)).collect();
    let mut writer = RowWriter::begin(&mut *console.output, layout, columns)?;
    for row in rows {
        let mut cells: Vec<Cell<'_>> = row.call.given().into_iter().map(|(_, cell)| cell).collect();
        let answer = Answer {
            target: row.target.as_ref(),
            outcome: row.outcome.as_ref(),
            factor: None,
            calls: row.call.calls as f64,
        };
        cells.extend(row::cells(&row.answerer, &answer));
        writer.row(&cells)?;
    }
    Ok(writer.end()?)
}

#[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
fn page(args: &CompareArgs, rows: &[Row<'_>], emphasis: Emphasis) -> String {
    let car = equivalents().into_iter().find(|equivalent| equivalent.name == "car");
    let first = if !args.models.is_empty() {
        "model"
    } else if !args.zones.is_empty() {
        "zone"
    } else {
        "method"
    };
    let head = [first, "tier", "grid", "g/kWh", "energy", "CO2e", "low–high", "embodied", "km by car"];
    let mut lines = Vec::new();
    let mut troubles = Vec::new();
    for row in rows {
        let label = match first {
            "model" => row.call.model.clone().unwrap_or_default(),
            "zone" => row.call.zone.clone().unwrap_or_default(),
            _ => row.method().to_owned(),
        };
        match &row.outcome {
            Ok((_, estimate)) => {
                let calls = row.call.calls as f64;
                let kilometres = car.as_ref().map(|car| car.of(estimate.co2e_g.value().get() * calls));
                lines.push(line(label, row.answerer.registry, (estimate, calls), kilometres));
            }
            Err(trouble) => {
                let mut cells = vec![label.clone()];
                cells.extend((1..head.len()).map(|_| figures::ABSENT.to_owned()));
                lines.push(cells);
                troubles.push((label, trouble.message.clone()));
            }
        }
    }
    let mut text = emphasis.bold(&title(args)) + "\n\n" + &table(&head, &lines, &[0, 1, 2], emphasis);
    let mut notes = Page::new(emphasis);
    notes.blank();
    for (label, message) in troubles {
        notes.item(&label, &message);
    }
    notes.item("CO2e", "use phase, location-based; embodied, of making the hardware, is not in it");
    if let Some(car) = car {
        notes.item("km by car", &format!("{} g CO2e a km by a new car in the EU: {}", car.g_co2e_per_unit, car.source));
    }
    text.push_str(&notes.finish());
    text
}

fn title(args: &CompareArgs) -> String {
    let CallArgs { model, input, output, calls, zone, .. } = &args.call;
    let tokens = format!("{} input, {} output tokens", count(input.unwrap_or(0)), count(output.unwrap_or(0)));
    let calls = if *calls == 1 { String::new() } else { format!(", {} calls", count(*calls)) };
    let model = model.as_deref().filter(|_| args.models.is_empty()).map(|model| format!("{model}: "));
    let zone = zone.as_deref().filter(|_| args.zones.is_empty()).map(|zone| format!(", zone {zone}"));
    let method = if args.models.is_empty() && args.zones.is_empty() {
        String::new()
    } else {
        format!(", {}", args.method.as_deref().unwrap_or(Method::ALL[0].id()))
    };
    format!("{}{tokens}{calls}{}{method}", model.unwrap_or_default(), zone.unwrap_or_default())
}

fn line(
    label: String,
    registry: &Registry,
    (estimate, calls): (&Estimate, f64),
    kilometres: Option<String>,
) -> Vec<String> {
    let absent = || figures::ABSENT.to_owned();
    let grid = estimate.grid.as_ref().and_then(|grid| {
        let zone = registry.zone(grid.zone)?;
        Some((if grid.is_alpha3 { zone.alpha3() } else { Zone::code(zone) }.to_owned(), short(grid.co2e.get())))
    });
    let (zone, intensity) = grid.unwrap_or_else(|| (absent(), absent()));
    let co2e = figures::mass_range(shown(&estimate.co2e_g, calls));
    let (value, ends) = co2e.split_once(" [").unwrap_or((&co2e, ""));
    vec![
        label,
        estimate.tier.name().to_owned(),
        zone,
        intensity,
        estimate.energy_wh.as_ref().map_or_else(absent, |energy| figures::energy(energy.value().get() * calls)),
        value.to_owned(),
        ends.trim_end_matches(']').to_owned(),
        estimate.embodied_co2e_g.as_ref().map_or_else(absent, |embodied| figures::mass(embodied.value().get() * calls)),
        kilometres.unwrap_or_else(absent),
    ]
}
