//! What items choose from: presets and pipelines.

use super::Answer;
use super::board::{ByQuery, Created, creation, edit, found};
use super::runs::By;
use crate::AppState;
use crate::etag::{IfMatch, IfNoneMatch, Tagged};
use crate::extract::{FlatBody, OptionalJsonBody, PathBoard, PathOn, QueryOf};
use crate::paging::Paging;
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{
    PipelineDef, PipelineId, PipelinePatch, PipelineStep, Preset, PresetId, PresetPatch, WorkspaceId,
};
use lockstep_types::{Gating, JsonText, Pinning};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Serialize, JsonSchema)]
pub(super) struct Presets {
    presets: Vec<Preset>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn presets(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Presets>> {
    let presets = state.board().presets(&workspace).await?;
    let (presets, next) = paging.cut(presets, |preset| preset.id.to_string())?;
    Ok(Json(Presets { presets, next }))
}

async fn one_preset(state: AppState, workspace: WorkspaceId, id: PresetId) -> Answer<Preset> {
    let presets = state.board().presets(&workspace).await?;
    found(presets, &format!("preset {id}"), |preset| preset.id == id)
}

pub(super) async fn preset(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PresetId>,
    known: IfNoneMatch,
) -> Answer<Tagged<Preset>> {
    Ok(Tagged(one_preset(state, workspace, id).await?, known))
}

pub(super) async fn create_preset(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    FlatBody(By { by }, preset): FlatBody<By, PresetPatch>,
) -> Answer<Created<BoardReply>> {
    creation(&state, workspace, BoardCommand::CreatePreset(preset), by).await
}

pub(super) async fn edit_preset(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PresetId>,
    expected: IfMatch,
    FlatBody(By { by }, preset): FlatBody<By, PresetPatch>,
) -> Answer<Json<BoardReply>> {
    let now = one_preset(state.clone(), workspace.clone(), id.clone());
    edit(&state, workspace, (expected, now), BoardCommand::EditPreset { id, preset }, by).await
}

pub(super) async fn delete_preset(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PresetId>,
    expected: IfMatch,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    let now = one_preset(state.clone(), workspace.clone(), id.clone());
    edit(&state, workspace, (expected, now), BoardCommand::DeletePreset { id }, by).await
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Pipelines {
    pipelines: Vec<PipelineDef>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn pipelines(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Pipelines>> {
    let pipelines = state.board().pipelines(&workspace).await?;
    let (pipelines, next) = paging.cut(pipelines, |pipeline| pipeline.id.to_string())?;
    Ok(Json(Pipelines { pipelines, next }))
}

/// The pipeline of this id.
pub(crate) async fn one_pipeline(
    state: AppState,
    workspace: WorkspaceId,
    id: PipelineId,
) -> Answer<PipelineDef> {
    let pipelines = state.board().pipelines(&workspace).await?;
    found(pipelines, &format!("pipeline {id}"), |pipeline| pipeline.id == id)
}

pub(super) async fn pipeline(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PipelineId>,
    known: IfNoneMatch,
) -> Answer<Tagged<PipelineDef>> {
    Ok(Tagged(one_pipeline(state, workspace, id).await?, known))
}

/// A step as people write it: its configuration is an object, or the text of one, as it is answered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    name: String,
    kind: String,
    role: Option<String>,
    needs: Option<Vec<String>>,
    #[serde(default)]
    approval: bool,
    enabled: Option<bool>,
    gating: Option<Gating>,
    #[serde(default)]
    config: Value,
}

impl StepBody {
    pub(crate) fn into_step(self) -> Answer<PipelineStep> {
        let Self { name, kind, role, needs, approval, enabled, gating, config } = self;
        let config = match config {
            Value::String(text) => JsonText::new(&text).map_err(|_| {
                let detail = format!("the `config` of step {name:?} is a text that is not JSON");
                Problem::new(problem::INVALID, detail)
            })?,
            // As in a pipeline file: without a configuration it is empty.
            Value::Null => JsonText::of(&Map::new()),
            config => JsonText::of(&config),
        };
        Ok(PipelineStep {
            name,
            kind,
            role,
            needs,
            approval,
            enabled: enabled.unwrap_or(true),
            gating,
            config,
        })
    }
}

/// Fields of a pipeline as people write them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineBody {
    name: Option<String>,
    description: Option<String>,
    labels: Option<Vec<String>>,
    archived: Option<bool>,
    pin: Option<Pinning>,
    steps: Option<Vec<StepBody>>,
}

impl PipelineBody {
    fn into_patch(self) -> Answer<PipelinePatch> {
        let Self { name, description, labels, archived, pin, steps } = self;
        let steps = steps.map(|steps| steps.into_iter().map(StepBody::into_step).collect()).transpose()?;
        Ok(PipelinePatch { name, description, labels, archived, pin, steps })
    }
}

pub(super) async fn create_pipeline(
    State(state): State<AppState>,
    PathBoard(workspace): PathBoard,
    FlatBody(By { by }, body): FlatBody<By, PipelineBody>,
) -> Answer<Created<BoardReply>> {
    creation(&state, workspace, BoardCommand::CreatePipeline(body.into_patch()?), by).await
}

pub(super) async fn edit_pipeline(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PipelineId>,
    expected: IfMatch,
    FlatBody(By { by }, body): FlatBody<By, PipelineBody>,
) -> Answer<Json<BoardReply>> {
    let now = one_pipeline(state.clone(), workspace.clone(), id.clone());
    edit(
        &state,
        workspace,
        (expected, now),
        BoardCommand::EditPipeline { id, pipeline: body.into_patch()? },
        by,
    )
    .await
}

pub(super) async fn delete_pipeline(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PipelineId>,
    expected: IfMatch,
    QueryOf(ByQuery { by }): QueryOf<ByQuery>,
) -> Answer<Json<BoardReply>> {
    let now = one_pipeline(state.clone(), workspace.clone(), id.clone());
    edit(&state, workspace, (expected, now), BoardCommand::DeletePipeline { id }, by).await
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Clone {
    name: Option<String>,
    by: Option<String>,
}

pub(super) async fn clone_pipeline(
    State(state): State<AppState>,
    PathOn(workspace, id): PathOn<PipelineId>,
    OptionalJsonBody(Clone { name, by }): OptionalJsonBody<Clone>,
) -> Answer<Created<BoardReply>> {
    creation(&state, workspace, BoardCommand::ClonePipeline { id, name }, by).await
}
