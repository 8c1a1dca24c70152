//! The environment: asked for, awaited, done without.

use crate::{Config, NOTICE, Phase, State, act};
use lockstep_environment::{Environment, Status, provision_inputs};
use lockstep_sdk::{
    Call, Effect, EffectOutcome, EffectRequest, Host, ObserveError, ProvisionRequest, Question, QuestionKind,
    Transition, Waiting,
};

/// HT-14: tears down what there is, forgets it, and asks for another.
pub(crate) fn rebuild(call: &Call<Config>, mut state: State, note: &str) -> Transition<State> {
    state.phase = Phase::Provisioning;
    state.polls = 0;
    state.due_at = None;
    state.head_sha.clone_from(&call.run.change.head_commit);
    let earlier = state.environment.take();
    let inputs = provision_inputs(&call.run, &call.config.inputs);
    let request = EffectRequest::new(Effect::Provision(ProvisionRequest::new(&inputs)));
    let transition = Transition::new(state, request).note(note);
    match earlier {
        Some(environment) => transition.teardown(environment.told),
        None => transition,
    }
}

/// HT-2, HT-5: without a provider, or after its error, a person does without.
pub(crate) fn provisioned(
    call: &Call<Config>,
    mut state: State,
    outcome: EffectOutcome,
) -> Transition<State> {
    let told = match outcome {
        EffectOutcome::Done(told) => told,
        EffectOutcome::NotConfigured(_) => return degrade(call, state, "nobody provides environments"),
        EffectOutcome::Refused(why) | EffectOutcome::Failed(why) => {
            return degrade(call, state, &format!("the environment could not be made: {why}"));
        }
    };
    let environment = match Environment::read(told) {
        Ok(environment) => environment,
        Err(why) => return degrade(call, state, &format!("its provider told nothing usable: {why}")),
    };
    // HT-14: only a success clears the reason.
    state.degraded_reason = None;
    let status = environment.status;
    state.environment = Some(environment);
    if status == Status::Ready { park(call, state, "the environment is ready") } else { wait(call, state) }
}

/// HT-3.
pub(crate) fn look(call: &Call<Config>, mut state: State, host: &impl Host) -> Transition<State> {
    // The host also calls early, when what was waited for may have changed; that is no poll of the budget.
    if state.due_at.is_none_or(|due_at| call.run.now >= due_at) {
        state.polls = state.polls.saturating_add(1);
        state.due_at = None;
    }
    let Some(environment) = &mut state.environment else {
        return degrade(call, state, "the environment was destroyed");
    };
    match host.environment(&environment.id) {
        Ok(Some(report)) => environment.see(report),
        Ok(None) => return degrade(call, state, "the environment is not known any more"),
        Err(ObserveError::NotConfigured) => return degrade(call, state, "nobody tells of the environment"),
        Err(ObserveError::Failed(why)) => {
            return degrade(call, state, &format!("the environment cannot be looked at: {why}"));
        }
    }
    match environment.status {
        Status::Ready => park(call, state, "the environment is ready"),
        Status::Provisioning => wait(call, state),
        status => degrade(call, state, &format!("the environment is {}", status.word())),
    }
}

/// HT-4: with its looks spent a person does without; the run is never failed.
fn wait(call: &Call<Config>, mut state: State) -> Transition<State> {
    let (config, policy, now) = (&call.config, &call.policy, call.run.now);
    let max_polls = config.max_polls.unwrap_or(policy.gate_max_polls);
    if state.polls >= max_polls {
        return degrade(call, state, "the environment was not ready in time");
    }
    let interval_ms = config.interval_ms.unwrap_or(policy.gate_interval_ms);
    let due_at = *state.due_at.get_or_insert_with(|| now.saturating_add(interval_ms));
    let note = match state.polls {
        0 => "the environment is being made".to_owned(),
        polls => format!("the environment is being made; look {polls} of {max_polls}"),
    };
    Transition::new(state, Waiting::new(due_at.saturating_sub(now), "the environment is being made"))
        .note(note)
}

fn degrade(call: &Call<Config>, mut state: State, why: &str) -> Transition<State> {
    state.degraded_reason = Some(why.to_owned());
    park(call, state, why)
}

/// HT-6: a person is asked, each time with a card.
pub(crate) fn park(call: &Call<Config>, mut state: State, why: &str) -> Transition<State> {
    state.phase = Phase::AwaitingHuman;
    state.polls = 0;
    state.due_at = None;
    let place = match (&state.degraded_reason, &state.environment) {
        (Some(reason), _) => format!("There is no environment to try it in: {reason}."),
        (None, Some(Environment { url: Some(url), .. })) => format!("Try it at {url}."),
        (None, _) => "Try it; its environment has no address.".to_owned(),
    };
    let prompt = format!("{place} Confirm the change, or say what is to be fixed.");
    let question = Question::new(QuestionKind::HumanTest, &prompt).actions(act::possible(call, &state));
    let title = format!("Try the change: {}", call.run.title);
    Transition::new(state, question)
        .note(format!("{why}; a person tries the change"))
        .notice(NOTICE, title, prompt)
}
