//! What a person does.

use crate::row::{FindingStatus, Row, Status};
use crate::{Config, Gate, Pending, State, cycle, recommend};
use lockstep_sdk::text::count;
use lockstep_sdk::{
    Action, Call, Completion, Failure, FailureClass, Next, Refusal, StepError, Transition, Waiting,
    read_object,
};
use serde::Deserialize;
use serde_json::Value;

const REPLY: &str = "reply";
const SET_STATUS: &str = "set-status";
const INCORPORATE: &str = "incorporate";
const RE_REVIEW: &str = "re-review";
const PROCEED: &str = "proceed";
const EXTRA_ROUND: &str = "extra-round";
const STOP_RESET: &str = "stop-reset";
const REQUEST_RECOMMENDATION: &str = "request-recommendation";
const ACCEPT_RECOMMENDATION: &str = "accept-recommendation";
const REJECT_RECOMMENDATION: &str = "reject-recommendation";
const REVIEW: &str = "review";

/// What a person may do while findings wait.
pub(crate) const WHEN_READY: [&str; 7] = [
    REPLY,
    SET_STATUS,
    INCORPORATE,
    PROCEED,
    REQUEST_RECOMMENDATION,
    ACCEPT_RECOMMENDATION,
    REJECT_RECOMMENDATION,
];

/// What a person may do at the cap.
pub(crate) const AT_THE_CAP: [&str; 9] = [
    REPLY,
    SET_STATUS,
    INCORPORATE,
    PROCEED,
    EXTRA_ROUND,
    STOP_RESET,
    REQUEST_RECOMMENDATION,
    ACCEPT_RECOMMENDATION,
    REJECT_RECOMMENDATION,
];

/// SPEC section 30: characters of a reply, a feedback and a note.
const MAX_TEXT_CHARS: usize = 4_000;

/// What the actions take; each takes a part of it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    pub(crate) item: Option<Item>,
    pub(crate) items: Option<Vec<Item>>,
    text: Option<String>,
    status: Option<FindingStatus>,
    feedback: Option<String>,
    pub(crate) note: Option<String>,
    force: bool,
}

impl Input {
    fn read(action: &Action) -> Result<Self, Refusal> {
        let name = &action.name;
        let input: Self = read_object(&action.input)
            .map_err(|why| Refusal::invalid(format!("the input of `{name}` is not valid: {why}")))?;
        let texts = [&input.text, &input.feedback, &input.note];
        let is_long =
            |text: &&Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT_CHARS);
        if texts.iter().any(is_long) {
            let why = format!("a text of `{name}` has more than {MAX_TEXT_CHARS} characters; shorten it");
            return Err(Refusal::invalid(why));
        }
        Ok(input)
    }
}

/// A finding, by its place or its id.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Item {
    name: Value,
}

impl Item {
    /// RV-11.
    pub(crate) fn place(&self, row: &Row) -> Result<usize, Refusal> {
        let findings = &row.findings;
        let place = match &self.name {
            Value::String(id) => findings.iter().position(|finding| finding.id == *id),
            place => place.as_u64().and_then(|place| usize::try_from(place).ok()),
        };
        let place = place.filter(|place| *place < findings.len());
        place.ok_or_else(|| {
            let found = count(row.findings.len(), "finding");
            Refusal::invalid(format!("there is no such finding; the review has {found}, counted from 0"))
        })
    }
}

/// Handles an action; a refusal changes nothing.
pub(crate) fn acted(
    gate: &Gate,
    call: &Call<Config>,
    state: State,
    action: &Action,
) -> Result<Transition<State>, StepError> {
    let row = Row::read(gate, &call.run)?;
    let refused = state.clone();
    Ok(act(gate, call, state, row, action).unwrap_or_else(|refusal| Transition::new(refused, refusal)))
}

fn act(
    gate: &Gate,
    call: &Call<Config>,
    state: State,
    row: Option<Row>,
    action: &Action,
) -> Result<Transition<State>, Refusal> {
    let (name, by) = (action.name.as_str(), &action.by);
    let input = Input::read(action)?;
    if state.work.is_some() {
        return Err(Refusal::conflict(format!("`{name}` has to wait until the job under way has ended")));
    }
    if name == REVIEW {
        return if call.run.is_errand {
            Ok(cycle::first_review(gate, call))
        } else {
            Err(Refusal::conflict("the run has its own review; restart its step to review afresh"))
        };
    }
    let Some(mut row) = row else {
        return Err(Refusal::conflict(format!("there is no review to `{name}` yet; review first")));
    };
    if state.pending.is_some() && matches!(name, RE_REVIEW | REQUEST_RECOMMENDATION) {
        return Err(Refusal::conflict(format!("`{name}` has to wait until what was asked before is done")));
    }
    match name {
        REPLY | SET_STATUS => {
            let place = place(&input, &row, name)?;
            answer(&mut row, place, name, input)?;
            row.findings[place].updated_at = call.run.now;
            Ok(noted(gate, call, state, row, &format!("{by}: {name}, finding {place}")))
        }
        INCORPORATE => incorporate(gate, call, state, row, input.feedback),
        RE_REVIEW if row.status != Status::Merged => {
            Err(Refusal::conflict("only a merged text is reviewed again; incorporate the replies first"))
        }
        RE_REVIEW => Ok(cycle::review_again(gate, call, State::default(), row, Vec::new())),
        PROCEED => proceed(gate, call, row, input.force, by),
        EXTRA_ROUND | STOP_RESET if row.status != Status::Exceeded => {
            Err(Refusal::conflict(format!("`{name}` is a choice only when the passes are spent")))
        }
        EXTRA_ROUND => Ok(extra_round(gate, call, state, row)),
        STOP_RESET => Ok(stop(call, state)),
        REQUEST_RECOMMENDATION => recommend::request(gate, call, row, &input),
        ACCEPT_RECOMMENDATION | REJECT_RECOMMENDATION => {
            let place = place(&input, &row, name)?;
            recommend::decide(&mut row, place, name == ACCEPT_RECOMMENDATION, call.run.now)?;
            Ok(noted(gate, call, state, row, &format!("{by}: {name}, finding {place}")))
        }
        _ => Err(Refusal::invalid(format!("`{name}` is no action of a review"))),
    }
}

fn place(input: &Input, row: &Row, name: &str) -> Result<usize, Refusal> {
    input.item.as_ref().ok_or_else(|| missing(name, "item"))?.place(row)
}

fn missing(name: &str, field: &str) -> Refusal {
    Refusal::invalid(format!("`{name}` needs `{field}`"))
}

/// RV-11.
fn answer(row: &mut Row, place: usize, name: &str, input: Input) -> Result<(), Refusal> {
    let finding = &mut row.findings[place];
    if name == SET_STATUS {
        finding.status = input.status.ok_or_else(|| missing(name, "status"))?;
        return Ok(());
    }
    finding.reply = Some(input.text.ok_or_else(|| missing(name, "text"))?);
    if finding.status == FindingStatus::Open {
        finding.status = FindingStatus::Answered;
    }
    Ok(())
}

/// Keeps the changed review and leaves everything else as it is.
fn noted(gate: &Gate, call: &Call<Config>, state: State, mut row: Row, note: &str) -> Transition<State> {
    let status = row.status;
    let document = row.keep(gate, status, call.run.now);
    let next: Next = if call.run.is_errand { Completion::new().approved().into() } else { Next::Stay };
    Transition::new(state, next).note(note).document(document)
}

/// RV-12: in a run the intent is kept, and the work begins with the next call.
fn incorporate(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    mut row: Row,
    feedback: Option<String>,
) -> Result<Transition<State>, Refusal> {
    match row.open() {
        0 => {}
        open => {
            let open = count(open, "finding");
            return Err(Refusal::invalid(format!("{open} still open; answer or dismiss first")));
        }
    }
    if call.run.is_errand {
        return Ok(cycle::incorporate(gate, call, state, row, feedback.as_deref()));
    }
    state.pending = Some(Pending::Incorporate { feedback });
    let document = row.keep(gate, Status::Incorporating, call.run.now);
    let waiting = Waiting::new(0, "the replies are worked in");
    Ok(Transition::new(state, waiting).note("the replies are to be worked in").document(document))
}

/// RV-17, D-9: past open findings only with `force`, except at the cap.
fn proceed(
    gate: &Gate,
    call: &Call<Config>,
    row: Row,
    force: bool,
    by: &str,
) -> Result<Transition<State>, Refusal> {
    if row.open() > 0 && row.status != Status::Exceeded && !force {
        let open = count(row.open(), "finding");
        return Err(Refusal::invalid(format!("{open} still open; answer them, or proceed with `force`")));
    }
    Ok(cycle::settle(gate, call, row, &format!("{by} proceeds")))
}

/// D-9.
fn extra_round(gate: &Gate, call: &Call<Config>, mut state: State, mut row: Row) -> Transition<State> {
    row.max = row.max.saturating_add(1);
    let document = row.keep(gate, Status::Ready, call.run.now);
    if call.run.is_errand {
        let mut transition = cycle::extra_round(gate, call, state, row);
        transition.documents.insert(0, document);
        return transition;
    }
    state.pending = Some(Pending::ExtraRound);
    let waiting = Waiting::new(0, "one more round");
    Transition::new(state, waiting).note("one more round is granted").document(document)
}

/// RV-18: the review survives. Without a run there is nothing to stop.
fn stop(call: &Call<Config>, state: State) -> Transition<State> {
    let note = "a person stops at the cap of the review";
    let next: Next = if call.run.is_errand {
        Completion::new().approved().into()
    } else {
        Failure::new(FailureClass::Cancelled, "a person stopped it at the cap of the review").into()
    };
    Transition::new(state, next).note(note)
}
