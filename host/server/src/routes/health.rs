use super::Answer;
use crate::AppState;
use crate::problem::{self, Problem};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_ports::RunQuery;
use std::time::Duration;

/// What Prometheus reads, among other things.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the host may take to say whether it is ready.
const READY_TIME: Duration = Duration::from_secs(5);

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether work can be done, else what is in the way, a line each.
pub(super) async fn ready(State(state): State<AppState>) -> Response {
    let look = async {
        let mut missing = Vec::new();
        let query = RunQuery { limit: Some(1), ..RunQuery::default() };
        if let Err(error) = state.service().list(query).await {
            missing.push(format!("store: {error}"));
        }
        if let Some(readiness) = &state.watch().readiness {
            missing.extend(readiness.missing().await);
        }
        missing
    };
    let late = |_| vec![format!("host: it does not say within {} s", READY_TIME.as_secs())];
    let missing = tokio::time::timeout(READY_TIME, look).await.unwrap_or_else(late);
    match missing.is_empty() {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", missing.join("\n"))).into_response(),
    }
}

/// What was counted.
pub(super) async fn metrics(State(state): State<AppState>) -> Answer {
    match &state.watch().metrics {
        Some(metrics) => {
            let streams = state.budget().open_streams();
            let mut page = metrics.page().await;
            // The end of the page is a line of its own.
            let end = "# EOF\n";
            page.truncate(page.len() - if page.ends_with(end) { end.len() } else { 0 });
            page.push_str("# HELP lockstep_event_streams Event streams and long polls that are open.\n");
            page.push_str("# TYPE lockstep_event_streams gauge\n");
            page.push_str(&format!("lockstep_event_streams {streams}\n{end}"));
            Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response())
        }
        None => Err(Problem::new(problem::NOT_FOUND, "this host counts nothing")),
    }
}
