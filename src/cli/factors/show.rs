//! `gramtrace factors show`: an entry with its numbers and where they come from, what derives from them under each
//! method, and the names that mean it.

use super::priced_by;
use crate::cli::arithmetic::{Emphasis, Page, short, tier};
use crate::cli::console::{CommandError, Console};
use crate::cli::question::shortened;
use crate::cli::row::{Cell, Layout, RowWriter};
use crate::cli::{Format, ShowArgs, loaded, suggest};
use crate::config::Environment;
use crate::estimate::{Method, ModelCall, phase};
use crate::factors::{Boundary, Factor, Model, ModelId, ParameterRange, PlaceQuery, Registry, Spread};
use crate::units::{TokenUsage, WattHours};

/// Prints an entry.
///
/// # Errors
/// [`CommandError::Usage`] where the id means no model.
pub(super) fn show(
    args: &ShowArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = loaded::registry(&args.registry, environment)?;
    if args.id.trim().is_empty() {
        return Err(CommandError::Usage("no id; write one, or any name of a model".to_owned()));
    }
    let by_name = || registry.resolve(&args.id, None, None).map(|found| found.model);
    let Some((id, model)) =
        registry.model_by_id(&args.id).or_else(by_name).and_then(|id| Some((id, registry.model(id)?)))
    else {
        let advice = suggest::models(&registry, &args.id);
        return Err(CommandError::Usage(format!("there is no model `{}`{advice}", shortened(&args.id))));
    };
    let facts = facts(&registry, id, model);
    let layout = match args.format {
        Format::Table => {
            let mut page = Page::new(Emphasis::of(console));
            page.heading(model.id());
            for (label, text) in &facts {
                page.item(label, text);
            }
            console.output.write_all(page.finish().as_bytes())?;
            return Ok(console.output.flush()?);
        }
        Format::Csv => Layout::Csv,
        Format::Json => Layout::JsonList,
    };
    let columns = ["registry_model", "what", "value"].map(str::to_owned).to_vec();
    let mut writer = RowWriter::begin(&mut *console.output, layout, columns)?;
    for (label, text) in &facts {
        writer.row(&[Cell::Text(model.id()), Cell::Text(label), Cell::Text(text)])?;
    }
    Ok(writer.end()?)
}

/// What there is to say, line by line.
fn facts(registry: &Registry, id: ModelId, model: &Model) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    match model.factor() {
        Some(factor) => {
            facts.push(("quality", tier(model.tier()).to_owned()));
            facts.push(("priced by", priced_by(factor).to_owned()));
            facts.extend(numbers(factor));
        }
        None => facts.push(("factor", "none: known by name alone".to_owned())),
    }
    if let Some(architecture) = model.architecture() {
        let assumed = if model.is_released() { "" } else { ", assumed" };
        facts.push(("parameters", format!("{} billion{assumed}", parameters(&architecture.total))));
        if architecture.kind == crate::factors::ArchitectureKind::MixtureOfExperts {
            facts.push(("active", format!("{} billion", parameters(&architecture.active))));
        }
    }
    if let Some(speed) = model.speed().tokens_per_s {
        facts.push(("speed", format!("{speed} output tokens a second")));
    }
    if let Some(host) = model.host().and_then(|host| registry.facility(host)) {
        facts.push(("host", format!("{}, taken to compute there where nothing else is said", host.id())));
    }
    facts.extend(derived(registry, id));
    for source in model.sources() {
        let known = registry.source(source).map(|source| format!("{}, {}", source.title, source.url));
        facts.push(("source", known.unwrap_or_else(|| source.to_owned())));
    }
    if !model.note().is_empty() {
        facts.push(("note", model.note().to_owned()));
    }
    for (_, row) in registry.models().filter(|(_, other)| other.id() == model.id()) {
        facts.extend(row.row().map(|row| ("row", row.to_owned())));
    }
    let names: Vec<&str> = registry.names_of(model.id()).collect();
    if !names.is_empty() {
        facts.push(("names", names.join(" ")));
    }
    facts.push(("registry", registry.label().to_owned()));
    facts
}

fn numbers(factor: &Factor) -> Vec<(&'static str, String)> {
    let wh = |spread: &Spread<WattHours>| match spread {
        Spread::Tier(value) => format!("{} Wh", short(value.get())),
        Spread::Own(range) => {
            let (low, value, high) = (range.low().get(), range.value().get(), range.high().get());
            format!("{} Wh [{}–{}]", short(value), short(low), short(high))
        }
    };
    match factor {
        Factor::Architecture => Vec::new(),
        Factor::Co2e(own) => vec![
            ("input token", format!("{} g CO2e", own.per_input.get())),
            ("output token", format!("{} g CO2e", own.per_output.get())),
            ("grid", format!("baked in: {}", own.grid)),
        ],
        Factor::Energy(own) => {
            let boundary = match own.boundary {
                Boundary::Accelerator => "GPUs alone",
                Boundary::It => "whole machines",
                Boundary::Facility => "the data centre, PUE included",
            };
            let numbers =
                [("output token", own.per_output), ("input token", own.per_input), ("request", own.per_request)];
            let known = numbers.iter().filter_map(|(what, spread)| Some((*what, wh(spread.as_ref()?))));
            known.chain([("boundary", boundary.to_owned())]).collect()
        }
    }
}

/// What a token takes under the default method, with machines and the data centre around it.
fn derived(registry: &Registry, id: ModelId) -> Vec<(&'static str, String)> {
    let place = registry.place(&PlaceQuery { model: Some(id), ..PlaceQuery::default() });
    let call = ModelCall { model: Some(id), place, usage: TokenUsage::default(), duration_s: None, metered: None };
    let Some((inputs, _)) = phase::inputs(registry, &call) else { return Vec::new() };
    let around = inputs.machine * inputs.pue;
    let method = Method::PhaseAware.id();
    vec![
        (
            "derived",
            format!("{} Wh an output token with everything around it ({method})", short(inputs.output_wh * around)),
        ),
        (
            "",
            format!(
                "{} Wh an input token, {} Wh one read from a cache",
                short(inputs.input_wh * around),
                short(inputs.cache_read_wh * around)
            ),
        ),
    ]
}

fn parameters(range: &ParameterRange) -> String {
    if range.is_exact() {
        short(range.min.get())
    } else {
        format!("{}–{}", short(range.min.get()), short(range.max.get()))
    }
}
