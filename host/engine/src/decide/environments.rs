//! The environments of an item: at most one at a time, and none left behind (DEVIATIONS D-17, D-21).

use super::Decider;
use crate::run::HeldEnvironment;
use lockstep_types::{Effect, EffectKey, EffectOrder, EnvironmentStatus, Event, JsonText, StepIx};

impl Decider {
    /// Asks for the teardown of the environments that `which` picks, each at most once.
    pub(super) fn tear_down(&mut self, which: impl Fn(&HeldEnvironment) -> bool) {
        let picked = |held: &&HeldEnvironment| !held.released && which(held);
        let held: Vec<HeldEnvironment> = self.run.environments.iter().filter(picked).cloned().collect();
        for held in held {
            self.request_teardown(held.with.unwrap_or_default(), JsonText::of(&held.environment));
        }
    }

    /// Those that go down with their step when the run is stopped or restarted.
    pub(super) fn tear_down_with_steps(&mut self) {
        self.tear_down(|held| {
            held.with.is_some() && held.environment.report.status != EnvironmentStatus::TornDown
        });
    }

    /// Asks for a teardown, whether it was asked for before or not.
    pub(super) fn request_teardown(&mut self, ix: StepIx, environment: JsonText) {
        let effect = Effect::Teardown(environment);
        let order = self.effect_order(ix, effect);
        self.emit(Event::CleanupRequested { step: ix, order: Box::new(order) });
    }

    /// An effect under the next key of its step.
    pub(super) fn effect_order(&self, ix: StepIx, effect: Effect) -> EffectOrder {
        let (run, step) = (self.run.spec.id.clone(), self.run.def(ix).name.clone());
        EffectOrder {
            key: EffectKey { run, step, number: self.run.steps[ix].effects + 1 },
            effect,
            change: self.run.change.clone(),
            title: self.run.spec.title.clone(),
            requested_at: self.now,
        }
    }
}
