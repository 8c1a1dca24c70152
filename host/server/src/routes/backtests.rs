use super::Answer;
use crate::AppState;
use crate::extract::{ComponentBody, QueryOf, run_id};
use crate::problem::{self, Problem};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use lockstep_access::carried;
use lockstep_ports::{BacktestCandidate, BacktestLine, BacktestRequest};
use lockstep_types::{Digest, Timestamp};
use serde::Deserialize;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

/// Lines a slow reader may be behind; progress beyond that is not told.
const LINES_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    kind: String,
    /// A stored component; none: the body is the component.
    digest: Option<String>,
    last: Option<usize>,
    /// Milliseconds since 1970.
    since: Option<u64>,
    /// Ids with commas between them.
    runs: Option<String>,
    shown: Option<usize>,
    made_by: Option<Digest>,
    #[serde(default)]
    with_identical: bool,
}

/// Answers with one JSON document a line: progress now and then, the report last.
pub(super) async fn run(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<Query>,
    request: Request,
) -> Answer<Response> {
    let permit = state.backtest_permit()?;
    let candidate = match query.digest {
        Some(digest) => BacktestCandidate::Digest(digest),
        None => BacktestCandidate::Bytes(ComponentBody::from_request(request, &state).await?.0.into()),
    };
    let mut backtest = BacktestRequest::new(query.kind, candidate);
    (backtest.last, backtest.since) = (query.last, query.since.map(Timestamp));
    backtest.shown = query.shown.unwrap_or(BacktestRequest::SHOWN);
    (backtest.made_by, backtest.with_identical) = (query.made_by, query.with_identical);
    let runs = query.runs.unwrap_or_default();
    backtest.runs = runs.split(',').filter(|id| !id.is_empty()).map(run_id).collect::<Answer<_>>()?;
    let (lines, mut queue) = mpsc::channel(LINES_MAX);
    tokio::spawn(carried(async move {
        tokio::select! {
            () = carry_out(&state, backtest, &lines) => {}
            () = lines.closed() => {}
            () = state.stopped() => {}
        }
        drop(permit);
    }));
    // What goes wrong at once is a problem like that of any other route.
    match queue.recv().await {
        Some(BacktestLine::Error(error)) => Err(Problem::from(error)),
        Some(first) => {
            let lines = tokio_stream::once(first).chain(ReceiverStream::new(queue));
            let body = Body::from_stream(lines.map(|line| Ok::<_, Infallible>(encoded(&line))));
            Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
        }
        None => Err(Problem::new(problem::UNAVAILABLE, "the server is ending: try again when it is back")),
    }
}

async fn carry_out(state: &AppState, request: BacktestRequest, lines: &mpsc::Sender<BacktestLine>) {
    let progress = |progress| {
        // A reader who is behind hears of the next one.
        lines.try_send(BacktestLine::Progress(progress)).unwrap_or_default();
    };
    let last = match state.backtests().backtest(request, &progress).await {
        Ok(report) => BacktestLine::Report(Box::new(report)),
        Err(error) => BacktestLine::Error(error),
    };
    // Nobody is left to tell if this fails.
    lines.send(last).await.unwrap_or_default();
}

fn encoded(line: &BacktestLine) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
