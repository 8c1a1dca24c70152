//! States that a component has to bring into its own shape: of a run that is given another component, and, tried only,
//! of all live runs before a kind's pointer moves.

use super::store;
use crate::actor::LiveRun;
use crate::runtime::{Runtime, Shared};
use crate::service::{chain, journal};
use lockstep_engine::{Recorded, Run, Turn};
use lockstep_ports::ServiceError;
use lockstep_types::{Admission, ComponentInfo, Digest, Input, Migration, Rejected, Repin, RunId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// States that are tried before a pointer moves. Each takes a call of some milliseconds, equal ones are tried once, and a
/// component that takes over so many takes over the rest, or the repin of that run says that it does not.
const STATES_TRIED_MAX: usize = 1000;

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
    /// Why a component could not take over the unfinished steps of its kind in live runs; none if it could. Pinned runs
    /// are not touched by a pointer, but a component that cannot read their states is seldom the one that was meant.
    pub(crate) async fn migration_problems(
        &self,
        kind: &str,
        info: &ComponentInfo,
    ) -> Result<Option<String>, ServiceError> {
        let mut tried = BTreeSet::new();
        for id in self.shared.outside.journal.live().await.map_err(|error| journal(&error))? {
            let Some(recorded) = self.live_state(&id).await? else { continue };
            for (step, from, state) in recorded.run.states_of(kind) {
                if from == info.digest {
                    continue;
                }
                let stored = self.shared.outside.components.info(&from).await.map_err(store)?;
                let (version, to) = match stored {
                    Some(stored) => (stored.descriptor.state_version, info.descriptor.state_version),
                    None => continue,
                };
                if version == to || !tried.insert((version, state.as_str().to_owned())) {
                    continue;
                }
                if tried.len() > STATES_TRIED_MAX {
                    return Ok(None);
                }
                let executor = &self.shared.outside.executor;
                if let Err(fault) = executor.migrate(info.digest, version, state).await {
                    let name = &recorded.run.spec().pipeline.steps[step].name;
                    return Ok(Some(format!(
                        "component {0} (state version {to}) cannot take over the state (version {version}) of step {name} of run {id}: {1}: activate it all the same with `lockstep component activate {kind} {0} --skip-migration`; live runs keep the component they have",
                        info.digest.short(),
                        fault.message
                    )));
                }
            }
        }
        Ok(None)
    }

    /// A live run as it stands; none if it cannot be folded, which others tell of.
    async fn live_state(&self, id: &RunId) -> Result<Option<Arc<Recorded>>, ServiceError> {
        let live = self.shared.live.lock().await.get(id).map(LiveRun::state);
        if live.is_some() {
            return Ok(live);
        }
        let loaded = self.shared.load(id).await.map_err(|error| journal(&error))?;
        Ok(loaded.ok().map(Arc::new))
    }
}
