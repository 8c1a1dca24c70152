//! What agents have cost, and who did what.

use super::desk::{Desk, filled};
use super::form::{FormOf, done, refused};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::problem::{self, Problem};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use lockstep_pages::library::{AuditLine, AuditPage, SpendPage};
use lockstep_pages::{Section, text};
use lockstep_types::AuditEntry;
use lockstep_types::board::Month;
use serde::Deserialize;
use std::sync::Arc;

/// Former months that are shown.
const MONTHS: usize = 12;

/// Entries of the audit that are looked through: some MB, and years of a registry that changes weekly.
const AUDIT_READ: usize = 5000;

/// Entries on one page.
const AUDIT_SHOWN: usize = 50;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/spend", get(spend)).route("/spend/resume", post(resume)).route("/audit", get(audit))
}

#[derive(Deserialize)]
struct Of {
    month: Option<String>,
}

async fn spend(State(state): State<AppState>, visit: Visit, Query(Of { month }): Query<Of>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let (frame, _) = desk.frame("Spend", Section::Spend, None).await;
    let current = Month::from(frame.now);
    let read = async {
        let month = month.as_deref().and_then(filled).map(|text| text.parse::<Month>()).transpose();
        let month = month.map_err(|error| Problem::new(problem::INVALID, error.to_string()))?;
        let board = desk.state.board();
        let view = board.spend(desk.id(), month).await?;
        let mut former = Vec::new();
        let mut at = current;
        for _ in 0..MONTHS {
            former.push(board.spend(desk.id(), Some(at)).await?.spent);
            at = before(at);
        }
        // Only as far back as anything was spent.
        let is_any = |spent: &lockstep_types::board::SpendMonth| {
            spent.input_tokens + spent.output_tokens > 0 || spent.cost.millionths() > 0
        };
        let last = former.iter().rposition(is_any).unwrap_or(0);
        former.truncate(last + 1);
        Ok::<_, Problem>((view, former))
    };
    match read.await {
        Ok((view, former)) => {
            let is_current = view.spent.month == current;
            Ok(rendered(&SpendPage { frame, view, is_current, former }))
        }
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

fn before(Month { year, month }: Month) -> Month {
    if month > 1 {
        Month { year, month: month - 1 }
    } else {
        Month { year: year.saturating_sub(1), month: 12 }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn resume(
    State(state): State<AppState>,
    visit: Visit,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let (board, workspace, by) = (Arc::clone(desk.state.board()), desk.id().clone(), desk.by());
    match crate::routes::to_the_end(async move { board.resume_paused(&workspace, &by).await }).await {
        Ok(runs) => Ok(done("/spend", &format!("{} of them go on.", runs.len()))),
        Err(problem) => Ok(refused("/spend", problem.detail())),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    text: String,
    before: Option<u64>,
}

fn holds(entry: &AuditEntry, wanted: &str) -> bool {
    let AuditEntry { by, action, subject, detail, reason, .. } = entry;
    [by.as_str(), action.word(), subject, detail, reason]
        .iter()
        .any(|text| text.to_lowercase().contains(wanted))
}

async fn audit(
    State(state): State<AppState>,
    visit: Visit,
    Query(Wanted { text: wanted, before }): Query<Wanted>,
) -> Shown {
    let mut frame = visit.frame(&state, "Audit", Section::Audit).await;
    if before.is_some() {
        frame.live.clear();
    }
    let mut entries = match state.components().audit(AUDIT_READ).await {
        Ok(entries) => entries,
        Err(error) => return Err(Refusal(frame, error.into())),
    };
    entries.reverse();
    let lower = wanted.to_lowercase();
    entries.retain(|entry| before.is_none_or(|before| entry.number < before) && holds(entry, &lower));
    let more = entries.len() > AUDIT_SHOWN;
    entries.truncate(AUDIT_SHOWN);
    let last = entries.last().filter(|_| more);
    let next = last.map(|entry| format!("/audit?text={}&before={}", text::segment(&wanted), entry.number));
    let line = |entry: AuditEntry| AuditLine {
        at: entry.at,
        by: entry.by,
        action: entry.action.word().to_owned(),
        subject: entry.subject,
        detail: match entry.reason.is_empty() {
            true => entry.detail,
            false => format!("{} ({})", entry.detail, entry.reason),
        },
        outcome: String::new(),
    };
    let lines = entries.into_iter().map(line).collect();
    Ok(rendered(&AuditPage { frame, lines, wanted, next }))
}
