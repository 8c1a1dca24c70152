//! Which component a step is called on.

use crate::apply::ReplayError;
use crate::run::Run;
use lockstep_types::{Digest, JsonText, Pin, Pinning, Repinned, StepIx, StepStatus, Stop};

impl Run {
    /// The component a step is called on, and what it may do: the step's own, else what took over its kind, else what the
    /// run began with. None only if the kind had no component then, or there is no such step.
    #[must_use]
    pub fn pin(&self, ix: StepIx) -> Option<&Pin> {
        let kind = &self.spec.pipeline.steps.get(ix)?.kind;
        self.steps[ix].pin.as_deref().or_else(|| self.pin_of_kind(kind))
    }

    /// Whether a step that starts now takes the active component of its kind. One with a state keeps the component that made
    /// it, and what a person chose for the run stays chosen.
    pub(crate) fn takes_active(&self, ix: StepIx) -> bool {
        self.spec.pipeline.pin == Pinning::Step
            && self.steps[ix].memory.is_none()
            && !self.repinned.contains_key(&self.def(ix).kind)
    }

    fn pin_of_kind(&self, kind: &str) -> Option<&Pin> {
        self.repinned.get(kind).or_else(|| self.spec.pins.get(kind))
    }

    /// What another component would have to take over: the unfinished steps of a kind that hold a state, each with the
    /// component it is pinned to and the state.
    pub fn states_of(&self, kind: &str) -> impl Iterator<Item = (StepIx, Digest, &JsonText)> {
        self.unfinished_of(kind).filter_map(|ix| {
            let state = self.steps[ix].memory.as_ref()?;
            Some((ix, self.pin(ix)?.digest, state))
        })
    }

    /// The component it is held for: it is paused until that may be called again or is replaced.
    #[must_use]
    pub fn held_for(&self) -> Option<&Stop> {
        self.held_for.as_deref()
    }

    pub(crate) fn unfinished_of(&self, kind: &str) -> impl Iterator<Item = StepIx> {
        let steps = self.spec.pipeline.steps.iter().zip(&self.steps).enumerate();
        let found = steps.filter(move |(_, (def, step))| def.kind == kind && step.status != StepStatus::Done);
        found.map(|(ix, _)| ix)
    }

    /// The component that another one would take over from.
    pub(crate) fn old_pin(&self, kind: &str) -> Option<&Pin> {
        let unfinished = self.unfinished_of(kind).next();
        unfinished.and_then(|ix| self.pin(ix)).or_else(|| self.pin_of_kind(kind))
    }

    /// A finished step keeps its component, because it keeps its state: rework sends it back to work with it.
    pub(crate) fn repinned(&mut self, repinned: &Repinned) -> Result<(), ReplayError> {
        let misfit = ReplayError::Misfit { event: "repinned" };
        for kind in &repinned.kinds {
            for ix in 0..self.steps.len() {
                if self.def(ix).kind != kind.kind {
                    continue;
                }
                let kept = self.pin(ix).filter(|_| self.steps[ix].status == StepStatus::Done);
                self.steps[ix].pin = kept.cloned().map(Box::new);
            }
            self.repinned.insert(kind.kind.clone(), kind.new.clone());
        }
        for migration in &repinned.migrations {
            let step = self.steps.get_mut(migration.step).ok_or_else(|| misfit.clone())?;
            if step.memory.as_ref() != Some(&migration.before) {
                return Err(misfit);
            }
            step.memory = Some(migration.after.clone());
        }
        Ok(())
    }
}
