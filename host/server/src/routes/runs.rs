use super::{Answer, to_the_end};
use crate::AppState;
use crate::extract::{ClientToken, JsonBody, OptionalJsonBody, PathOf, PathRun, QueryOf, run_id};
use crate::paging::{LIMIT_MAX, Paging};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use lockstep_ports::{
    InvocationView, ReplayReport, RunAction, RunPage, RunQuery, RunService, StartRequest, VerifyReport,
};
use lockstep_types::{Failure, RunId, RunStatus, RunSummary, RunView, TimelineEntry, Waiting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most runs one list answers: some hundred kilobytes of JSON.
const LIST_MAX: usize = 500;

pub(super) use crate::guard::SOMEBODY;

pub(super) async fn start(
    State(state): State<AppState>,
    ClientToken(token): ClientToken,
    JsonBody(mut request): JsonBody<StartRequest>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<RunSummary>)> {
    request.token = one_token(token, request.token)?;
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let service = Arc::clone(state.service());
    let run = to_the_end(async move { service.start(request).await }).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/v1/runs/{}", run.id))], Json(run)))
}

/// The client token of a request that may carry it in its head and in its body.
pub(super) fn one_token(head: Option<String>, body: Option<String>) -> Answer<Option<String>> {
    match (head, body) {
        (Some(head), Some(body)) if head != body => {
            Err(Problem::new(problem::INVALID, "`Idempotency-Key` and `token` differ: send one of them"))
        }
        (head, body) => Ok(head.or(body)),
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<RunQuery>,
) -> Answer<Json<RunPage>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(Problem::new(problem::INVALID, format!("`limit` must be 1 to {LIST_MAX}")));
    }
    Ok(Json(state.service().list(RunQuery { limit: Some(limit), ..query }).await?))
}

pub(super) async fn show(State(state): State<AppState>, PathRun(run): PathRun) -> Answer<Json<RunView>> {
    Ok(Json(state.service().get(&run).await?))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct After {
    /// Only what comes after this record of the journal.
    #[serde(default)]
    after: u64,
    /// At most so many entries, and then the others of the same record.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Timeline {
    entries: Vec<TimelineEntry>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<u64>,
}

pub(super) async fn timeline(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    QueryOf(After { after, limit }): QueryOf<After>,
) -> Answer<Json<Timeline>> {
    let limit = limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(problem::INVALID, format!("`limit` must be 1 to {LIMIT_MAX}")));
    }
    let mut entries = state.service().timeline(&run, after).await?;
    // What one record tells of is not torn apart, as a cursor names records.
    let last = entries.get(limit - 1).map_or(u64::MAX, |entry| entry.seq);
    let all = entries.len();
    entries.retain(|entry| entry.seq <= last);
    let next = (entries.len() < all).then_some(last);
    Ok(Json(Timeline { entries, next }))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Why {
    run: RunId,
    status: RunStatus,
    waiting: Vec<Waiting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

pub(super) async fn why(State(state): State<AppState>, PathRun(run): PathRun) -> Answer<Json<Why>> {
    let RunSummary { id, status, waiting, failure, .. } = state.service().get(&run).await?.summary;
    Ok(Json(Why { run: id, status, waiting, failure }))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct By {
    pub(super) by: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    reason: Option<String>,
    by: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    step: String,
    digest: Option<String>,
    by: Option<String>,
}

pub(super) async fn act(
    state: &AppState,
    run: RunId,
    action: RunAction,
    by: Option<String>,
) -> Answer<Json<RunSummary>> {
    let service: Arc<dyn RunService> = Arc::clone(state.service());
    let by = by.unwrap_or_else(|| SOMEBODY.to_owned());
    to_the_end(async move { service.act(&run, action, &by).await }).await.map(Json)
}

pub(super) async fn stop(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    OptionalJsonBody(Stop { reason, by }): OptionalJsonBody<Stop>,
) -> Answer<Json<RunSummary>> {
    let reason = reason.unwrap_or_else(|| "stopped on request".to_owned());
    act(&state, run, RunAction::Stop { reason }, by).await
}

pub(super) async fn retry(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<RunSummary>> {
    act(&state, run, RunAction::Retry, by).await
}

pub(super) async fn restart(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    JsonBody(Restart { step, digest, by }): JsonBody<Restart>,
) -> Answer<Json<RunSummary>> {
    act(&state, run, RunAction::Restart { step, digest }, by).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Repin {
    /// Digest of the component for each kind, or a beginning of it.
    pins: BTreeMap<String, String>,
    reason: Option<String>,
    by: Option<String>,
}

pub(super) async fn repin(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    JsonBody(Repin { pins, reason, by }): JsonBody<Repin>,
) -> Answer<Json<RunSummary>> {
    let reason = reason.unwrap_or_default();
    act(&state, run, RunAction::Repin { pins, reason }, by).await
}

pub(super) async fn pause(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<RunSummary>> {
    act(&state, run, RunAction::Pause, by).await
}

pub(super) async fn resume(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<Json<RunSummary>> {
    act(&state, run, RunAction::Resume, by).await
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct OfStep {
    /// Only those of this step.
    step: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Invocations {
    invocations: Vec<InvocationView>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn invocations(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    QueryOf(OfStep { step }): QueryOf<OfStep>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Invocations>> {
    let invocations = state.service().invocations(&run, step.as_deref()).await?;
    let (invocations, next) = paging.cut(invocations, |invocation| invocation.number.to_string())?;
    Ok(Json(Invocations { invocations, next }))
}

/// The log as it is, as plain text.
pub(super) async fn log(
    State(state): State<AppState>,
    PathOf((run, step)): PathOf<(String, String)>,
) -> Answer<String> {
    Ok(state.service().job_log(&run_id(&run)?, &step).await?)
}

pub(super) async fn replay(
    State(state): State<AppState>,
    PathRun(run): PathRun,
) -> Answer<Json<ReplayReport>> {
    let _permit = state.replay_permit()?;
    Ok(Json(state.service().replay(&run).await?))
}

pub(super) async fn verify(
    State(state): State<AppState>,
    PathRun(run): PathRun,
) -> Answer<Json<VerifyReport>> {
    let _permit = state.replay_permit()?;
    Ok(Json(state.service().verify(&run).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineText {
    pipeline: String,
    #[serde(default)]
    pipeline_file: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Checked {
    valid: bool,
}

pub(super) async fn check(
    State(state): State<AppState>,
    JsonBody(body): JsonBody<PipelineText>,
) -> Answer<Json<Checked>> {
    let file = body.pipeline_file.as_deref().unwrap_or("pipeline");
    state.service().check_pipeline(&body.pipeline, file).await?;
    Ok(Json(Checked { valid: true }))
}
