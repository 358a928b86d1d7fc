//! Registry files in YAML: lists of entries with ids, section by section. A map would silently keep the last of two
//! equal keys, hence lists; an id that stands twice in one file is an error, in a later file it replaces.

use std::collections::BTreeMap;

use crate::document::section::{Advice, Field, Section};
use crate::factors::factor::{FitCoefficients, PhaseConstants};
use crate::factors::model::Tier;
use crate::factors::source::Source;
use crate::units::{GramsPerKwh, LitresPerKwh, Pue, Range, Ratio};

use super::draft::{Draft, GridEntry, Located, Origin, SiteEntry};
use super::entries;
use super::number::{range_of, reported, scalar};

/// The one method whose constants are data.
const PHASE_AWARE: &str = "gramtrace/2026.1";

const ADVICE: Advice = &[
    ("source", "write `sources`, a list"),
    ("model", "write `models`, a list"),
    ("zones", "write `grids`, a list"),
    ("regions", "write `sites`, a list, with `regions` in each"),
    ("scenarios", "give each scenario a file of its own, in JSON"),
];

/// Reads the top level of a file.
pub(super) fn read(name: &str, mut section: Section<'_>, draft: &mut Draft) {
    if let Some(version) = section.get("version", Field::string) {
        draft.version.get_or_insert(version);
    }
    for_each(name, &mut section, "sources", |id, entry, origin| {
        if let Some(value) = source(entry) {
            draft.sources.insert(id, Located { origin, value });
        }
    });
    for_each(name, &mut section, "methods", |id, mut entry, _| {
        if id == PHASE_AWARE {
            if let Some(constants) = phase(entry) {
                draft.phase = Some(constants);
            }
        } else {
            entry.present("id");
            entry.error_in("id", format!("no method `{id}` takes constants; write `{PHASE_AWARE}`"));
        }
    });
    for_each(name, &mut section, "models", |id, entry, origin| {
        if let Some(value) = entries::model(name, &id, entry, None) {
            draft.models.insert(id, Located { origin, value });
        }
    });
    for_each(name, &mut section, "fallbacks", |id, entry, origin| {
        if let Some(value) = entries::model(name, &id, entry, Some(Tier::E)) {
            draft.fallbacks.insert(id, Located { origin, value });
        }
    });
    for_each(name, &mut section, "sites", |id, entry, origin| {
        if let Some(value) = site(entry, &origin, draft) {
            draft.sites.insert(id, Located { origin, value });
        }
    });
    for_each_by(name, &mut section, "grids", "zone", |zone, entry, origin| {
        // Alpha-3 and alpha-2 are one zone.
        let zone = draft.countries.get(&zone).cloned().unwrap_or(zone);
        let known =
            draft.grids.get(&zone).filter(|known| known.origin.file == name).and_then(|known| known.origin.line);
        if let (Some(first), Some(line)) = (known, origin.line) {
            entry.error_in("zone", format!("`{zone}` stands twice, on lines {first} and {line}; write it once"));
        }
        if let Some(value) = grid(entry) {
            draft.grids.insert(zone, Located { origin, value });
        }
    });
    section.finish(ADVICE);
}

fn for_each(name: &str, section: &mut Section<'_>, key: &'static str, read: impl FnMut(String, Section<'_>, Origin)) {
    for_each_by(name, section, key, "id", read);
}

/// Reads a list of entries that are told apart by the key `by`.
fn for_each_by(
    name: &str,
    section: &mut Section<'_>,
    key: &'static str,
    by: &'static str,
    mut read: impl FnMut(String, Section<'_>, Origin),
) {
    let Some(list) = section.field(key) else { return };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for field in list.items() {
        let line = field.line();
        let Some(mut entry) = field.section() else { continue };
        let Some(id) = entry.get(by, Field::string).filter(|id| !id.trim().is_empty()) else {
            entry.error(format!("has no `{by}`; write one"));
            continue;
        };
        if let Some(first) = seen.insert(id.clone(), line) {
            let message = format!("`{id}` stands twice, on lines {first} and {line}; write it once");
            entry.error_in(by, message);
            continue;
        }
        let path = entry.path.clone();
        read(id, entry, Origin { line: Some(line), ..Origin::at(name, &path) });
    }
}

fn source(mut entry: Section<'_>) -> Option<Source> {
    let title = entry.get("title", Field::string).unwrap_or_default();
    let url = entry.get("url", Field::string).unwrap_or_default();
    let licence = entry.get("licence", Field::string).unwrap_or_default();
    let retrieved = entry.get("retrieved", Field::string);
    entry.present("note");
    if title.is_empty() {
        entry.error("has no `title`; write what the source is called");
    }
    entry.finish(&[("license", "write `licence`"), ("link", "write `url`")]);
    let title = retrieved.map_or_else(|| title.clone(), |retrieved| format!("{title} (retrieved {retrieved})"));
    Some(Source { title: title.into(), url: url.into(), licence: licence.into() })
}

fn site(mut entry: Section<'_>, origin: &Origin, draft: &mut Draft) -> Option<SiteEntry> {
    let names = texts(&mut entry, "providers");
    let zone = entry.get("zone", Field::string);
    for region in texts(&mut entry, "regions") {
        match &zone {
            Some(zone) => {
                let value = Located { origin: origin.clone(), value: zone.clone() };
                let known = draft.regions.insert(region.to_ascii_lowercase(), value);
                if known.is_some_and(|known| known.origin.file == origin.file) {
                    entry.error_in("regions", format!("`{region}` stands twice; write it at one site"));
                }
            }
            None => entry.error("has regions and no `zone`; write the zone that they lie in"),
        }
    }
    let pue = entry.field("pue");
    let wue = entry.field("wue_l_per_kwh");
    let sources = sources(&mut entry);
    entry.finish(&[("wue", "write `wue_l_per_kwh`"), ("provider", "write `providers`, a list")]);
    let pue: Option<Range<Pue>> = pue.and_then(|field| range_of(&field));
    let wue: Option<Range<LitresPerKwh>> = wue.and_then(|field| range_of(&field));
    Some(SiteEntry { names, zone, pue, wue, sources })
}

fn grid(mut entry: Section<'_>) -> Option<GridEntry> {
    let co2e = entry.field("co2e_g_per_kwh");
    let year = entry.get("year", |field| field.whole::<u16>(1990, 2100));
    entry.read("basis", &mut (), |field| match field.text()? {
        "location, life cycle" => Ok(()),
        other => Err(format!(
            "`{other}` is not mixed in; write an average, location-based intensity over the life cycle, and \
             `basis: location, life cycle`"
        )),
    });
    if !entry.has("basis") {
        entry.error("has no `basis`; write `basis: location, life cycle` if that is what the figure is");
    }
    let sources = sources(&mut entry);
    if !entry.has("year") {
        entry.error("has no `year`; write the year of the figure");
    }
    if !entry.all().any(|(key, _)| key.contains("_per_")) {
        entry.error("has no intensity; write `co2e_g_per_kwh`");
    }
    entry.finish(&[
        ("co2e_kg_per_kwh", "does not fit; write `co2e_g_per_kwh`: 1 kg is 1000 g"),
        ("co2e_lb_per_mwh", "does not fit; write `co2e_g_per_kwh`: 1000 lb/MWh are 453.59237 g/kWh"),
        ("g_per_kwh", "write `co2e_g_per_kwh`"),
    ]);
    let co2e = co2e?;
    Some(GridEntry { co2e: reported(&co2e, scalar::<GramsPerKwh>(&co2e))?, year: year?, sources })
}

fn phase(mut entry: Section<'_>) -> Option<PhaseConstants> {
    let weights = entry.section("weights").map(|mut weights| {
        let ranges = ["input", "cache_read", "cache_write"].map(|key| ratio(&mut weights, key));
        weights.finish(&[("output", "an output token weighs 1; remove it"), ("reasoning", "is output; remove it")]);
        ranges
    });
    let (host, idle) = (at_least_one(&mut entry, "host"), at_least_one(&mut entry, "idle"));
    let tiers = entry.section("tier_factors").map(|mut tiers| {
        let factors = ["A", "B", "C", "D", "E", "D_small"].map(|key| tier_factor(&mut tiers, key));
        tiers.finish(&[]);
        factors
    });
    let small_total_b = entry.get("small_total_b", Field::number);
    let fit = entry.section("fit").map(fit);
    sources(&mut entry);
    if let Some([Some(input), ..]) = &weights
        && input.low() <= Ratio::LEAST
    {
        entry.error_in("weights::input", "weighs nothing; write a number above 0");
    }
    entry.finish(&[]);
    let [input, cache_read, cache_write] = weights?;
    let [a, b, c, d, e, small] = tiers?;
    Some(PhaseConstants {
        input: input?,
        cache_read: cache_read?,
        cache_write: cache_write?,
        host: host?,
        idle: idle?,
        tiers: [a?, b?, c?, d?, e?],
        small: small?,
        small_total_b: small_total_b?,
        fit: fit??,
    })
}

fn fit(mut entry: Section<'_>) -> Option<FitCoefficients> {
    let mut number = |key: &'static str| {
        if !entry.has(key) {
            entry.error(format!("has no `{key}`; write the coefficient"));
        }
        entry.get(key, Field::number)
    };
    let (constant, ln_active_b, ln_total_b) = (number("constant"), number("ln_active_b"), number("ln_total_b"));
    let (ln_batch, ln_batch_squared) = (number("ln_batch"), number("ln_batch_squared"));
    let (reduced_precision, batch) = (number("reduced_precision"), number("batch"));
    entry.finish(&[]);
    Some(FitCoefficients {
        constant: constant?,
        ln_active_b: ln_active_b?,
        ln_total_b: ln_total_b?,
        ln_batch: ln_batch?,
        ln_batch_squared: ln_batch_squared?,
        reduced_precision: reduced_precision?,
        batch: batch?,
    })
}

fn ratio(entry: &mut Section<'_>, key: &'static str) -> Option<Range<Ratio>> {
    let field = entry.field(key);
    if field.is_none() {
        entry.error(format!("has no `{key}`; write `{{value: .., range: [.., ..]}}`"));
    }
    range_of(&field?)
}

/// A ratio of more to less.
fn at_least_one(entry: &mut Section<'_>, key: &'static str) -> Option<Range<Ratio>> {
    let range = ratio(entry, key)?;
    if range.low().get() < 1.0 {
        entry.error_in(key, format!("write numbers of at least 1, not `{}`", range.low().get()));
        return None;
    }
    Some(range)
}

fn tier_factor(entry: &mut Section<'_>, key: &'static str) -> Option<Ratio> {
    let field = entry.field(key);
    if field.is_none() {
        entry.error(format!("has no `{key}`; write a number"));
    }
    let factor: Ratio = field.as_ref().and_then(|field| reported(field, scalar(field)))?;
    if factor.get() < 1.0 {
        entry.error_in(key, format!("write a number of at least 1, not `{}`", factor.get()));
        return None;
    }
    Some(factor)
}

/// The sources of an entry.
pub(super) fn sources(entry: &mut Section<'_>) -> Vec<String> {
    let sources = texts(entry, "sources");
    if sources.is_empty() {
        entry.error("has no source, so that it is none; write `sources`, a list of ids or addresses");
    }
    sources
}

/// A list of texts; empty where the key is absent.
pub(super) fn texts(entry: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let Some(field) = entry.field(key) else { return Vec::new() };
    field.items().filter_map(|item| reported(&item, item.string())).collect()
}
