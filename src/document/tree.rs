//! A YAML document as a tree that remembers its lines. Knows YAML; nothing of what the keys mean.
//! Whatever the bytes, memory stays bounded: depth, size and the expansion of aliases have limits.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::problems::Problems;

/// Deeper than any configuration, and shallow enough for recursion.
pub(crate) const MAX_DEPTH: usize = 64;
/// Longer than any key, and short enough to stand in an error.
pub(crate) const MAX_KEY_LEN: usize = 256;
/// What nodes and their texts may cost together, aliases expanded and variables inserted.
const MAX_COST: usize = 16 << 20;
/// What one node costs besides its text.
const NODE_COST: usize = 64;

/// What may still be spent on nodes and texts.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) const fn new() -> Self {
        Self(MAX_COST)
    }

    /// Pays for one node with `len` bytes of text; false where that is too much.
    pub(crate) fn spend(&mut self, len: usize) -> bool {
        match self.0.checked_sub(NODE_COST.saturating_add(len)) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
    /// The text behind a list or mapping that came out of a variable: what a text key takes.
    pub(crate) source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// `plain` is what has no quotes: only that can be null, a number or a truth value.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Node,
}

impl Node {
    /// Whether it stands for the default: nothing at all, `null` or `~`.
    pub(crate) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Value::Sequence(_) | Value::Mapping(_) => false,
        }
    }

    /// The entry of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            Value::Scalar { .. } | Value::Sequence(_) => None,
        }
    }

    /// Gives every node below and this one the same line.
    pub(crate) fn set_line(&mut self, line: usize) {
        self.line = line;
        match &mut self.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.set_line(line)),
            Value::Mapping(entries) => {
                for entry in entries {
                    entry.line = line;
                    entry.value.set_line(line);
                }
            }
        }
    }

    fn height(&self) -> usize {
        let below = match &self.value {
            Value::Scalar { .. } => None,
            Value::Sequence(items) => items.iter().map(Self::height).max(),
            Value::Mapping(entries) => entries.iter().map(|entry| entry.value.height()).max(),
        };
        1 + below.unwrap_or(0)
    }

    fn spend(&self, budget: &mut Budget) -> bool {
        match &self.value {
            Value::Scalar { text, .. } => budget.spend(text.len()),
            Value::Sequence(items) => budget.spend(0) && items.iter().all(|item| item.spend(budget)),
            Value::Mapping(entries) => {
                budget.spend(0)
                    && entries.iter().all(|entry| budget.spend(entry.key.len()) && entry.value.spend(budget))
            }
        }
    }
}

/// Reads one document. `None` where there is none, or where it is so broken that what is wrong has been reported
/// and nothing more can be said.
pub(crate) fn parse(text: &str, budget: &mut Budget, problems: &Problems<'_>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder =
        Builder { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), path: Vec::new(), budget, problems };
    match builder.document() {
        Ok(node) => node,
        Err(Broken { line, message }) => {
            problems.error_on_line(Some(line), &builder.path.join("::"), message);
            None
        }
    }
}

/// Why reading cannot go on.
struct Broken {
    line: usize,
    message: String,
}

impl Broken {
    fn at(span: Span, message: impl Into<String>) -> Self {
        Self { line: span.start.line().max(1), message: message.into() }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Finished nodes that have an anchor, by the parser's number.
    anchors: BTreeMap<usize, Node>,
    /// The keys above what is being read.
    path: Vec<String>,
    budget: &'a mut Budget,
    problems: &'a Problems<'a>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(Broken { line: error.marker().line().max(1), message: format!("not YAML: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Broken> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::StreamStart | Event::Nothing | Event::DocumentEnd, _) => {}
                (Event::DocumentStart(_), span) if root.is_some() => {
                    return Err(Broken::at(span, "a second document begins; write one document a file"));
                }
                (Event::DocumentStart(_), _) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 1)?);
                }
                (_, span) => return Err(Broken::at(span, "not YAML: content outside a document")),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken::at(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if !self.budget.spend(0) {
            return Err(too_large(span));
        }
        let line = span.start.line().max(1);
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                if !self.budget.spend(text.len()) {
                    return Err(too_large(span));
                }
                let plain = style == ScalarStyle::Plain && !is_text_tag(tag.as_deref(), span)?;
                (anchor, Value::Scalar { text: text.into_owned(), plain })
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                (anchor, Value::Sequence(self.items(depth)?))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                (anchor, Value::Mapping(self.entries(depth)?))
            }
            _ => return Err(Broken::at(span, "not YAML: a value is missing")),
        };
        let node = Node { line, value, source: None };
        if anchor != 0 {
            if !node.spend(self.budget) {
                return Err(too_large(span));
            }
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, Broken> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Broken::at(span, "an alias stands inside its own anchor; write the value out"));
        };
        if depth + node.height() > MAX_DEPTH {
            return Err(Broken::at(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if !node.spend(self.budget) {
            return Err(too_large(span));
        }
        Ok(node.clone())
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => {
                    self.path.push(items.len().to_string());
                    items.push(self.node(event, span, depth + 1)?);
                    self.path.pop();
                }
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Broken> {
        let mut entries = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                merge(&mut entries, merged);
                return Ok(entries);
            }
            let line = span.start.line().max(1);
            let (key, is_merge) = self.key(event, span)?;
            self.path.push(key.clone());
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if is_merge {
                merged.extend(mappings(value, span)?);
            } else if let Some(first) = seen.get(&key) {
                let message = format!("given twice, on lines {first} and {line}; write it once");
                self.problems.error_on_line(Some(line), &self.path.join("::"), message);
            } else {
                seen.insert(key.clone(), line);
                entries.push(Entry { key, line, value });
            }
            self.path.pop();
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Result<(String, bool), Broken> {
        let Event::Scalar(text, style, ..) = event else {
            return Err(Broken::at(span, "a key is a list, a mapping or an alias; write text"));
        };
        if text.len() > MAX_KEY_LEN {
            return Err(Broken::at(span, format!("a key is longer than {MAX_KEY_LEN} bytes")));
        }
        if !self.budget.spend(text.len()) {
            return Err(too_large(span));
        }
        let is_merge = style == ScalarStyle::Plain && text == "<<";
        Ok((text.into_owned(), is_merge))
    }
}

fn too_large(span: Span) -> Broken {
    Broken::at(span, "too large, aliases expanded; write less")
}

/// What a merge key brings: one mapping or a list of them. <https://yaml.org/type/merge.html>
fn mappings(node: Node, span: Span) -> Result<Vec<Entry>, Broken> {
    match node.value {
        Value::Mapping(entries) => Ok(entries),
        Value::Sequence(items) => {
            let mut entries = Vec::new();
            for item in items {
                match item.value {
                    Value::Mapping(more) => merge(&mut entries, more),
                    Value::Scalar { .. } | Value::Sequence(_) => return Err(no_mapping(span)),
                }
            }
            Ok(entries)
        }
        Value::Scalar { .. } => Err(no_mapping(span)),
    }
}

fn no_mapping(span: Span) -> Broken {
    Broken::at(span, "`<<` takes a mapping or a list of mappings; write `<<: *anchor`")
}

/// Adds those of `more` whose keys are not there yet.
fn merge(entries: &mut Vec<Entry>, more: Vec<Entry>) {
    let mut known: std::collections::BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(more.into_iter().filter(|entry| known.insert(entry.key.clone())));
}

/// Whether a scalar is tagged as text.
fn is_text_tag(tag: Option<&Tag>, span: Span) -> Result<bool, Broken> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(true),
        // The bare `!` of YAML says text too.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(true),
        other => refuse_tag(other, span).map(|()| false),
    }
}

fn refuse_tag(tag: Option<&Tag>, span: Span) -> Result<(), Broken> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq") => Ok(()),
        Some(tag) => Err(Broken::at(span, format!("the tag `{tag}` has no meaning here; remove it"))),
    }
}
