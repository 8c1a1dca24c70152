use super::Answer;
use crate::AppState;
use crate::extract::{PathOf, QueryOf};
use crate::hooks::Hooks;
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{DELIVERIES_PAGE_MAX, Deliveries, Delivery, JournalError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Page {
    /// Only those below this number (cursor).
    before: Option<u64>,
    /// At most so many; none: 50.
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DeliveryList {
    deliveries: Vec<Delivery>,
    /// Give it as `before` to go on; none: these were the last.
    next: Option<u64>,
}

/// A delivery with its payload.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeliveryView {
    #[serde(flatten)]
    delivery: Delivery,
    /// The payload; a text where it is no JSON.
    payload: Value,
}

pub(super) async fn list(
    State(state): State<AppState>,
    QueryOf(page): QueryOf<Page>,
) -> Answer<Json<DeliveryList>> {
    let limit = page.limit.unwrap_or(50);
    if !(1..=DELIVERIES_PAGE_MAX).contains(&limit) {
        return Err(Problem::new(problem::INVALID, format!("`limit` must be 1 to {DELIVERIES_PAGE_MAX}")));
    }
    let deliveries = kept(&state)?.list(page.before, limit).await.map_err(|error| failed(&error))?;
    let next = (deliveries.len() == limit).then(|| deliveries.last().map(|last| last.number)).flatten();
    Ok(Json(DeliveryList { deliveries, next }))
}

pub(super) async fn show(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
) -> Answer<Json<DeliveryView>> {
    let found = kept(&state)?.get(&id).await.map_err(|error| failed(&error))?;
    let (delivery, body) = found.ok_or_else(|| unknown(&id))?;
    let payload = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Ok(Json(DeliveryView { delivery, payload }))
}

pub(super) async fn replay(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
) -> Answer<Json<Delivery>> {
    let (deliveries, asked) = (kept(&state)?, id.clone());
    let replayed = tokio::spawn(async move { deliveries.replay(&asked).await }).await;
    let ended = |_| Problem::new(problem::INTERNAL, "the request ended in a fault of the host: see its log");
    let replayed = replayed.map_err(ended)?.map_err(|error| failed(&error))?;
    replayed.map(Json).ok_or_else(|| unknown(&id))
}

fn kept(state: &AppState) -> Answer<Arc<dyn Deliveries>> {
    let keeps = |hooks: &Hooks| Arc::clone(&hooks.deliveries);
    let nowhere = || Problem::new(problem::NOT_FOUND, "this server keeps no deliveries");
    state.hooks().map(keeps).ok_or_else(nowhere)
}

fn unknown(id: &str) -> Problem {
    Problem::new(problem::NOT_FOUND, format!("there is no delivery {id:?}: see `lockstep deliveries list`"))
}

fn failed(error: &JournalError) -> Problem {
    tracing::error!(%error, "deliveries cannot be read or written");
    let kind = if error.is_retryable() { problem::UNAVAILABLE } else { problem::INTERNAL };
    Problem::new(kind, error.to_string())
}
