//! Step kind `clarity-review`: reviews a report, with what was investigated about it, until it is clear (SPEC section 10).
//!
//! It finds and writes nothing itself: models do, and people answer.

use lockstep_review::{Config, Gate, State};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};

const GATE: Gate = Gate {
    kind: "clarity-review",
    rework: "clarity-rework",
    recommendation: "clarity-review-recommendation",
    document: "clarity",
    rank: 1,
    notice: "clarity_review",
    investigator: Some("bug-investigator"),
};

struct ClarityReview;

impl Step for ClarityReview {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Has a report reviewed, and what was found answered, until it is clear.";
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

lockstep_sdk::export_step!(ClarityReview);

#[cfg(test)]
mod tests;
