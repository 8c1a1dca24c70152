//! Making, changing, placing and deleting items (SPEC section 28).

use crate::Board;
use crate::bounds::{
    DESCRIPTION_CHARS_MAX, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, ENVIRONMENTS_MAX, ITEMS_MAX, NAME_CHARS_MAX,
    SERVICE_LOOKUP_MAX, TITLE_CHARS_MAX,
};
use crate::changes::Changes;
use crate::notices::forget_closed;
use crate::text::{at_most, conflict, invalid, labels, line, name, room};
use lockstep_types::board::{Change, Item, ItemId, ItemPatch, Row, RowKey, TaskType};
use lockstep_types::{
    Document, Environment, ItemLevel, ItemStatus, Notice, PullRequest, Rejected, RunId, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a run, or an errand beside it, leaves on its item. What is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRecord {
    /// Where it stands.
    pub status: Option<ItemStatus>,
    /// Its pull request.
    pub pull_request: Option<PullRequest>,
    /// Its run, or none any more.
    pub current_run: Option<Option<RunId>>,
    /// The branch that carries its change.
    pub head_branch: Option<String>,
    /// All its documents.
    pub documents: Option<Vec<Document>>,
    /// All its environments that are not torn down.
    pub environments: Option<Vec<Environment>>,
    /// All its cards that belong to no run.
    pub notices: Option<Vec<Notice>>,
}

impl Board {
    /// Makes an item. A service without a title is called by its repository, or by its type and a number (SPEC BD-3).
    ///
    /// # Errors
    /// `Invalid` for a title, place or value out of bounds, `NotFound` for an unknown parent, preset or pipeline,
    /// `Conflict` on a full board.
    pub fn create_item(
        &self,
        level: ItemLevel,
        parent: Option<&ItemId>,
        patch: ItemPatch,
        now: Timestamp,
    ) -> Result<(ItemId, Vec<Change>), Rejected> {
        room("items", self.items().len(), ITEMS_MAX)?;
        self.check_place(level, parent)?;
        let mut changes = Changes::of(self);
        let id = self.add(&mut changes, level, parent, patch, now)?;
        Ok((id, changes.finish()))
    }

    /// Adds an item in a place that is known to be right.
    pub(crate) fn add(
        &self,
        changes: &mut Changes,
        level: ItemLevel,
        parent: Option<&ItemId>,
        patch: ItemPatch,
        now: Timestamp,
    ) -> Result<ItemId, Rejected> {
        let item = self.new_item(changes, level, parent, patch, now)?;
        let id = item.id.clone();
        changes.put(Row::Item(item));
        Ok(id)
    }

    pub(crate) fn new_item(
        &self,
        changes: &mut Changes,
        level: ItemLevel,
        parent: Option<&ItemId>,
        mut patch: ItemPatch,
        now: Timestamp,
    ) -> Result<Item, Rejected> {
        let service = parent.and_then(|parent| self.service_of(parent));
        let from_repository = level == ItemLevel::Service && matches!(&patch.repository, Some(Some(_)));
        if patch.title.is_none() && level == ItemLevel::Service {
            patch.title = Some(self.service_title(&patch));
        }
        let blank = Item {
            id: changes.id(self.workspace().id.as_str()),
            workspace: self.workspace().id.clone(),
            title: String::new(),
            level,
            parent: parent.cloned(),
            service_type: service.map(|service| service.service_type).unwrap_or_default(),
            task_type: TaskType::Feature,
            status: if from_repository { ItemStatus::Ready } else { ItemStatus::Planned },
            description: String::new(),
            depends_on: Vec::new(),
            preset: None,
            pipeline: None,
            module_name: None,
            auto_start_dependents: false,
            labels: Vec::new(),
            archived: false,
            responsible: None,
            pull_request: None,
            current_run: None,
            repository: None,
            directory: None,
            base_branch: None,
            head_branch: None,
            tests: Default::default(),
            documents: Vec::new(),
            environments: Vec::new(),
            notices: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        patch.title.get_or_insert_default();
        self.patched(blank, patch)
    }

    /// Changes what a person may set on an item; nothing if it is so already.
    ///
    /// # Errors
    /// As [`Board::create_item`], and `NotFound` for the item.
    pub fn edit_item(&self, id: &ItemId, patch: ItemPatch, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        let edited = self.patched(item.clone(), patch)?;
        Ok(touched(item, edited, now))
    }

    /// Puts an item, with all that is in it, somewhere else (SPEC BD-2).
    ///
    /// # Errors
    /// `NotFound` for an unknown item or parent, `Invalid` for a place such an item cannot have.
    pub fn move_item(
        &self,
        id: &ItemId,
        parent: Option<&ItemId>,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        if parent == Some(id) {
            return Err(invalid(format!("item {id} cannot be in itself: name another parent")));
        }
        self.check_place(item.level, parent)?;
        Ok(touched(item, Item { parent: parent.cloned(), ..item.clone() }, now))
    }

    /// Deletes an item with all that is in it, their schedules, and what other tasks said of waiting for them. The
    /// runs of what is removed are the caller's to stop first: [`Board::subtree`]. An unknown item changes nothing
    /// (SPEC BD-6).
    #[must_use]
    pub fn delete_item(&self, id: &ItemId, now: Timestamp) -> Vec<Change> {
        let gone: BTreeSet<&ItemId> = self.subtree(id).into_iter().map(|item| &item.id).collect();
        let mut changes = Changes::of(self);
        for schedule in self.schedules().filter(|schedule| gone.contains(&schedule.task)) {
            self.remove_schedule_rows(&schedule.id, &mut changes);
        }
        for item in self.items() {
            if gone.contains(&item.id) {
                changes.remove(RowKey::Item(item.id.clone()));
            } else if item.depends_on.iter().any(|on| gone.contains(on)) {
                let mut item = Item { updated_at: now, ..item.clone() };
                item.depends_on.retain(|on| !gone.contains(on));
                changes.put(Row::Item(item));
            }
        }
        changes.finish()
    }

    /// Keeps what a run left on its item; nothing if it is so already.
    ///
    /// # Errors
    /// `NotFound` for the item, `Invalid` for more or longer documents or more environments than an item may have.
    pub fn record(&self, id: &ItemId, record: ItemRecord, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        let mut next = item.clone();
        next.status = record.status.unwrap_or(next.status);
        next.pull_request = record.pull_request.or(next.pull_request);
        next.current_run = record.current_run.unwrap_or(next.current_run);
        next.head_branch = record.head_branch.or(next.head_branch);
        next.documents = record.documents.unwrap_or(next.documents);
        next.environments = record.environments.unwrap_or(next.environments);
        next.notices = record.notices.unwrap_or(next.notices);
        forget_closed(&mut next.notices);
        let counts = [
            ("documents", next.documents.len(), DOCUMENTS_MAX),
            ("environments", next.environments.len(), ENVIRONMENTS_MAX),
        ];
        for (what, count, max) in counts {
            if count > max {
                return Err(invalid(format!("item {id} would have {count} {what}: it may have {max}")));
            }
        }
        let size = |document: &Document| {
            let text = document.stands_in.as_ref().map_or(0, |stand_in| stand_in.text.len());
            document.name.len() + document.value.as_str().len() + text
        };
        if let Some(large) = next.documents.iter().find(|document| size(document) > DOCUMENT_BYTES_MAX) {
            let text =
                format!("document {} is longer than {DOCUMENT_BYTES_MAX} bytes: shorten it", large.name);
            return Err(invalid(text));
        }
        Ok(touched(item, next, now))
    }

    /// The items directly in an item, the oldest first.
    pub fn children<'b>(&'b self, id: &'b ItemId) -> impl Iterator<Item = &'b Item> + 'b {
        self.items().filter(move |item| item.parent.as_ref() == Some(id))
    }

    /// The item and everything in it, parents before children; nothing if there is no such item.
    #[must_use]
    pub fn subtree(&self, id: &ItemId) -> Vec<&Item> {
        let mut within: BTreeMap<&ItemId, Vec<&Item>> = BTreeMap::new();
        for item in self.items() {
            if let Some(parent) = &item.parent {
                within.entry(parent).or_default().push(item);
            }
        }
        let mut found: Vec<&Item> = self.item(id).ok().into_iter().collect();
        let mut at = 0;
        while let Some(item) = found.get(at) {
            found.extend(within.remove(&item.id).unwrap_or_default());
            at += 1;
        }
        found
    }

    /// The service an item is in, or is itself.
    #[must_use]
    pub fn service_of(&self, id: &ItemId) -> Option<&Item> {
        let upwards = std::iter::successors(self.item(id).ok(), |item| {
            item.parent.as_ref().and_then(|parent| self.item(parent).ok())
        });
        upwards.take(SERVICE_LOOKUP_MAX).find(|item| item.level == ItemLevel::Service)
    }

    /// SPEC BD-2: tasks are in services or modules, modules in services, services nowhere. That also keeps everything
    /// from being in itself.
    fn check_place(&self, level: ItemLevel, parent: Option<&ItemId>) -> Result<(), Rejected> {
        let around = parent.map(|parent| self.item(parent)).transpose()?.map(|parent| parent.level);
        match (level, around) {
            (ItemLevel::Service, None)
            | (ItemLevel::Module | ItemLevel::Task, Some(ItemLevel::Service))
            | (ItemLevel::Task, Some(ItemLevel::Module)) => Ok(()),
            (ItemLevel::Service, Some(_)) => Err(invalid("a service is in nothing: name no parent")),
            (ItemLevel::Module, _) => Err(invalid("a module is in a service: name one as its parent")),
            (ItemLevel::Task, _) => {
                Err(invalid("a task is in a service or a module: name one as its parent"))
            }
        }
    }

    fn service_title(&self, patch: &ItemPatch) -> String {
        let last = |path: &str| {
            let path = path.trim().trim_end_matches(['/', '\\']);
            path.rsplit(['/', '\\', ':']).next().unwrap_or_default().trim_end_matches(".git").to_owned()
        };
        let path = [&patch.directory, &patch.repository].into_iter().flatten().flatten().next();
        if let Some(title) = path.map(|path| last(path)).filter(|title| !title.is_empty()) {
            return title;
        }
        let label = patch.service_type.unwrap_or_default().label();
        let taken: BTreeSet<&str> = self.items().map(|item| item.title.as_str()).collect();
        let free = (1..=ITEMS_MAX + 1).map(|number| format!("{label} {number}"));
        free.into_iter().find(|title| !taken.contains(title.as_str())).unwrap_or_else(|| label.to_owned())
    }

    fn patched(&self, mut item: Item, patch: ItemPatch) -> Result<Item, Rejected> {
        check_level(&item, &patch)?;
        if let Some(title) = patch.title {
            let max = if item.level == ItemLevel::Module { NAME_CHARS_MAX } else { TITLE_CHARS_MAX };
            item.title = name("title", &title, max)?;
        }
        if let Some(description) = patch.description {
            item.description = at_most("description", description, DESCRIPTION_CHARS_MAX)?;
        }
        if let Some(given) = patch.labels {
            item.labels = labels(&given)?;
        }
        if let Some(preset) = patch.preset {
            item.preset = preset.map(|id| self.preset(&id).map(|_| id)).transpose()?;
        }
        if let Some(pipeline) = patch.pipeline {
            item.pipeline = pipeline.map(|id| self.pipeline(&id).map(|_| id)).transpose()?;
        }
        if let Some(Some(module)) = &patch.module_name {
            name("module name", module, NAME_CHARS_MAX)?;
        }
        let lines = [
            ("module name", &mut item.module_name, patch.module_name),
            ("responsible person", &mut item.responsible, patch.responsible),
            ("repository", &mut item.repository, patch.repository),
            ("directory", &mut item.directory, patch.directory),
            ("base branch", &mut item.base_branch, patch.base_branch),
            ("head branch", &mut item.head_branch, patch.head_branch),
        ];
        for (what, field, value) in lines {
            if let Some(value) = value {
                *field = line(what, value.as_deref())?;
            }
        }
        item.service_type = patch.service_type.unwrap_or(item.service_type);
        item.task_type = patch.task_type.unwrap_or(item.task_type);
        item.auto_start_dependents = patch.auto_start_dependents.unwrap_or(item.auto_start_dependents);
        item.archived = patch.archived.unwrap_or(item.archived);
        if let Some(tests) = patch.tests {
            item.tests = tests;
            item.tests.compose_path = line("compose path", item.tests.compose_path.as_deref())?;
        }
        self.check_repository(&item)?;
        Ok(item)
    }

    /// SPEC BD-3: one service a repository, or one a folder of it.
    fn check_repository(&self, item: &Item) -> Result<(), Rejected> {
        if item.level != ItemLevel::Service || item.repository.is_none() {
            return Ok(());
        }
        if let Some(directory) = &item.directory
            && directory.split(['/', '\\']).any(|segment| segment == "..")
        {
            return Err(invalid("the directory leaves the repository: name one without `..`"));
        }
        let others = self.items().filter(|other| other.level == ItemLevel::Service && other.id != item.id);
        let mut linked = others.filter(|other| other.repository == item.repository);
        let clash = linked.find(|other| other.directory.is_none() || other.directory == item.directory);
        match clash {
            None => Ok(()),
            Some(other) if other.directory.is_none() => Err(invalid(format!(
                "the whole repository belongs to service {}: give that one a directory first",
                other.title
            ))),
            Some(other) => {
                Err(invalid(format!("that directory belongs to service {}: name another", other.title)))
            }
        }
    }
}

/// Refuses what means nothing on an item of this level.
fn check_level(item: &Item, patch: &ItemPatch) -> Result<(), Rejected> {
    let task_only = [
        ("a task type", patch.task_type.is_some()),
        ("a module name", matches!(patch.module_name, Some(Some(_)))),
        ("the start of dependents", patch.auto_start_dependents == Some(true)),
    ];
    for (what, is_given) in task_only {
        if is_given && item.level != ItemLevel::Task {
            return Err(invalid(format!("only a task has {what}: leave it out")));
        }
    }
    if matches!(patch.directory, Some(Some(_))) && item.level != ItemLevel::Service {
        return Err(invalid("only a service has a directory: leave it out"));
    }
    if matches!(&patch.directory, Some(Some(directory)) if directory.trim().is_empty()) {
        return Err(invalid("the directory is blank: name one, or leave it out for the whole repository"));
    }
    match patch.task_type {
        Some(wanted) if wanted != item.task_type && wanted == TaskType::Recurring => {
            Err(invalid("recurring tasks are made by schedules: create a schedule"))
        }
        Some(wanted) if wanted != item.task_type && item.task_type == TaskType::Recurring => {
            Err(conflict(format!("task {} belongs to a schedule: its type stays recurring", item.id)))
        }
        _ => Ok(()),
    }
}

/// The change from one item to the next, none if they are equal.
pub(crate) fn touched(item: &Item, next: Item, now: Timestamp) -> Vec<Change> {
    if *item == next { Vec::new() } else { vec![Change::Put(Row::Item(Item { updated_at: now, ..next }))] }
}
