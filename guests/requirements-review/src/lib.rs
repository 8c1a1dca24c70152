//! Step kind `requirements-review`: reviews what is to be done before anybody does it (SPEC section 10).
//!
//! It finds and writes nothing itself: models do, and people answer.

use lockstep_review::{Config, Gate, State};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};

const GATE: Gate = Gate {
    kind: "requirements-review",
    rework: "requirements-rework",
    recommendation: "requirements-review-recommendation",
    document: "requirements",
    rank: 2,
    notice: "requirement_review",
    investigator: None,
};

struct RequirementsReview;

impl Step for RequirementsReview {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has the requirements reviewed, and what was found answered, until they are clear.";
        lockstep_review::descriptor(&GATE, env!("CARGO_PKG_VERSION"), summary)
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        lockstep_review::advance(&GATE, call, state, event)
    }
}

lockstep_sdk::export_step!(RequirementsReview);

#[cfg(test)]
mod tests;
