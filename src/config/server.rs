//! How a receiver's protocol is served: keepalive and age of connections, times to read and write, and browsers.
//! Knows keys, defaults and advice; serves nobody.

use std::time::Duration;

use serde::Serialize;

use super::duration;
use super::section::{Advice, Field, Section, shortened};

/// What a receiver's endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// `host:port`.
    #[default]
    Tcp,
    /// The path of a socket of this machine.
    Unix,
}

/// `keepalive` of a receiver's gRPC: how long connections live, and how often they are pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ServerKeepaliveConfig {
    /// What this server does.
    pub server_parameters: KeepaliveParametersConfig,
    /// What its senders may do.
    pub enforcement_policy: EnforcementPolicyConfig,
}

/// `keepalive.server_parameters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeepaliveParametersConfig {
    /// How long a connection may be without a request until it is asked to end; 0s is for ever.
    #[serde(serialize_with = "super::duration::serialize")]
    pub max_connection_idle: Duration,
    /// The age at which a connection is asked to end, give or take a tenth; 0s is never.
    #[serde(serialize_with = "super::duration::serialize")]
    pub max_connection_age: Duration,
    /// How long requests may then take to end; 0s is as long as they need.
    #[serde(serialize_with = "super::duration::serialize")]
    pub max_connection_age_grace: Duration,
    /// Time between two pings, above 0; 1m.
    #[serde(serialize_with = "super::duration::serialize")]
    pub time: Duration,
    /// How long a ping may stay unanswered, above 0; 20s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub timeout: Duration,
}

/// `keepalive.enforcement_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EnforcementPolicyConfig {
    /// The least time between two pings of a sender; 0s lets it ping as it likes.
    #[serde(serialize_with = "super::duration::serialize")]
    pub min_time: Duration,
    /// Whether a sender may ping while it has no request under way; without effect where `min_time` is 0s.
    pub permit_without_stream: bool,
}

impl Default for KeepaliveParametersConfig {
    fn default() -> Self {
        Self {
            max_connection_idle: Duration::ZERO,
            max_connection_age: Duration::ZERO,
            max_connection_age_grace: Duration::ZERO,
            time: Duration::from_secs(60),
            timeout: Duration::from_secs(20),
        }
    }
}

/// `cors` of a receiver's HTTP: the web pages whose scripts may send. Its absence means none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CorsConfig {
    /// Origins such as `https://app.example.com`, each with at most one `*`; at least one.
    pub allowed_origins: Vec<String>,
    /// Headers that they may send beside the usual ones; `*` for any.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that they may read.
    pub exposed_headers: Vec<String>,
    /// How long, in seconds, a browser may remember what it was told; 0 leaves that to it.
    pub max_age: u32,
}

/// The times of a receiver's HTTP, each above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HttpTimeoutsConfig {
    /// The time in which a whole body has to arrive; 30s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub read_timeout: Duration,
    /// The same for the headers of a request; 1m.
    #[serde(serialize_with = "super::duration::serialize")]
    pub read_header_timeout: Duration,
    /// How long a peer may take nothing of an answer; 30s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub write_timeout: Duration,
    /// How long a connection may be without a request; 1m.
    #[serde(serialize_with = "super::duration::serialize")]
    pub idle_timeout: Duration,
}

impl Default for HttpTimeoutsConfig {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(30),
            read_header_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

impl Transport {
    pub(super) fn read(field: &Field<'_>) -> Result<Self, String> {
        field.word(&[("tcp", Self::Tcp), ("unix", Self::Unix)])
    }
}

impl ServerKeepaliveConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut config = Self::default();
        if let Some(mut section) = section.section("server_parameters") {
            let parameters = &mut config.server_parameters;
            section.read("max_connection_idle", &mut parameters.max_connection_idle, any);
            section.read("max_connection_age", &mut parameters.max_connection_age, any);
            section.read("max_connection_age_grace", &mut parameters.max_connection_age_grace, any);
            section.read("time", &mut parameters.time, above_zero);
            section.read("timeout", &mut parameters.timeout, above_zero);
            section.finish(&[]);
        }
        if let Some(mut section) = section.section("enforcement_policy") {
            let policy = &mut config.enforcement_policy;
            section.read("min_time", &mut policy.min_time, any);
            section.read("permit_without_stream", &mut policy.permit_without_stream, Field::flag);
            section.finish(&[]);
        }
        section.finish(&[
            ("time", "belongs to `server_parameters`; write it below that"),
            ("timeout", "belongs to `server_parameters`; write it below that"),
            ("permit_without_stream", "belongs to `enforcement_policy`; write it below that"),
        ]);
        config
    }
}

impl HttpTimeoutsConfig {
    /// Reads the keys of a protocol's section that are times.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut config = Self::default();
        section.read("read_timeout", &mut config.read_timeout, above_zero);
        section.read("read_header_timeout", &mut config.read_header_timeout, above_zero);
        section.read("write_timeout", &mut config.write_timeout, above_zero);
        section.read("idle_timeout", &mut config.idle_timeout, above_zero);
        config
    }
}

/// Keys of `cors` in other servers.
const CORS_ADVICE: Advice = &[
    ("allow_credentials", "browsers send no credentials here; remove it"),
    ("allowed_methods", "OTLP requests are POST; remove it"),
];

impl CorsConfig {
    /// Reads `cors`; `None` where no origin is allowed, which is as if it were absent.
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let mut config = Self::default();
        if let Some(field) = section.field("allowed_origins") {
            config.allowed_origins = words(&field, origin);
        }
        if let Some(field) = section.field("allowed_headers") {
            config.allowed_headers = words(&field, header);
        }
        if let Some(field) = section.field("exposed_headers") {
            config.exposed_headers = words(&field, header);
        }
        section.read("max_age", &mut config.max_age, |field| field.whole(0, 86_400));
        section.finish(CORS_ADVICE);
        (!config.allowed_origins.is_empty()).then_some(config)
    }
}

fn words(list: &Field<'_>, read: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
    let mut words = Vec::new();
    for item in list.items() {
        match item.text().and_then(&read) {
            Ok(word) => words.push(word),
            Err(message) => item.error(message),
        }
    }
    words
}

/// An origin as browsers send it, with at most one `*` in it. They send no path.
fn origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    let shaped = text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
    if shaped && text.matches('*').count() <= 1 && text.bytes().all(|each| each.is_ascii_graphic()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("`{}` is no origin; write one such as `https://app.example.com`", shortened(text)))
}

fn header(text: &str) -> Result<String, String> {
    let token = |each: char| each.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(each);
    if !text.is_empty() && text.chars().all(token) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("`{}` is no header's name; write one such as `x-tenant`", shortened(text)))
}

fn any(field: &Field<'_>) -> Result<Duration, String> {
    duration::parse(field.text()?)
}

fn above_zero(field: &Field<'_>) -> Result<Duration, String> {
    match duration::parse(field.text()?)? {
        Duration::ZERO => Err("nothing is waited for for ever; write a time such as `30s`".to_owned()),
        time => Ok(time),
    }
}
