//! A service as its code shows it, brought onto the board (SPEC BI-1 to BI-3).

use crate::Board;
use crate::bounds::{ITEMS_MAX, NAME_CHARS_MAX};
use crate::changes::Changes;
use crate::text::{at_most, invalid, name, room};
use lockstep_types::board::{Change, Item, ItemId, ItemPatch, Row, ServiceType};
use lockstep_types::{ItemLevel, Rejected, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Modules of a service: a board with more is no overview.
const MODULES_MAX: usize = 200;
/// References of a service or a module: the places to begin reading.
const REFERENCES_MAX: usize = 100;
/// Characters of a summary (SPEC BI-1).
const SUMMARY_CHARS_MAX: usize = 2000;
/// Characters of a reference (SPEC BI-1).
const REFERENCE_CHARS_MAX: usize = 400;

/// A service and its modules.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// The service.
    pub service: ServicePlan,
}

/// What a blueprint says of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePlan {
    /// What it is.
    #[serde(rename = "type")]
    pub service_type: ServiceType,
    /// Its name, 1 to 120 characters.
    pub name: String,
    /// What it does, at most 2000 characters.
    pub summary: String,
    /// Where in the code to look, 1 to 400 characters each.
    #[serde(default)]
    pub references: Vec<String>,
    /// Its parts.
    #[serde(default)]
    pub modules: Vec<ModulePlan>,
}

/// What a blueprint says of a module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulePlan {
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// Where in the code to look.
    #[serde(default)]
    pub references: Vec<String>,
}

impl Blueprint {
    /// Reads a blueprint; everything in it must be known and within bounds.
    ///
    /// # Errors
    /// `Invalid` says what is not.
    pub fn parse(text: &str) -> Result<Self, Rejected> {
        let mut plan: Self = serde_json::from_str(text).map_err(|error| {
            invalid(format!("not a blueprint: {error}: write it again as its schema says"))
        })?;
        let service = &mut plan.service;
        if service.modules.len() > MODULES_MAX {
            return Err(invalid(format!("the blueprint has more than {MODULES_MAX} modules: join some")));
        }
        check_part(&mut service.name, &service.summary, &service.references)?;
        for module in &mut service.modules {
            check_part(&mut module.name, &module.summary, &module.references)?;
        }
        Ok(plan)
    }
}

fn check_part(title: &mut String, summary: &str, references: &[String]) -> Result<(), Rejected> {
    *title = name("name in a blueprint", title, NAME_CHARS_MAX)?;
    at_most("summary in a blueprint", summary.to_owned(), SUMMARY_CHARS_MAX)?;
    if references.len() > REFERENCES_MAX {
        return Err(invalid(format!("{title:?} has more than {REFERENCES_MAX} references: leave some out")));
    }
    references
        .iter()
        .try_for_each(|one| name("reference in a blueprint", one, REFERENCE_CHARS_MAX).map(|_| ()))
}

impl Board {
    /// Brings a blueprint onto the board: into the given service, or into a new one if there is none. Modules are known
    /// by their titles, in any case; missing ones are added, descriptions are brought up to date, and nothing that a
    /// person put there is renamed or deleted.
    ///
    /// # Errors
    /// `Conflict` when the board is full.
    pub fn ingest_blueprint(
        &self,
        service: Option<&ItemId>,
        blueprint: &Blueprint,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let plan = &blueprint.service;
        room("items", self.items().len() + plan.modules.len(), ITEMS_MAX)?;
        let mut changes = Changes::of(self);
        let known = service.and_then(|id| self.service_of(id));
        let text = description(&plan.summary, &plan.references);
        let id = match known {
            Some(known) => {
                refresh(known, text, now, &mut changes);
                known.id.clone()
            }
            None => self.add(
                &mut changes,
                ItemLevel::Service,
                None,
                item_patch(&plan.name, text, plan.service_type),
                now,
            )?,
        };
        let known_modules = self.children(&id).filter(|child| child.level == ItemLevel::Module);
        let known_modules: BTreeMap<String, &Item> =
            known_modules.map(|module| (folded(&module.title), module)).collect();
        let service_type = known.map_or(plan.service_type, |known| known.service_type);
        let mut seen = BTreeSet::new();
        for module in plan.modules.iter().filter(|module| seen.insert(folded(&module.name))) {
            let text = description(&module.summary, &module.references);
            match known_modules.get(&folded(&module.name)) {
                Some(known) => refresh(known, text, now, &mut changes),
                None => {
                    let patch = item_patch(&module.name, text, service_type);
                    self.add(&mut changes, ItemLevel::Module, Some(&id), patch, now)?;
                }
            }
        }
        Ok(changes.finish())
    }
}

/// Brings a description up to date; an empty one says nothing new.
fn refresh(item: &Item, description: String, now: Timestamp, changes: &mut Changes) {
    if !description.is_empty() && description != item.description {
        changes.put(Row::Item(Item { description, updated_at: now, ..item.clone() }));
    }
}

/// The summary, and the references as a list below it.
fn description(summary: &str, references: &[String]) -> String {
    let summary = summary.trim();
    if references.is_empty() {
        return summary.to_owned();
    }
    let list: Vec<String> = references.iter().map(|reference| format!("- {}", reference.trim())).collect();
    format!("{summary}\n\nCode:\n{}", list.join("\n")).trim_start().to_owned()
}

fn item_patch(title: &str, description: String, service_type: ServiceType) -> ItemPatch {
    ItemPatch {
        title: Some(title.to_owned()),
        description: Some(description),
        service_type: Some(service_type),
        ..ItemPatch::default()
    }
}

fn folded(title: &str) -> String {
    title.trim().to_lowercase()
}
