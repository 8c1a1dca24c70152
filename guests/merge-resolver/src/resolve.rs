use crate::assessment::{Assessment, Ceilings};
use crate::{Config, KIND, MERGER, Method, State};
use lockstep_sdk::text::{at_most, first_line, short_commit};
use lockstep_sdk::{
    Access, Call, Change, Completion, Effect, EffectOutcome, EffectRequest, ItemStatus, JobRequest,
    JobSettled, MergeMethod, Next, StepError, Transition,
};
use serde::{Deserialize, Serialize};

/// Characters of a cause in a note.
const NOTED_CHARS: usize = 200;

#[derive(Serialize)]
struct AssessInput<'a> {
    base_branch: &'a str,
    head_branch: &'a str,
    head_commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// What a provider tells of a merge; others may tell more.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Merged {
    commit: Option<String>,
}

/// Whom it asks, and that it asks.
pub(crate) fn assess(call: &Call<Config>) -> Transition<State> {
    let (config, change) = (&call.config, &call.run.change);
    let kind = if call.step.role == KIND { MERGER } else { call.step.role.as_str() };
    let input = AssessInput {
        base_branch: &change.base_branch,
        head_branch: &change.head_branch,
        head_commit: change.head_commit.as_deref(),
        instructions: config.instructions.as_deref(),
    };
    let job = JobRequest::new(kind, Access::ReadOnly).input(&input).time_limit_s(config.time_limit_s);
    let at = short_commit(change.head_commit.as_deref());
    Transition::new(State::default(), job).note(format!("{kind} assesses the change at {at}"))
}

/// MR-2, MR-3.
pub(crate) fn assessed(call: &Call<Config>, mut state: State, job: JobSettled) -> Transition<State> {
    let result = match job.finished() {
        Ok(result) => result,
        Err(detour) => return detour.with(state),
    };
    let assessment = match result.report.as_deref().map(Assessment::read) {
        Some(Ok(assessment)) => assessment,
        Some(Err(why)) => {
            let cause = format!("the assessment is not valid: {why}");
            return for_a_person(call, state, None, &cause, &result.output);
        }
        // D-19.
        None => return for_a_person(call, state, None, "there is no assessment", &result.output),
    };
    if let Some(objection) = assessment.objection(&Ceilings::of(&call.config, &call.policy)) {
        return for_a_person(call, state, Some(&assessment), &objection, &result.output);
    }
    if !has_something_to_merge(&call.run.change) {
        // D-5.
        return for_a_person(call, state, Some(&assessment), "there is nothing to merge", &result.output);
    }
    let (base, scores) = (&call.run.change.base_branch, assessment.scores());
    let at = short_commit(call.run.change.head_commit.as_deref());
    let request =
        EffectRequest::new(Effect::Merge(method(call.config.method))).proposal(assessment.rendered());
    state.assessment = Some(assessment);
    Transition::new(state, request).note(format!("{scores}: within the ceilings; merges {at} into {base}"))
}

fn has_something_to_merge(change: &Change) -> bool {
    change.head_commit.is_some() || change.pull_request.is_some()
}

fn method(method: Method) -> MergeMethod {
    match method {
        Method::Merge => MergeMethod::Merge,
        Method::Squash => MergeMethod::Squash,
        Method::Rebase => MergeMethod::Rebase,
        Method::FastForward => MergeMethod::FastForward,
    }
}

/// MR-6, D-4, D-5. Whoever had to consent to the merge did so before it was performed.
pub(crate) fn merged_or_not(
    call: &Call<Config>,
    mut state: State,
    outcome: EffectOutcome,
) -> Result<Transition<State>, StepError> {
    let Some(assessment) = state.assessment.take() else {
        return Err(StepError::Other("a merge ended that was never asked for".to_owned()));
    };
    let cause = match outcome {
        EffectOutcome::Done(json) => return Ok(merged(call, state, &assessment, json)),
        EffectOutcome::Refused(why) => format!("the merge was refused: {why}"),
        EffectOutcome::Failed(why) => format!("the merge failed: {why}"),
        EffectOutcome::NotConfigured(_) => "nothing here can merge".to_owned(),
    };
    let mut transition = for_a_person(call, state, Some(&assessment), &cause, "");
    if let Next::Complete(completion) = &mut transition.next {
        completion.approved = true;
    }
    Ok(transition)
}

fn merged(call: &Call<Config>, state: State, assessment: &Assessment, json: String) -> Transition<State> {
    let base = &call.run.change.base_branch;
    let told: Merged = serde_json::from_str(&json).unwrap_or_default();
    let said = match &told.commit {
        Some(commit) => format!("merged into {base} as {}", short_commit(Some(commit))),
        None => format!("merged into {base}"),
    };
    let output = format!("{said}\n\n{}", assessment.rendered());
    let completion = Completion::new().output(output).item_status(ItemStatus::Done).approved();
    Transition::new(state, completion).note(said).fact_json("merge", json)
}

/// MR-8, D-4, D-5, D-19: the notice names the real cause.
fn for_a_person(
    call: &Call<Config>,
    state: State,
    assessment: Option<&Assessment>,
    cause: &str,
    said: &str,
) -> Transition<State> {
    let mut parts = vec![cause.to_owned()];
    parts.extend(assessment.map(Assessment::rendered));
    parts.extend(Some(said.trim().to_owned()).filter(|said| assessment.is_none() && !said.is_empty()));
    let output = parts.join("\n\n");
    let page = call.run.change.pull_request.as_ref().map(|pull_request| pull_request.url.clone());
    parts.extend(page);
    let completion = Completion::new().output(output).item_status(ItemStatus::PrReady);
    let note = format!("not merged: {}", at_most(first_line(cause), NOTED_CHARS));
    let title = format!("Not merged by itself: {}", call.run.title);
    Transition::new(state, completion).note(note).notice("merge_review", title, parts.join("\n\n"))
}
