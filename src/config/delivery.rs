//! How the exporters deliver: sending again, the largest request, and the pings that find a dead connection.
//! Knows how each is written and its bounds; sends nothing.

use std::time::Duration;

use serde::Serialize;

use super::section::{Field, Section};
use super::{duration, size};

/// The largest request that OTLP allows, in bytes before compression.
pub(super) const MAX_REQUEST_BYTES: usize = 64 << 20;

/// `retry_on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RetryConfig {
    /// Whether anything is sent again; false: the sender does that.
    pub enabled: bool,
    /// The wait before the second attempt, but for chance; 5 s, above 0.
    #[serde(serialize_with = "duration::serialize")]
    pub initial_interval: Duration,
    /// How far chance moves a wait, as a part of it; 0.5, from 0 to 1.
    pub randomization_factor: f64,
    /// What a wait is multiplied by for the next one; 1.5, from 1 to 100.
    pub multiplier: f64,
    /// The longest wait, but for chance; 30 s, above 0.
    #[serde(serialize_with = "duration::serialize")]
    pub max_interval: Duration,
    /// How long after the first attempt there may be another; 300 s, 0 for ever.
    #[serde(serialize_with = "duration::serialize")]
    pub max_elapsed_time: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

impl RetryConfig {
    /// Reads `retry_on_failure` of an exporter.
    pub(super) fn read(exporter: &mut Section<'_>) -> Self {
        let mut retry = Self::default();
        let Some(mut section) = exporter.section("retry_on_failure") else { return retry };
        if !section.has("enabled") {
            section.error("nothing is sent again unless it says so; write `enabled: true` or `enabled: false`");
        }
        section.read("enabled", &mut retry.enabled, Field::flag);
        section.read("initial_interval", &mut retry.initial_interval, interval);
        section.read("randomization_factor", &mut retry.randomization_factor, |field| between(field, 0.0, 1.0));
        section.read("multiplier", &mut retry.multiplier, |field| between(field, 1.0, 100.0));
        section.read("max_interval", &mut retry.max_interval, interval);
        section.read("max_elapsed_time", &mut retry.max_elapsed_time, |field| duration::parse(field.text()?));
        let longest = retry.initial_interval.max(retry.max_interval);
        if retry.enabled && !retry.max_elapsed_time.is_zero() && retry.max_elapsed_time < longest {
            section.error_in("max_elapsed_time", "ends before the longest wait; write a longer time, or shorter waits");
        }
        section.finish(&[]);
        retry
    }
}

/// `keepalive` of an exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClientKeepaliveConfig {
    /// Silence after which a ping goes out; 20 s, 0 for never, else at least 1 s.
    #[serde(serialize_with = "duration::serialize")]
    pub time: Duration,
    /// How long the backend may take to answer a ping; 10 s, above 0.
    #[serde(serialize_with = "duration::serialize")]
    pub timeout: Duration,
    /// Whether to ping while no request is open; false.
    pub permit_without_stream: bool,
}

impl Default for ClientKeepaliveConfig {
    fn default() -> Self {
        Self { time: Duration::from_secs(20), timeout: Duration::from_secs(10), permit_without_stream: false }
    }
}

impl ClientKeepaliveConfig {
    /// Reads `keepalive` of an exporter.
    pub(super) fn read(exporter: &mut Section<'_>) -> Self {
        let mut keepalive = Self::default();
        let Some(mut section) = exporter.section("keepalive") else { return keepalive };
        section.read("time", &mut keepalive.time, |field| match duration::parse(field.text()?)? {
            short if !short.is_zero() && short < Duration::from_secs(1) => {
                Err("backends close connections that ping that often; write `1s` or more, or `0s` for never".to_owned())
            }
            time => Ok(time),
        });
        section.read("timeout", &mut keepalive.timeout, interval);
        section.read("permit_without_stream", &mut keepalive.permit_without_stream, Field::flag);
        section.finish(&[]);
        keepalive
    }
}

/// The largest request that is sent in one piece, in bytes before compression.
pub(super) fn max_request_body_size(section: &mut Section<'_>) -> usize {
    let mut bytes = MAX_REQUEST_BYTES;
    section.read("max_request_body_size", &mut bytes, |field| match size::parse(field.text()?)? {
        bytes if bytes > MAX_REQUEST_BYTES => {
            Err(format!("`{}` is over what OTLP allows; write `64MiB` or less", field.text()?))
        }
        bytes => Ok(bytes),
    });
    bytes
}

fn interval(field: &Field<'_>) -> Result<Duration, String> {
    let interval = duration::parse(field.text()?)?;
    if interval.is_zero() {
        return Err("nothing happens in no time; write one such as `5s`".to_owned());
    }
    Ok(interval)
}

fn between(field: &Field<'_>, low: f64, high: f64) -> Result<f64, String> {
    let number = field.number()?;
    if !(low..=high).contains(&number) {
        return Err(format!("write a number from {low} to {high}, not {}", field.found()));
    }
    Ok(number)
}
