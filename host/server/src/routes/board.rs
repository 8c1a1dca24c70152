//! Workspaces, and what all routes about boards share.

use super::{Answer, runs::SOMEBODY, to_the_end};
use crate::AppState;
use crate::extract::JsonBody;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{Workspace, WorkspaceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An answer to something that was made.
pub(super) type Created<T> = (StatusCode, Json<T>);

/// The same where it can be looked at under an address.
pub(super) type CreatedAt<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

pub(super) fn created_at<T>(path: String, body: T) -> CreatedAt<T> {
    (StatusCode::CREATED, [(header::LOCATION, path)], Json(body))
}

pub(super) async fn command(
    state: &AppState,
    workspace: WorkspaceId,
    command: BoardCommand,
    by: Option<String>,
) -> Answer<Json<BoardReply>> {
    let board = Arc::clone(state.board());
    let by = by.unwrap_or_else(|| SOMEBODY.to_owned());
    to_the_end(async move { board.command(&workspace, command, &by).await }).await.map(Json)
}

pub(super) async fn creation(
    state: &AppState,
    workspace: WorkspaceId,
    command: BoardCommand,
    by: Option<String>,
) -> Answer<Created<BoardReply>> {
    Ok((StatusCode::CREATED, self::command(state, workspace, command, by).await?))
}

/// Who acts, for requests that have no body.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ByQuery {
    /// Who acts.
    pub(super) by: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Workspaces {
    workspaces: Vec<Workspace>,
}

pub(super) async fn workspaces(State(state): State<AppState>) -> Answer<Json<Workspaces>> {
    Ok(Json(Workspaces { workspaces: state.board().workspaces().await? }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorkspace {
    id: WorkspaceId,
    name: Option<String>,
}

pub(super) async fn create(
    State(state): State<AppState>,
    JsonBody(NewWorkspace { id, name }): JsonBody<NewWorkspace>,
) -> Answer<Created<Workspace>> {
    let board = Arc::clone(state.board());
    let made = to_the_end(async move {
        let name = name.unwrap_or_else(|| id.to_string());
        board.create_workspace(id, &name).await
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}
