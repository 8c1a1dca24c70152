//! Review, rewrite, review again.

use crate::row::{Disposition, Row, Status};
use crate::{Config, Gate, Pending, State, Work, act, jobs, recommend, reply};
use lockstep_sdk::text::{count, list};
use lockstep_sdk::{
    Call, Completion, Failure, FailureClass, JobOutcome, JobResult, JobSettled, NewDocument, Question,
    QuestionKind, StepError, Transition, read_object,
};
use serde::Deserialize;

/// Bytes of a rewritten text: four times what the tokens allowed for it can be.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Characters of an unusable reply in the failure's detail, as for a grader's (SPEC CO-7).
const MAX_REPLY_CHARS: usize = 2_000;

/// Findings named in a card.
const MAX_NAMED: usize = 5;

pub(crate) fn first_review(gate: &Gate, call: &Call<Config>) -> Transition<State> {
    let state = State { work: Some(Work::FirstReview), ..State::default() };
    Transition::new(state, jobs::review(gate, call, None)).note("is reviewed for the first time")
}

/// What a person asked for goes out of the state in the same transition as what it leads to.
pub(crate) fn carry_out(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
) -> Result<Transition<State>, StepError> {
    let row = kept(gate, call)?;
    Ok(match state.pending.take() {
        Some(Pending::Incorporate { feedback }) => incorporate(gate, call, state, row, feedback.as_deref()),
        Some(Pending::ExtraRound) => extra_round(gate, call, state, row),
        None => park(call, state, &row, Vec::new()),
    })
}

/// RV-13: without anything to work in there is nothing to rewrite, and nobody is asked.
pub(crate) fn incorporate(
    gate: &Gate,
    call: &Call<Config>,
    state: State,
    row: Row,
    feedback: Option<&str>,
) -> Transition<State> {
    let feedback = feedback.filter(|feedback| !feedback.trim().is_empty());
    if row.replied().next().is_none() && feedback.is_none() {
        return settle(gate, call, row, "there is nothing to work in");
    }
    rework(gate, call, state, &row, feedback)
}

/// D-9: an extra round really is one.
pub(crate) fn extra_round(gate: &Gate, call: &Call<Config>, state: State, row: Row) -> Transition<State> {
    if row.open() == 0 && row.replied().next().is_some() {
        return rework(gate, call, state, &row, None);
    }
    review_again(gate, call, state, row, Vec::new())
}

fn rework(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    row: &Row,
    feedback: Option<&str>,
) -> Transition<State> {
    state.work = Some(Work::Rework);
    let answers = count(row.replied().count(), "answer");
    let job = jobs::rework(gate, call, row, feedback);
    Transition::new(state, job).note(format!("the text is rewritten with {answers}"))
}

/// RV-8. `before` are documents that are kept first.
pub(crate) fn review_again(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    mut row: Row,
    before: Vec<NewDocument>,
) -> Transition<State> {
    state.work = Some(Work::ReReview);
    state.repairing = false;
    let job = jobs::review(gate, call, Some(&row));
    let note = format!("is reviewed again, pass {}", row.iteration.saturating_add(1));
    let mut transition = Transition::new(state, job).note(note);
    transition.documents = before;
    transition.document(row.keep(gate, Status::Reviewing, call.run.now))
}

/// The job under way ended.
pub(crate) fn settled(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    job: JobSettled,
) -> Result<Transition<State>, StepError> {
    let Some(work) = state.work.take() else {
        return Err(StepError::Other("no job is under way".to_owned()));
    };
    if work == Work::Recommendation {
        return Ok(recommend::settled(gate, call, state, kept(gate, call)?, job));
    }
    let is_unwired = matches!(job.outcome, JobOutcome::NotConfigured(_));
    if is_unwired && work == Work::FirstReview && !call.run.is_errand {
        // RV-1: nobody reviews, and nothing is kept.
        let completion = Completion::new().approved();
        return Ok(Transition::new(State::default(), completion).note("nobody reviews; passes"));
    }
    let result = match job.result() {
        Ok(result) => result,
        Err(failure) => return Ok(failed(state, failure)),
    };
    match work {
        Work::Rework => Ok(rewritten(gate, call, state, kept(gate, call)?, &result)),
        _ => match reply::items(&result) {
            Ok(items) => reviewed(gate, call, work, &items),
            Err(why) if !state.repairing => again(gate, call, state, work, &why),
            Err(why) => Ok(unusable(state, &result, &why)),
        },
    }
}

/// A model that fails is an error of the work, not of a job people wrote (reading 8).
fn failed(state: State, mut failure: Failure) -> Transition<State> {
    if failure.class == FailureClass::JobFailed {
        failure.class = FailureClass::Agent;
    }
    let note = failure.message.clone();
    Transition::new(state, failure).note(note)
}

/// D-8: once more, with the same input.
fn again(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    work: Work,
    why: &str,
) -> Result<Transition<State>, StepError> {
    let row = if work == Work::FirstReview { None } else { Some(kept(gate, call)?) };
    state.work = Some(work);
    state.repairing = true;
    let note = format!("the reviewer's reply cannot be used ({why}); asks once more");
    Ok(Transition::new(state, jobs::review(gate, call, row.as_ref())).note(note))
}

/// D-8: what cannot be read does not pass. The review stays as it was kept.
fn unusable(state: State, result: &JobResult, why: &str) -> Transition<State> {
    let message = format!("the reviewer's reply could not be used twice: {why}");
    let detail: String = result.output.chars().take(MAX_REPLY_CHARS).collect();
    let failure = Failure::new(FailureClass::ReviewRejected, &message).detail(detail);
    Transition::new(state, failure).note(message)
}

fn reviewed(
    gate: &Gate,
    call: &Call<Config>,
    work: Work,
    items: &[serde_json::Value],
) -> Result<Transition<State>, StepError> {
    let now = call.run.now;
    let row = if work == Work::FirstReview {
        Row::first(call, reply::findings(items, 1, now))
    } else {
        let row = kept(gate, call)?;
        let iteration = row.iteration.saturating_add(1);
        row.next(reply::findings(items, iteration, now))
    };
    let tolerated = call.config.tolerated_severity.unwrap_or(call.policy.tolerated_severity);
    let found = count(row.findings.len(), "finding");
    Ok(match row.disposition(tolerated) {
        Disposition::Settled => settle(gate, call, row, &format!("{found}, none above what is tolerated")),
        disposition => {
            let status = if disposition == Disposition::Exceeded { Status::Exceeded } else { Status::Ready };
            hand_over(gate, call, row, status)
        }
    })
}

#[derive(Deserialize)]
struct Report {
    #[serde(default, rename = "finishReason")]
    finish_reason: Option<String>,
}

/// RV-13, RV-14: a text that is empty or was cut off replaces nothing.
fn rewritten(
    gate: &Gate,
    call: &Call<Config>,
    state: State,
    mut row: Row,
    result: &JobResult,
) -> Transition<State> {
    let report: Option<Report> = result.report.as_deref().and_then(|report| read_object(report).ok());
    let is_cut = report.and_then(|report| report.finish_reason).is_some_and(|reason| reason == "length");
    let why = match &result.output {
        _ if is_cut => "the rewritten text was cut off; answer more briefly, or allow more tokens",
        text if text.trim().is_empty() => "the rewritten text is empty; retry",
        text if text.len() > MAX_DOCUMENT_BYTES => "the rewritten text is too long; ask for a shorter one",
        text => {
            row.document = Some(text.clone());
            let merged = row.keep(gate, Status::Merged, call.run.now);
            return review_again(gate, call, state, row, vec![merged]);
        }
    };
    failed(state, Failure::new(FailureClass::Agent, why))
}

/// The step is finished. It has no output, and no approval is asked again (SPEC RV-10).
pub(crate) fn settle(gate: &Gate, call: &Call<Config>, mut row: Row, why: &str) -> Transition<State> {
    let document = row.keep(gate, Status::Incorporated, call.run.now);
    let note = format!("settled in pass {}: {why}", row.iteration);
    Transition::new(State::default(), Completion::new().approved()).note(note).document(document)
}

/// RV-9: findings go to a person; the card says how many there are.
fn hand_over(gate: &Gate, call: &Call<Config>, mut row: Row, status: Status) -> Transition<State> {
    let document = row.keep(gate, status, call.run.now);
    let found = count(row.findings.len(), "finding");
    let named = list(row.findings.iter().map(|finding| finding.title.as_str()), MAX_NAMED);
    let title = format!("{found} to answer: {}", call.run.title);
    park(call, State::default(), &row, vec![document]).notice(gate.notice, title, named)
}

/// Asks a person. An errand cannot wait: what it left is on the item (RV-12).
pub(crate) fn park(
    call: &Call<Config>,
    state: State,
    row: &Row,
    documents: Vec<NewDocument>,
) -> Transition<State> {
    let found = count(row.findings.len(), "finding");
    let note = format!("{found} in pass {} of {}", row.iteration, row.max);
    let is_exceeded = row.status == Status::Exceeded;
    let mut transition = if call.run.is_errand {
        // RV-9: the card of a cap is that of a parked run.
        Transition::new(state, Completion::new().approved()).note(note)
    } else {
        let question = if is_exceeded {
            Question::new(QuestionKind::Cap, cap_prompt(row)).actions(act::AT_THE_CAP)
        } else {
            let prompt =
                format!("{} open. Answer or dismiss them, then incorporate.", count(row.open(), "finding"));
            Question::new(QuestionKind::Review, prompt).actions(act::WHEN_READY)
        };
        Transition::new(state, question).note(note)
    };
    transition.documents = documents;
    transition
}

fn cap_prompt(row: &Row) -> String {
    let left = count(row.findings.len(), "finding");
    let passes = if row.iteration == 1 { "1 pass".to_owned() } else { format!("{} passes", row.iteration) };
    format!("{left} left after {passes}. One more round, go on as it is, or stop?")
}

/// The review that is under way.
pub(crate) fn kept(gate: &Gate, call: &Call<Config>) -> Result<Row, StepError> {
    Row::read(gate, &call.run)?
        .ok_or_else(|| StepError::Other(format!("document `{}` of the item is gone", gate.document)))
}
