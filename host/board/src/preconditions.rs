//! What must hold before a run starts, and again before one is retried or restarted (DEVIATIONS D-2, D-11).

use crate::text::conflict;
use crate::{Board, ShapeStep, infra, shape};
use lockstep_types::board::ItemId;
use lockstep_types::{Rejected, RunId};
use std::collections::BTreeSet;

/// A start, retry or restart that is asked for.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The item.
    pub item: &'a ItemId,
    /// The steps: of the stored pipeline at a start, the run's own at a retry or restart.
    pub steps: &'a [ShapeStep],
    /// The live run of the item, if the start would be a second one: not when it is to be replaced, nor at a retry or
    /// restart.
    pub live_run: Option<&'a RunId>,
    /// What the host can do for testers.
    pub infra: infra::Infra,
    /// Models that the steps would use and nobody may, disabled steps included (SPEC MO-1, MO-2).
    pub unusable_models: &'a [String],
    /// Items with a live run; whether this one is among them makes no difference.
    pub live: &'a BTreeSet<ItemId>,
}

impl Board {
    /// Checks everything a start depends on, in the order of D-11: shape, live run, test infrastructure, models, task
    /// limit, dependencies. It changes nothing, so a refusal comes before any side effect.
    ///
    /// # Errors
    /// `NotFound` for the item, `Invalid` for the shape, `Conflict` for the rest, each with what to do.
    pub fn check_start(&self, start: &Start<'_>) -> Result<(), Rejected> {
        let item = self.item(start.item)?;
        shape::check(start.steps)?;
        if let Some(run) = start.live_run {
            return Err(conflict(format!(
                "{} has a live run, {run}: stop it, or ask to replace it",
                item.id
            )));
        }
        if start.steps.iter().any(|step| step.needs_test_infrastructure) {
            let service = self.service_of(&item.id).map(|service| &service.tests);
            infra::check(start.infra, &item.tests, service)?;
        }
        if !start.unusable_models.is_empty() {
            let models = start.unusable_models.join(", ");
            return Err(conflict(format!(
                "nobody may use {models}: connect a provider or choose other models"
            )));
        }
        self.check_task_limit(item, start.live)?;
        self.check_dependencies(item)
    }
}
