//! The names of components and pipelines: `type[/name]`, as the Collector writes them.
//! Knows the form only; which types exist is for the blocks that read them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::otlp::Signal;

/// The id of a receiver, processor, exporter or extension: `type` or `type/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    kind: String,
    name: Option<String>,
}

impl ComponentId {
    /// An id without a name.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), name: None }
    }

    /// An id with a name.
    #[must_use]
    pub fn named(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: Some(name.to_owned()) }
    }

    /// Reads `type[/name]`; white space around either part is ignored, as the Collector does.
    ///
    /// # Errors
    /// What is wrong and what to write, where a part is empty or has characters that are not allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (text.trim(), None),
            Some((kind, name)) => (kind.trim(), Some(name.trim())),
        };
        if kind.is_empty() {
            return Err(format!("`{text}` is no id; write `type` or `type/name`"));
        }
        let well_formed = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
        if !well_formed {
            return Err(format!("the type `{kind}` is no name; write letters, digits and `_`, a letter first"));
        }
        match name {
            None => Ok(Self::of(kind)),
            Some("") => Err(format!("`{text}` has no name after the `/`; write `{kind}` or `{kind}/name`")),
            Some(name) if name.chars().any(char::is_control) => {
                Err(format!("the name in {text:?} has control characters; write `{kind}/name`"))
            }
            Some(name) => Ok(Self::named(kind, name)),
        }
    }

    /// The type, in front of the `/`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => formatter.write_str(&self.kind),
            Some(name) => write!(formatter, "{}/{name}", self.kind),
        }
    }
}

impl Serialize for ComponentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The id of a pipeline: `traces[/name]`, `metrics[/name]` or `logs[/name]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    /// What flows through.
    pub signal: Signal,
    name: Option<String>,
}

impl PipelineId {
    /// The pipeline of a signal that has no name.
    #[must_use]
    pub const fn of(signal: Signal) -> Self {
        Self { signal, name: None }
    }

    /// Reads `signal[/name]`.
    ///
    /// # Errors
    /// What is wrong and what to write, where the signal is not one of the three or the name is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let id = ComponentId::parse(text)?;
        match Signal::ALL.into_iter().find(|signal| signal.name() == id.kind) {
            Some(signal) => Ok(Self { signal, name: id.name }),
            None if id.kind == "profiles" => {
                Err("profiles are not forwarded; remove this pipeline: traces, metrics and logs are".to_owned())
            }
            None => Err(format!("`{}` is no signal; write `traces`, `metrics` or `logs`", id.kind)),
        }
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => formatter.write_str(self.signal.name()),
            Some(name) => write!(formatter, "{}/{name}", self.signal.name()),
        }
    }
}

impl Serialize for PipelineId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
