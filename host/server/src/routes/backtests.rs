use super::Answer;
use crate::AppState;
use crate::api::{Operation, Output, Schemas};
use crate::extract::{ComponentBody, Late, QueryOf, run_id};
use crate::problem::{self, Problem};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_access::carried;
use lockstep_ports::{BacktestCandidate, BacktestLine, BacktestRequest};
use lockstep_types::{Digest, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

/// Lines a slow reader may be behind; progress beyond that is not told.
const LINES_MAX: usize = 16;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The step kind whose recorded calls are made again.
    kind: String,
    /// A stored component; none: the body is the component.
    digest: Option<String>,
    /// Only so many of the newest calls.
    last: Option<usize>,
    /// Only calls since then, in milliseconds since 1970.
    since: Option<u64>,
    /// Only calls of these runs: ids with commas between them.
    runs: Option<String>,
    /// How many differences to show.
    shown: Option<usize>,
    /// Only calls that this component made.
    made_by: Option<Digest>,
    /// Whether to show calls that came out the same, too.
    #[serde(default)]
    with_identical: bool,
}

/// Answers with one JSON document a line: progress now and then, the report last.
pub(super) async fn run(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<Query>,
    Late { request, .. }: Late<Option<ComponentBody>>,
) -> Answer<Lines> {
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
            Ok(Lines(body))
        }
        None => Err(Problem::new(problem::UNAVAILABLE, "the server is ending: try again when it is back")),
    }
}

/// JSON documents with a line break after each.
pub(super) struct Lines(Body);

impl IntoResponse for Lines {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/x-ndjson")], self.0).into_response()
    }
}

impl Output for Lines {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        let line = schemas.given::<BacktestLine>();
        to.answers(StatusCode::OK, "application/x-ndjson", json!({ "type": "string" }));
        to.may_be(problem::BUSY);
        to.note(format!("Each line is one {}.", line["$ref"].as_str().unwrap_or_default()));
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
