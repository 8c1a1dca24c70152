//! What a workspace may spend, and the settings it is held against.

use super::board::edit;
use super::runs::{By, SOMEBODY};
use super::{Answer, to_the_end};
use crate::AppState;
use crate::etag::{IfMatch, IfNoneMatch, Tagged};
use crate::extract::{FlatBody, OptionalJsonBody, PathBoard, QueryOf};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply, SpendView};
use lockstep_types::RunSummary;
use lockstep_types::board::{Month, Settings, SettingsPatch, WorkspaceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) async fn settings(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    known: IfNoneMatch,
) -> Answer<Tagged<Settings>> {
    Ok(Tagged(settings_of(state, workspace).await?, known))
}

async fn settings_of(state: AppState, workspace: WorkspaceId) -> Answer<Settings> {
    Ok(state.board().spend(&workspace, None).await?.settings)
}

pub(super) async fn edit_settings(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    expected: IfMatch,
    FlatBody(By { by }, patch): FlatBody<By, SettingsPatch>,
) -> Answer<Json<BoardReply>> {
    let now = settings_of(state.clone(), workspace.clone());
    edit(&state, workspace, (expected, now), BoardCommand::EditSettings(patch), by).await
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct OfMonth {
    /// Which month, like `2026-01`; none: the current one.
    month: Option<String>,
}

pub(super) async fn spend(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    QueryOf(OfMonth { month }): QueryOf<OfMonth>,
) -> Answer<Json<SpendView>> {
    let month = month.as_deref().map(str::parse::<Month>).transpose();
    let month = month.map_err(|error| Problem::new(problem::INVALID, error.to_string()))?;
    Ok(Json(state.board().spend(&workspace, month).await?))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Resumed {
    runs: Vec<RunSummary>,
}

pub(super) async fn resume(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<Resumed>> {
    let (board, by) = (Arc::clone(state.board()), by.unwrap_or_else(|| SOMEBODY.to_owned()));
    let runs = to_the_end(async move { board.resume_paused(&workspace, &by).await }).await?;
    Ok(Json(Resumed { runs }))
}
