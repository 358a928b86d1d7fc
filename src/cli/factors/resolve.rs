//! `gramtrace factors resolve`: which model a name means, and how it was found; for one name or a table of them, with
//! how many are known and how many have a factor.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read};

use csv::ByteRecord;

use crate::cli::arithmetic::{Emphasis, Page};
use crate::cli::console::{CommandError, Console, with_input};
use crate::cli::question::shortened;
use crate::cli::row::{Cell, Layout, RowWriter};
use crate::cli::sheet::{Sheet, Wanted};
use crate::cli::{Format, ResolveArgs, loaded, suggest};
use crate::config::Environment;
use crate::factors::{Match, Model, Registry, region_hint};

/// The columns of the answer.
const COLUMNS: [&str; 6] = ["provider", "model", "registry_model", "match", "tier", "region_hint"];

/// What `match` is where a name means no model.
const NONE: &str = "none";

/// Answers the question of the arguments.
///
/// # Errors
/// [`CommandError::Usage`] where a single name means no model, or the input is no table of names.
pub(super) fn resolve(
    args: &ResolveArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = loaded::registry(&args.registry, environment)?;
    if let Some(path) = &args.batch {
        let layout = if args.format == Format::Json { Layout::JsonList } else { Layout::Csv };
        return with_input(path, console, |(name, input), console| batch(&registry, (name, input, layout), console));
    }
    let name = args.model.as_deref().unwrap_or_default();
    if name.trim().is_empty() {
        return Err(CommandError::Usage("no name; write one, as it stands on a span or in a bill".to_owned()));
    }
    if let Some(message) = args.provider.as_deref().and_then(|provider| suggest::provider(&registry, provider)) {
        return Err(CommandError::Usage(message));
    }
    let resolved = Resolved::of(&registry, args.provider.as_deref().unwrap_or_default(), name);
    let layout = match args.format {
        Format::Table => return page(&registry, (name, &resolved), console),
        Format::Csv => Layout::Csv,
        Format::Json => Layout::JsonObject,
    };
    let mut writer = RowWriter::begin(&mut *console.output, layout, COLUMNS.map(str::to_owned).to_vec())?;
    writer.row(&resolved.cells(args.provider.as_deref().unwrap_or_default(), name))?;
    Ok(writer.end()?)
}

/// What a name means.
struct Resolved<'a> {
    model: Option<(&'a Model, Match)>,
    region_hint: &'a str,
}

impl<'a> Resolved<'a> {
    fn of(registry: &'a Registry, provider: &str, name: &'a str) -> Self {
        let deployed = registry.deployment(name).and_then(|deployment| deployment.model());
        let found = match deployed {
            Some(model) => Some((model, Match::DeploymentMap)),
            None => registry
                .resolve(name, Some(provider).filter(|provider| !provider.is_empty()), None)
                .map(|found| (found.model, found.matched)),
        };
        let model = found.and_then(|(model, matched)| Some((registry.model(model)?, matched)));
        Self { model, region_hint: region_hint(name).unwrap_or_default() }
    }

    /// The tier; empty where there is no factor.
    fn tier(&self) -> &'static str {
        self.model.filter(|(model, _)| model.factor().is_some()).map_or("", |(model, _)| model.tier().name())
    }

    fn cells<'c>(&'c self, provider: &'c str, name: &'c str) -> [Cell<'c>; COLUMNS.len()] {
        let text = |text: &'c str| if text.is_empty() { Cell::Empty } else { Cell::Text(text) };
        [
            text(provider),
            text(name),
            self.model.map_or(Cell::Empty, |(model, _)| Cell::Text(model.id())),
            Cell::Text(self.model.map_or(NONE, |(_, matched)| matched.name())),
            text(self.tier()),
            text(self.region_hint),
        ]
    }
}

fn page(
    registry: &Registry,
    (name, resolved): (&str, &Resolved<'_>),
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let Some((model, matched)) = resolved.model else {
        let advice = suggest::models(registry, name);
        return Err(CommandError::Usage(format!("`{}` means no model{advice}", shortened(name))));
    };
    let mut page = Page::new(Emphasis::of(console));
    page.heading(model.id());
    page.item("match", matched.name());
    let tier = if model.factor().is_some() { model.tier().name() } else { "none: known by name alone" };
    page.item("tier", tier);
    if !resolved.region_hint.is_empty() {
        page.item("region", resolved.region_hint);
    }
    console.output.write_all(page.finish().as_bytes())?;
    Ok(console.output.flush()?)
}

fn batch(
    registry: &Registry,
    (name, input, layout): (&str, &mut dyn Read, Layout),
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let advice = "columns `provider` and `model`, or `model` alone".to_owned();
    let wanted = Wanted { columns: ["provider", "model"], reserved: &[], advice };
    let mut sheet = Sheet::open((name, input), &wanted)?;
    let [provider_at, model_at] = sheet.places;
    if model_at.is_none() {
        return Err(sheet.lacks(&wanted));
    }
    let mut record = ByteRecord::new();
    let mut sums = Sums::default();
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut *console.output);
    let mut writer = RowWriter::begin(&mut buffered, layout, COLUMNS.map(str::to_owned).to_vec())?;
    while sheet.row(&mut record)? {
        let field =
            |at: Option<usize>| at.and_then(|at| record.get(at)).map(String::from_utf8_lossy).unwrap_or_default();
        let (provider, name) = (field(provider_at), field(model_at));
        let resolved = Resolved::of(registry, &provider, &name);
        sums.add(&resolved);
        writer.row(&resolved.cells(&provider, &name))?;
    }
    writer.end()?;
    // Who does not want to be told is not.
    let _ = console.notes.write_all(sums.text().as_bytes());
    Ok(())
}

/// How many names are known, and how.
#[derive(Default)]
struct Sums {
    names: u64,
    known: u64,
    sized: u64,
    tiers: BTreeMap<&'static str, u64>,
    matches: BTreeMap<&'static str, u64>,
}

impl Sums {
    fn add(&mut self, resolved: &Resolved<'_>) {
        self.names += 1;
        let matched = resolved.model.map(|(_, matched)| matched);
        match matched {
            Some(Match::SizeParsed) => self.sized += 1,
            Some(_) => self.known += 1,
            None => {}
        }
        *self.matches.entry(matched.map_or(NONE, Match::name)).or_default() += 1;
        if matched.is_some() {
            let tier = resolved.tier();
            *self.tiers.entry(if tier.is_empty() { "no factor" } else { tier }).or_default() += 1;
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn text(&self) -> String {
        let share = |count: u64| format!("{count} ({:.1} %)", 100.0 * count as f64 / self.names.max(1) as f64);
        let list = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(key, count)| format!("{key} {}", share(*count))).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} names: {} are a known model's, of {} only the size is known\nby match: {}\nby tier: {}\n",
            self.names,
            share(self.known),
            share(self.sized),
            list(&self.matches),
            list(&self.tiers)
        )
    }
}
