//! Who may speak to the server, asked before any route.

use crate::identity::{Identity, Role};
use crate::known::{sender, unauthorized};
use crate::origin;
use crate::problem::{self, Problem};
use crate::state::AppState;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lockstep_access::acting;
use lockstep_ports::ServiceError;

pub(crate) use crate::known::SOMEBODY;

/// Refuses a request whose `Host` is not a name of this server. A page of another site whose name was made to resolve to
/// this machine (DNS rebinding) sends that name, and so never reaches a route.
pub(crate) async fn host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let options = state.options();
    let named = origin::named(request.headers(), request.uri());
    if !origin::answers_to(options.origin.as_ref(), options.allow_remote, named.as_ref()) {
        let also = options.origin.as_ref().map(|origin| format!(", or {origin}")).unwrap_or_default();
        let detail = format!("the Host header must name this machine: localhost, 127.0.0.1 or [::1]{also}");
        return Problem::new(problem::WRONG_HOST, detail).into_response();
    }
    // Until somebody is known it is the host itself that answers: that it is well, a delivery that proves itself.
    let mut response = acting(None, next.run(request)).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses a request of somebody who is not known.
pub(crate) async fn token(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match sender(&state, request).await {
        Ok((Some(identity), mut request)) => {
            request.extensions_mut().insert(state);
            acting(Some(identity.0), next.run(request)).await
        }
        Ok((None, _)) => unauthorized().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Refuses a request of somebody who may less than `role`, and writes down that something was to be changed.
pub(crate) async fn permitted(role: Role, request: Request, next: Next) -> Response {
    let Some(identity) = request.extensions().get::<Identity>().cloned() else {
        return Problem::new(problem::UNAUTHORIZED, "nobody is known to have sent this").into_response();
    };
    if identity.role >= role {
        return next.run(request).await;
    }
    let (name, has, needed) = (&identity.name, identity.role.word(), role.word());
    let detail = format!("{name} is {has} and this needs {needed}: ask with a token of that role");
    let state = request.extensions().get::<AppState>().cloned();
    if let (Some(state), false) = (state, request.method() == Method::GET) {
        let path = request.extensions().get::<OriginalUri>().map_or("", |uri| uri.path()).to_owned();
        let subject = format!("{} {path}", request.method());
        let refused = async { Err::<(), _>(ServiceError::Forbidden(String::new())) };
        // It is refused whether or not that could be written down.
        drop(state.access().audited(Some(&identity.0), "request", &subject, refused).await);
    }
    Problem::new(problem::FORBIDDEN, detail).into_response()
}

pub(crate) async fn unknown_path(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(problem::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

pub(crate) async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(problem::WRONG_METHOD, format!("{} does not take {method}", uri.path()))
}
