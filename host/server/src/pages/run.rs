//! A run, its steps, and the files that can be taken away from it.

use super::form::FormOf;
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::{PathOf, PathRun, QueryOf, run_id};
use crate::identity::Identity;
use crate::problem::{self, Problem};
use crate::routes::to_the_end;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_pages::{
    Asked, Frame, LogPart, ReportPage, RunPage, RunParts, Section, StepPage, StepParts, Template, Typed,
    Verified,
};
use lockstep_ports::{RunAction, ServiceError};
use lockstep_types::{
    Capsule, Digest, Outcome, QuestionKind, RunId, RunSummary, RunView, StepView, capsule_text,
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Calls a page of a step shows when all are asked for: each may hold a hundred kilobytes.
const CALLS_MAX: usize = 200;

/// The reason of a stop for which none was given.
pub(super) fn stop_reason(given: &str) -> String {
    let reason = given.trim();
    if reason.is_empty() { "stopped on request".to_owned() } else { reason.to_owned() }
}

/// Acts on a run, to the end even if the browser goes away.
pub(super) async fn acted(
    state: &AppState,
    run: &RunId,
    action: RunAction,
    identity: &Identity,
) -> Result<RunSummary, Problem> {
    let (service, run, by) = (Arc::clone(state.service()), run.clone(), identity.name.clone());
    to_the_end(async move { service.act(&run, action, &by).await }).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    all: String,
}

/// What a page shows beside what is stored: the form that was refused, or what was asked for.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) typed: Typed,
    pub(super) refused: String,
    verified: Option<Verified>,
    all: bool,
}

impl Beside {
    pub(super) fn refused(typed: Typed, refused: String) -> Self {
        Self { typed, refused, ..Self::default() }
    }

    pub(super) fn fill(&self, frame: &mut Frame) {
        if !self.refused.is_empty() {
            frame.refused.clone_from(&self.refused);
            frame.typed = self.typed.clone();
            frame.live.clear();
        }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
    QueryOf(wanted): QueryOf<Wanted>,
) -> Shown {
    let beside = Beside { all: !wanted.all.is_empty(), ..Beside::default() };
    page(&state, &visit, &run, beside).await
}

pub(super) async fn page(state: &AppState, visit: &Visit, run: &RunId, beside: Beside) -> Shown {
    let mut frame = visit.frame(state, "Run", Section::Runs).await;
    let run = match state.service().get(run).await {
        Ok(run) => run,
        Err(error) => return Err(Refusal(frame, error.into())),
    };
    let entries = match state.service().timeline(&run.summary.id, 0).await {
        Ok(entries) => entries,
        Err(error) => return Err(Refusal(frame, error.into())),
    };
    frame.title.clone_from(&run.summary.title);
    beside.fill(&mut frame);
    if beside.verified.is_some() {
        frame.live.clear();
    }
    let questions = questions(state, &run).await;
    let parts = RunParts { run, entries, questions, all: beside.all, verified: beside.verified };
    Ok(rendered(&RunPage::new(frame, parts)))
}

/// What a run asks people, with the reviews it is about.
pub(super) async fn questions(state: &AppState, run: &RunView) -> Vec<Asked> {
    let mut asked = Vec::new();
    for step in &run.steps {
        let Some(question) = &step.question else { continue };
        let review = match question.kind {
            QuestionKind::Review => review(state, run, step).await,
            _ => None,
        };
        asked.extend(Asked::of(run, step, review.as_ref()));
    }
    asked
}

/// The document of a step's review: as it is kept on the item, or of a run of no board as the step kept it last. One that
/// cannot be read leaves a question that shows no findings, and can be answered all the same.
async fn review(state: &AppState, run: &RunView, step: &StepView) -> Option<Value> {
    let name = step.kind.trim_end_matches("-review");
    let summary = &run.summary;
    if let (Some(workspace), Ok(item)) = (&summary.workspace, summary.item.parse())
        && let Ok(view) = state.board().item(workspace, &item).await
    {
        return view.item.document(name).map(|document| document.value.value());
    }
    let calls = state.service().invocations(&summary.id, Some(&step.name)).await.ok()?;
    let kept = calls.iter().rev().find_map(|call| match &call.invocation.outcome {
        Outcome::Transition(transition) => transition.documents.iter().rev().find(|kept| kept.name == name),
        Outcome::Fault(_) => None,
    });
    kept.map(|document| document.value.value())
}

#[derive(Deserialize)]
pub(super) struct NoFields {}

/// Makes every call of a run again. It changes nothing, so the answer is the page itself.
pub(super) async fn verify(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
    FormOf(NoFields {}, _): FormOf<NoFields>,
) -> Shown {
    let report = match state.replay_permit() {
        Ok(permit) => {
            let report = state.service().verify(&run).await;
            drop(permit);
            report.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let beside = match report {
        Ok(report) => Beside { verified: Some(Verified { report }), ..Beside::default() },
        Err(problem) => Beside::refused(Typed::default(), problem.detail().to_owned()),
    };
    page(&state, &visit, &run, beside).await
}

pub(super) async fn step(
    State(state): State<AppState>,
    visit: Visit,
    PathOf((run, step)): PathOf<(String, String)>,
    QueryOf(wanted): QueryOf<Wanted>,
) -> Shown {
    let beside = Beside { all: !wanted.all.is_empty(), ..Beside::default() };
    step_page(&state, &visit, &run, &step, beside).await
}

pub(super) async fn step_page(
    state: &AppState,
    visit: &Visit,
    run: &str,
    name: &str,
    beside: Beside,
) -> Shown {
    let mut frame = visit.frame(state, name, Section::Runs).await;
    beside.fill(&mut frame);
    match step_parts(state, run, name, beside.all).await {
        Ok(parts) => Ok(rendered(&StepPage::new(frame, parts))),
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

async fn step_parts(state: &AppState, run: &str, name: &str, all: bool) -> Result<StepParts, Problem> {
    let service = state.service();
    let run = service.get(&run_id(run)?).await?;
    let id = run.summary.id.clone();
    let mut calls = service.invocations(&id, Some(name)).await?;
    calls.drain(..calls.len().saturating_sub(CALLS_MAX));
    let step = run.steps.iter().find(|step| step.name == name).cloned();
    let step =
        step.ok_or_else(|| Problem::new(problem::NOT_FOUND, format!("run {id} has no step {name:?}")))?;
    let entries = service.timeline(&id, 0).await?;
    let log = log_part(state, &run, &step).await;
    let question = questions(state, &run).await.into_iter().find(|asked| asked.step == step.name);
    Ok(StepParts { run, step, entries, calls, question, log, all })
}

async fn log_part(state: &AppState, run: &RunView, step: &StepView) -> LogPart {
    let log = state.service().job_log(&run.summary.id, &step.name).await.ok();
    let is_on = step.job.is_some() && run.summary.status.is_live();
    let follow = if is_on { mark(log.as_deref().unwrap_or_default()) } else { String::new() };
    LogPart { run: run.summary.id.to_string(), step: step.name.clone(), log, follow }
}

fn mark(log: &str) -> String {
    Digest::of(log.as_bytes()).short()
}

/// How long a page's request for more of a log waits until there is some, in looks a second apart: below the usual 30
/// seconds of proxies.
const LOG_LOOKS: u32 = 15;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    seen: String,
}

/// The end of a job's log, once it is another one than was seen, or after a while: what a page with a script follows it by.
pub(super) async fn log(
    State(state): State<AppState>,
    PathOf((run, step)): PathOf<(String, String)>,
    QueryOf(Seen { seen }): QueryOf<Seen>,
) -> Result<Response, Problem> {
    let permit = state.stream_permit()?;
    let id = run_id(&run)?;
    for look in 0.. {
        let view = state.service().get(&id).await?;
        let Some(known) = view.steps.iter().find(|known| known.name == step) else {
            return Err(Problem::new(problem::NOT_FOUND, format!("run {id} has no step {step:?}")));
        };
        let part = log_part(&state, &view, known).await;
        if part.follow != seen || look >= LOG_LOOKS {
            drop(permit);
            return Ok(rendered(&part));
        }
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
            () = state.stopped() => return Ok(StatusCode::NO_CONTENT.into_response()),
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

type Download = ([(HeaderName, String); 2], String);

fn download(name: &str, media: &str, text: String) -> Download {
    let attachment = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, attachment)], text)
}

pub(super) async fn capsule(
    State(state): State<AppState>,
    visit: Visit,
    PathOf((run, call)): PathOf<(String, u32)>,
) -> Result<Download, Refusal> {
    match capsule_of(&state, &run, call).await {
        Ok(capsule) => Ok(capsule),
        Err(problem) => Err(Refusal(visit.frame(&state, "Capsule", Section::Runs).await, problem)),
    }
}

async fn capsule_of(state: &AppState, run: &str, number: u32) -> Result<Download, Problem> {
    let run = run_id(run)?;
    let calls = state.service().invocations(&run, None).await?;
    let call = calls.into_iter().find(|call| call.number == number);
    let missing = || ServiceError::NotFound(format!("run {run} has no call {number}"));
    let call = call.ok_or_else(missing)?;
    let name = format!("{run}-{number}.capsule.json");
    let text = capsule_text::write(&Capsule::new(run, number, call.invocation));
    Ok(download(&name, "application/json", text))
}

pub(super) async fn report(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
) -> Result<Download, Refusal> {
    let frame = visit.frame(&state, "Report", Section::Runs).await;
    let made = async {
        let view = state.service().get(&run).await?;
        let entries = state.service().timeline(&run, 0).await?;
        Ok::<_, ServiceError>((view, entries))
    };
    let (view, entries) = match made.await {
        Ok(made) => made,
        Err(error) => return Err(Refusal(frame, error.into())),
    };
    match ReportPage::new(frame.clone(), view, entries).render() {
        Ok(text) => Ok(download(&format!("{run}.html"), "text/html; charset=utf-8", text)),
        Err(error) => {
            tracing::error!(%error, "a report could not be made");
            Err(Refusal(
                frame,
                Problem::new(problem::INTERNAL, "the report could not be made: see the log of the host"),
            ))
        }
    }
}
