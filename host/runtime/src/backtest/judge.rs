//! Makes one recorded call again with the candidate.

use super::difference::{differences, in_words};
use super::source::Call;
use lockstep_ports::{BacktestCase, BacktestOutcome, ComponentStore, LenientObserver, StepExecutor};
use lockstep_types::{Descriptor, Digest, Grant, Invocation, Outcome, StepInput};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The component that is tried.
pub(super) struct Candidate {
    pub(super) digest: Digest,
    pub(super) imports: Vec<String>,
    pub(super) descriptor: Descriptor,
}

/// What every call is made again with.
pub(super) struct Bench {
    pub(super) executor: Arc<dyn StepExecutor>,
    pub(super) components: Arc<dyn ComponentStore>,
    pub(super) candidate: Candidate,
    pub(super) versions: Mutex<HashMap<Digest, Option<u32>>>,
}

/// A call that was made again.
pub(super) struct Judged {
    pub(super) order: u64,
    pub(super) case: BacktestCase,
    pub(super) is_fuel_comparable: bool,
}

impl Bench {
    pub(super) async fn judge(&self, order: u64, call: Call) -> Judged {
        let Call { run, number, recorded, dirs } = call;
        let (outcome, words, fuel, fingerprint) = match self.input(&recorded).await {
            Err((outcome, words)) => (outcome, words, 0, recorded.fingerprint),
            Ok(input) => {
                let observer = LenientObserver::new(recorded.observations.clone());
                let Candidate { digest, imports, .. } = &self.candidate;
                let grant = Grant { imports: imports.clone(), dirs, ..Grant::default() };
                let again = self.executor.invoke(*digest, &grant, input, &observer).await;
                let outcome = compare(&recorded.outcome, &again.outcome, observer.unrecorded());
                (outcome, in_words(&again.outcome), again.fuel, again.fingerprint)
            }
        };
        let case = BacktestCase {
            run,
            number,
            step: recorded.input.step.name.clone(),
            at: recorded.input.run.now,
            made_by: recorded.digest,
            recorded: in_words(&recorded.outcome),
            candidate: words,
            recorded_fuel: recorded.fuel,
            candidate_fuel: fuel,
            outcome,
        };
        Judged { order, case, is_fuel_comparable: fingerprint == recorded.fingerprint }
    }

    /// What the candidate is given: what was recorded, with a state of another version taken over by the candidate.
    async fn input(&self, recorded: &Invocation) -> Result<StepInput, (BacktestOutcome, String)> {
        let mut input = recorded.input.clone();
        let candidate = self.candidate.descriptor.state_version;
        let other = self.state_version(recorded).await.filter(|version| *version != candidate);
        let (Some(version), Some(state)) = (other, &input.state) else { return Ok(input) };
        let migrated = self.executor.migrate(self.candidate.digest, version, state).await;
        input.state = Some(migrated.map_err(|fault| {
            let (recorded, message) = (version, fault.message);
            let words = format!("state version {version} not taken over");
            (BacktestOutcome::OtherState { recorded, candidate, message }, words)
        })?);
        Ok(input)
    }

    /// Version of the state a call was given; none if it was given none, or its component is not known any more.
    async fn state_version(&self, call: &Invocation) -> Option<u32> {
        call.input.state.as_ref()?;
        if call.digest == self.candidate.digest {
            return None;
        }
        if let Some(version) = crate::runtime::lock(&self.versions).get(&call.digest) {
            return *version;
        }
        let info = self.components.info(&call.digest).await.ok().flatten();
        let version = info.map(|info| info.descriptor.state_version);
        crate::runtime::lock(&self.versions).insert(call.digest, version);
        version
    }
}

fn compare(recorded: &Outcome, again: &Outcome, unrecorded: Vec<String>) -> BacktestOutcome {
    if !unrecorded.is_empty() {
        return BacktestOutcome::Unrecorded { asked: unrecorded };
    }
    let differences = differences(recorded, again);
    match again {
        _ if differences.is_empty() => BacktestOutcome::Identical,
        Outcome::Fault(fault) => {
            BacktestOutcome::Fault { class: fault.class, message: fault.message.clone() }
        }
        Outcome::Transition(_) => BacktestOutcome::Changed { differences },
    }
}
