//! Step kind `ci-gate`: waits until continuous integration is green at the head commit, and has failures
//! repaired by a `ci-fixer` within a budget (SPEC sections 1 and 4).
//!
//! The rules are in `lockstep-gate`, which other gates share. It never runs a check itself.

use lockstep_gate::{GateState, ci};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};

struct CiGate;

impl Step for CiGate {
    type Config = ci::Config;
    type State = GateState;

    fn descriptor() -> Descriptor {
        let summary = "Waits until the checks of the change are green; has failures repaired.";
        Descriptor::new("ci-gate", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(ci::CONFIG_SCHEMA)
            .jobs([ci::HELPER])
            .writes()
    }

    fn advance(
        call: &Call<ci::Config>,
        state: GateState,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<GateState>, StepError> {
        ci::advance(call, call.config.rules(), state, event, host)
    }
}

lockstep_sdk::export_step!(CiGate);

#[cfg(test)]
mod tests;
