//! The watch, and what is done about a regression.

use crate::assessment::Assessment;
use crate::signals::{self, KeptSignal};
use crate::{ANNOTATE, Config, HELPER, State};
use lockstep_gate::{LastVerdict, Phase};
use lockstep_sdk::release_health::{Evidence, Report, Status};
use lockstep_sdk::text::{at_most, count, first_line, missing_executor};
use lockstep_sdk::{
    Access, Call, Completion, Effect, EffectRequest, Failure, FailureClass, Host, ItemStatus, JobOutcome,
    JobRequest, JobSettled, ObserveError, Transition, Waiting, json_text,
};
use serde::Serialize;

const MINUTE_MS: u64 = 60_000;

/// Characters of an on-call's own words kept where it gave no assessment.
const MAX_ACCOUNT_CHARS: usize = 2_000;

/// Characters of them in a note.
const NOTED_CHARS: usize = 120;

#[derive(Serialize)]
struct InvestigateInput<'a> {
    attempt: u32,
    max_attempts: u32,
    summary: &'a str,
    /// Milliseconds since the Unix epoch.
    watch_since: u64,
    regressed_signals: &'a [KeptSignal],
    errors: Vec<String>,
    notes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

#[derive(Serialize)]
struct AnnotateInput<'a> {
    signals: Vec<&'a str>,
    summary: &'a str,
}

/// RH-2, GM-4: what is fixed at the first entry stays over a rework.
pub(crate) fn begin(call: &Call<Config>, mut state: State, host: &impl Host) -> Transition<State> {
    let (config, policy) = (&call.config, &call.policy);
    state.max_attempts.get_or_insert_with(|| config.max_attempts.unwrap_or(policy.release_max_attempts));
    state.watch_since.get_or_insert(call.run.now);
    state
        .watch_window_minutes
        .get_or_insert_with(|| config.watch_minutes.unwrap_or(policy.release_watch_minutes));
    state.phase = Phase::Checking;
    state.due_at = None;
    state.polls = 0;
    state.read_failures = 0;
    state.output = None;
    look(call, state, host, true)
}

pub(crate) fn look(
    call: &Call<Config>,
    mut state: State,
    host: &impl Host,
    is_first: bool,
) -> Transition<State> {
    // RH-1: the order matters; without a release nobody is asked.
    if call.run.item_status != ItemStatus::Done {
        return pass(state, "nothing was deployed, so nothing is watched");
    }
    let since = state.watch_since.unwrap_or(call.run.now);
    let report = match host.release_health(since) {
        Ok(report) => report,
        Err(ObserveError::NotConfigured) => {
            return pass(State::default(), "skipped: no provider tells about release health");
        }
        Err(ObserveError::Failed(why)) => {
            return unreadable(call, state, is_first, &format!("release health cannot be read: {why}"));
        }
    };
    state.last_failure_summary = None;
    // RH-1 (surprising): without a signal nothing regressed, whatever the status says.
    if report.signals.is_empty() {
        return pass(state, "no signal watches this release");
    }
    if report.status == Status::Regressed {
        return regressed(call, state, host, &report, is_first);
    }
    state.read_failures = 0;
    // RH-3, RH-4: at its exact end the window is over; what nobody can tell yet is as good as healthy.
    let minutes = state.watch_window_minutes.unwrap_or(call.policy.release_watch_minutes);
    let ends_at = ends_at(call, &state);
    if call.run.now >= ends_at {
        let watched = count(report.signals.len(), "signal");
        let minutes = count(minutes as usize, "minute");
        return pass(state, &format!("no regression in {minutes}; {watched} watched"));
    }
    state.last_verdict = Some(LastVerdict::Pending);
    let left = count(ends_at.saturating_sub(call.run.now).div_ceil(MINUTE_MS) as usize, "minute");
    wait(call, state, &format!("no regression so far; {left} left to watch"))
}

/// RH-3.
fn ends_at(call: &Call<Config>, state: &State) -> u64 {
    let since = state.watch_since.unwrap_or(call.run.now);
    let minutes = state.watch_window_minutes.unwrap_or(call.policy.release_watch_minutes);
    since.saturating_add(u64::from(minutes).saturating_mul(MINUTE_MS))
}

/// RH-12: with its looks spent it goes on as long as the window lasts; after that, nobody could tell of a regression.
fn wait(call: &Call<Config>, mut state: State, reason: &str) -> Transition<State> {
    let now = call.run.now;
    if state.polls >= call.policy.gate_max_polls {
        state.polls = 0;
        if now >= ends_at(call, &state) {
            return pass(state, &format!("the watch is over; {reason}"));
        }
    }
    let interval_ms = call.config.interval_ms.unwrap_or(call.policy.gate_interval_ms);
    let due_at = *state.due_at.get_or_insert_with(|| now.saturating_add(interval_ms));
    Transition::new(state, Waiting::new(due_at.saturating_sub(now), reason)).note(reason)
}

/// DL-1: the first look must succeed. DL-3: later ones may fail a few times in a row.
fn unreadable(call: &Call<Config>, mut state: State, is_first: bool, why: &str) -> Transition<State> {
    if is_first {
        return Transition::new(state, Failure::new(FailureClass::Agent, why)).note(why);
    }
    state.read_failures = state.read_failures.saturating_add(1);
    let tolerance = call.config.read_failure_tolerance.unwrap_or(call.policy.read_failure_tolerance);
    let failures = state.read_failures;
    if failures >= tolerance {
        let message = format!("{failures} times in a row {why}");
        return Transition::new(state, Failure::new(FailureClass::Timeout, &message)).note(message);
    }
    wait(call, state, &format!("{why} ({failures} of {tolerance} in a row)"))
}

fn pass(mut state: State, output: &str) -> Transition<State> {
    state.last_verdict = Some(LastVerdict::Pass);
    state.due_at = None;
    Transition::new(state, Completion::new().output(output)).note(output)
}

/// RH-8: the evidence is gathered afresh for the on-call.
fn regressed(
    call: &Call<Config>,
    mut state: State,
    host: &impl Host,
    report: &Report,
    is_first: bool,
) -> Transition<State> {
    let summary = signals::summary(&report.signals);
    state.last_verdict = Some(LastVerdict::Fail);
    state.last_failure_summary = Some(summary.clone());
    let budget = state.max_attempts.unwrap_or(call.policy.release_max_attempts);
    if state.attempts >= budget {
        let why = match state.attempts {
            0 => "no investigation is allowed".to_owned(),
            spent => format!("{} spent", count(spent as usize, "investigation")),
        };
        return give_up(state, &why);
    }
    if !call.step.is_wired(HELPER) {
        return give_up(state, &missing_executor(HELPER));
    }
    let evidence = match host.evidence(state.watch_since.unwrap_or(call.run.now)) {
        Ok(evidence) => evidence,
        Err(ObserveError::NotConfigured) => {
            Evidence { regressed: Vec::new(), errors: Vec::new(), notes: None }
        }
        Err(ObserveError::Failed(why)) => {
            let why = format!("the evidence of a regression cannot be gathered: {why}");
            return unreadable(call, state, is_first, &why);
        }
    };
    state.read_failures = 0;
    state.attempts += 1;
    state.phase = Phase::Working;
    state.due_at = None;
    state.regressed_signals = signals::kept(&evidence.regressed);
    let attempt = state.attempts;
    let job = investigation(call, &state, &evidence, &summary, budget);
    Transition::new(state, job)
        .note(format!("regressed: {summary}; {HELPER} attempt {attempt} of {budget}"))
        .progress(attempt, budget, "on-call at work")
}

fn investigation(
    call: &Call<Config>,
    state: &State,
    evidence: &Evidence,
    summary: &str,
    budget: u32,
) -> JobRequest {
    let input = InvestigateInput {
        attempt: state.attempts,
        max_attempts: budget,
        summary,
        watch_since: state.watch_since.unwrap_or(call.run.now),
        regressed_signals: &state.regressed_signals,
        errors: signals::errors(evidence),
        notes: evidence.notes.as_deref(),
        instructions: call.config.instructions.as_deref(),
    };
    JobRequest::new(HELPER, Access::ReadOnly)
        .input(&input)
        .time_limit_s(call.config.time_limit_s)
        .extra_output(&call.step.name, &call.step.role, signals::rendered(evidence, summary))
}

/// RH-9 (surprising): nothing is looked at again. The card is raised, an incident annotated, and the run goes on.
pub(crate) fn investigated(call: &Call<Config>, mut state: State, job: JobSettled) -> Transition<State> {
    let said = match job.outcome {
        JobOutcome::Done(result) => match Assessment::read(result.report.as_deref()) {
            Some(assessment) => assessment.rendered(),
            None => account("the on-call gave no assessment", &result.output),
        },
        JobOutcome::Failed(why) => account("the investigation failed", &why),
        JobOutcome::Evicted(why) => account("the investigation was evicted too often", &why),
        JobOutcome::NotConfigured(_) => {
            state.attempts = state.attempts.saturating_sub(1);
            return give_up(state, &missing_executor(HELPER));
        }
    };
    state.phase = Phase::Checking;
    let regression = state.last_failure_summary.as_deref().unwrap_or("a signal alerts");
    let output = format!("the release regressed: {regression}\n{said}");
    let note = format!("regressed; {}", at_most(first_line(&said), NOTED_CHARS));
    state.output = Some(output.clone());
    let transition = if call.step.is_wired(ANNOTATE) {
        let signals = state.regressed_signals.iter().map(|signal| signal.name.as_str()).collect();
        let input = json_text(&AnnotateInput { signals, summary: &output });
        Transition::new(state, EffectRequest::new(Effect::AnnotateIncident(input)))
    } else {
        finish(state)
    };
    transition.note(note).notice("release_regression", format!("Regressed: {}", call.run.title), output)
}

fn account(what: &str, said: &str) -> String {
    let said = said.trim();
    if said.is_empty() { what.to_owned() } else { format!("{what}: {}", at_most(said, MAX_ACCOUNT_CHARS)) }
}

pub(crate) fn finish(mut state: State) -> Transition<State> {
    let output = state.output.take().unwrap_or_default();
    Transition::new(state, Completion::new().output(output)).note("the release regressed; the run goes on")
}

/// RH-11, D-6, D-14: what was merged stays merged.
fn give_up(state: State, why: &str) -> Transition<State> {
    let regression = state.last_failure_summary.as_deref().unwrap_or("a signal alerts");
    let message = format!("the release regressed: {regression}; {why}");
    Transition::new(state, Failure::new(FailureClass::GateExhausted, &message)).note(&message).notice(
        "release_regression",
        "The release regressed",
        message,
    )
}
