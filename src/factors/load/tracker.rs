//! The tracker's file of factors as it is: `{"model": {"per_prompt_token", "per_completion_token", "reference_url"}}`,
//! in grams of CO2e. An entry replaces the whole entry of that model.

use crate::document::section::{Field, Section};
use crate::units::GramsCo2e;

use super::draft::{Draft, TrackerEntry};
use super::number::{reported, scalar};

/// Reads the top level.
pub(super) fn read(section: &Section<'_>, draft: &mut Draft) {
    for (name, field) in section.all() {
        if let Some(entry) = entry(&field) {
            draft.tracker.insert(name.to_owned(), entry);
        }
    }
}

fn entry(field: &Field<'_>) -> Option<TrackerEntry> {
    let mut section = field.section()?;
    let mut grams = |key: &'static str| -> Option<GramsCo2e> {
        match section.field(key) {
            Some(field) => reported(&field, scalar(&field)),
            None => {
                section.error(format!("has no `{key}`; write grams of CO2e per token, or 0"));
                None
            }
        }
    };
    let (prompt, completion) = (grams("per_prompt_token"), grams("per_completion_token"));
    let reference_url = section.get("reference_url", Field::string);
    if reference_url.as_ref().is_none_or(String::is_empty) {
        section.error("has no source; write `reference_url`");
    }
    Some(TrackerEntry {
        per_prompt_token: prompt?,
        per_completion_token: completion?,
        reference_url: reference_url.filter(|url| !url.is_empty())?,
    })
}
