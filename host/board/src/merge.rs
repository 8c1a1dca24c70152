//! What becomes of an item when its run ends or its change is merged (SPEC MR-6, MR-12, BD-9, EN-15).

use crate::Board;
use crate::bounds::ITEMS_MAX;
use crate::changes::Changes;
use crate::items::touched;
use crate::text::{conflict, room, status};
use lockstep_types::board::{Change, Item, ItemId, ItemPatch};
use lockstep_types::{ItemLevel, ItemStatus, Rejected, Timestamp};

impl Board {
    /// Refuses a merge by hand unless the item awaits one (SPEC MR-12).
    ///
    /// # Errors
    /// `NotFound` for the item, `Conflict` in any other status.
    pub fn check_manual_merge(&self, id: &ItemId) -> Result<(), Rejected> {
        let item = self.item(id)?;
        if item.status == ItemStatus::PrReady {
            return Ok(());
        }
        let word = status(item.status);
        Err(conflict(format!("item {id} is {word}: only one that is pr-ready can be merged by hand")))
    }

    /// The item is done, and moves into the module it names, which is made if its service has none of that title
    /// (SPEC MR-6, BD-9).
    ///
    /// # Errors
    /// `NotFound` for the item. A module that cannot be made is not an error: the item is done all the same (D-4).
    pub fn merged(&self, id: &ItemId, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        let mut changes = Changes::of(self);
        let module = self.module_for(item, &mut changes, now);
        let parent = module.or_else(|| item.parent.clone());
        let mut list = changes.finish();
        list.extend(touched(item, Item { status: ItemStatus::Done, parent, ..item.clone() }, now));
        Ok(list)
    }

    fn module_for(&self, item: &Item, changes: &mut Changes, now: Timestamp) -> Option<ItemId> {
        let title = item.module_name.as_ref().filter(|_| item.level == ItemLevel::Task)?;
        let service = self.service_of(&item.id)?;
        let mut modules = self.children(&service.id).filter(|child| child.level == ItemLevel::Module);
        if let Some(known) = modules.find(|module| module.title == *title) {
            return Some(known.id.clone());
        }
        let patch = ItemPatch { title: Some(title.clone()), ..ItemPatch::default() };
        room("items", self.items().len(), ITEMS_MAX).ok()?;
        self.add(changes, ItemLevel::Module, Some(&service.id), patch, now).ok()
    }
}

/// Where an item stands when its run is done and left it at `from_run` (SPEC EN-15): a task where the run says, another
/// item `ready` if it was only mapped and `done` otherwise. What is done stays done.
#[must_use]
pub fn status_at_end(item: &Item, from_run: ItemStatus, only_blueprints: bool) -> ItemStatus {
    match item.level {
        _ if item.status == ItemStatus::Done => ItemStatus::Done,
        ItemLevel::Task => from_run,
        _ if only_blueprints => ItemStatus::Ready,
        _ => ItemStatus::Done,
    }
}
