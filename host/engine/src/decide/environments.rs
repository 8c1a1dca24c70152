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

    /// Whether an effect is a provision nobody waits for any more, and then whether its environment is to be kept.
    pub(super) fn stray(&self, key: &EffectKey) -> Option<bool> {
        let order = self.run.strays.iter().find(|order| order.key == *key)?;
        Some(matches!(order.effect, Effect::Provision { keep: true, .. }))
    }

    /// Two steps may have provisioned at the same time: the environment that was there first goes.
    pub(super) fn keep_newest(&mut self) {
        if let Some(newest) = self.run.environments.last().map(|held| held.environment.id.clone()) {
            self.tear_down(|held| held.environment.id != newest);
        }
    }

    /// Nobody waited for the environment that has just come.
    pub(super) fn release_newest(&mut self) {
        if let Some(newest) = self.run.environments.last().map(|held| held.environment.id.clone()) {
            self.tear_down(|held| held.environment.id == newest);
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
