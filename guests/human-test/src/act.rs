//! What a person does.

use crate::{Config, FIXER, NOTICE, PendingAction, Phase, State, helpers, place};
use lockstep_environment::Status;
use lockstep_sdk::text::missing_executor;
use lockstep_sdk::{
    Action, Call, Completion, Effect, EffectRequest, Next, Refusal, Transition, Waiting, read_object,
};
use serde::Deserialize;

const CONFIRM: &str = "confirm";
const REQUEST_FIX: &str = "request-fix";
const PULL_MAIN: &str = "pull-main";
const RECREATE: &str = "recreate";
const DESTROY: &str = "destroy";

/// SPEC HT-7, HT-15.
const ACTIONS: [&str; 5] = [CONFIRM, REQUEST_FIX, PULL_MAIN, RECREATE, DESTROY];

/// Characters of findings: as much as a person may write when asking for changes elsewhere (SPEC AP-5).
const MAX_FINDINGS_CHARS: usize = 10_000;

/// A fixer is told this where the person gave no findings.
const NO_FINDINGS: &str = "Whoever tried the change wants it mended, and did not say how.";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    findings: Option<String>,
}

/// HT-7, D-17: the action is recorded now and carried out with the next call, so that a crash does not lose it.
pub(crate) fn acted(call: &Call<Config>, mut state: State, action: &Action) -> Transition<State> {
    if action.name == DESTROY {
        return destroy(state, &action.by);
    }
    let input = match accepted(call, &state, action) {
        Ok(input) => input,
        Err(refusal) => return Transition::new(state, refusal),
    };
    let name = action.name.clone();
    let waiting = Waiting::new(0, format!("`{name}` is carried out"));
    let note = format!("{} asks for `{name}`", action.by);
    state.pending_action = Some(PendingAction { name, findings: input.findings });
    Transition::new(state, waiting).note(note)
}

/// D-17: what cannot be carried out is refused at once.
fn accepted(call: &Call<Config>, state: &State, action: &Action) -> Result<Input, Refusal> {
    let name = action.name.as_str();
    if !ACTIONS.contains(&name) {
        let known = ACTIONS.join(", ");
        return Err(Refusal::invalid(format!("`{name}` is no action of a human test; it has {known}")));
    }
    if state.phase != Phase::AwaitingHuman || state.pending_action.is_some() {
        return Err(Refusal::conflict(format!(
            "`{name}` is possible only while the change waits to be tried; look again in a moment"
        )));
    }
    if let Some(why) = impossible(call, state, name) {
        return Err(Refusal::conflict(why));
    }
    let input: Input = read_object(&action.input)
        .map_err(|why| Refusal::invalid(format!("the input of `{name}` is not valid: {why}")))?;
    match &input.findings {
        Some(findings) if findings.chars().count() > MAX_FINDINGS_CHARS => Err(Refusal::invalid(format!(
            "findings have at most {MAX_FINDINGS_CHARS} characters; shorten them"
        ))),
        _ => Ok(input),
    }
}

/// Those that would not be refused now.
pub(crate) fn possible(call: &Call<Config>, state: &State) -> impl Iterator<Item = &'static str> {
    ACTIONS.into_iter().filter(|name| impossible(call, state, name).is_none())
}

/// HT-8, HT-11; the budget is looked at first.
fn impossible(call: &Call<Config>, state: &State, name: &str) -> Option<String> {
    let has_branch = call.run.change.has_branch();
    let is_wired = |name: &str| call.step.is_wired(name);
    let budget = state.max_attempts.unwrap_or(0);
    let why = match name {
        REQUEST_FIX if state.attempts >= budget => {
            format!("all {budget} attempts are spent; confirm the change or stop the run")
        }
        REQUEST_FIX if !is_wired(FIXER) => missing_executor(FIXER),
        PULL_MAIN if !is_wired("update-branch") => {
            "nobody merges the base branch; wire a forge, or merge it by hand".to_owned()
        }
        REQUEST_FIX | PULL_MAIN if !has_branch => {
            format!("`{name}` needs a branch to push to, and the change has none")
        }
        RECREATE if !is_wired("provision") => {
            "nobody provides environments; wire an environment provider".to_owned()
        }
        _ => return None,
    };
    Some(why)
}

/// The recorded action goes out of the state in the same transition as what it leads to.
pub(crate) fn carry_out(call: &Call<Config>, mut state: State) -> Transition<State> {
    let Some(PendingAction { name, findings }) = state.pending_action.take() else {
        return place::park(call, state, "there is nothing to carry out");
    };
    match name.as_str() {
        REQUEST_FIX => {
            let findings = findings.filter(|findings| !findings.trim().is_empty());
            helpers::fix(call, state, findings.as_deref().unwrap_or(NO_FINDINGS))
        }
        PULL_MAIN => {
            state.phase = Phase::ResolvingConflicts;
            let note = format!("{} is merged into the change", call.run.change.base_branch);
            Transition::new(state, EffectRequest::new(Effect::UpdateBranch)).note(note)
        }
        RECREATE => place::rebuild(call, state, "the environment is made anew"),
        _ => confirm(state),
    }
}

/// HT-9: neither an output nor another approval.
fn confirm(mut state: State) -> Transition<State> {
    state.phase = Phase::Passed;
    let environment = state.environment.take();
    let completion = Completion::new().approved();
    let transition = Transition::new(state, completion)
        .note("a person tried the change and confirms it")
        .settled_notice(NOTICE);
    match environment {
        Some(environment) => transition.teardown(environment.told),
        None => transition,
    }
}

/// HT-15.
fn destroy(mut state: State, by: &str) -> Transition<State> {
    let told = match (state.phase, &mut state.environment) {
        (Phase::AwaitingHuman, Some(environment)) => {
            // Its address stays (surprising): people still see what it was.
            environment.status = Status::TornDown;
            Some(environment.told.clone())
        }
        (Phase::AwaitingHuman, None) => None,
        // The next look finds none, and a person does without.
        (Phase::Provisioning, Some(_)) => state.environment.take().map(|environment| environment.told),
        _ => {
            let why = "there is no environment to destroy now; try again when the change waits to be tried";
            return Transition::new(state, Refusal::conflict(why));
        }
    };
    let note = format!("{by} destroys the environment");
    let transition = Transition::new(state, Next::Stay).note(note);
    match told {
        Some(told) => transition.teardown(told),
        None => transition,
    }
}
