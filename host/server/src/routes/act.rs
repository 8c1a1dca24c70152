//! Actions that a step's component allows, on a run or on a review of an item.

use super::runs::{By, SOMEBODY, act};
use super::{Answer, to_the_end};
use crate::AppState;
use crate::extract::{JsonBody, OptionalJsonBody, PathOf, PathRun, board_id};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::{ItemView, RunAction};
use lockstep_types::{JsonText, RunSummary, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunBody {
    step: Option<String>,
    action: String,
    input: Option<Map<String, Value>>,
    by: Option<String>,
}

pub(super) async fn on_run(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    JsonBody(body): JsonBody<RunBody>,
) -> Answer<Json<RunSummary>> {
    let RunBody { step, action, input, by } = body;
    named(&action)?;
    let input = JsonText::of(&input.unwrap_or_default());
    act(&state, run, RunAction::Act { step, action, input }, by).await
}

pub(super) async fn tear_down(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<RunSummary>> {
    act(&state, run, RunAction::TearDown, by).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewBody {
    action: String,
    input: Option<Map<String, Value>>,
    by: Option<String>,
}

pub(super) async fn on_review(
    State(state): State<AppState>,
    PathOf((workspace, item, kind)): PathOf<(String, String, String)>,
    JsonBody(body): JsonBody<ReviewBody>,
) -> Answer<Json<ItemView>> {
    let (workspace, item) = (board_id(&workspace)?, board_id(&item)?);
    let ReviewBody { action: name, input, by } = body;
    named(&name)?;
    let by = by.unwrap_or_else(|| SOMEBODY.to_owned());
    let action = StepAction { name, input: JsonText::of(&input.unwrap_or_default()), by };
    let board = Arc::clone(state.board());
    to_the_end(async move { board.review_item(&workspace, &item, &kind, action).await }).await.map(Json)
}

fn named(action: &str) -> Answer<()> {
    if action.trim().is_empty() {
        return Err(Problem::new(problem::INVALID, "`action` is empty: name an action"));
    }
    Ok(())
}
