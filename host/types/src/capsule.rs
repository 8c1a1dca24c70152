use crate::{Digest, Invocation, Observation, Outcome, RunId, StepInput};
use serde::{Deserialize, Serialize};

/// Version of the capsule format. A newer one is refused.
pub const CAPSULE_VERSION: u16 = 1;

/// One recorded call of a component, exported to a file: enough to make it again anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    /// `CAPSULE_VERSION` of the writer; also what tells a capsule from other files.
    pub capsule: u16,
    /// The run it was recorded in.
    pub run: RunId,
    /// Number of the call within the run, from 1.
    pub call: u32,
    /// Step kind.
    pub kind: String,
    /// The component that made the call.
    pub digest: Digest,
    /// The engine configuration it ran under.
    pub fingerprint: Digest,
    /// What the component was given.
    pub input: StepInput,
    /// What it asked and was told, in order.
    pub observations: Vec<Observation>,
    /// What came of it: what has to come of it again.
    pub expected: Outcome,
    /// Fuel it used; the same component uses the same under the same fingerprint.
    pub fuel: u64,
}

impl Capsule {
    /// The capsule of call `call` of a run.
    #[must_use]
    pub fn new(run: RunId, call: u32, invocation: Invocation) -> Self {
        let Invocation { digest, fingerprint, input, observations, outcome, fuel, .. } = invocation;
        Self {
            capsule: CAPSULE_VERSION,
            run,
            call,
            kind: input.step.kind.clone(),
            digest,
            fingerprint,
            input,
            observations,
            expected: outcome,
            fuel,
        }
    }
}
