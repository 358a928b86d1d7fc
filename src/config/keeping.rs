//! `gramtrace_budgets`: where what budgets consumed is kept, and who is told when they are exceeded.
//! Knows keys, bounds and advice; shows no secret, and opens nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::address::{Endpoint, Scheme};
use super::client::{self, ClientTlsConfig};
use super::duration;
use super::secret::{REDACTED, Secret};
use super::section::{Field, Section, shortened};

/// Where an Alertmanager takes alerts, below its own URL.
const PUSH_PATH: &str = "/api/v2/alerts";
/// A webhook's URL, for advice.
const HOOK_EXAMPLE: &str = "https://example.com/hooks/budgets";
/// How many of each may be told.
const MOST_TARGETS: usize = 8;
/// The labels that alerts have of themselves.
const TAKEN: &[&str] = &["alertname", "budget", "severity", "threshold", "factor"];
/// Bounds of `sync`.
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(60);

/// `extensions.gramtrace_budgets[/name]`; on when listed in `service.extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct KeepingConfig {
    /// Where what was consumed is kept over restarts; none: in memory alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// How soon it is on disk.
    pub sync: SyncConfig,
    /// Where people find the page, for links in what is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Alertmanagers that are told, each of them everything.
    pub alertmanagers: Vec<AlertmanagerConfig>,
    /// Others that are told.
    pub webhooks: Vec<WebhookConfig>,
}

/// `sync`: how soon what was booked is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncConfig {
    /// Within this time, 100 ms to a minute.
    Within(Duration),
    /// Before the answer to the request goes out.
    EachRequest,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self::Within(Duration::from_secs(1))
    }
}

impl Serialize for SyncConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Within(time) => duration::serialize(time, serializer),
            Self::EachRequest => serializer.serialize_str("request"),
        }
    }
}

/// One of `alertmanagers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertmanagerConfig {
    /// Its URL, without `/api/v2/alerts`.
    pub endpoint: Endpoint,
    /// TLS towards it.
    pub tls: ClientTlsConfig,
    /// Headers of every request; no value is ever printed.
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take; 10 s.
    #[serde(serialize_with = "duration::serialize")]
    pub timeout: Duration,
    /// Labels of every alert, beside its own.
    pub labels: BTreeMap<String, String>,
}

/// One of `webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookConfig {
    /// The whole URL. Its path is never printed: with many services it is the secret.
    pub endpoint: HookUrl,
    /// TLS towards it.
    pub tls: ClientTlsConfig,
    /// Headers of every request; no value is ever printed.
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take; 10 s.
    #[serde(serialize_with = "duration::serialize")]
    pub timeout: Duration,
    /// What bodies are signed with; none: they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How many notifications may wait, 1 to 10000; 1000.
    pub max_queue_size: u32,
}

/// The URL of a webhook, which shows no path.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl(Endpoint);

impl HookUrl {
    /// The whole of it.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme.unwrap_or(Scheme::Https).name();
        let path = if self.0.path.trim_matches('/').is_empty() { String::new() } else { format!("/{REDACTED}") };
        write!(formatter, "{scheme}://{}{path}", self.0.authority())
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for HookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl KeepingConfig {
    /// Reads `extensions.gramtrace_budgets[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("directory", &mut config.directory, |field| match field.text()? {
            "" => Ok(None),
            path => Ok(Some(PathBuf::from(path))),
        });
        section.read("sync", &mut config.sync, |field| match field.text()? {
            "request" => Ok(SyncConfig::EachRequest),
            text => match duration::parse(text) {
                Ok(time) if (SOONEST..=LATEST).contains(&time) => Ok(SyncConfig::Within(time)),
                _ => {
                    Err(format!("`{}` is no such time; write 100ms to 1m, such as `1s`, or `request`", shortened(text)))
                }
            },
        });
        section.read("link", &mut config.link, |field| match field.text()? {
            "" => Ok(None),
            url => Endpoint::parse_http(url).map(|_| Some(url.trim_end_matches('/').to_owned())),
        });
        config.alertmanagers = targets(&mut section, "alertmanagers", AlertmanagerConfig::read);
        config.webhooks = targets(&mut section, "webhooks", WebhookConfig::read);
        if config.directory.is_none() && section.has("sync") {
            section.error_in("sync", "nothing is kept; write `directory`, or remove it");
        }
        section.finish(&[
            ("alertmanager", "there may be several; write `alertmanagers: [{endpoint: ...}]`"),
            ("webhook", "there may be several; write `webhooks: [{endpoint: ...}]`"),
            ("budgets", "they belong to a processor; write `processors: {gramtrace: {budgets: ...}}`"),
        ]);
        Some(config)
    }
}

fn targets<T>(section: &mut Section<'_>, key: &'static str, read: impl Fn(&Field<'_>) -> Option<T>) -> Vec<T> {
    let Some(list) = section.field(key) else { return Vec::new() };
    let mut targets = Vec::new();
    for item in list.items() {
        if targets.len() == MOST_TARGETS {
            item.error(format!("more than {MOST_TARGETS}; remove it"));
            break;
        }
        targets.extend(read(&item));
    }
    targets
}

/// What both have in common.
struct Target {
    endpoint: Option<Endpoint>,
    tls: ClientTlsConfig,
    headers: BTreeMap<String, Secret>,
    timeout: Duration,
}

impl Target {
    fn read(section: &mut Section<'_>, example: &str, parse: impl Fn(&str) -> Result<Endpoint, String>) -> Self {
        let named = section.has("endpoint");
        let endpoint = section.get("endpoint", |field| parse(field.text()?));
        if !named {
            section.error(format!("no `endpoint`; write `endpoint: {example}`"));
        }
        let tls = section.section("tls").map(|tls| ClientTlsConfig::read(tls, endpoint.as_ref())).unwrap_or_default();
        let (mut headers, mut timeout) = (BTreeMap::new(), Duration::from_secs(10));
        client::read_headers(section, &mut headers);
        section.read("timeout", &mut timeout, client::timeout);
        Self { endpoint, tls, headers, timeout }
    }
}

impl AlertmanagerConfig {
    fn read(item: &Field<'_>) -> Option<Self> {
        let mut section = item.section()?;
        let parse = |text: &str| match text.trim_end_matches('/').strip_suffix(PUSH_PATH) {
            Some(base) => Err(format!("`{PUSH_PATH}` is written behind it anyway; write `{base}`")),
            None => Endpoint::parse_http(text),
        };
        let Target { endpoint, tls, headers, timeout } = Target::read(&mut section, "http://alertmanager:9093", parse);
        let labels = section.section("labels").map(labels).unwrap_or_default();
        section.finish(&[("path_prefix", "write it behind the `endpoint`"), ("static_configs", "write `endpoint`")]);
        Some(Self { endpoint: endpoint?, tls, headers, timeout, labels })
    }
}

/// <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>
fn labels(section: Section<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in section.all() {
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
        match value.text() {
            _ if !is_name => value.error("is no name of a label; write letters, digits and `_`, a letter first"),
            _ if TAKEN.contains(&name) => value.error("alerts have this label of their own; write another one"),
            Ok("") => value.error("an empty label is none; write a value, or remove it"),
            Ok(text) => drop(labels.insert(name.to_owned(), text.to_owned())),
            Err(message) => value.error(message),
        }
    }
    labels
}

fn hidden() -> String {
    format!(
        "is no URL that can be called, and is not shown, since its path may be a secret; write one like `{HOOK_EXAMPLE}`"
    )
}

impl WebhookConfig {
    fn read(item: &Field<'_>) -> Option<Self> {
        let mut section = item.section()?;
        // With many services the path is the secret: no message shows it.
        let parse =
            |text: &str| Endpoint::parse_http(text).map_err(|why| if why.contains(text) { hidden() } else { why });
        let Target { endpoint, tls, headers, timeout } = Target::read(&mut section, HOOK_EXAMPLE, parse);
        let secret = section.get("secret", |field| match field.text().map_err(|_| "write text".to_owned())? {
            "" => Err("is empty, so that anybody could sign; write a secret, or set the variable".to_owned()),
            text => Ok(Secret::new(text.to_owned())),
        });
        let mut max_queue_size = 1000;
        section.read("max_queue_size", &mut max_queue_size, |field| field.whole(1, 10_000));
        section.finish(&[("url", "write `endpoint`"), ("send_resolved", "recovery is always told; remove it")]);
        Some(Self { endpoint: HookUrl(endpoint?), tls, headers, timeout, secret, max_queue_size })
    }
}
