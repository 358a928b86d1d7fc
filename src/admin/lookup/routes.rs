//! The lookup API over HTTP, under `/api/v1`, as JSON; the page that shows it; and the service beside both.
//! Knows paths, parameters and statuses; nothing of how answers come about.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::id::excerpt;
use super::{Lookup, Refusal, Sort, json, limit, service};
use crate::admin::budgets;
use crate::budget::Budgets;
use crate::enrich::ComparisonSettings;
use crate::telemetry::Metrics;

/// What is answered how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookupSettings {
    /// What traces are compared with.
    pub comparison: ComparisonSettings,
}

/// The description of this API.
const OPENAPI: &str = include_str!("openapi.json");
/// The page: one file, which asks this API and nobody else.
const PAGE: &str = include_str!("page.html");
/// Nothing from outside, not even by a mistake in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
struct Api {
    lookup: Lookup,
    budgets: Budgets,
    metrics: Metrics,
    comparison: Arc<ComparisonSettings>,
}

/// The lookup API, its page and its gRPC service.
pub fn routes(lookup: Lookup, book: Budgets, metrics: Metrics, settings: LookupSettings) -> Router {
    let comparison = Arc::new(settings.comparison);
    let api = Api { lookup: lookup.clone(), budgets: book, metrics, comparison: Arc::clone(&comparison) };
    Router::new()
        .route("/api/v1/traces", get(traces))
        .route("/api/v1/traces/{id}", get(trace))
        .route("/api/v1/conversations/{id}", get(conversation))
        .route("/api/v1/unknown-models", get(unknown_models))
        .route("/api/v1/budgets", get(budgets))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/", get(page))
        .route("/budgets", get(page))
        .route("/traces/{id}", get(page))
        .fallback(nowhere)
        .method_not_allowed_fallback(only_read)
        .with_state(api)
        .merge(service::routes(lookup, comparison))
}

/// Whether a path is the page's, which holds nothing that is known of any trace.
#[must_use]
pub fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/budgets")
        || path.strip_prefix("/traces/").is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

async fn trace(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Response {
    answer(written(id).and_then(|id| api.lookup.trace(&id, &api.comparison)).map(|trace| json::trace(&trace)))
}

/// An id as it stands in a path.
fn written(id: Result<Path<String>, PathRejection>) -> Result<String, Refusal> {
    id.map(|Path(id)| id).map_err(|_| Refusal::Invalid("the id is no UTF-8, once its %XX are read".to_owned()))
}

async fn traces(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match parameters(query.as_deref().unwrap_or_default()) {
        Ok((sort, limit)) => answer(Ok(json::traces(&api.lookup.traces(sort, limit).await))),
        Err(refusal) => answer(Err(refusal)),
    }
}

async fn conversation(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Response {
    let found = written(id).and_then(|id| api.lookup.conversation(&id));
    answer(found.map(|conversation| json::conversation(&conversation)))
}

/// `{"models": [{"name", "provider", "calls", "stub"}], "unlisted_calls"}`, most calls first.
async fn unknown_models(State(api): State<Api>) -> Response {
    match serde_json::to_value(api.metrics.unknown_models()) {
        Ok(models) => answer(Ok(models)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// How budgets stand.
async fn budgets(State(api): State<Api>) -> Response {
    answer(Ok(budgets::answer(&api.budgets)))
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// What is told of a path that is not here; of an empty id, too.
async fn nowhere(uri: Uri) -> Response {
    let path = excerpt(uri.path());
    refused(
        StatusCode::NOT_FOUND,
        ("not_found", format!("there is nothing at `{path}`; /api/v1/openapi.json tells what there is")),
    )
}

async fn only_read(method: Method) -> Response {
    let message = format!("`{}` is not answered: what is here is only read, by GET", excerpt(method.as_str()));
    refused(StatusCode::METHOD_NOT_ALLOWED, ("method_not_allowed", message))
}

async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, PAGE).into_response()
}

/// `sort` and `limit`; what is not known is refused, so that nobody believes that it was heard.
fn parameters(query: &str) -> Result<(Sort, usize), Refusal> {
    let (mut sort, mut asked) = (Sort::Recent, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key, value) {
            ("sort", "recent") => sort = Sort::Recent,
            ("sort", "co2e") => sort = Sort::Co2e,
            ("sort", other) => {
                return Err(Refusal::Invalid(format!("`sort` is `co2e` or `recent`, not `{}`", excerpt(other))));
            }
            ("limit", number) => match number.parse() {
                Ok(number) => asked = Some(number),
                Err(_) => return Err(Refusal::Invalid(format!("`limit` is a number, not `{}`", excerpt(number)))),
            },
            (other, _) => {
                let message = format!("there is no parameter `{}`; there are `sort` and `limit`", excerpt(other));
                return Err(Refusal::Invalid(message));
            }
        }
    }
    Ok((sort, limit(asked)?))
}

fn answer(result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(body) => of_now(StatusCode::OK, &body),
        Err(refusal) => {
            let status = match refusal {
                Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
                Refusal::Absent(..) => StatusCode::NOT_FOUND,
            };
            refused(status, (refusal.reason(), refusal.to_string()))
        }
    }
}

fn refused(status: StatusCode, (reason, message): (&str, String)) -> Response {
    of_now(status, &json!({ "reason": reason, "message": message }))
}

/// Answers are of now: nobody keeps them.
fn of_now(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}
