use super::Answer;
use crate::AppState;
use axum::extract::State;
use lockstep_ports::RunQuery;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the service answers, which means that the store can be read.
pub(super) async fn ready(State(state): State<AppState>) -> Answer<&'static str> {
    state.service().list(RunQuery { limit: Some(1), ..RunQuery::default() }).await?;
    Ok("ready\n")
}
