//! Reading a mapping key by key: each value in its type, and at the end what nobody asked for is an error with
//! a suggestion. Knows how values are written; nothing of what they mean.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::problems::Problems;
use super::tree::{Entry, Node, Value};

/// Keys that are not taken, each with what to write instead.
pub(crate) type Advice = &'static [(&'static str, &'static str)];

/// One mapping of the document, or nothing where it is null.
pub(crate) struct Section<'a> {
    pub(crate) path: String,
    problems: &'a Problems<'a>,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

/// One value of the document.
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    problems: &'a Problems<'a>,
    node: &'a Node,
}

impl<'a> Section<'a> {
    /// Reports an error of the section as a whole.
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.problems.error(&self.path, message);
    }

    /// Reports an error of one of its keys.
    pub(crate) fn error_in(&self, key: &str, message: impl Into<String>) {
        self.problems.error(&format!("{}::{key}", self.path), message);
    }

    /// The value of `key`, also where it is null; the key counts as known from now on.
    pub(crate) fn present(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}::{key}", self.path) };
        Some(Field { path, problems: self.problems, node: &entry.value })
    }

    /// The value of `key`; `None` where it is absent or null, which mean the default.
    pub(crate) fn field(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.present(key).filter(|field| !field.node.is_null())
    }

    /// The mapping under `key`; `None` where it is absent, null or something else, which is reported.
    pub(crate) fn section(&mut self, key: &'static str) -> Option<Self> {
        self.field(key)?.section()
    }

    /// The value of `key` as `parse` reads it; what `parse` objects to is reported.
    pub(crate) fn get<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Field<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let field = self.field(key).filter(|field| !field.is_reported())?;
        match parse(&field) {
            Ok(value) => Some(value),
            Err(message) => {
                field.error(message);
                None
            }
        }
    }

    /// Replaces `target` by the value of `key`, where there is a good one.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        target: &mut T,
        parse: impl FnOnce(&Field<'a>) -> Result<T, String>,
    ) {
        if let Some(value) = self.get(key, parse) {
            *target = value;
        }
    }

    /// Whether `key` is there and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && !entry.value.is_null())
    }

    /// Every entry, for mappings whose keys are the user's.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + use<'a, '_> {
        self.entries.iter().map(|entry| {
            let separator = if self.path.is_empty() { "" } else { "::" };
            let path = format!("{}{separator}{}", self.path, entry.key);
            (entry.key.as_str(), Field { path, problems: self.problems, node: &entry.value })
        })
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self, advice: Advice) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            if self.problems.is_full() {
                return;
            }
            let message = match advice.iter().find(|(key, _)| *key == entry.key) {
                Some((_, advice)) => (*advice).to_owned(),
                None => match nearest(&entry.key, &self.known) {
                    Some(near) => format!("unknown key; did you mean `{near}`?"),
                    None if self.known.is_empty() => "unknown key; remove it".to_owned(),
                    None => format!("unknown key; remove it, or write {}", choice(&self.known)),
                },
            };
            let separator = if self.path.is_empty() { "" } else { "::" };
            self.problems.error(&format!("{}{separator}{}", self.path, entry.key), message);
        }
    }
}

impl<'a> Field<'a> {
    /// The whole document.
    pub(crate) fn root(node: &'a Node, problems: &'a Problems<'a>) -> Self {
        Self { path: String::new(), problems, node }
    }

    /// Reports what is wrong with the value.
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.problems.error(&self.path, message);
    }

    /// The line on which it stands.
    pub(crate) fn line(&self) -> usize {
        self.node.line
    }

    /// Whether the value is a mapping with this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// Whether the value is a mapping.
    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.node.value, Value::Mapping(_))
    }

    /// Whether the value is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::Sequence(_))
    }

    /// Whether the value is known to be wrong, such as by a reference in it that leads nowhere.
    pub(crate) fn is_reported(&self) -> bool {
        self.problems.has(&self.path)
    }

    /// The value as a mapping, null as an empty one; anything else is reported.
    pub(crate) fn section(&self) -> Option<Section<'a>> {
        let entries: &[Entry] = match &self.node.value {
            Value::Mapping(entries) => entries,
            Value::Scalar { .. } if self.node.is_null() => &[],
            Value::Scalar { .. } | Value::Sequence(_) => {
                self.error(format!("expected a mapping, found {}; write `key: value` below it", self.found()));
                return None;
            }
        };
        Some(Section { path: self.path.clone(), problems: self.problems, entries, known: Vec::new() })
    }

    /// The value as a list; anything else is reported and gives an empty one.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'a, '_> {
        let items: &[Node] = match &self.node.value {
            Value::Sequence(items) => items,
            Value::Scalar { text, .. } => {
                self.error(format!("expected a list, found {}; write `[{text}]`", self.found()));
                &[]
            }
            Value::Mapping(_) => {
                self.error(format!("expected a list, found {}; write `- ` in front of each item", self.found()));
                &[]
            }
        };
        items.iter().enumerate().map(|(index, node)| Field {
            path: format!("{}::{index}", self.path),
            problems: self.problems,
            node,
        })
    }

    /// Whether there is nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    /// The value as text, as it is written: `NO` and `0123` stay what they are.
    pub(crate) fn text(&self) -> Result<&'a str, String> {
        match (&self.node.source, &self.node.value) {
            (Some(source), _) => Ok(source),
            (None, Value::Scalar { text, .. }) => Ok(text),
            (None, Value::Sequence(_) | Value::Mapping(_)) => Err(format!("write text, not {}", self.found())),
        }
    }

    /// The value as owned text.
    pub(crate) fn string(&self) -> Result<String, String> {
        self.text().map(str::to_owned)
    }

    /// The value as a truth value.
    pub(crate) fn flag(&self) -> Result<bool, String> {
        match self.plain() {
            Some("true" | "True" | "TRUE") => Ok(true),
            Some("false" | "False" | "FALSE") => Ok(false),
            _ => Err(format!("write `true` or `false`, not {}", self.found())),
        }
    }

    /// The value as a whole number from `low` to `high`.
    pub(crate) fn whole<T: TryFrom<u64>>(&self, low: u64, high: u64) -> Result<T, String> {
        let number = self.plain().and_then(decimal).filter(|number| (low..=high).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("write a whole number from {low} to {high}, not {}", self.found()))
    }

    /// The value as a finite number.
    pub(crate) fn number(&self) -> Result<f64, String> {
        let number = self.plain().and_then(|text| f64::from_str(text).ok()).filter(|number| number.is_finite());
        number.ok_or_else(|| format!("write a finite number, not {}", self.found()))
    }

    /// The value as one of `words`.
    pub(crate) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, String> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(format!("`{}` is not known; write {}", shortened(text), choice(&names)))
    }

    /// The text of what is no quoted text, list or mapping.
    fn plain(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar { text, plain: true } => Some(text.trim()),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The value, described for an error.
    pub(crate) fn found(&self) -> String {
        match &self.node.value {
            Value::Scalar { .. } if self.node.is_null() => "nothing".to_owned(),
            Value::Scalar { text, plain: true } => format!("`{}`", shortened(text)),
            Value::Scalar { text, plain: false } => format!("the quoted text `{}`", shortened(text)),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

/// Digits and nothing else.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|each| each.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Reports a value that says no more than that it is not wanted, in one line.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let escaped: String = text.chars().take(MAX_CHARS).flat_map(printable).collect();
    if text.chars().nth(MAX_CHARS).is_some() { format!("{escaped}...") } else { escaped }
}

fn printable(each: char) -> impl Iterator<Item = char> {
    let escape = each.is_control().then(|| each.escape_default());
    let plain = (!each.is_control()).then_some(each);
    escape.into_iter().flatten().chain(plain)
}

/// An error for a word that is not among `known`: the nearest of them where one is near, else all of them.
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("{what}; did you mean `{near}`?"),
        None => format!("{what}; write {}", choice(known)),
    }
}

/// The one of `known` that `word` was probably meant to be.
pub(crate) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let mut distances: BTreeMap<usize, &'w str> = BTreeMap::new();
    for each in known {
        distances.entry(strsim::osa_distance(&word, each)).or_insert(each);
    }
    let (distance, near) = distances.pop_first()?;
    let allowed = (near.len().max(word.len()) / 3).max(1);
    (distance <= allowed).then_some(near)
}

/// `a`, `a` or `b`, and so on.
pub(crate) fn choice(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}
