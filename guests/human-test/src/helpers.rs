//! Helpers: they mend what a person found, or merge the base branch where that conflicts.

use crate::{Config, FIXER, Phase, RESOLVER, Round, State, place};
use lockstep_sdk::text::{at_most, first_line};
use lockstep_sdk::{Access, Call, EffectOutcome, JobOutcome, JobRequest, JobSettled, Transition};
use serde::Serialize;

/// Rounds kept; a person would have to ask for dozens of merges to lose one.
const MAX_ROUNDS: usize = 100;

/// Characters of a provider's words in a note.
const NOTED_CHARS: usize = 120;

#[derive(Serialize)]
struct FixInput<'a> {
    attempt: u32,
    max_attempts: u32,
    findings: &'a str,
    environment_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// As the conflicts gate gives it, without the paths: whoever updates a branch does not tell them.
#[derive(Serialize)]
struct ResolveInput<'a> {
    attempt: u32,
    head_commit: Option<&'a str>,
    base_branch: &'a str,
    conflicts: [&'a str; 0],
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// HT-10: what the person found goes along as an output of this step.
pub(crate) fn fix(call: &Call<Config>, mut state: State, findings: &str) -> Transition<State> {
    begin(call, &mut state, "fix", FIXER, Some(findings));
    state.phase = Phase::Fixing;
    let (attempt, max_attempts) = (state.attempts, state.max_attempts.unwrap_or(state.attempts));
    let environment_url = state.environment.as_ref().and_then(|environment| environment.url.as_deref());
    let instructions = call.config.instructions.as_deref();
    let input = FixInput { attempt, max_attempts, findings, environment_url, instructions };
    let job = JobRequest::new(FIXER, Access::Write)
        .input(&input)
        .time_limit_s(call.config.time_limit_s)
        .extra_output(&call.step.name, &call.step.role, findings);
    Transition::new(state, job).note(format!("{FIXER} attempt {attempt} of {max_attempts}")).progress(
        attempt,
        max_attempts,
        "fixer at work",
    )
}

/// HT-10, HT-11: the base branch was merged into the head branch, or not.
pub(crate) fn updated(call: &Call<Config>, state: State, outcome: EffectOutcome) -> Transition<State> {
    let why = match outcome {
        EffectOutcome::Done(_) => {
            let note = format!("{} is merged; the environment is made anew", call.run.change.base_branch);
            return place::rebuild(call, state, &note);
        }
        EffectOutcome::Refused(why) if call.step.is_wired(RESOLVER) => return resolve(call, state, &why),
        EffectOutcome::Refused(why) => format!("the base branch conflicts and nobody resolves that: {why}"),
        EffectOutcome::Failed(why) => format!("the base branch could not be merged: {why}"),
        EffectOutcome::NotConfigured(_) => "nobody merges the base branch".to_owned(),
    };
    place::park(call, state, &at_most(first_line(&why), NOTED_CHARS))
}

/// HT-8: it counts as an attempt, but is not limited (surprising).
fn resolve(call: &Call<Config>, mut state: State, detail: &str) -> Transition<State> {
    begin(call, &mut state, "pull-main", RESOLVER, None);
    let change = &call.run.change;
    let input = ResolveInput {
        attempt: state.attempts,
        head_commit: change.head_commit.as_deref(),
        base_branch: &change.base_branch,
        conflicts: [],
        detail,
        instructions: call.config.instructions.as_deref(),
    };
    let job = JobRequest::new(RESOLVER, Access::Write).input(&input).time_limit_s(call.config.time_limit_s);
    let said = at_most(first_line(detail), NOTED_CHARS);
    Transition::new(state, job).note(format!("{} conflicts: {said}; {RESOLVER} at work", change.base_branch))
}

/// HT-12.
fn begin(call: &Call<Config>, state: &mut State, kind: &str, helper: &str, findings: Option<&str>) {
    state.attempts = state.attempts.saturating_add(1);
    if state.rounds.len() >= MAX_ROUNDS {
        state.rounds.remove(0);
    }
    state.rounds.push(Round {
        kind: kind.to_owned(),
        findings: findings.map(str::to_owned),
        helper_kind: helper.to_owned(),
        at: call.run.now,
        settled_at: None,
        outcome: None,
    });
}

/// HT-13: whatever a helper says, the environment is made anew and a person tries again.
pub(crate) fn settled(call: &Call<Config>, mut state: State, job: &JobSettled) -> Transition<State> {
    let word = match job.outcome {
        JobOutcome::Done(_) => "completed",
        JobOutcome::Failed(_) => "failed",
        JobOutcome::Evicted(_) => "evicted",
        JobOutcome::NotConfigured(_) => {
            // HT-11: nothing was attempted.
            state.attempts = state.attempts.saturating_sub(1);
            state.rounds.pop();
            return place::park(call, state, &format!("nothing carries out `{}` jobs", job.kind));
        }
    };
    if let Some(round) = state.rounds.last_mut() {
        round.settled_at = Some(call.run.now);
        round.outcome = Some(word.to_owned());
    }
    place::rebuild(call, state, &format!("{} {word}; the environment is made anew", job.kind))
}
