//! Who may ask the lookup API: those that an authenticator knows, as at a receiver. The page is for everybody: it holds
//! nothing, and asks the API in the name of whoever looks at it.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use crate::admin;
use crate::receiver::{Authenticator, refused_as_json, refused_call};

/// `routes` for those alone that `auth` knows.
pub(super) fn guarded(routes: Router, auth: Option<Authenticator>) -> Router {
    let Some(auth) = auth else { return routes };
    routes.layer(from_fn(move |request, next| check(auth.clone(), request, next)))
}

async fn check(auth: Authenticator, request: Request, next: Next) -> Response {
    if admin::is_page(request.uri().path()) {
        return next.run(request).await;
    }
    match auth.check(request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(rejection) => match refused_call(request.headers(), &rejection) {
            Some(answer) => answer.into_response(),
            None => refused_as_json(&rejection).into_response(),
        },
    }
}
