use super::{Refusal, Shown, frame, rendered};
use crate::AppState;
use crate::identity::Identity;
use crate::problem::Problem;
use axum::extract::{OriginalUri, Query, State};
use lockstep_pages::{RunsPage, Section};
use lockstep_ports::RunQuery;
use lockstep_types::{RunId, RunStatus};
use serde::Deserialize;

/// Runs on one page.
const PAGE: usize = 50;

#[derive(Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    status: String,
    before: Option<RunId>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    identity: Identity,
    uri: OriginalUri,
    Query(filter): Query<Filter>,
) -> Shown {
    let frame = frame(&state, &identity, "Runs", Section::Runs, &uri).await;
    let statuses =
        [RunStatus::Running, RunStatus::Blocked, RunStatus::Paused, RunStatus::Done, RunStatus::Failed];
    let status = statuses.into_iter().find(|status| status.word() == filter.status);
    let query = RunQuery { status, before: filter.before, limit: Some(PAGE) };
    let runs = match state.service().list(query).await {
        Ok(runs) => runs,
        Err(error) => return Err(Refusal(frame, Problem::from(error))),
    };
    let last = runs.last().filter(|_| runs.len() == PAGE);
    let next = last.map(|run| format!("/runs?status={}&before={}", filter.status, run.id));
    Ok(rendered(&RunsPage { frame, runs, status, next }))
}
