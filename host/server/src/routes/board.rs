//! Workspaces, and what all routes about boards share.

use super::{Answer, runs::SOMEBODY, to_the_end};
use crate::AppState;
use crate::etag::{Edited, IfMatch};
use crate::extract::{JsonBody, QueryOf};
use crate::paging::Paging;
use crate::problem::{self, Problem};
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

/// Changes something that has a state, if it is in the one the client knows; `now` reads it.
pub(super) async fn edit<T: Edited>(
    state: &AppState,
    workspace: WorkspaceId,
    (expected, now): (IfMatch, impl Future<Output = Answer<T>> + Send + 'static),
    command: BoardCommand,
    by: Option<String>,
) -> Answer<Json<BoardReply>> {
    let state = state.clone();
    let by = by.unwrap_or_else(|| SOMEBODY.to_owned());
    let edited = async move {
        let _alone = state.edits().lock().await;
        if expected.is_any() {
            expected.check(&now.await?)?;
        }
        state.board().command(&workspace, command, &by).await.map_err(Problem::from)
    };
    to_the_end(edited).await.map(Json)
}

/// The one of `rows` that `is_it`.
pub(super) fn found<T>(rows: Vec<T>, what: &str, is_it: impl Fn(&T) -> bool) -> Answer<T> {
    let missing = || Problem::new(problem::NOT_FOUND, format!("there is no {what} in this workspace"));
    rows.into_iter().find(is_it).ok_or_else(missing)
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
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn workspaces(
    State(state): State<AppState>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Workspaces>> {
    let workspaces = state.board().workspaces().await?;
    let (workspaces, next) = paging.cut(workspaces, |workspace| workspace.id.to_string())?;
    Ok(Json(Workspaces { workspaces, next }))
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
