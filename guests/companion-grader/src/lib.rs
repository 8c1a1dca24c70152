//! Step kind `companion-grader`: grades what an earlier step produced and sends it back until the grade is good
//! enough (SPEC section 7).
//!
//! It reads a grade, it never makes one: that is the job's part. When its budget is spent a person decides.

mod grade;
mod rounds;

use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};
use serde::{Deserialize, Serialize};

struct CompanionGrader;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    grades: Vec<String>,
    threshold: Option<f64>,
    max_attempts: Option<u32>,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
}

/// SPEC CO-2. It survives reworks, its own and those of its producer.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    /// Automatic reworks.
    attempts: u32,
    /// Reworks allowed; a person may raise it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    verdicts: Vec<Verdict>,
    /// A person has to decide, because the budget is spent.
    exceeded: bool,
    /// The last reply was unusable and is asked for once more (CO-6).
    repairing: bool,
}

/// One grading (SPEC CO-10).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Verdict {
    rating: f64,
    threshold: f64,
    passed: bool,
    feedback: String,
}

impl Step for CompanionGrader {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has an earlier step's output graded and redone until the grade is good enough.";
        let descriptor = Descriptor::new("companion-grader", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}"]);
        let known = rounds::PRODUCERS.into_iter();
        known.fold(descriptor, |descriptor, (companion, producer)| descriptor.grades(companion, &[producer]))
    }

    fn advance(
        call: &Call<Config>,
        mut state: State,
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) => {
                state.exceeded = false;
                state.repairing = false;
                Ok(rounds::begin(call, state))
            }
            Event::JobSettled(job) => Ok(rounds::settled(call, state, job)),
            Event::Answered(answer) if state.exceeded => rounds::cap_answered(call, state, &answer),
            Event::Answered(_) => Ok(rounds::begin(call, state)),
            Event::Due | Event::EffectSettled(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a job is at work or a question is open"))
            }
        }
    }
}

lockstep_sdk::export_step!(CompanionGrader);

#[cfg(test)]
mod tests;
