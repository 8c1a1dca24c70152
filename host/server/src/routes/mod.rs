//! One file per subject. A route reads, calls the service once and answers; it decides nothing.

mod access;
mod act;
mod answer;
mod backtests;
mod board;
mod components;
mod deliveries;
mod events;
mod health;
mod items;
mod kinds;
pub(crate) mod library;
mod money;
mod notices;
mod runs;
pub(crate) mod schedules;
mod table;
mod workers;

use crate::pages::pages;
use crate::problem::{self, Problem};
use crate::{AppState, guard, hooks, observe};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Router, response::Response};
use lockstep_access::carried;
use std::future::Future;

/// The whole server: every route with its guards.
pub fn app(state: AppState) -> Router {
    let (guarded, open) = table::all(&state).finish();
    let v1 = guarded
        .fallback(guard::unknown_path)
        .method_not_allowed_fallback(guard::wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::token))
        .merge(open);
    let metrics = match state.watch().open_metrics {
        true => get(health::metrics),
        false => get(health::metrics).layer(from_fn_with_state(state.clone(), guard::token)),
    };
    Router::new()
        .merge(pages(&state))
        .route("/metrics", metrics)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .nest("/v1", v1)
        .fallback(guard::unknown_path)
        .method_not_allowed_fallback(guard::wrong_method)
        // The extractors of this crate have limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), guard::host))
        // A forge comes under whatever name the operator made public, and signs what it sends.
        .merge(
            Router::new()
                .route("/hooks/github", post(hooks::github))
                .method_not_allowed_fallback(guard::wrong_method)
                .layer(DefaultBodyLimit::disable()),
        )
        .layer(from_fn_with_state(state.clone(), observe::requests))
        .with_state(state)
}

/// What a handler answers.
pub(crate) type Answer<T = Response> = Result<T, Problem>;

/// Runs `call` to its end even if the client goes away, so that an action is never left half-way by a lost connection.
pub(crate) async fn to_the_end<T: Send + 'static, E: Into<Problem> + Send + 'static>(
    call: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Answer<T> {
    match tokio::spawn(carried(call)).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => {
            tracing::error!("a request ended in a panic");
            Err(Problem::new(problem::INTERNAL, "the request ended in a fault of the host: see its log"))
        }
    }
}
