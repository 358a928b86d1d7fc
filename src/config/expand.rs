//! References to the environment inside scalars: `${env:NAME}`, `${env:NAME:-default}`, and `$$` for a `$`.
//! Works on the parsed tree, so that no value can change the shape of the document around it.

use super::Environment;
use super::document::{self, Budget, Node, Value};
use super::problems::Problems;

/// Replaces the references in every scalar below `root`; keys stay as they are. What a variable holds is not
/// expanded again.
pub(super) fn expand(root: &mut Node, environment: Environment<'_>, budget: &mut Budget, problems: &Problems<'_>) {
    let mut expander = Expander { environment, budget, problems, path: Vec::new() };
    expander.node(root);
}

struct Expander<'a> {
    environment: Environment<'a>,
    budget: &'a mut Budget,
    problems: &'a Problems<'a>,
    path: Vec<String>,
}

/// What a reference stands for.
enum Looked {
    /// The variable's value.
    Found(String),
    /// The default of a variable that is not set.
    Default(String),
    /// Neither: empty, as in the Collector.
    Unset,
}

impl Expander<'_> {
    fn node(&mut self, node: &mut Node) {
        let line = node.line;
        match &mut node.value {
            Value::Scalar { text, .. } if !text.contains('$') => {}
            Value::Scalar { text, plain } => match self.scalar(text, *plain, line) {
                Ok(expanded) => *node = expanded,
                Err(message) => self.problems.error_on_line(Some(line), &self.path.join("::"), message),
            },
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.below(index.to_string(), item);
                }
            }
            Value::Mapping(entries) => {
                for entry in entries {
                    self.below(entry.key.clone(), &mut entry.value);
                }
            }
        }
    }

    fn below(&mut self, key: String, node: &mut Node) {
        self.path.push(key);
        self.node(node);
        self.path.pop();
    }

    fn scalar(&mut self, text: &str, plain: bool, line: usize) -> Result<Node, String> {
        if let Some(reference) = whole_reference(text) {
            return match self.look_up(reference, line)? {
                Looked::Unset => Ok(scalar(String::new(), true, line)),
                // A default that is written as empty is empty text, not null.
                Looked::Default(value) if value.is_empty() => Ok(scalar(value, false, line)),
                Looked::Found(value) | Looked::Default(value) => Ok(self.typed(value, line)),
            };
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, tail) = rest.split_at(at);
            out.push_str(before);
            if let Some(tail) = tail.strip_prefix("$$") {
                out.push('$');
                rest = tail;
            } else if let Some(tail) = tail.strip_prefix("${") {
                let (reference, tail) = tail.split_once('}').ok_or_else(unclosed)?;
                match self.look_up(reference, line)? {
                    Looked::Found(value) | Looked::Default(value) => out.push_str(&value),
                    Looked::Unset => {}
                }
                rest = tail;
            } else {
                out.push('$');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
        out.push_str(rest);
        Ok(scalar(out, plain, line))
    }

    /// What a reference that is a whole scalar gives: whatever YAML its text is.
    fn typed(&mut self, value: String, line: usize) -> Node {
        let structured = value.trim_start().starts_with(['[', '{']) || value.contains('\n');
        if structured {
            // What cannot be read as YAML is text: nothing of it is reported, it may be a secret.
            let unheard = Problems::default();
            let parsed = document::parse(&value, self.budget, &unheard);
            let collection = parsed.filter(|node| !matches!(node.value, Value::Scalar { .. }));
            if let (Some(mut node), true) = (collection, unheard.is_empty()) {
                node.set_line(line);
                node.source = Some(value);
                return node;
            }
        }
        scalar(value, true, line)
    }

    fn look_up(&mut self, reference: &str, line: usize) -> Result<Looked, String> {
        let (name, default) = parse_reference(reference)?;
        let looked = match ((self.environment)(name), default) {
            (Some(value), _) => Looked::Found(value),
            (None, Some(default)) => Looked::Default(default.to_owned()),
            (None, None) => {
                let message = format!("the environment variable `{name}` is not set; it counts as empty");
                self.problems.warning_on_line(Some(line), &self.path.join("::"), message);
                Looked::Unset
            }
        };
        let len = match &looked {
            Looked::Found(value) | Looked::Default(value) => value.len(),
            Looked::Unset => 0,
        };
        if self.budget.spend(len) {
            Ok(looked)
        } else {
            Err(format!("too large once `{name}` is inserted; write less"))
        }
    }
}

fn scalar(text: String, plain: bool, line: usize) -> Node {
    Node { line, value: Value::Scalar { text, plain }, source: None }
}

fn unclosed() -> String {
    "`${` has no `}`; write `${env:NAME}`, or `$${` for the characters themselves".to_owned()
}

/// What is between `${` and `}` where nothing is around them.
fn whole_reference(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    if inner.contains('}') { None } else { Some(inner) }
}

/// The variable's name and, after `:-`, its default.
fn parse_reference(reference: &str) -> Result<(&str, Option<&str>), String> {
    if reference.contains("${") {
        return Err("a reference stands inside another; write one `${env:NAME:-default}`".to_owned());
    }
    let Some((scheme, rest)) = reference.split_once(':') else {
        return Err(format!("`${{{reference}}}` has no source; write `${{env:{reference}}}`"));
    };
    if scheme != "env" {
        return Err(format!(
            "`{scheme}` is no source of values here; write `${{env:NAME}}` and set that environment variable"
        ));
    }
    let (name, default) = match rest.split_once(":-") {
        None => (rest, None),
        Some((name, default)) => (name, Some(default)),
    };
    let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
    if well_formed {
        Ok((name, default))
    } else {
        Err(format!(
            "`{name}` is no name of an environment variable; write letters, digits and `_`, as in `${{env:NAME}}`"
        ))
    }
}
