//! Step kind `tester`: a tester job reports, a `fixer` mends what it found, and it is tested again (SPEC section 5).
//!
//! It runs no test itself and never believes a fixer.

mod report;
mod rounds;

use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};
use report::Report;
use serde::{Deserialize, Serialize};

/// Job kind that mends what the tester found (SPEC TS-9).
const FIXER: &str = "fixer";

struct Tester;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    max_attempts: Option<u32>,
    instructions: Option<String>,
    fixer_instructions: Option<String>,
    time_limit_s: Option<u64>,
    fixer_time_limit_s: Option<u64>,
}

/// SPEC TS-4.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    phase: Phase,
    /// Fixers dispatched.
    attempts: u32,
    /// Fixed when the first report arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_report: Option<Report>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    #[default]
    Testing,
    Fixing,
}

impl Step for Tester {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has the change tested, and what was found mended, until the tester is content.";
        Descriptor::new("tester", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}", FIXER])
            .needs(["test-infrastructure"])
            .writes()
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) | Event::Answered(_) => Ok(rounds::test(call, state, "")),
            Event::JobSettled(job) if state.phase == Phase::Fixing => {
                Ok(rounds::fixer_settled(call, state, &job))
            }
            Event::JobSettled(job) => Ok(rounds::tester_settled(call, state, job)),
            Event::Due | Event::EffectSettled(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a job is at work or a question is open"))
            }
        }
    }
}

lockstep_sdk::export_step!(Tester);

#[cfg(test)]
mod tests;
