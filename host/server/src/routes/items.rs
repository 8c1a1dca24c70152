use super::board::{self, ByQuery, CreatedAt, command, created_at};
use super::runs::{By, SOMEBODY, one_token};
use super::{Answer, to_the_end};
use crate::AppState;
use crate::etag::{IfMatch, IfNoneMatch, Tagged};
use crate::extract::{
    ClientToken, FlatBody, JsonBody, OptionalJsonBody, PathBoard, PathOf, PathOn, QueryOf, board_id,
};
use crate::paging::Paging;
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply, ItemView, StartItem};
use lockstep_types::board::{Item, ItemId, ItemPatch, Row, WorkspaceId};
use lockstep_types::{ItemLevel, RunSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, JsonSchema)]
pub(super) struct Items {
    items: Vec<Item>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Items>> {
    let items = state.board().items(&workspace).await?;
    let (items, next) = paging.cut(items, |item| item.id.to_string())?;
    Ok(Json(Items { items, next }))
}

pub(super) async fn show(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    known: IfNoneMatch,
) -> Answer<Tagged<ItemView>> {
    Ok(Tagged(state.board().item(&workspace, &id).await?, known))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct NewItem {
    #[serde(default)]
    level: ItemLevel,
    /// The item it belongs to; none for a service.
    parent: Option<ItemId>,
    by: Option<String>,
}

pub(super) async fn create(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    FlatBody(NewItem { level, parent, by }, item): FlatBody<NewItem, ItemPatch>,
) -> Answer<CreatedAt<BoardReply>> {
    let create = BoardCommand::CreateItem { level, parent, item };
    let Json(reply) = command(&state, workspace.clone(), create, by).await?;
    let made = match reply.rows.first() {
        Some(Row::Item(item)) => format!("/{}", item.id),
        _ => String::new(),
    };
    Ok(created_at(format!("/v1/workspaces/{workspace}/items{made}"), reply))
}

pub(super) async fn edit(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    expected: IfMatch,
    FlatBody(By { by }, item): FlatBody<By, ItemPatch>,
) -> Answer<Json<BoardReply>> {
    let now = one(state.clone(), workspace.clone(), id.clone());
    board::edit(&state, workspace, (expected, now), BoardCommand::EditItem { id, item }, by).await
}

pub(super) async fn delete(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    expected: IfMatch,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    let now = one(state.clone(), workspace.clone(), id.clone());
    board::edit(&state, workspace, (expected, now), BoardCommand::DeleteItem { id }, by).await
}

async fn one(state: AppState, workspace: WorkspaceId, id: ItemId) -> Answer<Item> {
    Ok(state.board().item(&workspace, &id).await?.item)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Elsewhere {
    parent: Option<ItemId>,
    by: Option<String>,
}

pub(super) async fn put_elsewhere(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    JsonBody(Elsewhere { parent, by }): JsonBody<Elsewhere>,
) -> Answer<Json<BoardReply>> {
    command(&state, workspace, BoardCommand::MoveItem { id, parent }, by).await
}

pub(super) async fn start(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    ClientToken(token): ClientToken,
    OptionalJsonBody(mut request): OptionalJsonBody<StartItem>,
) -> Answer<CreatedAt<RunSummary>> {
    request.token = one_token(token, request.token)?;
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let board = Arc::clone(state.board());
    let run = to_the_end(async move { board.start_item(&workspace, &id, request).await }).await?;
    Ok(created_at(format!("/v1/runs/{}", run.id), run))
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<Item>> {
    let (board, by) = (Arc::clone(state.board()), by.unwrap_or_else(|| SOMEBODY.to_owned()));
    to_the_end(async move { board.cancel_item(&workspace, &id, &by).await }).await.map(Json)
}

pub(super) async fn merge(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ItemId>,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<Item>> {
    let (board, by) = (Arc::clone(state.board()), by.unwrap_or_else(|| SOMEBODY.to_owned()));
    to_the_end(async move { board.merge_item(&workspace, &id, &by).await }).await.map(Json)
}

type Dependency = (String, String, String);

pub(super) async fn depend(
    State(state): State<AppState>,
    PathOf(path): PathOf<Dependency>,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    set_dependency(state, &path, true, by).await
}

pub(super) async fn no_longer_depend(
    State(state): State<AppState>,
    PathOf(path): PathOf<Dependency>,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    set_dependency(state, &path, false, by).await
}

/// Makes a dependency be there or not; toggles it only if it is otherwise.
async fn set_dependency(
    state: AppState,
    (workspace, id, on): &Dependency,
    wanted: bool,
    by: Option<String>,
) -> Answer<Json<BoardReply>> {
    let workspace = board_id(workspace)?;
    let (id, on) = (board_id::<ItemId>(id)?, board_id::<ItemId>(on)?);
    let by = by.unwrap_or_else(|| SOMEBODY.to_owned());
    let set = async move {
        let board = state.board();
        let _alone = state.edits().lock().await;
        let item = board.item(&workspace, &id).await?.item;
        if item.depends_on.contains(&on) == wanted {
            return Ok(BoardReply { rows: vec![Row::Item(item)], run: None });
        }
        board.command(&workspace, BoardCommand::ToggleDependency { id, on }, &by).await
    };
    to_the_end(set).await.map(Json)
}
