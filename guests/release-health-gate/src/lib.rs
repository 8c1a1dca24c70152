//! Step kind `release-health-gate`: watches the released change for a while, and has a regression investigated by
//! an `on-call` (SPEC sections 3 and 4).
//!
//! It repairs nothing and takes nothing back: what follows from a regression is a person's decision.

mod assessment;
mod signals;
mod watch;

use lockstep_gate::{LastVerdict, Phase};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};
use serde::{Deserialize, Serialize};
use signals::KeptSignal;

/// Job kind that investigates (SPEC RH-9).
const HELPER: &str = "on-call";

/// The effect that adds what was found to an open incident (SPEC RH-9).
const ANNOTATE: &str = "annotate-incident";

struct ReleaseHealthGate;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    watch_minutes: Option<u32>,
    max_attempts: Option<u32>,
    interval_ms: Option<u64>,
    read_failure_tolerance: Option<u32>,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
}

/// SPEC GM-1. There is no head commit: what was released is on the base branch (RH-13).
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    phase: Phase,
    /// On-calls dispatched.
    attempts: u32,
    /// On-calls it may dispatch; fixed at the first entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_verdict: Option<LastVerdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_summary: Option<String>,
    /// When the watch began; fixed at the first entry (RH-2).
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_since: Option<u64>,
    /// How long it lasts; fixed at the first entry (RH-2).
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_window_minutes: Option<u32>,
    /// What the evidence named (RH-8).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regressed_signals: Vec<KeptSignal>,
    /// Looks since the watch was taken up, as the policy limits them.
    polls: u32,
    /// Looks in a row that got no answer.
    read_failures: u32,
    /// When the next look is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    /// What the step will have produced when the incident is annotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

impl Step for ReleaseHealthGate {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Watches the released change for a while; has a regression investigated.";
        Descriptor::new("release-health-gate", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs([HELPER])
            .effects([ANNOTATE])
            .needs(["observability"])
    }

    fn advance(
        call: &Call<Config>,
        mut state: State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) => Ok(watch::begin(call, state, host)),
            Event::Due => {
                if state.due_at.is_some_and(|due_at| call.run.now >= due_at) {
                    state.polls = state.polls.saturating_add(1);
                    state.due_at = None;
                }
                Ok(watch::look(call, state, host, false))
            }
            Event::JobSettled(job) => Ok(watch::investigated(call, state, job)),
            // RH-9: best effort; how it ended changes nothing.
            Event::EffectSettled(_) => Ok(watch::finish(state)),
            Event::Answered(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "the release is watched"))
            }
        }
    }
}

lockstep_sdk::export_step!(ReleaseHealthGate);

#[cfg(test)]
mod tests;
