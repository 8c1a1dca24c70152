//! Step kind `conflicts-gate`: the change must merge into its base branch; a `conflict-resolver` mends it where it
//! does not (SPEC sections 2 and 4).
//!
//! It never merges anything: that is the merge resolver's part.

mod conflicts;

use conflicts::{Config, Conflicts, HELPER, MAX_ATTEMPTS};
use lockstep_gate::{GateState, Limits};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};

struct ConflictsGate;

impl Step for ConflictsGate {
    type Config = Config;
    type State = GateState;

    fn descriptor() -> Descriptor {
        let summary = "Waits until the change merges into its base branch; has conflicts resolved.";
        Descriptor::new("conflicts-gate", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .jobs([HELPER])
            .writes()
    }

    fn advance(
        call: &Call<Config>,
        state: GateState,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<GateState>, StepError> {
        let (config, policy) = (&call.config, &call.policy);
        let limits = Limits {
            max_attempts: MAX_ATTEMPTS,
            interval_ms: config.interval_ms.unwrap_or(policy.gate_interval_ms),
            max_polls: config.max_polls.unwrap_or(policy.gate_max_polls),
            read_failure_tolerance: config.read_failure_tolerance.unwrap_or(policy.read_failure_tolerance),
        };
        let base = &call.run.change.base_branch;
        lockstep_gate::advance(&Conflicts { host, config, base }, call, limits, state, event)
    }
}

lockstep_sdk::export_step!(ConflictsGate);

#[cfg(test)]
mod tests;
