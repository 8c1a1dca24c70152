//! What the forms of a run, of a step and of the inbox do.

use super::form::{self, FormOf, given};
use super::run::{Beside, acted, page, step_page, stop_reason};
use super::{Refusal, Shown, Visit, inbox, rendered};
use crate::AppState;
use crate::extract::PathRun;
use crate::problem::{self, Problem};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lockstep_pages::{KeptPage, Section, Typed, text};
use lockstep_ports::{CardAction, RunAction};
use lockstep_types::{Answer, Comment, JsonText, QuestionId, RunId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Act {
    action: String,
    reason: String,
    step: String,
    kind: String,
    digest: Option<String>,
    back: String,
}

/// Stops, retries, pauses, … one run.
pub(super) async fn on_run(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
    FormOf(act, typed): FormOf<Act>,
) -> Shown {
    let (action, word) = match act.action.as_str() {
        "retry" => (RunAction::Retry, "It is retried.".to_owned()),
        "pause" => (RunAction::Pause, "It is paused: nothing new begins.".to_owned()),
        "resume" => (RunAction::Resume, "It goes on.".to_owned()),
        "stop" => (RunAction::Stop { reason: stop_reason(&act.reason) }, "It is stopped.".to_owned()),
        "tear-down" => (RunAction::TearDown, "Its environments are torn down.".to_owned()),
        "restart" => {
            let word = format!("It begins again at {}.", act.step);
            (RunAction::Restart { step: act.step.clone(), digest: given(act.digest.clone()) }, word)
        }
        "repin" => {
            let digest = act.digest.clone().unwrap_or_default().trim().to_owned();
            let word = format!("Its {} runs on {} from now on.", act.kind, text::short(&digest, 12));
            (
                RunAction::Repin {
                    pins: BTreeMap::from([(act.kind.clone(), digest)]),
                    reason: act.reason.clone(),
                },
                word,
            )
        }
        other => {
            let problem = Problem::new(problem::INVALID, format!("a run takes no action {other:?}"));
            return Err(Refusal(visit.frame(&state, "Run", Section::Runs).await, problem));
        }
    };
    let back = Back { kind: &act.back, run: &run, step: &act.step };
    match acted(&state, &run, action, &visit.identity).await {
        Ok(_) => Ok(form::done(&back.address(), &word)),
        Err(problem) => back.again(&state, &visit, typed, &problem).await,
    }
}

/// Where a form stands.
struct Back<'a> {
    kind: &'a str,
    run: &'a RunId,
    step: &'a str,
}

impl Back<'_> {
    fn address(&self) -> String {
        match self.kind {
            "inbox" => "/inbox".to_owned(),
            "step" => format!("/runs/{}/steps/{}", self.run, text::segment(self.step)),
            _ => format!("/runs/{}", self.run),
        }
    }

    /// The page again with what was typed, and why it was not taken.
    async fn again(&self, state: &AppState, visit: &Visit, typed: Typed, problem: &Problem) -> Shown {
        let beside = Beside::refused(typed, problem.detail().to_owned());
        let shown = match self.kind {
            "inbox" => inbox::page(state, visit, "", beside).await,
            "step" => step_page(state, visit, self.run.as_str(), self.step, beside).await,
            _ => page(state, visit, self.run, beside).await,
        };
        shown.map(|page| (problem.status(), page).into_response())
    }
}

type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

/// Answers a question.
pub(super) async fn answer(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let question = field(&fields, "question").trim_start_matches('q').parse().ok().map(QuestionId);
    let answer = answer_of(&state, &run, question, &fields).await;
    let (answer, word) = match answer {
        Ok(answer) => answer,
        Err(problem) => return refused(&state, &visit, &run, &fields, typed, &problem).await,
    };
    let action = RunAction::Answer { question, answer, token: None };
    match acted(&state, &run, action, &visit.identity).await {
        Ok(summary) => {
            let back = Back { kind: field(&fields, "back"), run: &run, step: field(&fields, "step") };
            Ok(form::done(&back.address(), &format!("{word}: {}.", text::short(&summary.title, 120))))
        }
        Err(problem) => refused(&state, &visit, &run, &fields, typed, &problem).await,
    }
}

async fn answer_of(
    state: &AppState,
    run: &RunId,
    question: Option<QuestionId>,
    fields: &Fields,
) -> Result<(Answer, &'static str), Problem> {
    let text = |name: &str| field(fields, name).trim().to_owned();
    Ok(match field(fields, "answer") {
        "approve" => {
            let asked = state.service().get(run).await?;
            let asked = asked.steps.iter().filter_map(|step| step.question.as_ref());
            let asked = asked.into_iter().find(|asked| Some(asked.id) == question);
            let shown = asked.and_then(|asked| asked.proposal.as_deref()).unwrap_or_default();
            // As it was shown it is no edit: the component's own text is approved.
            let proposal = field(fields, "proposal");
            let is_edited = !same_text(proposal, shown);
            let word = if is_edited { "Approved, as you changed it" } else { "Approved" };
            (Answer::Approve { proposal: is_edited.then(|| proposal.to_owned()) }, word)
        }
        "request-changes" => {
            let comments = comments(state, run, question, fields).await?;
            (Answer::RequestChanges { feedback: text("feedback"), comments }, "Changes requested")
        }
        "reject" => (Answer::Reject { reason: text("reason") }, "Rejected"),
        _ => {
            let choice = text("choice");
            if choice.is_empty() {
                return Err(Problem::new(
                    problem::INVALID,
                    "nothing is chosen: choose one, or write an answer",
                ));
            }
            (Answer::Choose { choice, text: given(Some(text("text"))), comments: Vec::new() }, "Answered")
        }
    })
}

/// Whether a text field gave back what was put into it: it knows one kind of line end alone.
fn same_text(given: &str, shown: &str) -> bool {
    given.trim_end_matches('\n') == shown.replace("\r\n", "\n").trim_end_matches('\n')
}

/// Remarks on lines, each with the line it is about.
async fn comments(
    state: &AppState,
    run: &RunId,
    question: Option<QuestionId>,
    fields: &Fields,
) -> Result<Vec<Comment>, Problem> {
    let view = state.service().get(run).await?;
    let asked = view.steps.iter().filter_map(|step| step.question.as_ref());
    let asked = asked.into_iter().find(|asked| Some(asked.id) == question);
    let lines: Vec<&str> =
        asked.and_then(|asked| asked.proposal.as_deref()).unwrap_or_default().lines().collect();
    let remark = |(name, body): &(String, String)| {
        let number: u32 = name.strip_prefix("line-")?.parse().ok()?;
        let at = number.checked_sub(1)?;
        let quote = usize::try_from(at).ok().and_then(|at| lines.get(at)).map(|line| (*line).to_owned());
        let body = body.trim();
        (!body.is_empty()).then(|| Comment {
            body: body.to_owned(),
            quote,
            lines: Some((at, number)),
            anchor: None,
        })
    };
    Ok(fields.iter().filter_map(remark).collect())
}

/// Acts on a step that is parked.
pub(super) async fn action(
    State(state): State<AppState>,
    visit: Visit,
    PathRun(run): PathRun,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let (name, input) = match action_of(&fields) {
        Ok(action) => action,
        Err(problem) => return refused(&state, &visit, &run, &fields, typed, &problem).await,
    };
    let step = Some(field(&fields, "step").to_owned()).filter(|step| !step.is_empty());
    let word = format!("Done: {name}");
    let action = RunAction::Act { step, action: name, input: JsonText::of(&input) };
    match acted(&state, &run, action, &visit.identity).await {
        Ok(summary) => {
            let back = Back { kind: field(&fields, "back"), run: &run, step: field(&fields, "step") };
            Ok(form::done(&back.address(), &format!("{word}, {}.", text::short(&summary.title, 120))))
        }
        Err(problem) => refused(&state, &visit, &run, &fields, typed, &problem).await,
    }
}

/// The name of an action and its arguments, from the fields that are filled in.
fn action_of(fields: &Fields) -> Result<(String, Value), Problem> {
    let (name, status) = match field(fields, "action") {
        "" => return Err(Problem::new(problem::INVALID, "no action is named: press one of the buttons")),
        "dismiss-finding" => ("set-status", Some("dismissed")),
        "reopen" => ("set-status", Some("open")),
        name => (name, None),
    };
    if let Some(json) = given(Some(field(fields, "json").to_owned())) {
        let input: Map<String, Value> = serde_json::from_str(&json).map_err(|error| {
            Problem::new(problem::INVALID, format!("the arguments are no JSON object: {error}"))
        })?;
        return Ok((name.to_owned(), Value::Object(input)));
    }
    let mut input = Map::new();
    if let Some(status) = status {
        input.insert("status".to_owned(), json!(status));
    }
    // Of a button that does without the text beside it, the text is not sent along.
    let takes_text = !matches!(name, "set-status" | "request-recommendation");
    let named: &[&str] = if takes_text { &["item", "text", "feedback", "findings"] } else { &["item"] };
    for name in named {
        let value = field(fields, name);
        if !value.trim().is_empty() {
            input.insert((*name).to_owned(), json!(value));
        }
    }
    if field(fields, "force") == "true" {
        input.insert("force".to_owned(), json!(true));
    }
    Ok((name.to_owned(), Value::Object(input)))
}

/// Shows the page again with what was typed; where the question is gone, what was typed is given back.
async fn refused(
    state: &AppState,
    visit: &Visit,
    run: &RunId,
    fields: &Fields,
    typed: Typed,
    problem: &Problem,
) -> Shown {
    let question = field(fields, "question");
    let view = state.service().get(run).await;
    let is_open = view.as_ref().is_ok_and(|view| {
        let asked = view.steps.iter().filter_map(|step| step.question.as_ref());
        asked.into_iter().any(|asked| asked.id.to_string() == question)
    });
    let back = Back { kind: field(fields, "back"), run, step: field(fields, "step") };
    if is_open {
        return back.again(state, visit, typed, problem).await;
    }
    let mut frame = visit.frame(state, "No longer asked", Section::Inbox).await;
    frame.live.clear();
    let written = |(name, value): &(String, String)| {
        let name = match name.as_str() {
            "proposal" => "The proposal as you changed it".to_owned(),
            "feedback" => "What is to be different".to_owned(),
            "text" | "choice" => "Your answer".to_owned(),
            "reason" => "Why".to_owned(),
            "findings" => "What you found".to_owned(),
            name => format!("Remark on line {}", name.strip_prefix("line-")?),
        };
        (!value.trim().is_empty()).then(|| (name, value.clone()))
    };
    let texts = fields.iter().filter_map(written).collect();
    let kept = KeptPage { frame, detail: problem.detail().to_owned(), texts, run: run.to_string() };
    Ok((problem.status(), rendered(&kept)).into_response())
}

#[derive(Deserialize)]
pub(super) struct CardForm {
    card: String,
    action: CardAction,
    #[serde(default)]
    back: String,
}

/// Deals with a notice.
pub(super) async fn card(
    State(state): State<AppState>,
    visit: Visit,
    FormOf(CardForm { card, action, back }, _): FormOf<CardForm>,
) -> Response {
    let run = card.rsplit_once(':').map(|(run, _)| run.to_owned()).unwrap_or_default();
    let back = if back == "run" { format!("/runs/{}", text::segment(&run)) } else { "/inbox".to_owned() };
    let (board, by) = (Arc::clone(state.board()), visit.identity.name.clone());
    let settled = crate::routes::to_the_end(async move { board.settle_card(&card, action, &by).await }).await;
    match (settled, action) {
        (Ok(card), CardAction::Act) => form::done(&back, &format!("Done: {}", card.notice.title)),
        (Ok(card), CardAction::Dismiss) => form::done(&back, &format!("Dismissed: {}", card.notice.title)),
        (Err(problem), _) => form::refused(&back, problem.detail()),
    }
}

#[cfg(test)]
mod tests {
    use super::{action_of, same_text};

    fn read(fields: &[(&str, &str)]) -> String {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match action_of(&fields) {
            Ok((name, input)) => format!("{name} {input}"),
            Err(problem) => problem.detail().to_owned(),
        }
    }

    #[test]
    fn fields_become_the_arguments_of_an_action() {
        assert_eq!(
            read(&[("action", "reply"), ("item", "f1"), ("text", "euros")]),
            r#"reply {"item":"f1","text":"euros"}"#
        );
        let dismissed = [("action", "dismiss-finding"), ("item", "f1"), ("text", "half a rep")];
        assert_eq!(read(&dismissed), r#"set-status {"item":"f1","status":"dismissed"}"#);
        assert_eq!(read(&[("action", "proceed"), ("force", "true")]), r#"proceed {"force":true}"#);
        assert_eq!(read(&[("action", "confirm"), ("findings", " ")]), "confirm {}");
        assert_eq!(read(&[("action", "own"), ("json", r#"{"a":1}"#)]), r#"own {"a":1}"#);
        assert!(read(&[("action", "own"), ("json", "[1]")]).starts_with("the arguments are no JSON object"));
        assert!(read(&[]).starts_with("no action is named"));
    }

    #[test]
    fn a_text_that_came_back_as_it_was_is_no_edit() {
        assert!(same_text("a\nb", "a\r\nb\r\n") && same_text("", ""));
        assert!(!same_text("a\nc", "a\nb") && !same_text("", "a"));
    }
}
