//! Tasks that wait for others (SPEC BD-7, EN-4, MR-13).

use crate::Board;
use crate::bounds::DEPENDENCIES_MAX;
use crate::items::touched;
use crate::text::{conflict, invalid, status};
use lockstep_types::board::{Change, Item, ItemId, PipelineId};
use lockstep_types::{ItemLevel, ItemStatus, Rejected, Timestamp};
use std::collections::BTreeSet;

impl Board {
    /// Makes a task wait for another, or no longer.
    ///
    /// # Errors
    /// `NotFound` for either; `Invalid` for a task and itself, for what is no task, for a circle, and for more than a
    /// task may wait for.
    pub fn toggle_dependency(
        &self,
        id: &ItemId,
        on: &ItemId,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let (item, other) = (self.item(id)?, self.item(on)?);
        let mut next = item.clone();
        if item.depends_on.contains(on) {
            next.depends_on.retain(|known| known != on);
            return Ok(touched(item, next, now));
        }
        if id == on {
            return Err(invalid(format!("task {id} cannot wait for itself: name another task")));
        }
        if let Some(end) = [item, other].into_iter().find(|end| end.level != ItemLevel::Task) {
            return Err(invalid(format!("{} is not a task: only tasks wait for each other", end.id)));
        }
        if self.waits_for(other, id) {
            return Err(invalid(format!(
                "{on} already waits for {id}, directly or through others: remove that dependency first"
            )));
        }
        if item.depends_on.len() >= DEPENDENCIES_MAX {
            return Err(invalid(format!("{id} waits for {DEPENDENCIES_MAX} tasks, as many as it may")));
        }
        next.depends_on.push(on.clone());
        Ok(touched(item, next, now))
    }

    /// Whether `item` waits for `target`, directly or through others.
    fn waits_for(&self, item: &Item, target: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&ItemId> = item.depends_on.iter().collect();
        while let Some(id) = open.pop() {
            if id == target {
                return true;
            }
            if seen.insert(id)
                && let Ok(item) = self.item(id)
            {
                open.extend(&item.depends_on);
            }
        }
        false
    }

    /// What a task still waits for; a dependency that is gone counts as done (SPEC EN-4).
    pub fn unfinished_dependencies<'b>(&'b self, item: &'b Item) -> impl Iterator<Item = &'b Item> + 'b {
        let known = item.depends_on.iter().filter_map(|on| self.item(on).ok());
        known.filter(|on| on.status != ItemStatus::Done)
    }

    /// Refuses the start of a task that waits for others.
    pub(crate) fn check_dependencies(&self, item: &Item) -> Result<(), Rejected> {
        if item.level != ItemLevel::Task {
            return Ok(());
        }
        let open = self.unfinished_dependencies(item);
        let open: Vec<String> =
            open.map(|on| format!("{} ({:?}, {})", on.id, on.title, status(on.status))).collect();
        if open.is_empty() {
            return Ok(());
        }
        let text = format!("{} waits for {}: finish them or remove the dependency", item.id, open.join(", "));
        Err(conflict(text))
    }

    /// The tasks to start now that `merged` is done, each with its pipeline: those that waited for it, have not begun
    /// and wait for nothing else, if it is to start them (SPEC MR-13).
    #[must_use]
    pub fn dependents_to_start(&self, merged: &ItemId) -> Vec<(ItemId, PipelineId)> {
        if !self.item(merged).is_ok_and(|item| item.auto_start_dependents) {
            return Vec::new();
        }
        let first = self.pipelines().find(|pipeline| !pipeline.archived).map(|pipeline| &pipeline.id);
        let waiting = self.items().filter(|item| {
            item.level == ItemLevel::Task
                && item.depends_on.contains(merged)
                && matches!(item.status, ItemStatus::Planned | ItemStatus::Ready)
                && self.unfinished_dependencies(item).next().is_none()
        });
        waiting
            .filter_map(|item| Some((item.id.clone(), item.pipeline.as_ref().or(first)?.clone())))
            .collect()
    }
}
