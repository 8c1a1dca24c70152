//! What follows from a person's action on a step that is under way.

use super::Decider;
use crate::run::Phase;
use lockstep_types::{Event, Rejected, RunStatus, StepAction, StepIx};

/// Bytes of an action's arguments: a long reply with comments, and room to spare.
const ACTION_BYTES_MAX: usize = 256 << 10;

impl Decider {
    /// Hands the action to the step's component, which takes it, lets the step wait on, or refuses it.
    pub(super) fn act(&mut self, name: &str, action: &StepAction) -> Result<(), Rejected> {
        let id = &self.run.spec.id;
        let Some(ix) = self.run.spec.pipeline.steps.iter().position(|step| step.name == name) else {
            return Err(Rejected::NotFound(format!(
                "run {id} has no step {name:?}: see `lockstep runs show {id}`"
            )));
        };
        match self.run.status {
            RunStatus::Running | RunStatus::Blocked => self.refuse_stopped(ix)?,
            RunStatus::Paused => {
                self.refuse_held()?;
                return Err(Rejected::Conflict(format!("run {id} is paused: resume it, then act")));
            }
            RunStatus::Done | RunStatus::Failed => {
                let status = self.run.status.word();
                return Err(Rejected::Conflict(format!("run {id} is {status}: nobody can act on its steps")));
            }
        }
        if action.input.as_str().len() > ACTION_BYTES_MAX {
            return Err(Rejected::Invalid(format!(
                "action {} has more than {ACTION_BYTES_MAX} bytes: send less",
                action.name
            )));
        }
        let step = &self.run.steps[ix];
        let waits =
            matches!(step.phase, Phase::Question { held: None, .. } | Phase::Timer { .. } | Phase::Job(_));
        if !waits {
            return Err(Rejected::Conflict(format!(
                "step {name} of run {id} cannot be acted on now: see `lockstep why {id}`"
            )));
        }
        self.emit(Event::Acted { step: ix, action: action.clone() });
        Ok(())
    }

    /// The component lets the step wait on.
    pub(super) fn stay(&mut self, ix: StepIx) {
        if self.run.steps[ix].interrupted.is_some() {
            self.emit(Event::Stayed { step: ix });
        } else {
            let message = "it answered `stay` to something that was no action".to_owned();
            self.fail_component(ix, lockstep_types::FailureClass::BadOutput, message);
        }
    }
}
