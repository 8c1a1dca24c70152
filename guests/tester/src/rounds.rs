//! The rounds of testing and mending.

use crate::report::Report;
use crate::{Config, FIXER, Phase, State};
use lockstep_sdk::text::{at_most, count, first_line, list, missing_executor};
use lockstep_sdk::{
    Access, Call, Completion, Failure, FailureClass, JobOutcome, JobRequest, JobSettled, Transition,
    json_text,
};
use serde::Serialize;

/// SPEC TS-10.
const CONCERNS_IN_MESSAGE: usize = 5;

/// Characters of a summary in a note.
const NOTED_CHARS: usize = 120;

#[derive(Serialize)]
struct TestInput<'a> {
    /// From 1.
    round: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

#[derive(Serialize)]
struct FixInput<'a> {
    attempt: u32,
    max_attempts: u32,
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// Has the change tested. A tester only looks.
pub(crate) fn test(call: &Call<Config>, mut state: State, before: &str) -> Transition<State> {
    state.phase = Phase::Testing;
    let (config, role) = (&call.config, &call.step.role);
    let round = state.attempts + 1;
    let input = TestInput { round, instructions: config.instructions.as_deref() };
    let job = JobRequest::new(role, Access::ReadOnly).input(&input).time_limit_s(config.time_limit_s);
    Transition::new(state, job).note(format!("{before}{role} tests, round {round}"))
}

pub(crate) fn tester_settled(call: &Call<Config>, mut state: State, job: JobSettled) -> Transition<State> {
    let role = job.kind.clone();
    let result = match job.finished() {
        Ok(result) => result,
        Err(detour) => return detour.with(state),
    };
    // TS-3, D-10: without a readable report nothing is known, so nothing is mended and nothing accepted.
    let report = match result.report.as_deref().map(Report::read) {
        Some(Ok(report)) => report,
        Some(Err(why)) => return unreadable(state, &format!("the report of `{role}` is not valid: {why}")),
        None => return unreadable(state, &format!("`{role}` ended without a report")),
    };
    let budget = *state
        .max_attempts
        .get_or_insert_with(|| call.config.max_attempts.unwrap_or(call.policy.ci_max_attempts));
    let objection = report.objection(state.attempts == 0);
    state.last_report = Some(report.clone());
    match objection {
        None => accepted(state, &report, &result.output),
        Some(objection) => not_accepted(call, state, &report, budget, &objection),
    }
}

fn accepted(state: State, report: &Report, output: &str) -> Transition<State> {
    let output = if report.summary.trim().is_empty() { output } else { report.summary.as_str() };
    let mut note = format!("accepted: {}", at_most(first_line(output), NOTED_CHARS));
    if !report.concerns.is_empty() {
        note.push_str(&format!("; {} advisory", count(report.concerns.len(), "concern")));
    }
    let completion =
        Completion::new().output(output).artifact("test-report.json", "application/json", json_text(report));
    Transition::new(state, completion).note(note)
}

/// TS-7 to TS-9.
fn not_accepted(
    call: &Call<Config>,
    mut state: State,
    report: &Report,
    budget: u32,
    objection: &str,
) -> Transition<State> {
    if state.attempts >= budget {
        let why = match state.attempts {
            0 => "no repair is allowed".to_owned(),
            spent => format!("{} spent", count(spent as usize, "fix attempt")),
        };
        return give_up(state, report, FailureClass::GateExhausted, &format!("{objection}; {why}"));
    }
    // TS-11, D-14: nobody to mend it is a spent budget.
    if !call.step.is_wired(FIXER) {
        return give_up(state, report, FailureClass::GateExhausted, &missing_executor(FIXER));
    }
    // TS-8: a fixer pushes to the branch of the change.
    if !call.run.change.has_branch() {
        let why = format!("{objection}; there is no branch to push a fix to");
        return give_up(state, report, FailureClass::Agent, &why);
    }
    state.attempts += 1;
    state.phase = Phase::Fixing;
    let attempt = state.attempts;
    let instructions = call.config.fixer_instructions.as_deref();
    let input = FixInput { attempt, max_attempts: budget, report, instructions };
    let job = JobRequest::new(FIXER, Access::Write)
        .input(&input)
        .time_limit_s(call.config.fixer_time_limit_s)
        .extra_output(&call.step.name, &call.step.role, report.for_the_fixer());
    Transition::new(state, job)
        .note(format!("not accepted: {objection}; {FIXER} attempt {attempt} of {budget}"))
        .progress(attempt, budget, "fixer at work")
}

/// TS-9: whatever a fixer says, the change is tested again.
pub(crate) fn fixer_settled(call: &Call<Config>, mut state: State, job: &JobSettled) -> Transition<State> {
    let word = match job.outcome {
        JobOutcome::Done(_) => "is done",
        JobOutcome::Failed(_) => "failed",
        JobOutcome::Evicted(_) => "was evicted too often",
        JobOutcome::NotConfigured(_) => {
            // Who was wired is gone since: as below, and nothing was attempted.
            state.attempts = state.attempts.saturating_sub(1);
            state.phase = Phase::Testing;
            let why = missing_executor(FIXER);
            return match state.last_report.clone() {
                Some(report) => give_up(state, &report, FailureClass::GateExhausted, &why),
                None => unreadable(state, &why),
            };
        }
    };
    test(call, state, &format!("{FIXER} {word}; "))
}

/// TS-10.
fn give_up(state: State, report: &Report, class: FailureClass, why: &str) -> Transition<State> {
    let mut message = format!("the change was not accepted: {why}");
    if !report.concerns.is_empty() {
        let titles = report.concerns.iter().map(|concern| concern.title.as_str());
        message.push_str(&format!("; concerns: {}", list(titles, CONCERNS_IN_MESSAGE)));
    }
    let body = format!("{message}\n\n{}", report.for_the_fixer());
    let failure = Failure::new(class, message).detail(&report.summary);
    Transition::new(state, failure).note(format!("not accepted: {why}")).notice(
        "test_failed",
        "The tester does not accept the change",
        body,
    )
}

fn unreadable(state: State, message: &str) -> Transition<State> {
    Transition::new(state, Failure::new(FailureClass::Agent, message)).note(message).notice(
        "test_failed",
        "The tester gave no usable report",
        message,
    )
}
