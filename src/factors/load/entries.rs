//! A model of a registry file: what it is called, how it is built, what its calls are priced by.
//! Resolves nothing: hosts, sources and names are looked up when every file is read.

use crate::document::section::{Field, Section};
use crate::factors::factor::Factor;
use crate::factors::index::Scope;
use crate::factors::model::{Architecture, ArchitectureKind, ModelKind, ParameterRange, Precision, Speed, Tier};
use crate::factors::moment::{Moment, Validity};
use crate::factors::providers::Provider;
use crate::units::{BillionParameters, Range};

use super::draft::{Located, ModelEntry, NameEntry, Origin};
use super::ecologits::parameter_range;
use super::number::{range_of, reported};
use super::{factor, sections};

/// Reads an entry. Where `tier` is given, it is that of every such entry.
pub(super) fn model(file: &str, id: &str, mut entry: Section<'_>, tier: Option<Tier>) -> Option<ModelEntry> {
    check_id(id, &entry, tier.is_some());
    let kind = entry
        .get("kind", |field| field.word(&[("generative", ModelKind::Generative), ("embedding", ModelKind::Embedding)]));
    let host = entry.get("host", Field::string);
    let valid = validity(&mut entry);
    let names = entry.field("match").map(|list| list.items().filter_map(|item| name(file, &item, valid)).collect());
    let architecture = entry.section("architecture").and_then(architecture);
    let is_released = entry.get("released", Field::flag).unwrap_or(false);
    let precision = entry
        .get("precision", |field| field.word(&[("16 bit", Precision::Full), ("8 bit or less", Precision::Reduced)]));
    let speed = Speed {
        tokens_per_s: entry.get("output_tokens_per_s", |field| above_zero(field)),
        first_token_s: entry.get("first_token_s", |field| above_zero(field)),
    };
    let own = entry.section("factor").and_then(factor::read);
    let stated = entry.get("tier", |field| field.word(&Tier::ALL.map(|tier| (tier.name(), tier))));
    let sources = sections::sources(&mut entry);
    let note = entry.get("note", Field::string).unwrap_or_default();
    if own.is_some() && stated.or(tier).is_none() && !entry.has("tier") {
        entry.error("has a factor and no `tier`; write A (metered), B (measured), C, D or E");
    }
    entry.finish(&[
        ("names", "write `match`, a list of `name`"),
        ("provider", "write `host`, the id of a site"),
        ("params", "write `architecture: {total_b: ..}`"),
        ("source", "write `sources`, a list"),
    ]);
    let by_architecture = architecture.map(|_| Factor::Architecture);
    Some(ModelEntry {
        kind: kind.unwrap_or(ModelKind::Generative),
        host,
        names: names.unwrap_or_default(),
        architecture,
        is_released,
        precision: precision.unwrap_or(Precision::Full),
        speed,
        factor: own.or(by_architecture),
        tier: stated.or(tier).unwrap_or(Tier::of_architecture(is_released)),
        sources,
        note,
    })
}

/// `<maker>/<name>`, lower case.
fn check_id(id: &str, entry: &Section<'_>, is_class: bool) {
    let well_formed = id.split_once('/').is_some_and(|(maker, name)| !maker.is_empty() && !name.is_empty())
        && id.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    if !well_formed && !is_class {
        entry.error_in("id", format!("`{id}` is no id; write `<maker>/<name>` in lower case, such as `openai/gpt-4o`"));
    }
}

fn above_zero(field: &Field<'_>) -> Result<f64, String> {
    field.number().and_then(|number| {
        if number > 0.0 { Ok(number) } else { Err(format!("write a number above 0, not `{number}`")) }
    })
}

/// `valid: {from, until}`: dates, the last excluded.
fn validity(entry: &mut Section<'_>) -> Option<Validity> {
    let mut section = entry.section("valid")?;
    let mut date = |key| {
        section.get(key, |field| {
            Moment::parse(field.text()?)
                .ok_or_else(|| format!("{} is no date; write it as in `2026-11-01`", field.found()))
        })
    };
    let valid = Validity { from: date("from"), until: date("until") };
    if let Validity { from: Some(from), until: Some(until) } = valid
        && from >= until
    {
        section.error("ends before it begins; write `until` after `from`");
    }
    section.finish(&[("to", "write `until`, the first day on which it holds no more")]);
    Some(valid)
}

fn name(file: &str, item: &Field<'_>, valid: Option<Validity>) -> Option<Located<NameEntry>> {
    let origin = Origin { line: Some(item.line()), ..Origin::at(file, &item.path) };
    let plain = |name| NameEntry { name, provider: None, scope: Scope::Anywhere, valid: valid.unwrap_or_default() };
    if !item.is_mapping() {
        let text = reported(item, item.string())?;
        return Some(Located { origin, value: plain(text) });
    }
    let mut clause = item.section()?;
    let text = clause.get("name", Field::string);
    if text.is_none() {
        clause.error("has no `name`; write one");
    }
    let provider =
        clause.get("provider", |field| field.word(&Provider::ALL.map(|provider| (provider.name(), provider))));
    let scope = clause
        .get("only", |field| field.word(&[("provider", Scope::Provider), ("unstated", Scope::ProviderOrUnstated)]));
    let own = validity(&mut clause);
    clause.finish(&[("prefix", "names are never matched in part; write whole names")]);
    let entry = plain(text?);
    let scope = scope.unwrap_or(entry.scope);
    Some(Located { origin, value: NameEntry { provider, scope, valid: own.unwrap_or(entry.valid), ..entry } })
}

/// `{total_b}` of a dense model, `{total_b, active_b}` of a mixture of experts.
fn architecture(mut section: Section<'_>) -> Option<Architecture> {
    let (total, active) = (section.field("total_b"), section.field("active_b"));
    if total.is_none() {
        section.error("has no `total_b`; write the parameters in billions");
    }
    let total = parameters(total.as_ref()?);
    let active_parameters = active.as_ref().map(parameters);
    section.finish(&[
        ("total", "has no unit; write `total_b`, in billions"),
        ("active", "has no unit; write `active_b`, in billions"),
        ("parameters", "write `total_b`, in billions"),
    ]);
    let total = total?;
    if let Some(Some(all)) = active_parameters
        && (all.min > total.min || all.max > total.max)
        && let Some(active) = &active
    {
        active.error("is more than `total_b`; write the parameters that one token passes");
        return None;
    }
    match active_parameters {
        None => Some(Architecture { kind: ArchitectureKind::Dense, active: total, total }),
        Some(active) => Some(Architecture { kind: ArchitectureKind::MixtureOfExperts, active: active?, total }),
    }
}

fn parameters(field: &Field<'_>) -> Option<ParameterRange> {
    let range: Range<BillionParameters> = range_of(field)?;
    reported(field, parameter_range(range.low().get(), range.high().get()))
}
