use super::runs::{By, SOMEBODY};
use super::{Answer, to_the_end};
use crate::AppState;
use crate::extract::{OptionalJsonBody, PathOf, QueryOf};
use crate::paging::Paging;
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{Card, CardAction};
use lockstep_types::board::WorkspaceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
pub(super) struct OfWorkspace {
    /// Only those of this workspace.
    workspace: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Notices {
    notices: Vec<Card>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    QueryOf(OfWorkspace { workspace }): QueryOf<OfWorkspace>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Notices>> {
    let workspace = workspace.map(WorkspaceId::try_from).transpose();
    let workspace = workspace.map_err(|error| Problem::new(problem::INVALID, error.to_string()))?;
    let notices = state.board().cards(workspace.as_ref()).await?;
    let (notices, next) = paging.cut(notices, |card| card.id.clone())?;
    Ok(Json(Notices { notices, next }))
}

pub(super) async fn act(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<Card>> {
    settle(&state, id, CardAction::Act, by).await
}

pub(super) async fn dismiss(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<Card>> {
    settle(&state, id, CardAction::Dismiss, by).await
}

async fn settle(state: &AppState, id: String, action: CardAction, by: Option<String>) -> Answer<Json<Card>> {
    let (board, by) = (Arc::clone(state.board()), by.unwrap_or_else(|| SOMEBODY.to_owned()));
    to_the_end(async move { board.settle_card(&id, action, &by).await }).await.map(Json)
}
