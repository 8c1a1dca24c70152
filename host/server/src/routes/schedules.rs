use super::Answer;
use super::board::{ByQuery, Created, command, creation};
use super::runs::By;
use crate::AppState;
use crate::extract::{FlatBody, OptionalJsonBody, PathBoard, PathOn, QueryOf};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{ItemId, Schedule, ScheduleId, SchedulePatch, ScheduleRun, ScheduleTemplate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, JsonSchema)]
pub(super) struct Schedules {
    schedules: Vec<Schedule>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
) -> Answer<Json<Schedules>> {
    Ok(Json(Schedules { schedules: state.board().schedules(&workspace).await? }))
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
    FlatBody(By { by }, schedule): FlatBody<By, SchedulePatch>,
) -> Answer<Json<BoardReply>> {
    command(&state, workspace, BoardCommand::EditSchedule { id, schedule }, by).await
}

pub(super) async fn delete(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    command(&state, workspace, BoardCommand::DeleteSchedule { id }, by).await
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
}

pub(super) async fn runs(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
) -> Answer<Json<Runs>> {
    Ok(Json(Runs { runs: state.board().schedule_runs(&workspace, &id).await? }))
}
