//! The list of runs, and what is done to many of them at once.

use super::form::{self, FormOf};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::QueryOf;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::Response;
use lockstep_pages::{RunFilter, RunsPage, Section};
use lockstep_ports::{RunAction, RunQuery};
use lockstep_types::{RunId, RunStatus};
use serde::Deserialize;

/// Runs on one page.
const PAGE: usize = 50;

/// Runs acted on at once: what two pages can tick.
const BULK_MAX: usize = 100;

/// Refusals told one by one; the rest are counted.
const TOLD_MAX: usize = 3;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    status: String,
    waits: String,
    item: String,
    pipeline: String,
    text: String,
    before: String,
    all: String,
}

impl Filter {
    fn query(&self) -> RunQuery {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let statuses =
            [RunStatus::Running, RunStatus::Blocked, RunStatus::Paused, RunStatus::Done, RunStatus::Failed];
        RunQuery {
            status: statuses.into_iter().find(|status| status.word() == self.status),
            waits: given(&self.waits),
            item: given(&self.item),
            pipeline: given(&self.pipeline),
            text: given(&self.text),
            before: self.before.parse().ok(),
            limit: Some(PAGE),
        }
    }

    /// Address of the list with this filter from `before` on, and with `all` boxes ticked.
    fn address(&self, before: &str, all: bool) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("text", self.text.as_str()),
            ("status", &self.status),
            ("waits", &self.waits),
            ("item", &self.item),
            ("pipeline", &self.pipeline),
            ("before", before),
            ("all", if all { "1" } else { "" }),
        ];
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { "/runs".to_owned() } else { format!("/runs?{query}") }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    QueryOf(filter): QueryOf<Filter>,
) -> Shown {
    let frame = visit.frame(&state, "Runs", Section::Runs).await;
    let page = match state.service().list(filter.query()).await {
        Ok(page) => page,
        Err(error) => return Err(Refusal(frame, Problem::from(error))),
    };
    let next = page.next.map(|next| filter.address(next.as_str(), false));
    let (here, here_ticked) = (filter.address(&filter.before, false), filter.address(&filter.before, true));
    let all = !filter.all.is_empty();
    let Filter { status, waits, item, pipeline, text, .. } = filter;
    let filter = RunFilter { status, waits, item, pipeline, text };
    Ok(rendered(&RunsPage { frame, runs: page.runs, filter, all, here, here_ticked, next }))
}

#[derive(Deserialize)]
pub(super) struct Bulk {
    #[serde(default)]
    run: Vec<RunId>,
    action: Word,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    back: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Retry,
    Pause,
    Resume,
    Stop,
}

impl Word {
    fn action(self, reason: &str) -> RunAction {
        match self {
            Self::Retry => RunAction::Retry,
            Self::Pause => RunAction::Pause,
            Self::Resume => RunAction::Resume,
            Self::Stop => RunAction::Stop { reason: super::run::stop_reason(reason) },
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Stop => "stopped",
        }
    }
}

/// Does one thing to many runs, each by itself: what one refuses keeps no other from it.
pub(super) async fn bulk(
    State(state): State<AppState>,
    visit: Visit,
    FormOf(bulk, _): FormOf<Bulk>,
) -> Response {
    let back = if bulk.back.starts_with("/runs") { bulk.back.as_str() } else { "/runs" };
    if bulk.run.is_empty() {
        return form::refused(back, "No run is ticked: tick those that are meant.");
    }
    if bulk.run.len() > BULK_MAX {
        return form::refused(back, &format!("More than {BULK_MAX} runs are ticked: do it in two goes."));
    }
    let (mut done, mut refusals) = (0_usize, Vec::new());
    for run in &bulk.run {
        let acted = super::run::acted(&state, run, bulk.action.action(&bulk.reason), &visit.identity).await;
        match acted {
            Ok(_) => done += 1,
            Err(problem) => refusals.push(problem.detail().to_owned()),
        }
    }
    let word = bulk.action.done();
    let runs = |count: usize| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    if refusals.is_empty() {
        return form::done(back, &format!("{} {word}.", runs(done)));
    }
    let named: Vec<&str> = refusals.iter().take(TOLD_MAX).map(String::as_str).collect();
    let more = match refusals.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let (refused, why) = (runs(refusals.len()), named.join("; "));
    form::refused(back, &format!("{} {word}, {refused} not: {why}{more}", runs(done)))
}
