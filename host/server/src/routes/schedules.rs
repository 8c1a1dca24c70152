use super::Answer;
use super::board::{self, ByQuery, Created, command, creation, found};
use super::runs::By;
use crate::AppState;
use crate::etag::{IfMatch, IfNoneMatch, Tagged};
use crate::extract::{FlatBody, OptionalJsonBody, PathBoard, PathOn, QueryOf};
use crate::paging::Paging;
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{
    ItemId, Schedule, ScheduleId, SchedulePatch, ScheduleRun, ScheduleTemplate, WorkspaceId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, JsonSchema)]
pub(super) struct Schedules {
    schedules: Vec<Schedule>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Schedules>> {
    let schedules = state.board().schedules(&workspace).await?;
    let (schedules, next) = paging.cut(schedules, |schedule| schedule.id.to_string())?;
    Ok(Json(Schedules { schedules, next }))
}

/// The schedule of this id.
pub(crate) async fn one_schedule(
    state: AppState,
    workspace: WorkspaceId,
    id: ScheduleId,
) -> Answer<Schedule> {
    let schedules = state.board().schedules(&workspace).await?;
    found(schedules, &format!("schedule {id}"), |schedule| schedule.id == id)
}

pub(super) async fn show(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    known: IfNoneMatch,
) -> Answer<Tagged<Schedule>> {
    Ok(Tagged(one_schedule(state, workspace, id).await?, known))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct NewSchedule {
    /// The service its task belongs to.
    service: ItemId,
    #[serde(default)]
    template: ScheduleTemplate,
    by: Option<String>,
}

pub(super) async fn create(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    FlatBody(new, schedule): FlatBody<NewSchedule, SchedulePatch>,
) -> Answer<Created<BoardReply>> {
    let NewSchedule { service, template, by } = new;
    let create = BoardCommand::CreateSchedule { service, template, schedule };
    creation(&state, workspace, create, by).await
}

pub(super) async fn edit(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    expected: IfMatch,
    FlatBody(By { by }, schedule): FlatBody<By, SchedulePatch>,
) -> Answer<Json<BoardReply>> {
    let now = one_schedule(state.clone(), workspace.clone(), id.clone());
    board::edit(&state, workspace, (expected, now), BoardCommand::EditSchedule { id, schedule }, by).await
}

pub(super) async fn delete(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    expected: IfMatch,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    let now = one_schedule(state.clone(), workspace.clone(), id.clone());
    board::edit(&state, workspace, (expected, now), BoardCommand::DeleteSchedule { id }, by).await
}

pub(super) async fn run(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<BoardReply>> {
    command(&state, workspace, BoardCommand::RunSchedule { id }, by).await
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Runs {
    runs: Vec<ScheduleRun>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn runs(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Runs>> {
    let runs = state.board().schedule_runs(&workspace, &id).await?;
    let (runs, next) = paging.cut(runs, |run| run.number.to_string())?;
    Ok(Json(Runs { runs, next }))
}
