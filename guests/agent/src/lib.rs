//! Step kind `agent`: one job, named after the step's role, does the work (SPEC AP-1 to AP-3, EN-10).
//!
//! It judges nothing: what the job says is the step's output, and a question it asks goes to a person.

use lockstep_consensus::Consensus;
use lockstep_sdk::text::at_most;
use lockstep_sdk::{
    Access, Call, Completion, Descriptor, Event, Host, ItemStatus, JobRequest, JobSettled, Next, Step,
    StepError, Transition,
};
use serde::{Deserialize, Serialize};

/// Characters of a question in a note.
const NOTED_CHARS: usize = 120;

struct Agent;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    access: JobAccess,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
    input: serde_json::Map<String, serde_json::Value>,
    consensus: Option<Consensus>,
    leaves: Option<Leaves>,
}

/// Where the item stands when the work is done: what maps a service leaves it ready (SPEC EN-15).
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Leaves {
    Ready,
    Done,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum JobAccess {
    #[default]
    Write,
    ReadOnly,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Questions asked; a step may ask more than once (D-12).
    questions: u32,
}

impl Step for Agent {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has a job do the work; its questions go to a person.";
        Descriptor::new("agent", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}"])
            .writes()
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(None) => Ok(dispatch(call, state, "")),
            Event::Started(Some(order)) => {
                Ok(dispatch(call, state, &format!(" again: {} asked for changes", order.by)))
            }
            // AP-1, AP-2: the host shows the answer to the job.
            Event::Answered(answer) => {
                let why = format!(" with the answer `{}`", at_most(&answer.choice, NOTED_CHARS));
                Ok(dispatch(call, state, &why))
            }
            Event::JobSettled(job) => Ok(settled(call, state, job)),
            Event::Due | Event::EffectSettled(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a job is at work or a question is open"))
            }
        }
    }
}

fn dispatch(call: &Call<Config>, state: State, why: &str) -> Transition<State> {
    let (config, role) = (&call.config, &call.step.role);
    let access = match config.access {
        JobAccess::Write => Access::Write,
        JobAccess::ReadOnly => Access::ReadOnly,
    };
    let mut input = config.input.clone();
    if let Some(instructions) = &config.instructions {
        input.insert("instructions".to_owned(), instructions.as_str().into());
    }
    // CS-2: where it is not active the ordinary agent does the work.
    if let Some(order) = config.consensus.as_ref().and_then(|consensus| consensus.order(role, &call.run)) {
        input.insert("consensus".to_owned(), order);
    }
    let job = JobRequest::new(role, access).input(&input).time_limit_s(config.time_limit_s);
    Transition::new(state, job).note(format!("{role} goes to work{why}"))
}

fn settled(call: &Call<Config>, mut state: State, job: JobSettled) -> Transition<State> {
    let kind = job.kind.clone();
    let result = match job.finished() {
        Ok(result) => result,
        Err(detour) => {
            if matches!(detour.next, Next::Ask(_)) {
                state.questions = state.questions.saturating_add(1);
            }
            return detour.with(state);
        }
    };
    let note = match &result.pull_request {
        Some(pull_request) => format!("{kind} is done: {}", pull_request.url),
        None => format!("{kind} is done"),
    };
    let completion = Completion::new().output(result.output);
    let completion = match call.config.leaves {
        None => completion,
        Some(Leaves::Ready) => completion.item_status(ItemStatus::Ready),
        Some(Leaves::Done) => completion.item_status(ItemStatus::Done),
    };
    let done = Transition::new(state, completion).note(note);
    match result.confidence {
        Some(confidence) => done.fact("confidence", &confidence),
        None => done,
    }
}

lockstep_sdk::export_step!(Agent);

#[cfg(test)]
mod tests;
