//! One file per subject. A route reads, calls the service once and answers; it decides nothing.

mod answer;
mod components;
mod events;
mod health;
mod runs;

use crate::problem::{self, Problem};
use crate::{AppState, guard};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Router, response::Response};
use std::future::Future;

/// The whole server: every route with its guards.
pub fn app(state: AppState) -> Router {
    let v1 = Router::new()
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/timeline", get(runs::timeline))
        .route("/runs/{run}/why", get(runs::why))
        .route("/runs/{run}/stop", post(runs::stop))
        .route("/runs/{run}/retry", post(runs::retry))
        .route("/runs/{run}/restart", post(runs::restart))
        .route("/runs/{run}/pause", post(runs::pause))
        .route("/runs/{run}/resume", post(runs::resume))
        .route("/runs/{run}/answers", post(answer::answer))
        .route("/runs/{run}/invocations", get(runs::invocations))
        .route("/runs/{run}/steps/{step}/log", get(runs::log))
        .route("/runs/{run}/replay", post(runs::replay))
        .route("/runs/{run}/verify", post(runs::verify))
        .route("/pipelines/check", post(runs::check))
        .route("/components", get(components::list).post(components::add))
        .route("/components/activations", post(components::activate))
        .route("/components/activations/{kind}", get(components::history))
        .route("/events", get(events::stream))
        .route("/feed", get(events::feed))
        .fallback(guard::unknown_path)
        .method_not_allowed_fallback(guard::wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::token));
    Router::new()
        .route("/", get(health::greeting))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .nest("/v1", v1)
        .fallback(guard::unknown_path)
        .method_not_allowed_fallback(guard::wrong_method)
        // The extractors of this crate have limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), guard::host))
        .with_state(state)
}

/// What a handler answers.
type Answer<T = Response> = Result<T, Problem>;

/// Runs `call` to its end even if the client goes away, so that an action is never left half-way by a lost connection.
async fn to_the_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, lockstep_ports::ServiceError>> + Send + 'static,
) -> Answer<T> {
    match tokio::spawn(call).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => {
            tracing::error!("a request ended in a panic");
            Err(Problem::new(problem::INTERNAL, "the request ended in a fault of the host: see its log"))
        }
    }
}
