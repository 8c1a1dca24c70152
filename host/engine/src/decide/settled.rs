//! What follows from the end of a job or an effect.

use super::Decider;
use crate::run::Phase;
use lockstep_types::{EffectKey, EffectOutcome, Event, JobKey, JobOutcome, StepIx};

/// Evictions by a crash that a step survives, between retries (SPEC EV-3).
const CRASH_EVICTIONS_MAX: u32 = 1;
/// Evictions by the machine that a step survives, between retries (SPEC EV-3).
const TRANSIENT_EVICTIONS_MAX: u32 = 5;

impl Decider {
    /// An outcome nobody waits for any more, or that was taken already, changes nothing.
    pub(super) fn job_settled(&mut self, key: &JobKey, outcome: &JobOutcome) {
        let waits = |phase: &Phase| matches!(phase, Phase::Job(order) if order.key == *key);
        let Some(ix) = self.step_in(waits) else {
            return;
        };
        let step = &self.run.steps[ix];
        match outcome {
            JobOutcome::Evicted { transient: true, message }
                if step.transient_evictions < TRANSIENT_EVICTIONS_MAX =>
            {
                self.emit(Event::JobRedispatched { step: ix, transient: true, message: message.clone() });
            }
            JobOutcome::Evicted { transient: false, message }
                if step.crash_evictions < CRASH_EVICTIONS_MAX =>
            {
                self.emit(Event::JobRedispatched { step: ix, transient: false, message: message.clone() });
            }
            _ => {
                self.take_change(outcome);
                self.emit(Event::JobSettled { step: ix, outcome: outcome.clone() });
            }
        }
    }

    fn take_change(&mut self, outcome: &JobOutcome) {
        let JobOutcome::Done(result) = outcome else {
            return;
        };
        let head_commit =
            result.head_commit.clone().filter(|head| Some(head) != self.run.change.head_commit.as_ref());
        let known = self.run.change.pull_request.as_ref();
        let pull_request = result.pull_request.clone().filter(|request| Some(request) != known);
        if head_commit.is_some() || pull_request.is_some() {
            self.emit(Event::ChangeUpdated { head_commit, pull_request });
        }
    }

    /// As for jobs: only the effect that is waited for counts.
    pub(super) fn effect_settled(&mut self, key: &EffectKey, outcome: &EffectOutcome) {
        let waits = |phase: &Phase| matches!(phase, Phase::Effect(order) if order.key == *key);
        if let Some(ix) = self.step_in(waits) {
            let before = self.run.environments.len();
            self.emit(Event::EffectSettled { step: ix, outcome: outcome.clone() });
            if self.run.environments.len() > before {
                self.keep_newest();
            }
        } else if let Some(keep) = self.stray(key) {
            self.emit(Event::StraySettled { key: key.clone(), outcome: outcome.clone() });
            if !keep || self.run.environments.len() > 1 {
                self.release_newest();
            }
        } else if self.run.cleanups.iter().any(|order| order.key == *key) {
            self.emit(Event::CleanupSettled { key: key.clone(), outcome: outcome.clone() });
        }
    }

    fn step_in(&self, phase: impl Fn(&Phase) -> bool) -> Option<StepIx> {
        self.run.steps.iter().position(|step| phase(&step.phase))
    }
}
