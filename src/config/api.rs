//! `gramtrace_api`: where traces can be asked for, by whom, and what they are compared with.
//! Knows keys and advice; nothing of traces.

use std::collections::BTreeSet;

use serde::Serialize;

use super::address::ListenAddress;
use super::auth::AuthConfig;
use super::section::{Field, Section};

/// `extensions.gramtrace_api[/name]`; on when listed in `service.extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiConfig {
    /// Where to listen; `localhost:13134`.
    pub endpoint: ListenAddress,
    /// Who may ask; everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthConfig>,
    /// What traces are compared with.
    pub compare: CompareConfig,
}

/// `extensions.gramtrace_api.compare`: of each, the first two that a trace did not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompareConfig {
    /// Names of models; `gpt-4o-mini`, `claude-sonnet-4-6`, `mistral-small-latest`.
    pub models: Vec<String>,
    /// Zones of grids, or regions of clouds; `SE`, `DE`, `US`.
    pub regions: Vec<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(13134), auth: None, compare: CompareConfig::default() }
    }
}

impl Default for CompareConfig {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            models: names(&["gpt-4o-mini", "claude-sonnet-4-6", "mistral-small-latest"]),
            regions: names(&["SE", "DE", "US"]),
        }
    }
}

impl ApiConfig {
    /// Reads `extensions.gramtrace_api[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("endpoint", &mut config.endpoint, |field| ListenAddress::parse(field.text()?));
        config.auth = section.present("auth").and_then(|auth| auth.section()).and_then(AuthConfig::read);
        if let Some(compare) = section.section("compare") {
            config.compare = CompareConfig::read(compare);
        }
        section
            .finish(&[("tls", "TLS is not available here; remove it, and put a proxy in front, or stay on localhost")]);
        Some(config)
    }
}

impl CompareConfig {
    fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        for (key, list) in [("models", &mut config.models), ("regions", &mut config.regions)] {
            if let Some(field) = section.field(key) {
                *list = names(&field);
            }
        }
        section.finish(&[]);
        config
    }
}

fn names(list: &Field<'_>) -> Vec<String> {
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    for item in list.items().filter(|item| !item.is_reported()) {
        match item.text() {
            Ok("") => item.error("an empty name means nothing; remove it"),
            Ok(name) if !seen.insert(name.to_owned()) => item.error(format!("`{name}` is listed twice; list it once")),
            Ok(name) => names.push(name.to_owned()),
            Err(message) => item.error(message),
        }
    }
    names
}
