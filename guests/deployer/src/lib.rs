//! Step kind `deployer`: provisions an environment that stays, and waits until it can be used (SPEC section 13).
//!
//! Where nobody provides environments a job of the step's role deploys. It tears nothing down: the host does, when
//! another environment takes the place of this one.

use lockstep_environment::{Environment, Status, provision_inputs};
use lockstep_sdk::text::count;
use lockstep_sdk::{
    Access, Call, Completion, Descriptor, Effect, EffectOutcome, EffectRequest, Event, Failure, FailureClass,
    Host, JobRequest, JobSettled, ObserveError, ProvisionRequest, Step, StepError, Transition, Waiting,
};
use serde::{Deserialize, Serialize};

const MINUTE_MS: u64 = 60_000;

struct Deployer;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    inputs: serde_json::Map<String, serde_json::Value>,
    interval_ms: Option<u64>,
    max_polls: Option<u32>,
    read_failure_tolerance: Option<u32>,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    environment: Option<Environment>,
    /// Looks since it was asked for.
    polls: u32,
    /// Looks in a row that got no answer.
    read_failures: u32,
    /// When the next look is due; an earlier one is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
}

#[derive(Serialize)]
struct JobInput<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

impl Step for Deployer {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Provisions an environment that stays, and waits until it can be used.";
        Descriptor::new("deployer", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}"])
            .effects(["provision"])
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) if call.step.is_wired("provision") => Ok(provision(call)),
            Event::Started(_) | Event::Answered(_) => Ok(without_provider(call)),
            Event::EffectSettled(outcome) => Ok(provisioned(call, outcome)),
            Event::Due => Ok(look(call, state, host)),
            Event::JobSettled(job) => Ok(deployed(state, job)),
            Event::Acted(_) => Err(StepError::unexpected(&event, "an environment is being made")),
        }
    }
}

/// DP-2. A rework provisions again (DP-4); the host tears down the environment there was (D-21).
fn provision(call: &Call<Config>) -> Transition<State> {
    let inputs = provision_inputs(&call.run, &call.config.inputs);
    let request = EffectRequest::new(Effect::Provision(ProvisionRequest::new(&inputs).keep()));
    Transition::new(State::default(), request).note("an environment is asked for")
}

/// DP-1: an ordinary job does it, where there is one.
fn without_provider(call: &Call<Config>) -> Transition<State> {
    let role = &call.step.role;
    if !call.step.is_wired(role) {
        let output = format!("skipped: nobody provides environments, and nothing carries out `{role}` jobs");
        return Transition::new(State::default(), Completion::new().output(&output)).note(output);
    }
    let input = JobInput { instructions: call.config.instructions.as_deref() };
    let job = JobRequest::new(role, Access::ReadOnly).input(&input).time_limit_s(call.config.time_limit_s);
    Transition::new(State::default(), job).note(format!("{role} goes to work; nobody provides environments"))
}

fn deployed(state: State, job: JobSettled) -> Transition<State> {
    let note = format!("{} is done", job.kind);
    match job.finished() {
        Ok(result) => Transition::new(state, Completion::new().output(result.output)).note(note),
        Err(detour) => detour.with(state),
    }
}

fn provisioned(call: &Call<Config>, outcome: EffectOutcome) -> Transition<State> {
    let failed = |why: String| {
        let message = format!("the environment could not be made: {why}");
        Transition::new(State::default(), Failure::new(FailureClass::Agent, &message)).note(message)
    };
    let told = match outcome {
        EffectOutcome::Done(told) => told,
        EffectOutcome::NotConfigured(_) => return without_provider(call),
        EffectOutcome::Refused(why) | EffectOutcome::Failed(why) => return failed(why),
    };
    match Environment::read(told) {
        Ok(environment) => {
            let state = State { environment: Some(environment), ..State::default() };
            wait_or_finish(call, state, "the environment is being made")
        }
        Err(why) => failed(format!("its provider told nothing usable: {why}")),
    }
}

/// DL-3: a look that fails counts as a look, and too many in a row end the wait.
fn look(call: &Call<Config>, mut state: State, host: &impl Host) -> Transition<State> {
    // The host also calls early, when what was waited for may have changed; that is no poll of the budget.
    if state.due_at.is_none_or(|due_at| call.run.now >= due_at) {
        state.polls = state.polls.saturating_add(1);
        state.due_at = None;
    }
    let Some(environment) = &mut state.environment else {
        return wait_or_finish(call, state, "the environment is not known");
    };
    match host.environment(&environment.id) {
        Ok(Some(report)) => environment.see(report),
        // Whoever knew of it does not any more: waiting would not bring it back.
        Ok(None) | Err(ObserveError::NotConfigured) => environment.status = Status::TornDown,
        Err(ObserveError::Failed(why)) => {
            state.read_failures = state.read_failures.saturating_add(1);
            let tolerance = call.config.read_failure_tolerance.unwrap_or(call.policy.read_failure_tolerance);
            let failures = state.read_failures;
            if failures >= tolerance {
                let message =
                    format!("the environment could not be looked at {failures} times in a row: {why}");
                return timeout(state, message);
            }
            return wait_or_finish(call, state, &format!("the environment cannot be looked at: {why}"));
        }
    }
    state.read_failures = 0;
    wait_or_finish(call, state, "the environment is being made")
}

/// D-21, DP-3: it waits until the environment is ready or will never be; either way the step is finished.
fn wait_or_finish(call: &Call<Config>, mut state: State, reason: &str) -> Transition<State> {
    let now = call.run.now;
    let Some(environment) = state.environment.as_ref().filter(|known| known.status != Status::Provisioning)
    else {
        let max_polls = call.config.max_polls.unwrap_or(call.policy.gate_max_polls);
        if state.polls >= max_polls {
            let looks = count(state.polls as usize, "look");
            return timeout(state, format!("{reason}, and was not ready after {looks}"));
        }
        let interval_ms = call.config.interval_ms.unwrap_or(call.policy.gate_interval_ms);
        let due_at = *state.due_at.get_or_insert_with(|| now.saturating_add(interval_ms));
        let note = format!("{reason}; look {} of {max_polls}", state.polls);
        return Transition::new(state, Waiting::new(due_at.saturating_sub(now), reason)).note(note);
    };
    let output = told(environment, now);
    state.due_at = None;
    Transition::new(state, Completion::new().output(&output)).note(output)
}

fn timeout(state: State, message: String) -> Transition<State> {
    Transition::new(state, Failure::new(FailureClass::Timeout, &message)).note(message)
}

/// DP-3.
fn told(environment: &Environment, now: u64) -> String {
    let provider = environment.provider.as_deref().unwrap_or("the environment provider");
    let url = environment.url.as_deref().unwrap_or("address pending");
    let (id, status) = (&environment.id, environment.status.word());
    let mut text = format!("environment {id} of {provider} is {status}: {url}");
    if let Some(expires_at) = environment.expires_at {
        let left = expires_at.saturating_sub(now) / MINUTE_MS;
        text.push_str(&format!(
            "; it ends in {}",
            count(usize::try_from(left).unwrap_or(usize::MAX), "minute")
        ));
    }
    text
}

lockstep_sdk::export_step!(Deployer);

#[cfg(test)]
mod tests;
