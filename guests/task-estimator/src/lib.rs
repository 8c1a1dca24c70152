//! Step kind `task-estimator`: keeps an estimate of the work on its item (SPEC section 14).
//!
//! What depends on the estimate is decided elsewhere; one that cannot be used changes nothing.

mod estimate;

use estimate::Axes;
use lockstep_consensus::Consensus;
use lockstep_sdk::text::at_most;
use lockstep_sdk::{
    Access, Call, Completion, Descriptor, Event, Host, JobRequest, JobSettled, NewDocument, Step, StepError,
    Transition,
};
use serde::{Deserialize, Serialize};

/// Document of the item that holds the estimate (SPEC TE-2).
const DOCUMENT: &str = "estimate";

/// Characters of an answer in a note.
const NOTED_CHARS: usize = 120;

struct TaskEstimator;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    instructions: Option<String>,
    time_limit_s: Option<u64>,
    consensus: Option<Consensus>,
}

#[derive(Serialize)]
struct JobInput<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consensus: Option<serde_json::Value>,
}

impl Step for TaskEstimator {
    type Config = Config;
    type State = ();

    fn descriptor() -> Descriptor {
        let summary = "Has the work estimated and keeps the estimate on its item.";
        Descriptor::new("task-estimator", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}"])
            .documents([DOCUMENT])
    }

    fn advance(
        call: &Call<Config>,
        (): (),
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<()>, StepError> {
        match event {
            Event::Started(_) => Ok(estimate(call, "")),
            Event::Answered(answer) => {
                let answer = at_most(&answer.choice, NOTED_CHARS);
                Ok(estimate(call, &format!(" with the answer `{answer}`")))
            }
            Event::JobSettled(job) => Ok(settled(call, job)),
            Event::Due | Event::EffectSettled(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a job is at work or a question is open"))
            }
        }
    }
}

fn estimate(call: &Call<Config>, why: &str) -> Transition<()> {
    let role = &call.step.role;
    let consensus = call.config.consensus.as_ref().and_then(|consensus| consensus.order(role, &call.run));
    let input = JobInput { instructions: call.config.instructions.as_deref(), consensus };
    let job = JobRequest::new(role, Access::ReadOnly).input(&input).time_limit_s(call.config.time_limit_s);
    Transition::new((), job).note(format!("{role} estimates the work{why}"))
}

/// TE-2: an estimate that cannot be used leaves the item as it is, and its text as the output. Without a text the
/// report is the estimate, as with other jobs that assess.
fn settled(call: &Call<Config>, job: JobSettled) -> Transition<()> {
    let result = match job.finished() {
        Ok(result) => result,
        Err(detour) => return detour.with(()),
    };
    let reply = match result.report {
        Some(report) if result.output.trim().is_empty() => report,
        _ => result.output,
    };
    let axes = match Axes::find(&reply) {
        Ok(axes) => axes,
        Err(why) => {
            let note = format!("the estimate cannot be used: {why}");
            return Transition::new((), Completion::new().output(reply)).note(note);
        }
    };
    let summary = axes.summary();
    let estimate = axes.dated(result.model, call.run.now);
    Transition::new((), Completion::new().output(&summary))
        .note(summary)
        .document(NewDocument::new(DOCUMENT, &estimate))
}

lockstep_sdk::export_step!(TaskEstimator);

#[cfg(test)]
mod tests;
