//! Step kind `merge-resolver`: a merger job assesses the change; within the ceilings it is merged, else a person
//! looks at it (SPEC section 8).
//!
//! It never merges itself: it asks the host to, and nothing is called merged before the host says it is.

mod assessment;
mod resolve;

use assessment::Assessment;
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};
use serde::{Deserialize, Serialize};

/// Job kind of a step whose role is just its kind.
const MERGER: &str = "merger";

/// Kind of the step.
const KIND: &str = "merge-resolver";

struct MergeResolver;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    max_complexity: Option<f64>,
    max_risk: Option<f64>,
    max_impact: Option<f64>,
    method: Method,
    instructions: Option<String>,
    time_limit_s: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Method {
    #[default]
    Merge,
    Squash,
    Rebase,
    FastForward,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    /// Set while the merge is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    assessment: Option<Assessment>,
}

impl Step for MergeResolver {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Merges a change that was assessed as harmless enough; leaves others to a person.";
        Descriptor::new(KIND, env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs(["{role}", MERGER])
            .effects(["merge"])
            .writes()
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) | Event::Answered(_) => Ok(resolve::assess(call)),
            Event::JobSettled(job) => Ok(resolve::assessed(call, state, job)),
            Event::EffectSettled(outcome) => resolve::merged_or_not(call, state, outcome),
            Event::Due | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a job or a merge is under way"))
            }
        }
    }
}

lockstep_sdk::export_step!(MergeResolver);

#[cfg(test)]
mod tests;
