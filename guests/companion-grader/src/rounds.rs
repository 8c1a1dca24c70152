//! The rounds of grading and redoing.

use crate::grade::Grade;
use crate::{Config, State, Verdict};
use lockstep_sdk::text::score;
use lockstep_sdk::{
    Access, Answer, Call, Completion, Failure, FailureClass, JobRequest, JobResult, JobSettled, Question,
    QuestionKind, ReworkRequest, StepError, Transition,
};
use serde::Serialize;

/// Who grades whom (SPEC section 7).
pub(crate) const PRODUCERS: [(&str, &str); 3] =
    [("architect-companion", "architect"), ("spec-companion", "spec-writer"), ("reviewer", "coder")];

/// SPEC CO-2, section 30.
const DEFAULT_THRESHOLD: f64 = 0.8;

/// SPEC CO-2, section 30.
const DEFAULT_MAX_ATTEMPTS: u32 = 3;

/// Gradings kept; a person would have to grant dozens of rounds to lose one.
const MAX_VERDICTS: usize = 100;

/// SPEC CO-7: characters of an unusable reply in the failure's detail.
const MAX_REPLY_CHARS: usize = 2_000;

const EXTRA_ROUND: &str = "extra-round";
const PROCEED: &str = "proceed";
const STOP_RESET: &str = "stop-reset";

#[derive(Serialize)]
struct GradeInput<'a> {
    /// Roles whose output is to be graded.
    grades: &'a [String],
    threshold: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// The roles this step grades: as configured, else by its own role.
fn producers(call: &Call<Config>) -> Vec<String> {
    if !call.config.grades.is_empty() {
        return call.config.grades.clone();
    }
    let known = PRODUCERS.iter().filter(|(companion, _)| *companion == call.step.role);
    known.map(|(_, producer)| (*producer).to_owned()).collect()
}

fn threshold(call: &Call<Config>) -> f64 {
    call.config.threshold.unwrap_or(DEFAULT_THRESHOLD)
}

/// Has the producer's output graded; after an answer, once more.
pub(crate) fn begin(call: &Call<Config>, mut state: State) -> Transition<State> {
    let producers = producers(call);
    if producers.is_empty() {
        let (step, role) = (&call.step.name, &call.step.role);
        let message = format!(
            "step `{step}` grades nobody: its role `{role}` says not whom; add grades = [\"<role>\"] to its config"
        );
        return Transition::new(state, Failure::new(FailureClass::Agent, &message)).note(message);
    }
    let configured = call.config.max_attempts;
    state.max_attempts.get_or_insert_with(|| configured.unwrap_or(DEFAULT_MAX_ATTEMPTS));
    let note = format!("{} grades {}", call.step.role, producers.join(", "));
    let job = grading(call, &producers);
    Transition::new(state, job).note(note)
}

fn grading(call: &Call<Config>, producers: &[String]) -> JobRequest {
    let config = &call.config;
    let instructions = config.instructions.as_deref();
    let input = GradeInput { grades: producers, threshold: threshold(call), instructions };
    JobRequest::new(&call.step.role, Access::ReadOnly).input(&input).time_limit_s(config.time_limit_s)
}

pub(crate) fn settled(call: &Call<Config>, state: State, job: JobSettled) -> Transition<State> {
    let result = match job.finished() {
        Ok(result) => result,
        Err(detour) => return detour.with(state),
    };
    let producers = producers(call);
    let has_producer = call.run.outputs.iter().any(|output| producers.contains(&output.role));
    match Grade::of(&result) {
        _ if !has_producer => nothing_to_grade(call, state, &result, &producers),
        Ok(grade) => graded(call, state, grade, producers),
        Err(why) if !state.repairing => repair(call, state, &producers, &why),
        Err(why) => unusable(state, result, &why),
    }
}

/// CO-8: the rating counts as 1.
fn nothing_to_grade(
    call: &Call<Config>,
    mut state: State,
    result: &JobResult,
    producers: &[String],
) -> Transition<State> {
    let feedback = Grade::of(result).map_or_else(|_| result.output.clone(), |grade| grade.summary);
    let note = format!("no output of {} to grade; passes", producers.join(", "));
    state.remember(Verdict {
        rating: 1.0,
        threshold: threshold(call),
        passed: true,
        feedback: feedback.clone(),
    });
    Transition::new(state, Completion::new().output(feedback)).note(note)
}

/// CO-6: once more, with the same context.
fn repair(call: &Call<Config>, mut state: State, producers: &[String], why: &str) -> Transition<State> {
    state.repairing = true;
    let note = format!("the grade cannot be used ({why}); asks once more");
    Transition::new(state, grading(call, producers)).note(note)
}

/// CO-7.
fn unusable(mut state: State, result: JobResult, why: &str) -> Transition<State> {
    state.repairing = false;
    let message = format!("the grader's reply could not be used twice: {why}");
    let reply = match result.report {
        Some(report) if result.output.trim().is_empty() => report,
        _ => result.output,
    };
    let detail: String = reply.chars().take(MAX_REPLY_CHARS).collect();
    let failure = Failure::new(FailureClass::CompanionRejected, &message).detail(detail);
    Transition::new(state, failure).note(message)
}

/// CO-9 to CO-13.
fn graded(call: &Call<Config>, mut state: State, grade: Grade, producers: Vec<String>) -> Transition<State> {
    state.repairing = false;
    let threshold = threshold(call);
    let budget = *state.max_attempts.get_or_insert(DEFAULT_MAX_ATTEMPTS);
    let is_first_batch = state.attempts == 0 && grade.has_comments();
    let passed = grade.rating >= threshold && !is_first_batch;
    let feedback = grade.summary.clone();
    state.remember(Verdict { rating: grade.rating, threshold, passed, feedback: feedback.clone() });
    let seen = format!("rated {} of {} needed", score(grade.rating), score(threshold));
    if passed {
        let completion = Completion::new().output(feedback).on_behalf_of(producers);
        return Transition::new(state, completion).note(format!("{seen}; passes"));
    }
    if state.attempts >= budget {
        return exceeded(state, &seen, &feedback);
    }
    state.attempts += 1;
    let why = if is_first_batch { "; comments of a first grading are worked in" } else { "" };
    let note = format!("{seen}{why}; {} again, {} of {budget}", producers.join(", "), state.attempts);
    let progress = (state.attempts, budget);
    let rework = ReworkRequest::new(producers, feedback).comments(grade.into_comments());
    Transition::new(state, rework).note(note).progress(progress.0, progress.1, "rework")
}

/// CO-12. The host raises the card that says somebody is waited for.
fn exceeded(mut state: State, seen: &str, feedback: &str) -> Transition<State> {
    state.exceeded = true;
    let reworks = state.attempts;
    let prompt = format!("{seen} after {reworks} reworks. One more round, go on as it is, or stop?");
    let question = Question::new(QuestionKind::Cap, prompt)
        .options([EXTRA_ROUND, PROCEED, STOP_RESET])
        .proposal(feedback);
    Transition::new(state, question).note(format!("{seen}; {reworks} reworks are spent; asks a person"))
}

/// CO-14.
pub(crate) fn cap_answered(
    call: &Call<Config>,
    mut state: State,
    answer: &Answer,
) -> Result<Transition<State>, StepError> {
    let producers = producers(call);
    let feedback = state.verdicts.last().map(|verdict| verdict.feedback.clone()).unwrap_or_default();
    state.exceeded = false;
    match answer.choice.as_str() {
        EXTRA_ROUND => {
            let budget = state.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS).saturating_add(1);
            state.max_attempts = Some(budget);
            state.attempts = state.attempts.saturating_add(1);
            let note = format!("a person grants one more round, {} of {budget}", state.attempts);
            Ok(Transition::new(state, ReworkRequest::new(producers, feedback)).note(note))
        }
        PROCEED => {
            let completion = Completion::new().output(feedback).on_behalf_of(producers).approved();
            Ok(Transition::new(state, completion).note("a person lets it pass"))
        }
        STOP_RESET => {
            let failure = Failure::new(FailureClass::Cancelled, "a person stopped it at the rework limit");
            Ok(Transition::new(state, failure).note("a person stops the run"))
        }
        other => Err(StepError::Other(format!("`{other}` is no choice at the rework limit"))),
    }
}

impl State {
    fn remember(&mut self, verdict: Verdict) {
        if self.verdicts.len() >= MAX_VERDICTS {
            self.verdicts.remove(0);
        }
        self.verdicts.push(verdict);
    }
}
