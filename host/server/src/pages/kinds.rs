//! Step kinds: what they point to, and how that is tried and moved.

use super::components::{actor, administers};
use super::desk::{Again, filled, optional, with, words};
use super::form::{FormOf, done, refused};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::PathOf;
use crate::identity::Role;
use crate::problem::{self, Problem};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use lockstep_pages::registry::{BacktestPage, KindPage};
use lockstep_pages::{Section, text};
use lockstep_ports::{
    ActivateRequest, Activated, BacktestCandidate, BacktestRequest, CanaryRequest, Gates, RolledBack,
};
use lockstep_types::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

const MS_PER_DAY: u64 = 86_400_000;

/// Verdicts of a canary that are shown beside each other.
const BESIDE_MAX: usize = 50;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/components/kinds/{kind}", get(show))
        .route("/components/kinds/{kind}/backtest", get(backtest))
        .route("/components/kinds/{kind}/activate", post(activate))
        .route("/components/kinds/{kind}/canary", post(begin_canary))
        .route("/components/kinds/{kind}/canary/end", post(end_canary))
        .route("/components/kinds/{kind}/rollback", post(rollback))
}

fn path(kind: &str) -> String {
    format!("/components/kinds/{}", text::segment(kind))
}

async fn show(State(state): State<AppState>, visit: Visit, PathOf(kind): PathOf<String>) -> Shown {
    page(&state, &visit, &kind, None).await
}

async fn page(state: &AppState, visit: &Visit, kind: &str, again: Option<Again>) -> Shown {
    let mut frame = visit.frame(state, kind, Section::Components).await;
    let mut status = StatusCode::OK;
    if let Some(Again(typed, problem)) = again {
        frame.live.clear();
        problem.detail().clone_into(&mut frame.refused);
        (frame.typed, status) = (typed, problem.status());
    }
    let service = state.components();
    let read = async {
        let view = service.kind(kind).await?;
        let mut activations = service.activations(kind).await?;
        activations.reverse();
        let mut components = service.components().await?;
        components
            .retain(|one| one.info.descriptor.kind == kind || one.active_for.iter().any(|of| of == kind));
        let canary = match view.canary {
            Some(_) => Some(service.canary(kind).await?),
            None => None,
        };
        Ok::<_, Problem>((view, activations, components, canary))
    };
    let (view, activations, components, canary) = match read.await {
        Ok(read) => read,
        Err(problem) => return Err(Refusal(frame, problem)),
    };
    // What cannot be compared now is no reason not to show the kind.
    let beside = match (&canary, &view.active) {
        (Some(report), Some(active)) => {
            let runs = report.runs.iter().map(|run| run.run.clone()).take(BESIDE_MAX).collect();
            state.backtests().side_by_side(kind, runs, report.canary.digest, active.digest).await.ok()
        }
        _ => None,
    };
    Ok(with(status, rendered(&KindPage { frame, view, activations, components, canary, beside })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    digest: String,
    last: String,
    days: String,
    all: String,
}

async fn backtest(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(kind): PathOf<String>,
    Query(wanted): Query<Wanted>,
) -> Shown {
    let mut frame = visit.frame(&state, &format!("Backtest of {kind}"), Section::Components).await;
    // It shows what was recorded when it was asked for, and is costly to make again.
    frame.live.clear();
    let tried = async {
        if visit.identity.role < Role::Operator {
            return Err(Problem::new(problem::FORBIDDEN, "a backtest takes an operator: ask one"));
        }
        let permit = state.backtest_permit()?;
        let mut request =
            BacktestRequest::new(kind.clone(), BacktestCandidate::Digest(wanted.digest.clone()));
        request.last = optional("newest calls", &wanted.last)?;
        let days: Option<u64> = optional("days", &wanted.days)?;
        request.since =
            days.map(|days| Timestamp(frame.now.0.saturating_sub(days.saturating_mul(MS_PER_DAY))));
        request.with_identical = wanted.all == "true";
        let report = state.backtests().backtest(request, &|_| ()).await?;
        drop(permit);
        Ok(report)
    };
    match tried.await {
        Ok(report) => Ok(rendered(&BacktestPage { frame, report })),
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Move {
    digest: String,
    reason: String,
    require_identical: String,
    max_changed: String,
    max_fuel_growth: String,
    skip_migration: String,
    share: String,
    items: String,
    act: String,
}

impl Move {
    fn gates(&self) -> Result<Gates, Problem> {
        Ok(Gates {
            require_identical: self.require_identical == "true",
            max_changed: optional("differently", &self.max_changed)?,
            max_fuel_growth: optional("percent more fuel", &self.max_fuel_growth)?,
        })
    }
}

/// What was done, with what was noticed on the way.
fn noticed(words: &str, warnings: &[String], backtest: Option<String>) -> String {
    let backtest = backtest.map(|words| format!(" The backtest: {words}.")).unwrap_or_default();
    let warnings: String = warnings.iter().map(|warning| format!(" Note: {warning}.")).collect();
    format!("{words}{backtest}{warnings}")
}

fn moved(activated: &Activated) -> String {
    let words = format!("{} is active now.", activated.activation.digest.short());
    noticed(&words, &activated.warnings, activated.backtest.as_ref().map(|report| report.in_words()))
}

async fn activate(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(kind): PathOf<String>,
    FormOf(form, typed): FormOf<Move>,
) -> Shown {
    let activated = async {
        administers(&visit)?;
        let request = ActivateRequest {
            kind: kind.clone(),
            digest: form.digest.clone(),
            skip_migration: form.skip_migration == "true",
            gates: form.gates()?,
            by: Some(visit.identity.name.clone()),
            reason: filled(&form.reason),
            ..ActivateRequest::default()
        };
        let service = Arc::clone(state.components());
        crate::routes::to_the_end(async move { service.activate(request).await }).await
    };
    match activated.await {
        Ok(activated) => Ok(done(&path(&kind), &moved(&activated))),
        Err(problem) => page(&state, &visit, &kind, Some(Again(typed, problem))).await,
    }
}

async fn begin_canary(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(kind): PathOf<String>,
    FormOf(form, typed): FormOf<Move>,
) -> Shown {
    let begun = async {
        administers(&visit)?;
        let items = words(&form.items);
        let request = CanaryRequest {
            digest: form.digest.clone(),
            // The field holds a share already when somebody names items.
            share: if items.is_empty() { optional("percent", &form.share)? } else { None },
            items,
            gates: form.gates()?,
            by: Some(visit.identity.name.clone()),
            reason: filled(&form.reason),
        };
        let (service, kind) = (Arc::clone(state.components()), kind.clone());
        crate::routes::to_the_end(async move { service.begin_canary(&kind, request).await }).await
    };
    match begun.await {
        Ok(begun) => {
            let backtest = begun.backtest.as_ref().map(|report| report.in_words());
            Ok(done(&path(&kind), &noticed("The canary has begun.", &begun.warnings, backtest)))
        }
        Err(problem) => page(&state, &visit, &kind, Some(Again(typed, problem))).await,
    }
}

async fn end_canary(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(kind): PathOf<String>,
    FormOf(form, _): FormOf<Move>,
) -> Response {
    let ended = async {
        administers(&visit)?;
        let (service, of, actor) =
            (Arc::clone(state.components()), kind.clone(), actor(&visit, &form.reason));
        if form.act == "promote" {
            let promoted = crate::routes::to_the_end(async move { service.promote(&of, actor).await });
            return promoted.await.map(|activated| moved(&activated));
        }
        if state.components().kind(&kind).await?.canary.is_none() {
            return Err(Problem::new(problem::CONFLICT, format!("{kind} has no canary any more")));
        }
        back(&state, of, actor).await
    };
    match ended.await {
        Ok(words) => done(&path(&kind), &words),
        Err(problem) => refused(&path(&kind), problem.detail()),
    }
}

async fn back(state: &AppState, kind: String, actor: lockstep_ports::Actor) -> Result<String, Problem> {
    let service = Arc::clone(state.components());
    let back = crate::routes::to_the_end(async move { service.rollback(&kind, actor).await });
    Ok(match back.await? {
        RolledBack::Canary(_) => "The canary has ended; the pointer stays.".to_owned(),
        RolledBack::Pointer(activated) => moved(&activated),
    })
}

async fn rollback(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(kind): PathOf<String>,
    FormOf(form, typed): FormOf<Move>,
) -> Shown {
    let rolled = async {
        administers(&visit)?;
        back(&state, kind.clone(), actor(&visit, &form.reason)).await
    };
    match rolled.await {
        Ok(words) => Ok(done(&path(&kind), &words)),
        Err(problem) => page(&state, &visit, &kind, Some(Again(typed, problem))).await,
    }
}
