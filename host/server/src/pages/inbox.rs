//! What waits for a person.

use super::run::{Beside, questions};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::QueryOf;
use axum::extract::State;
use lockstep_pages::{Asked, InboxPage, Section};
use lockstep_ports::{Card, RunQuery, ServiceError};
use serde::Deserialize;

/// Runs whose questions one page shows: each question may bring a text of some pages along.
const RUNS: usize = 25;

/// Notices shown at once, the oldest.
const CARDS_MAX: usize = 100;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    before: String,
}

pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    QueryOf(From { before }): QueryOf<From>,
) -> Shown {
    page(&state, &visit, &before, Beside::default()).await
}

pub(super) async fn page(state: &AppState, visit: &Visit, before: &str, beside: Beside) -> Shown {
    let mut frame = visit.frame(state, "Inbox", Section::Inbox).await;
    beside.fill(&mut frame);
    match waiting(state, before).await {
        Ok((questions, cards, next)) => Ok(rendered(&InboxPage { frame, questions, cards, next })),
        Err(error) => Err(Refusal(frame, error.into())),
    }
}

type Waiting = (Vec<Asked>, Vec<Card>, Option<String>);

async fn waiting(state: &AppState, before: &str) -> Result<Waiting, ServiceError> {
    let waits = Some(RunQuery::PERSON.to_owned());
    let query = RunQuery { waits, before: before.parse().ok(), limit: Some(RUNS), ..RunQuery::default() };
    let page = state.service().list(query).await?;
    let mut asked = Vec::new();
    for run in &page.runs {
        // One that has ended meanwhile asks nothing any more.
        if let Ok(run) = state.service().get(&run.id).await {
            asked.extend(questions(state, &run).await);
        }
    }
    asked.sort_by_key(|asked| asked.question.asked_at);
    let mut cards = if before.is_empty() { state.board().cards(None).await? } else { Vec::new() };
    cards.retain(|card| !stands_for_a_question(card, &page.runs));
    cards.truncate(CARDS_MAX);
    Ok((asked, cards, page.next.map(|next| format!("/inbox?before={next}"))))
}

/// Whether a card only says that a question waits which is shown itself.
fn stands_for_a_question(card: &Card, runs: &[lockstep_types::RunSummary]) -> bool {
    let Some((owner, _)) = card.id.rsplit_once(':') else { return false };
    let Some(run) = runs.iter().find(|run| run.id.as_str() == owner) else { return false };
    let asks =
        |step: &String| run.waiting.iter().any(|waiting| waiting.step == *step && waiting.is_on_person());
    card.act == "nothing" && card.notice.step.as_ref().is_some_and(asks)
}
