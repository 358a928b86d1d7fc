//! `GET /metrics`: the process's own counters, in the Prometheus text format or, for who asks for it, in OpenMetrics.
//! Knows how to serve them; nothing of what they count.

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::telemetry::{Metrics, TextFormat};

/// <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#protocol-negotiation>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics page alone.
pub fn routes(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(page)).with_state(metrics)
}

/// Written on a thread of its own: a page of many series takes longer than requests should wait for their turn.
async fn page(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let (format, content_type) = match format(&accepted.join(",")) {
        TextFormat::Prometheus => (TextFormat::Prometheus, TEXT_FORMAT),
        TextFormat::OpenMetrics => (TextFormat::OpenMetrics, OPEN_METRICS),
    };
    match tokio::task::spawn_blocking(move || metrics.encode_as(format)).await {
        Ok(text) => ([(CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// OpenMetrics where it is asked for by its name and nothing is wanted more.
fn format(accepted: &str) -> TextFormat {
    let mut wanted = (TextFormat::Prometheus, 0.0);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let format = match parts.next() {
            Some("application/openmetrics-text") => TextFormat::OpenMetrics,
            Some("text/plain" | "text/*" | "*/*") => TextFormat::Prometheus,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if weight > wanted.1 {
            wanted = (format, weight);
        }
    }
    wanted.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_who_asks_for_it_and_wants_nothing_more() {
        // What Prometheus 2.42 sends, and 3 with its protobuf.
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let later = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.7,\
                     application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.3";
        assert_eq!([prometheus, later].map(format), [TextFormat::OpenMetrics; 2]);
        for plain in ["", "*/*", "text/html,*/*;q=0.8", "text/plain, application/openmetrics-text;q=0.9", "x;q=,,;"] {
            assert_eq!(format(plain), TextFormat::Prometheus, "{plain}");
        }
    }
}
