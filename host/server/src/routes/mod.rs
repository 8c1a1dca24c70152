//! One file per subject. A route reads, calls the service once and answers; it decides nothing.

mod act;
mod answer;
mod backtests;
mod board;
mod components;
mod events;
mod health;
mod items;
mod kinds;
mod library;
mod money;
mod notices;
mod runs;
mod schedules;

use crate::pages::pages;
use crate::problem::{self, Problem};
use crate::{AppState, guard};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post, put};
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
        .route("/runs/{run}/repin", post(runs::repin))
        .route("/runs/{run}/pause", post(runs::pause))
        .route("/runs/{run}/resume", post(runs::resume))
        .route("/runs/{run}/answers", post(answer::answer))
        .route("/runs/{run}/actions", post(act::on_run))
        .route("/runs/{run}/teardown", post(act::tear_down))
        .route("/runs/{run}/invocations", get(runs::invocations))
        .route("/runs/{run}/steps/{step}/log", get(runs::log))
        .route("/runs/{run}/replay", post(runs::replay))
        .route("/runs/{run}/verify", post(runs::verify))
        .route("/pipelines/check", post(runs::check))
        .route("/components", get(components::list).post(components::add))
        .route("/components/{digest}/wasm", get(components::bytes))
        .route("/components/activations", post(components::activate))
        .route("/components/activations/{kind}", get(components::history))
        .route("/backtests", post(backtests::run))
        .route("/components/inspect", post(components::inspect))
        .route("/components/gc", post(components::collect))
        .route("/components/{digest}", get(components::show))
        .route("/components/{digest}/stop", post(components::stop))
        .route("/components/{digest}/resume", post(components::resume))
        .route("/components/{digest}/signatures", post(components::sign))
        .route("/dirs", post(kinds::keep_dir))
        .route("/kinds", get(kinds::list))
        .route("/kinds/{kind}", get(kinds::show))
        .route("/kinds/{kind}/grant", post(kinds::grant))
        .route("/kinds/{kind}/rollback", post(kinds::rollback))
        .route("/kinds/{kind}/promote", post(kinds::promote))
        .route("/kinds/{kind}/canary", get(kinds::canary).post(kinds::begin_canary))
        .route("/trust", get(kinds::trust).post(kinds::change_trust))
        .route("/audit", get(kinds::audit))
        .route("/events", get(events::stream))
        .route("/feed", get(events::feed))
        .route("/notices", get(notices::list))
        .route("/notices/{id}/act", post(notices::act))
        .route("/notices/{id}/dismiss", post(notices::dismiss))
        .route("/workspaces", get(board::workspaces).post(board::create))
        .nest("/workspaces/{workspace}", on_a_board())
        .fallback(guard::unknown_path)
        .method_not_allowed_fallback(guard::wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::token));
    Router::new()
        .merge(pages(&state))
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

fn on_a_board() -> Router<AppState> {
    Router::new()
        .route("/items", get(items::list).post(items::create))
        .route("/items/{id}", get(items::show).patch(items::edit).delete(items::delete))
        .route("/items/{id}/start", post(items::start))
        .route("/items/{id}/cancel", post(items::cancel))
        .route("/items/{id}/merge", post(items::merge))
        .route("/items/{id}/move", post(items::put_elsewhere))
        .route("/items/{id}/dependencies/{on}", put(items::depend).delete(items::no_longer_depend))
        .route("/items/{id}/reviews/{kind}/actions", post(act::on_review))
        .route("/presets", get(library::presets).post(library::create_preset))
        .route("/presets/{id}", patch(library::edit_preset).delete(library::delete_preset))
        .route("/pipelines", get(library::pipelines).post(library::create_pipeline))
        .route("/pipelines/{id}", patch(library::edit_pipeline).delete(library::delete_pipeline))
        .route("/pipelines/{id}/clone", post(library::clone_pipeline))
        .route("/schedules", get(schedules::list).post(schedules::create))
        .route("/schedules/{id}", patch(schedules::edit).delete(schedules::delete))
        .route("/schedules/{id}/run", post(schedules::run))
        .route("/schedules/{id}/runs", get(schedules::runs))
        .route("/settings", get(money::settings).patch(money::edit_settings))
        .route("/spend", get(money::spend))
        .route("/spend/resume", post(money::resume))
}

/// What a handler answers.
pub(crate) type Answer<T = Response> = Result<T, Problem>;

/// Runs `call` to its end even if the client goes away, so that an action is never left half-way by a lost connection.
pub(crate) async fn to_the_end<T: Send + 'static>(
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
