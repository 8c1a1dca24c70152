use super::Answer;
use crate::AppState;
use axum::extract::State;
use lockstep_ports::RunQuery;

pub(super) async fn greeting() -> &'static str {
    "This is Lockstep. Its HTTP interface is under /v1 and takes the bearer token of the data folder; \
     `lockstep runs list` shows what it does.\n"
}

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the service answers, which means that the store can be read.
pub(super) async fn ready(State(state): State<AppState>) -> Answer<&'static str> {
    state.service().list(RunQuery { limit: Some(1), ..RunQuery::default() }).await?;
    Ok("ready\n")
}
