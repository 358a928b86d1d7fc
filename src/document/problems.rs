//! Collects what is wrong, so that all of it is reported at once, and knows the line of every path.
//! Knows nothing of what the keys mean.

use std::cell::RefCell;

use super::error::{DocumentError, DocumentErrors};
use super::tree::{Node, Value};

/// Nobody reads more at once, and memory stays bounded.
const MAX_ERRORS: usize = 100;

/// What is wrong and what is odd so far.
#[derive(Debug, Default)]
pub(crate) struct Problems<'a> {
    file: Option<&'a str>,
    root: Option<&'a Node>,
    errors: RefCell<Vec<DocumentError>>,
    warnings: RefCell<Vec<DocumentError>>,
}

impl<'a> Problems<'a> {
    /// Of a file, before anything is known of its lines.
    pub(crate) fn of(file: &'a str) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The same problems, now with the lines of a tree.
    pub(crate) fn with_lines<'b>(self, root: &'b Node) -> Problems<'b>
    where
        'a: 'b,
    {
        Problems { file: self.file, root: Some(root), errors: self.errors, warnings: self.warnings }
    }

    /// Reports an error at a path, on the line of the deepest part of the path that is there.
    pub(crate) fn error(&self, path: &str, message: impl Into<String>) {
        if self.is_full() {
            return;
        }
        self.error_on_line(self.line_of(path), path, message);
    }

    /// Reports an error whose line is known otherwise.
    pub(crate) fn error_on_line(&self, line: Option<usize>, path: &str, message: impl Into<String>) {
        let file = self.file.map(str::to_owned);
        self.push(&self.errors, DocumentError { file, line, path: path.to_owned(), message: message.into() });
    }

    /// Reports an error in an environment variable.
    pub(crate) fn variable(&self, name: &str, message: impl Into<String>) {
        let message = message.into();
        self.push(&self.errors, DocumentError { file: None, line: None, path: name.to_owned(), message });
    }

    /// Reports something odd at a path.
    pub(crate) fn warning(&self, path: &str, message: impl Into<String>) {
        if self.warnings.borrow().len() >= MAX_ERRORS {
            return;
        }
        self.warning_on_line(self.line_of(path), path, message);
    }

    /// Reports something odd whose line is known otherwise.
    pub(crate) fn warning_on_line(&self, line: Option<usize>, path: &str, message: impl Into<String>) {
        let file = self.file.map(str::to_owned);
        self.push(&self.warnings, DocumentError { file, line, path: path.to_owned(), message: message.into() });
    }

    fn push(&self, list: &RefCell<Vec<DocumentError>>, error: DocumentError) {
        let mut list = list.borrow_mut();
        if list.len() < MAX_ERRORS && !list.contains(&error) {
            list.push(error);
        }
    }

    /// Whether so much is wrong that nothing more is reported: time to stop looking.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.borrow().len() >= MAX_ERRORS
    }

    /// Whether an error at exactly this path has been reported: what follows from it is not worth reporting.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.errors.borrow().iter().any(|error| error.path == path)
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The warnings, where nothing is wrong; else the errors in the order of their lines.
    ///
    /// # Errors
    /// Everything that was reported as an error.
    pub(crate) fn finish(self) -> Result<Vec<DocumentError>, DocumentErrors> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
        if errors.is_empty() { Ok(self.warnings.into_inner()) } else { Err(DocumentErrors(errors)) }
    }

    fn line_of(&self, path: &str) -> Option<usize> {
        let (mut node, mut rest, mut line) = (self.root?, path, None);
        if rest.is_empty() {
            return Some(node.line);
        }
        loop {
            // Keys may hold `::` themselves, hence no splitting.
            let below = match &node.value {
                Value::Scalar { .. } => None,
                Value::Sequence(items) => {
                    let (index, tail) = rest.split_once("::").unwrap_or((rest, ""));
                    let item = index.parse::<usize>().ok().and_then(|index| items.get(index));
                    item.map(|item| (item.line, item, tail))
                }
                Value::Mapping(entries) => entries.iter().find_map(|entry| {
                    let tail = rest.strip_prefix(entry.key.as_str())?;
                    let tail = if tail.is_empty() { tail } else { tail.strip_prefix("::")? };
                    Some((entry.line, &entry.value, tail))
                }),
            };
            match below {
                Some((found, next, tail)) => {
                    line = Some(found);
                    (node, rest) = (next, tail);
                    if rest.is_empty() {
                        return line;
                    }
                }
                None => return line,
            }
        }
    }
}
