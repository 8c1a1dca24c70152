use super::Answer;
use crate::AppState;
use crate::api::{Operation, Output, Schemas};
use crate::extract::{BundleBody, JsonBody, Late, QueryOf};
use crate::identity::Identity;
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::{FromRequest, State};
use axum::response::{IntoResponse, Response};
use lockstep_ports::{LeaseAsk, Leased, Word, WorkerError, WorkerFailure, WorkersView};
use lockstep_types::JobProgress;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Seconds a worker waits for a job unless it says otherwise.
const WAIT_S: u64 = 20;

/// Jobs of all workspaces wait in the same pools, so they are for those alone who may see them all.
fn unlimited(identity: &Identity) -> Answer<()> {
    if identity.is_unlimited() {
        return Ok(());
    }
    let detail = format!("{} is limited to workspaces, and workers serve them all", identity.name);
    Err(Problem::new(problem::FORBIDDEN, detail))
}

pub(super) async fn list(identity: Identity, State(state): State<AppState>) -> Answer<Json<WorkersView>> {
    unlimited(&identity)?;
    Ok(Json(state.workers()?.workers().await))
}

/// A worker that asks for a job.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Name of the worker, by which people know it.
    worker: String,
    /// The pools it works for.
    pools: Vec<String>,
    /// What it is able to do: a job is given only to who has all of its labels.
    #[serde(default)]
    labels: Vec<String>,
    /// Seconds to wait for a job, at most 55; without it 20.
    wait_s: Option<u64>,
}

/// An answer to a worker, which may hear instead that its lease is lost, or that too much is under way.
pub(super) struct Held<T>(T);

impl<T: Serialize> IntoResponse for Held<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: JsonSchema> Output for Held<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        Json::<T>::describe(to, schemas);
        to.may_be(problem::LEASE_LOST);
        to.may_be(problem::BUSY);
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Given {
    /// The job; none if there was none in time: ask again.
    job: Option<Leased>,
}

pub(super) async fn lease(
    identity: Identity,
    State(state): State<AppState>,
    JsonBody(Ask { worker, pools, labels, wait_s }): JsonBody<Ask>,
) -> Answer<Held<Given>> {
    unlimited(&identity)?;
    let ask = LeaseAsk { worker, pools, labels, wait: Duration::from_secs(wait_s.unwrap_or(WAIT_S)) };
    let workers = Arc::clone(state.workers()?);
    tokio::select! {
        leased = workers.lease(ask) => Ok(Held(Given { job: leased? })),
        () = state.stopped() => Ok(Held(Given { job: None })),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// The lease, as it was given.
    lease: String,
}

pub(super) async fn heartbeat(
    State(state): State<AppState>,
    JsonBody(Named { lease }): JsonBody<Named>,
) -> Answer<Held<Word>> {
    Ok(Held(state.workers()?.heartbeat(&lease).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Come {
    /// The lease, as it was given.
    lease: String,
    /// How far the job has come.
    progress: JobProgress,
}

pub(super) async fn progress(
    State(state): State<AppState>,
    JsonBody(Come { lease, progress }): JsonBody<Come>,
) -> Answer<Held<Word>> {
    Ok(Held(state.workers()?.progress(&lease, progress).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// The lease, as it was given.
    lease: String,
    /// What the job wrote since the last time, at most 256 KiB.
    text: String,
}

pub(super) async fn logs(
    State(state): State<AppState>,
    JsonBody(Log { lease, text }): JsonBody<Log>,
) -> Answer<Held<Word>> {
    Ok(Held(state.workers()?.log(&lease, &text).await?))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Brought {
    /// The commits that the bundle names.
    commits: Vec<String>,
}

/// Takes a permit before it reads the body, because the bodies are what has to be few.
pub(super) async fn bundle(
    State(state): State<AppState>,
    QueryOf(Named { lease }): QueryOf<Named>,
    Late { request, .. }: Late<BundleBody>,
) -> Answer<Held<Brought>> {
    let workers = Arc::clone(state.workers()?);
    let permit = state.upload_permit()?;
    let BundleBody(bytes) = BundleBody::from_request(request, &state).await?;
    let commits = to_the_end(async move {
        let commits = workers.bundle(&lease, bytes.into()).await;
        drop(permit);
        commits
    });
    Ok(Held(Brought { commits: commits.await? }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Completed {
    /// The lease, as it was given.
    lease: String,
    /// What a command would write to `$LOCKSTEP_RESULT`: an object with any of `output`, `report`, `question`,
    /// `pull_request`, `model`, `usage` and `confidence`.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    result: Box<RawValue>,
    /// Where the head branch is to be: a commit that was pushed to the job's branch or brought in a bundle.
    commit: Option<String>,
}

/// What is answered to who has nothing more to hear.
#[derive(Serialize, JsonSchema)]
pub(super) struct Taken {
    /// That it is stored.
    is_taken: bool,
}

pub(super) async fn complete(
    State(state): State<AppState>,
    JsonBody(Completed { lease, result, commit }): JsonBody<Completed>,
) -> Answer<Held<Taken>> {
    let workers = Arc::clone(state.workers()?);
    to_the_end(async move { workers.complete(&lease, result.get(), commit).await }).await?;
    Ok(Held(Taken { is_taken: true }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    /// The lease, as it was given.
    lease: String,
    /// What became of it: `failed` is final, `evicted` and `crashed` have it begun anew as often as the run allows.
    class: WorkerFailure,
    /// Why, in a line or a few.
    message: String,
}

pub(super) async fn fail(
    State(state): State<AppState>,
    JsonBody(Failed { lease, class, message }): JsonBody<Failed>,
) -> Answer<Held<Taken>> {
    let workers = Arc::clone(state.workers()?);
    to_the_end(async move { workers.fail(&lease, class, &message).await }).await?;
    Ok(Held(Taken { is_taken: true }))
}

/// As of other routes: what a worker began to say is not left half-way by a lost connection.
async fn to_the_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, WorkerError>> + Send + 'static,
) -> Answer<T> {
    let lost = || Problem::new(problem::INTERNAL, "the request ended in a fault of the host: see its log");
    tokio::spawn(call).await.map_err(|_| lost())?.map_err(Problem::from)
}

impl From<WorkerError> for Problem {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::LeaseLost(detail) => Self::new(problem::LEASE_LOST, detail),
            WorkerError::Invalid(detail) => Self::new(problem::INVALID, detail),
            WorkerError::Busy(detail) => Self::new(problem::BUSY, detail),
            WorkerError::Unavailable(detail) => Self::new(problem::UNAVAILABLE, detail),
        }
    }
}
