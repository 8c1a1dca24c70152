use super::Answer;
use super::board::{ByQuery, Created, command, creation};
use super::runs::By;
use crate::AppState;
use crate::extract::{Fields, OptionalJsonBody, PathBoard, PathOn, QueryOf};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{Schedule, ScheduleId, ScheduleRun};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Schedules {
    schedules: Vec<Schedule>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
) -> Answer<Json<Schedules>> {
    Ok(Json(Schedules { schedules: state.board().schedules(&workspace).await? }))
}

pub(super) async fn create(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    mut fields: Fields,
) -> Answer<Created<BoardReply>> {
    let (service, template) = (fields.need("service")?, fields.take("template")?.unwrap_or_default());
    let by = fields.by.take();
    let create = BoardCommand::CreateSchedule { service, template, schedule: fields.rest()? };
    creation(&state, workspace, create, by).await
}

pub(super) async fn edit(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
    mut fields: Fields,
) -> Answer<Json<BoardReply>> {
    let by = fields.by.take();
    command(&state, workspace, BoardCommand::EditSchedule { id, schedule: fields.rest()? }, by).await
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

#[derive(Serialize)]
pub(super) struct Runs {
    runs: Vec<ScheduleRun>,
}

pub(super) async fn runs(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<ScheduleId>,
) -> Answer<Json<Runs>> {
    Ok(Json(Runs { runs: state.board().schedule_runs(&workspace, &id).await? }))
}
