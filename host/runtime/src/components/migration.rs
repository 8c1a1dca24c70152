//! States that a component has to bring into its own shape: of a run that is given another component, and, tried only,
//! of all live runs before a kind's pointer moves.

use super::Answer;
use super::guard::{Candidate, States};
use crate::actor::LiveRun;
use crate::runtime::{Runtime, Shared};
use crate::service::{chain, journal};
use lockstep_engine::{Recorded, Run, Turn};
use lockstep_ports::ServiceError;
use lockstep_types::{Admission, Digest, Input, Migration, Rejected, Repin, RunId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Different states that are tried before a pointer moves: each takes a call of about a millisecond, and meanwhile nothing
/// else changes in the registry, not even a component is stopped.
const STATES_TRIED_MAX: usize = 10_000;

impl Shared {
    /// The input with the states that the components of its repin make of the present ones; none if it repins nothing.
    /// Called by the task of the run, so that nothing changes meanwhile.
    pub(crate) async fn with_migrations(
        &self,
        recorded: &Recorded,
        input: &Input,
    ) -> Result<Option<Input>, Rejected> {
        Ok(match input {
            Input::Repin(repin) => {
                Some(Input::Repin(Box::new(self.migrate_states(&recorded.run, repin).await?)))
            }
            Input::Restart { step, head_commit, by, repin: Some(repin) } => {
                let (step, head_commit, by) = (step.clone(), head_commit.clone(), by.clone());
                let mut input = Input::Restart { step, head_commit, by, repin: None };
                // What the restart clears needs no migration.
                let now = self.outside.clock.now();
                let turn = Turn::begin(Some(recorded), now, &input, Admission::default())?;
                let migrated = self.migrate_states(turn.run(), repin).await?;
                if let Input::Restart { repin, .. } = &mut input {
                    *repin = Some(Box::new(migrated));
                }
                Some(input)
            }
            _ => None,
        })
    }

    async fn migrate_states(&self, run: &Run, repin: &Repin) -> Result<Repin, Rejected> {
        let mut migrations = Vec::new();
        for (kind, pin) in &repin.pins {
            for (step, from, before) in run.states_of(kind) {
                let Some(from_version) = self.version_between(from, pin.digest).await? else { continue };
                let executor = &self.outside.executor;
                let after = executor.migrate(pin.digest, from_version, before).await.map_err(|fault| {
                    let name = &run.spec().pipeline.steps[step].name;
                    Rejected::Conflict(format!(
                        "component {} cannot take over the state of step {name} of run {}, which keeps the one it has: {}",
                        pin.digest.short(),
                        run.spec().id,
                        fault.message
                    ))
                })?;
                let before = before.clone();
                migrations.push(Migration { step, digest: pin.digest, from_version, before, after });
            }
        }
        Ok(Repin { migrations, ..repin.clone() })
    }

    /// The state version a component has to migrate from to take over from another one; none if there is nothing to do.
    async fn version_between(&self, from: Digest, to: Digest) -> Result<Option<u32>, Rejected> {
        if from == to {
            return Ok(None);
        }
        let (from, to) = (self.state_version(from).await?, self.state_version(to).await?);
        Ok(Some(from).filter(|from| *from != to))
    }

    async fn state_version(&self, digest: Digest) -> Result<u32, Rejected> {
        let info = self.outside.components.info(&digest).await;
        let info = info.map_err(|error| Rejected::Conflict(format!("{}: try again", chain(&error))))?;
        let missing = || {
            Rejected::Conflict(format!(
                "component {} is not stored, so that nobody knows the shape of its states: add it again",
                digest.short()
            ))
        };
        Ok(info.ok_or_else(missing)?.descriptor.state_version)
    }
}

impl Runtime {
    /// Tries a candidate on the states of the unfinished steps of its kind in live runs. Runs that are pinned are not touched
    /// by a pointer, but a component that cannot read their states is seldom the one that was meant.
    pub(super) async fn try_states(&self, candidate: &Candidate<'_>) -> Answer<Option<String>> {
        if candidate.states == States::Ignore {
            return Ok(None);
        }
        let Some(problem) = self.untaken_state(candidate).await? else { return Ok(None) };
        match candidate.states {
            States::Refuse => Err(ServiceError::Conflict(format!(
                "{problem}: activate it all the same with `lockstep component {}`; live runs keep the component they have",
                candidate.activation("--skip-migration")
            ))),
            States::Tell | States::Ignore => {
                Ok(Some(format!("{problem}: live runs keep the component they have")))
            }
        }
    }

    /// The first state that a candidate cannot take over, and why.
    async fn untaken_state(&self, candidate: &Candidate<'_>) -> Answer<Option<String>> {
        let (digest, to) = (candidate.info.digest, candidate.info.descriptor.state_version);
        let short = digest.short();
        let mut tried = BTreeSet::new();
        for id in self.shared.outside.journal.live().await.map_err(|error| journal(&error))? {
            let Some(recorded) = self.live_state(&id).await? else { continue };
            for (step, from, state) in recorded.run.states_of(candidate.kind) {
                if from == digest {
                    continue;
                }
                let version = match self.shared.state_version(from).await {
                    Ok(version) => version,
                    Err(unknown) => return Ok(Some(unknown.to_string())),
                };
                if version == to || !tried.insert((version, Digest::of(state.as_str().as_bytes()))) {
                    continue;
                }
                if tried.len() > STATES_TRIED_MAX {
                    return Ok(Some(format!(
                        "live runs hold more than {STATES_TRIED_MAX} different states that component {short} would \
                         have to take over; it took over as many as were tried"
                    )));
                }
                if let Err(fault) = self.shared.outside.executor.migrate(digest, version, state).await {
                    let name = &recorded.run.spec().pipeline.steps[step].name;
                    return Ok(Some(format!(
                        "component {short} (state version {to}) cannot take over the state (version {version}) of step \
                         {name} of run {id}: {}",
                        fault.message
                    )));
                }
            }
        }
        Ok(None)
    }

    /// A live run as it stands; none if it cannot be folded, which others tell of.
    async fn live_state(&self, id: &RunId) -> Answer<Option<Arc<Recorded>>> {
        let live = self.shared.live.lock().await.get(id).map(LiveRun::state);
        if live.is_some() {
            return Ok(live);
        }
        let loaded = self.shared.load(id).await.map_err(|error| journal(&error))?;
        Ok(loaded.ok().map(Arc::new))
    }
}
