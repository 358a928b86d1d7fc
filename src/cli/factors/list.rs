//! `gramtrace factors list`: a line a model, with the quality of its factor.
//! One id is one line, however many rows and names it has.

use std::collections::BTreeMap;

use super::priced_by;
use crate::cli::arithmetic::Emphasis;
use crate::cli::console::{CommandError, Console};
use crate::cli::grid::table;
use crate::cli::row::{Cell, Layout, RowWriter};
use crate::cli::{Format, ListArgs, loaded};
use crate::config::Environment;
use crate::factors::{Model, ModelKind, Registry};

/// The columns of the list.
const COLUMNS: [&str; 6] = ["registry_model", "kind", "tier", "priced_by", "names", "source"];

/// Lists the models.
///
/// # Errors
/// [`CommandError::Usage`] where none is left.
pub(super) fn list(
    args: &ListArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = loaded::registry(&args.registry, environment)?;
    let wanted = args.filter.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut models: Vec<&Model> = by_id(&registry).into_values().collect();
    models.retain(|model| model.id().contains(&wanted) && (!args.with_factor || model.factor().is_some()));
    if models.is_empty() {
        return Err(CommandError::Usage(format!(
            "no id has `{wanted}` in it; `gramtrace factors list` has all of them"
        )));
    }
    let layout = match args.format {
        Format::Table => {
            let head = ["model", "tier", "priced by", "kind", "names"];
            let rows: Vec<Vec<String>> = models.iter().map(|model| line(&registry, model)).collect();
            let text = table(&head, &rows, &[0, 1, 2, 3], Emphasis::of(console));
            console.output.write_all(text.as_bytes())?;
            return Ok(console.output.flush()?);
        }
        Format::Csv => Layout::Csv,
        Format::Json => Layout::JsonList,
    };
    let mut writer = RowWriter::begin(&mut *console.output, layout, COLUMNS.map(str::to_owned).to_vec())?;
    for model in models {
        let names = registry.names_of(model.id()).count();
        writer.row(&[
            Cell::Text(model.id()),
            Cell::Text(kind(model)),
            model.factor().map_or(Cell::Empty, |_| Cell::Text(model.tier().name())),
            model.factor().map_or(Cell::Empty, |factor| Cell::Text(priced_by(factor))),
            Cell::Count(names as u64),
            model.sources().next().map_or(Cell::Empty, Cell::Text),
        ])?;
    }
    Ok(writer.end()?)
}

/// The entry of each id: of several rows the one that the id means.
fn by_id(registry: &Registry) -> BTreeMap<&str, &Model> {
    let mut models: BTreeMap<&str, &Model> = BTreeMap::new();
    for (_, model) in registry.models() {
        let is_better = |known: &&Model| (known.row().is_some() && model.row().is_none()) || known.factor().is_none();
        match models.get(model.id()) {
            Some(known) if !is_better(known) => {}
            _ => {
                models.insert(model.id(), model);
            }
        }
    }
    models
}

fn line(registry: &Registry, model: &Model) -> Vec<String> {
    let absent = || crate::trace::figures::ABSENT.to_owned();
    vec![
        model.id().to_owned(),
        model.factor().map_or_else(absent, |_| model.tier().name().to_owned()),
        model.factor().map_or_else(absent, |factor| priced_by(factor).to_owned()),
        kind(model).to_owned(),
        registry.names_of(model.id()).count().to_string(),
    ]
}

const fn kind(model: &Model) -> &'static str {
    match model.kind() {
        ModelKind::Generative => "generative",
        ModelKind::Embedding => "embedding",
    }
}
