//! Step kind `human-test`: a person tries the change in an environment made for it, and has it mended until it is
//! good (SPEC section 11).
//!
//! Only a person lets a change pass here. What goes wrong with the environment never fails the run.

mod act;
mod helpers;
mod place;

use lockstep_environment::Environment;
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};
use serde::{Deserialize, Serialize};

/// Job kind that mends what a person found (SPEC HT-10).
const FIXER: &str = "fixer";

/// Job kind that merges the base branch where that conflicts (SPEC HT-10).
const RESOLVER: &str = "conflict-resolver";

/// SPEC HT-6.
const NOTICE: &str = "human_test_ready";

struct HumanTest;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    inputs: serde_json::Map<String, serde_json::Value>,
    max_attempts: Option<u32>,
    interval_ms: Option<u64>,
    max_polls: Option<u32>,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
}

/// SPEC HT-1.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    phase: Phase,
    environment: Option<Environment>,
    /// Why there is no environment a person could use.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_reason: Option<String>,
    /// Helpers dispatched.
    attempts: u32,
    /// Fixes a person may ask for; fixed at the first entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    /// Head commit the environment was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rounds: Vec<Round>,
    /// What a person asked for and was not begun yet (SPEC HT-7, D-17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_action: Option<PendingAction>,
    /// Looks at the environment since it was asked for.
    polls: u32,
    /// When the next look is due; an earlier one is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    #[default]
    Provisioning,
    AwaitingHuman,
    Fixing,
    ResolvingConflicts,
    Passed,
}

/// One helper (SPEC HT-12).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    kind: String,
    findings: Option<String>,
    helper_kind: String,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct PendingAction {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    findings: Option<String>,
}

impl Step for HumanTest {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has a person try the change in an environment of its own, until it is good.";
        Descriptor::new("human-test", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs([FIXER, RESOLVER])
            .effects(["provision", "update-branch"])
            .writes()
    }

    fn advance(
        call: &Call<Config>,
        mut state: State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) => {
                let configured = call.config.max_attempts;
                state.max_attempts.get_or_insert_with(|| configured.unwrap_or(call.policy.ci_max_attempts));
                state.pending_action = None;
                Ok(place::rebuild(call, state, "an environment is asked for"))
            }
            Event::Acted(action) => Ok(act::acted(call, state, &action)),
            Event::Due if state.pending_action.is_some() => Ok(act::carry_out(call, state)),
            Event::Due if state.phase == Phase::Provisioning => Ok(place::look(call, state, host)),
            Event::EffectSettled(outcome) if state.phase == Phase::Provisioning => {
                Ok(place::provisioned(call, state, outcome))
            }
            Event::EffectSettled(outcome) if state.phase == Phase::ResolvingConflicts => {
                Ok(helpers::updated(call, state, outcome))
            }
            Event::JobSettled(job) => Ok(helpers::settled(call, state, &job)),
            Event::Due | Event::Answered(_) | Event::EffectSettled(_) => {
                Err(StepError::unexpected(&event, "a person tries the change"))
            }
        }
    }
}

lockstep_sdk::export_step!(HumanTest);

#[cfg(test)]
mod tests;
