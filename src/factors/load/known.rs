//! Models that are known by name, with every spelling that is no other's: a CSV of id, kind, weights and names. A name is
//! worth having without a factor: what it costs is another question.
//! Whether an id has an entry elsewhere is asked when every file is read.

use crate::document::section::shortened;
use crate::factors::model::ModelKind;
use crate::factors::moment::{Moment, Validity};

use super::draft::{Draft, KnownModel, KnownName, Located, Origin};

/// The first line of such a file.
pub(super) const HEADER: &str = "id,kind,weights,names";

/// Reads a file; a later one replaces whole lines of an earlier one.
pub(super) fn read(name: &str, text: &str, draft: &mut Draft) {
    let mut seen = std::collections::BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let origin = Origin::on_line(name, number);
        let (id, value) = match model(line) {
            Ok(entry) => entry,
            Err(message) => {
                draft.error(&origin, "", message);
                continue;
            }
        };
        if let Some(first) = seen.insert(id.clone(), number) {
            draft.error(&origin, "", format!("`{id}` stands twice, on lines {first} and {number}; write it once"));
            continue;
        }
        draft.known.insert(id, Located { origin, value });
    }
}

fn model(line: &str) -> Result<(String, KnownModel), String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [id, kind, weights, names] = fields.as_slice() else {
        return Err(format!("{} columns; write `{HEADER}`, with spaces between names", fields.len()));
    };
    let is_id = id.split_once('/').is_some_and(|(maker, name)| !maker.is_empty() && !name.is_empty())
        && id.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    if !is_id {
        return Err(format!(
            "`{}` is no id; write `<maker>/<name>` in lower case, such as `openai/gpt-4o`",
            shortened(id)
        ));
    }
    let kind = match *kind {
        "generative" => ModelKind::Generative,
        "embedding" => ModelKind::Embedding,
        other => return Err(format!("`{}` is no kind; write `generative` or `embedding`", shortened(other))),
    };
    let is_released = match *weights {
        "open" => true,
        "closed" => false,
        other => {
            return Err(format!("`{}` says nothing of weights; write `open` or `closed`", shortened(other)));
        }
    };
    let names = names.split_whitespace().map(known_name).collect::<Result<_, _>>()?;
    Ok(((*id).to_owned(), KnownModel { kind, is_released, names }))
}

/// `name`, `name>=2026-01-01` from that day on, `name<2026-01-01` until the day before.
fn known_name(text: &str) -> Result<KnownName, String> {
    let date = |date: &str| {
        Moment::parse(date).ok_or_else(|| format!("`{}` is no date; write it as in `2026-11-01`", shortened(date)))
    };
    let mut name = text;
    let mut valid = Validity::default();
    if let Some((rest, until)) = name.split_once('<') {
        valid.until = Some(date(until)?);
        name = rest;
    }
    if let Some((rest, from)) = name.split_once(">=") {
        valid.from = Some(date(from)?);
        name = rest;
    }
    Ok(KnownName { name: name.to_owned(), valid })
}
