//! What a file is: its ending says the syntax, its keys say the table. From there to the reader of that table.
//! Knows syntaxes and shapes; nothing of what the numbers mean.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::document::problems::Problems;
use crate::document::section::{Field, Section};
use crate::document::tree::{Budget, Node};
use crate::document::{json, tree};

use super::draft::{Draft, Origin};
use super::file::RegistryFile;
use super::{ecologits, grids, hourly, known, scenarios, sections, tracker};

/// Reads a file into the draft.
pub(super) fn read(file: &RegistryFile, draft: &mut Draft) {
    let name = file.name();
    let text = match std::str::from_utf8(file.bytes()) {
        Ok(text) => text,
        Err(error) => {
            let before = file.bytes().get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            return draft.error(&Origin::on_line(name, line), "", "not UTF-8; save the file as UTF-8");
        }
    };
    match file.extension().as_str() {
        "yaml" | "yml" => yaml(name, text, draft),
        "json" => json(file, text, draft),
        "csv" => csv(name, text, draft),
        other => {
            let message = format!("`.{other}` is no ending of a registry file; name it `.yaml`, `.json` or `.csv`");
            draft.error(&Origin::of(name), "", message);
        }
    }
}

fn yaml(name: &str, text: &str, draft: &mut Draft) {
    let problems = Problems::of(name);
    let root = tree::parse(text, &mut Budget::new(), &problems);
    if root.as_ref().is_none_or(Node::is_null) && problems.is_empty() {
        problems.error_on_line(Some(1), "", "empty; write sections such as `models`, or leave the file out");
    }
    with_root(root, problems, draft, |section, draft| sections::read(name, section, draft));
}

/// Reads a tree by its top section, and takes over what was reported.
fn with_root(
    root: Option<Node>,
    problems: Problems<'_>,
    draft: &mut Draft,
    read: impl FnOnce(Section<'_>, &mut Draft),
) {
    let result = match root.filter(|root| !root.is_null()) {
        Some(root) => {
            let problems = problems.with_lines(&root);
            if let Some(section) = Field::root(&root, &problems).section() {
                read(section, draft);
            }
            problems.finish()
        }
        None => problems.finish(),
    };
    if let Err(errors) = result {
        draft.errors.extend(errors.0);
    }
}

/// Reads a table from its text; the file's name stands in errors.
type TableReader = fn(&str, &str, &mut Draft);

/// The keys by which the tables of others are known.
const TABLES: &[(&[&str], TableReader)] = &[
    (&["models", "aliases"], |name, text, draft| table(name, text, draft, ecologits::models)),
    (&["electricity_mixes"], |name, text, draft| table(name, text, draft, ecologits::mixes)),
    (&["providers"], |name, text, draft| table(name, text, draft, ecologits::providers)),
    (&["makers", "identities"], |name, text, draft| table(name, text, draft, ecologits::own)),
    (&["clouds", "areas"], |name, text, draft| table(name, text, draft, grids::regions)),
    (&["areas", "data_version"], |name, text, draft| table(name, text, draft, grids::ember)),
];

/// Reads a table whose shape serde knows.
fn table<T: DeserializeOwned>(name: &str, text: &str, draft: &mut Draft, read: fn(&str, T, &mut Draft)) {
    match serde_json::from_str(text) {
        Ok(table) => read(name, table, draft),
        Err(error) => {
            let message = format!("{error}; write it as in the file of that kind under config/factors");
            draft.error(&Origin::on_line(name, error.line()), "", message);
        }
    }
}

/// What a file in JSON holds where its keys are free.
enum Shape {
    Tracker,
    Sources,
    ElectricityMaps,
}

fn json(file: &RegistryFile, text: &str, draft: &mut Draft) {
    let name = file.name();
    if let Ok(keys) = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text)
        && let Some((_, read)) = TABLES.iter().find(|(needed, _)| needed.iter().all(|key| keys.contains_key(*key)))
    {
        return read(name, text, draft);
    }
    let problems = Problems::of(name);
    let root = json::parse(text, &mut Budget::new(), &problems);
    with_root(root, problems, draft, |section, draft| {
        let has = |key: &str| section.has(key);
        if has("scopes") {
            scenarios::scenario(name, file.stem().trim_end_matches(".json"), section, draft);
        } else if has("models") && has("locations") {
            scenarios::generator(name, section, draft);
        } else {
            match shape(&section) {
                Some(Shape::Tracker) => tracker::read(&section, draft),
                Some(Shape::Sources) => scenarios::sources(&section, draft),
                Some(Shape::ElectricityMaps) => grids::electricity_maps(name, &section, draft),
                None => section.error(
                    "holds no table that is known; write factors as `{\"model\": {\"per_prompt_token\": .., \
                     \"per_completion_token\": ..}}`, or a scenario with `scopes`",
                ),
            }
        }
    });
}

/// By the first entry that has a key that tells.
fn shape(section: &Section<'_>) -> Option<Shape> {
    section.all().find_map(|(_, field)| {
        let has = |key: &str| field.has(key);
        if has("per_prompt_token") || has("per_completion_token") {
            Some(Shape::Tracker)
        } else if has("emissions") {
            Some(Shape::Sources)
        } else if has("carbonIntensity") {
            Some(Shape::ElectricityMaps)
        } else {
            None
        }
    })
}

fn csv(name: &str, text: &str, draft: &mut Draft) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    if header.starts_with("alpha2,alpha3,") {
        grids::countries(name, text, draft);
    } else if header.trim_end() == known::HEADER {
        known::read(name, text, draft);
    } else if header.starts_with("alpha-2,Year,Entity,Code,") {
        grids::owid(name, text, draft);
    } else {
        hourly::read(name, text, draft);
    }
}
