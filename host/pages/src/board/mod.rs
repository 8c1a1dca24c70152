//! The board: services with their modules and tasks, and each item by itself.

mod item;
pub mod words;

pub use item::{DeleteItemPage, ItemPage};

use crate::choice::choices;
use crate::{Choice, Frame};
use askama::Template;
use lockstep_ports::Card;
use lockstep_types::board::{Item, ItemId, Workspace};
use lockstep_types::{ItemLevel, ItemStatus, RunSummary};
use words::{SERVICE_TYPES, TASK_TYPES};

/// Which tasks of a board are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardFilter {
    /// Only those with this label.
    pub label: String,
    /// Only those whose title holds this.
    pub text: String,
    /// Archived ones too.
    pub archived: bool,
}

impl BoardFilter {
    fn takes(&self, item: &Item) -> bool {
        let text = self.text.to_lowercase();
        (self.archived || !item.archived)
            && (self.label.is_empty() || item.labels.contains(&self.label))
            && (text.is_empty() || item.title.to_lowercase().contains(&text))
    }

    fn is_narrow(&self) -> bool {
        !self.label.is_empty() || !self.text.is_empty()
    }
}

/// A board whole.
#[derive(Template)]
#[template(path = "board/board.html")]
pub struct BoardPage {
    /// What is around it.
    pub frame: Frame,
    /// The board.
    pub workspace: Workspace,
    /// Its items.
    pub items: Vec<Item>,
    /// Runs, of which those of its items are shown.
    pub runs: Vec<RunSummary>,
    /// Its open cards.
    pub cards: Vec<Card>,
    /// What is shown of it.
    pub filter: BoardFilter,
}

/// A service or a module with the tasks that are in it.
struct Group<'a> {
    item: &'a Item,
    is_service: bool,
    tasks: Vec<&'a Item>,
}

impl BoardPage {
    fn groups(&self) -> Vec<Group<'_>> {
        let services = self.items.iter().filter(|item| item.level == ItemLevel::Service);
        let mut groups = Vec::new();
        for service in services.filter(|service| self.filter.archived || !service.archived) {
            let at = groups.len();
            groups.push(self.group(service));
            let modules = self.within(&service.id).filter(|item| item.level == ItemLevel::Module);
            let modules = modules.filter(|module| self.filter.archived || !module.archived);
            groups.extend(modules.map(|module| self.group(module)));
            if self.filter.is_narrow() && groups[at..].iter().all(|group| group.tasks.is_empty()) {
                groups.truncate(at);
            }
        }
        groups
    }

    fn group<'a>(&'a self, item: &'a Item) -> Group<'a> {
        let tasks = self.within(&item.id).filter(|item| item.level == ItemLevel::Task);
        let tasks = tasks.filter(|task| self.filter.takes(task)).collect();
        Group { item, is_service: item.level == ItemLevel::Service, tasks }
    }

    fn within<'a>(&'a self, parent: &'a ItemId) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| item.parent.as_ref() == Some(parent))
    }

    fn run(&self, item: &Item) -> Option<&RunSummary> {
        let id = item.current_run.as_ref()?;
        self.runs.iter().find(|run| run.id == *id)
    }

    /// Tasks that are not done and that this one waits for.
    fn waits_for(&self, item: &Item) -> Vec<&Item> {
        let open = self.items.iter().filter(|other| other.status != ItemStatus::Done);
        open.filter(|other| item.depends_on.contains(&other.id)).collect()
    }

    fn cards_of(&self, item: &Item) -> usize {
        self.cards.iter().filter(|card| card.item == item.id.as_str()).count()
    }

    fn labels(&self) -> Vec<Choice> {
        let mut labels: Vec<&str> =
            self.items.iter().flat_map(|item| &item.labels).map(String::as_str).collect();
        labels.sort_unstable();
        labels.dedup();
        let all = std::iter::once(("", "any")).chain(labels.into_iter().map(|label| (label, label)));
        choices(&self.frame, ("filter", "label"), &self.filter.label, all)
    }

    fn parents(&self) -> Vec<Choice> {
        let parents = self.items.iter().filter(|item| item.level != ItemLevel::Task && !item.archived);
        let parents = parents.map(|item| (item.id.as_str(), place(&self.items, item)));
        choices(&self.frame, ("add-task", "parent"), "", parents)
    }

    fn services(&self) -> Vec<Choice> {
        let services = self.items.iter().filter(|item| item.level == ItemLevel::Service && !item.archived);
        let services = services.map(|item| (item.id.as_str(), item.title.as_str()));
        choices(&self.frame, ("add-module", "parent"), "", services)
    }

    fn task_types(&self) -> Vec<Choice> {
        let types = TASK_TYPES.map(|of| (of.word(), of.word()));
        choices(&self.frame, ("add-task", "task_type"), "feature", types)
    }

    fn service_types(&self) -> Vec<Choice> {
        let types = SERVICE_TYPES.map(|(word, of)| (word, of.label()));
        choices(&self.frame, ("add-service", "service_type"), "service", types)
    }

    /// Whether this form stands open: it was refused, or there is nothing yet but to fill it in.
    fn is_open(&self, form: &str) -> bool {
        self.frame.typed.form == form || (form == "add-service" && self.items.is_empty())
    }
}

/// Where an item is, from its service on: `Shop / Cart`.
fn place(items: &[Item], item: &Item) -> String {
    let parent = item.parent.as_ref().and_then(|id| items.iter().find(|other| other.id == *id));
    match parent {
        Some(parent) => format!("{} / {}", parent.title, item.title),
        None => item.title.clone(),
    }
}
