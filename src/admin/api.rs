//! The lookup API, under `/api/v1`: what can be asked about the calls that passed. Knows how to serve it as JSON;
//! nothing of how it is collected.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::telemetry::Metrics;

/// The lookup API alone.
pub fn routes(metrics: Metrics) -> Router {
    Router::new().route("/api/v1/unknown-models", get(unknown_models)).with_state(metrics)
}

/// `{"models": [{"name", "provider", "calls", "stub"}], "unlisted_calls"}`, most calls first.
async fn unknown_models(State(metrics): State<Metrics>) -> Response {
    match serde_json::to_string(&metrics.unknown_models()) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
