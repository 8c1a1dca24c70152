//! How many tasks of a service may run at once, and the other settings (SPEC TL-1 to TL-4).

use crate::Board;
use crate::bounds::{ESCALATION_MINUTES_MAX, PRICES_MAX, TASK_LIMIT_MAX};
use crate::text::{conflict, invalid, name};
use lockstep_types::board::{Change, Item, ItemId, Row, Settings, SettingsPatch, TaskLimit, TaskType};
use lockstep_types::{ItemLevel, Rejected};
use std::collections::BTreeSet;

/// Characters of the name of a currency: a code or a word.
const CURRENCY_CHARS_MAX: usize = 12;

impl Board {
    /// Refuses one more task of a service when as many as allowed have a live run. `live` names the items that have
    /// one; the item itself is not counted (SPEC TL-2).
    pub(crate) fn check_task_limit(&self, item: &Item, live: &BTreeSet<ItemId>) -> Result<(), Rejected> {
        let Some(service) = self.service_of(&item.id).filter(|_| item.level == ItemLevel::Task) else {
            return Ok(());
        };
        let (limit, only) = match &self.settings().task_limit {
            TaskLimit::Off => return Ok(()),
            TaskLimit::Shared { limit } => (*limit, None),
            TaskLimit::PerType { limits } => match limits.get(&item.task_type) {
                Some(limit) if item.task_type != TaskType::Recurring => (*limit, Some(item.task_type)),
                _ => return Ok(()),
            },
        };
        let others = live.iter().filter(|id| **id != item.id).filter_map(|id| self.item(id).ok());
        let counted = others.filter(|other| {
            other.level == ItemLevel::Task
                && only.is_none_or(|only| other.task_type == only)
                && self.service_of(&other.id).is_some_and(|theirs| theirs.id == service.id)
        });
        if counted.count() < usize::try_from(limit).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let only = only.map(|only| format!(" ({})", only.word())).unwrap_or_default();
        Err(conflict(format!(
            "service {:?} is at its task limit of {limit}{only}: wait for a task to end or raise the limit",
            service.title
        )))
    }

    /// Changes what holds for the whole board.
    ///
    /// # Errors
    /// `Invalid` for a value out of bounds.
    pub fn edit_settings(&self, patch: SettingsPatch) -> Result<Vec<Change>, Rejected> {
        let known = self.settings();
        let next = Settings {
            task_limit: patch.task_limit.unwrap_or_else(|| known.task_limit.clone()),
            waiting_escalation_minutes: patch
                .waiting_escalation_minutes
                .unwrap_or(known.waiting_escalation_minutes),
            pricing: patch.pricing.unwrap_or_else(|| known.pricing.clone()),
        };
        let limits: Vec<u32> = match &next.task_limit {
            TaskLimit::Off => Vec::new(),
            TaskLimit::Shared { limit } => vec![*limit],
            TaskLimit::PerType { limits } if limits.contains_key(&TaskType::Recurring) => {
                return Err(invalid("recurring tasks are never limited: leave them out of the task limit"));
            }
            TaskLimit::PerType { limits } => limits.values().copied().collect(),
        };
        if limits.iter().any(|limit| !(1..=TASK_LIMIT_MAX).contains(limit)) {
            return Err(invalid(format!("a task limit must be 1 to {TASK_LIMIT_MAX}, or off")));
        }
        if !(1..=ESCALATION_MINUTES_MAX).contains(&next.waiting_escalation_minutes) {
            return Err(invalid(format!("the escalation minutes must be 1 to {ESCALATION_MINUTES_MAX}")));
        }
        name("currency", &next.pricing.currency, CURRENCY_CHARS_MAX)?;
        if next.pricing.prices.len() > PRICES_MAX {
            return Err(invalid(format!(
                "there are more than {PRICES_MAX} prices: price providers, not models"
            )));
        }
        Ok(if next == *known { Vec::new() } else { vec![Change::Put(Row::Settings(next))] })
    }
}
