//! Whether the service takes requests, in the words of the Collector's health_check extension.
//! Knows what it was told last; nothing of why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// Go's zero time, which the Collector shows while it is not available.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What the health page answers, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// An absolute path. One that ends with `/` stands for everything below it, as it does in the Collector: with the
    /// default `/` a probe of any path is answered.
    pub path: String,
    /// What is answered instead of the state as JSON.
    pub bodies: Option<Bodies>,
}

/// Fixed answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bodies {
    /// While requests are taken.
    pub healthy: String,
    /// Before and after.
    pub unhealthy: String,
}

impl HealthSettings {
    fn answers(&self, path: &str) -> bool {
        path == self.path || (self.path.ends_with('/') && path.starts_with(&self.path))
    }
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { path: "/".to_owned(), bodies: None }
    }
}

/// Whether the service takes requests. Cheap to clone: clones speak of the same service.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Phase>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Starting,
    Ready {
        since: SystemTime,
    },
    Draining,
}

impl Readiness {
    /// A service that does not take requests yet.
    #[must_use]
    pub fn starting() -> Self {
        Self::default()
    }

    /// From `now` on requests are taken. A service that is shutting down does not become ready again.
    pub fn ready(&self, now: SystemTime) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase == Phase::Starting {
            *phase = Phase::Ready { since: now };
        }
    }

    /// No more requests are taken: load balancers should go elsewhere.
    pub fn draining(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Phase::Draining;
    }

    /// The answer at `now`. Nothing in it can need escaping in JSON.
    fn health(&self, now: SystemTime) -> (StatusCode, String) {
        let phase = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Phase::Ready { since } = phase else {
            let body = format!(r#"{{"status":"Server not available","upSince":"{NEVER}","uptime":""}}"#);
            return (StatusCode::SERVICE_UNAVAILABLE, body);
        };
        let up_since = humantime::format_rfc3339_micros(since);
        let uptime = go_duration(now.duration_since(since).unwrap_or_default());
        let body = format!(r#"{{"status":"Server available","upSince":"{up_since}","uptime":"{uptime}"}}"#);
        (StatusCode::OK, body)
    }
}

/// The health page alone, for any method, as in the Collector.
pub fn routes(readiness: Readiness, settings: &HealthSettings) -> Router {
    Router::new().fallback(page).with_state((readiness, settings.clone()))
}

async fn page(State((readiness, settings)): State<(Readiness, HealthSettings)>, uri: Uri) -> Response {
    if !settings.answers(uri.path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (status, state) = readiness.health(SystemTime::now());
    match settings.bodies {
        None => (status, [(CONTENT_TYPE, "application/json")], state).into_response(),
        Some(bodies) if status == StatusCode::OK => (status, bodies.healthy).into_response(),
        Some(bodies) => (status, bodies.unhealthy).into_response(),
    }
}

/// A duration as Go prints it, to the millisecond: `250ms`, `1.5s`, `2m0.25s`, `1h0m3s`.
fn go_duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    if seconds == 0 {
        return format!("{millis}ms");
    }
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}").trim_end_matches('0').to_owned() };
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}{fraction}s"),
        (0, _) => format!("{minutes}m{rest}{fraction}s"),
        _ => format!("{hours}h{minutes}m{rest}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01T12:00:00Z, from `date -u -d 2026-07-01T12:00:00Z +%s`.
    const NOON: Duration = Duration::from_secs(1_782_907_200);

    #[test]
    fn only_a_ready_service_is_available_and_says_since_when() {
        let readiness = Readiness::starting();
        let since = SystemTime::UNIX_EPOCH + NOON;
        let now = since + Duration::from_millis(83_250);
        assert_eq!(readiness.health(now).0, StatusCode::SERVICE_UNAVAILABLE);
        readiness.clone().ready(since);
        let body = r#"{"status":"Server available","upSince":"2026-07-01T12:00:00.000000Z","uptime":"1m23.25s"}"#;
        assert_eq!(readiness.health(now), (StatusCode::OK, body.to_owned()));
        readiness.draining();
        assert_eq!(readiness.health(now).0, StatusCode::SERVICE_UNAVAILABLE);
        readiness.ready(now);
        assert_eq!(readiness.health(now).0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn durations_read_as_in_go() {
        let printed = [0, 250, 1_500, 60_000, 120_250, 3_603_000, 90_061_001];
        let expected = ["0ms", "250ms", "1.5s", "1m0s", "2m0.25s", "1h0m3s", "25h1m1.001s"];
        assert_eq!(printed.map(|millis| go_duration(Duration::from_millis(millis))), expected);
    }
}
