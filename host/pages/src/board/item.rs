use super::words::{SERVICE_TYPES, TASK_TYPES};
use super::{place, words};
use crate::choice::choices;
use crate::{Choice, Frame, text};
use askama::Template;
use lockstep_ports::ItemView;
use lockstep_types::ItemLevel;
use lockstep_types::board::{Item, PipelineDef, Preset};

/// An item by itself.
#[derive(Template)]
#[template(path = "board/item.html")]
pub struct ItemPage {
    /// What is around it.
    pub frame: Frame,
    /// The item with what belongs to it.
    pub view: ItemView,
    /// All items of its board.
    pub items: Vec<Item>,
    /// Pipelines of its board.
    pub pipelines: Vec<PipelineDef>,
    /// Presets of its board.
    pub presets: Vec<Preset>,
}

/// Asks whether an item is to go.
#[derive(Template)]
#[template(path = "board/delete.html")]
pub struct DeleteItemPage {
    /// What is around it.
    pub frame: Frame,
    /// The item.
    pub item: Item,
    /// What is below it and goes with it.
    pub below: Vec<Item>,
}

impl ItemPage {
    fn item(&self) -> &Item {
        &self.view.item
    }

    fn is_task(&self) -> bool {
        self.view.item.level == ItemLevel::Task
    }

    fn is_service(&self) -> bool {
        self.view.item.level == ItemLevel::Service
    }

    fn place(&self) -> String {
        place(&self.items, self.item())
    }

    fn labels(&self) -> String {
        self.view.item.labels.join(", ")
    }

    /// An optional field as it stands in a form.
    fn or_empty<'a>(&self, field: &'a Option<String>) -> &'a str {
        field.as_deref().unwrap_or_default()
    }

    fn depends_on(&self) -> Vec<&Item> {
        self.items.iter().filter(|other| self.view.item.depends_on.contains(&other.id)).collect()
    }

    fn waited_for_by(&self) -> Vec<&Item> {
        self.items.iter().filter(|other| other.depends_on.contains(&self.view.item.id)).collect()
    }

    fn children(&self) -> Vec<&Item> {
        self.items.iter().filter(|other| other.parent.as_ref() == Some(&self.view.item.id)).collect()
    }

    /// Tasks it could wait for.
    fn others(&self) -> Vec<Choice> {
        let own = &self.view.item;
        let others = self.items.iter().filter(|other| other.level == ItemLevel::Task && !other.archived);
        let others = others.filter(|other| other.id != own.id && !own.depends_on.contains(&other.id));
        choices(&self.frame, ("depend", "on"), "", others.map(|other| (&other.id, &other.title)))
    }

    /// Where it could be.
    fn places(&self) -> Vec<Choice> {
        let own = &self.view.item;
        let fits = |other: &&Item| match own.level {
            ItemLevel::Service => false,
            ItemLevel::Module => other.level == ItemLevel::Service,
            ItemLevel::Task => other.level != ItemLevel::Task,
        };
        let current = own.parent.as_ref().map_or("", |id| id.as_str());
        let places = self.items.iter().filter(fits).map(|other| (&other.id, place(&self.items, other)));
        choices(&self.frame, ("move", "parent"), current, places)
    }

    fn pipelines(&self, form: &str) -> Vec<Choice> {
        let own = self.view.item.pipeline.as_ref().map_or("", |id| id.as_str());
        let none =
            if form == "start" { "as the item or the workspace says" } else { "as named at the start" };
        let all = self.pipelines.iter().filter(|one| !one.archived || one.id.as_str() == own);
        let all = all.map(|one| (one.id.to_string(), one.name.clone()));
        choices(
            &self.frame,
            (form, "pipeline"),
            own,
            std::iter::once((String::new(), none.to_owned())).chain(all),
        )
    }

    fn presets(&self, form: &str) -> Vec<Choice> {
        let own = self.view.item.preset.as_ref().map_or("", |id| id.as_str());
        let default = self.presets.iter().find(|preset| preset.is_default);
        let default = default.map_or_else(String::new, |preset| format!("the default one, {}", preset.name));
        let all = self.presets.iter().map(|one| (one.id.to_string(), one.name.clone()));
        choices(&self.frame, (form, "preset"), own, std::iter::once((String::new(), default)).chain(all))
    }

    fn types(&self) -> Vec<Choice> {
        let own = &self.view.item;
        if self.is_service() {
            let current =
                SERVICE_TYPES.iter().find(|(_, of)| *of == own.service_type).map_or("", |(word, _)| word);
            let all = SERVICE_TYPES.map(|(word, of)| (word, of.label()));
            return choices(&self.frame, ("edit", "service_type"), current, all);
        }
        let all = TASK_TYPES.map(|of| (of.word(), of.word()));
        choices(&self.frame, ("edit", "task_type"), own.task_type.word(), all)
    }

    fn is_recurring(&self) -> bool {
        self.view.item.task_type.word() == "recurring"
    }

    fn has_live_run(&self) -> bool {
        self.view.run.as_ref().is_some_and(|run| !matches!(run.status.word(), "done" | "failed"))
    }

    fn awaits_merge(&self) -> bool {
        self.view.item.status == lockstep_types::ItemStatus::PrReady
    }

    fn auto_starts(&self) -> bool {
        match self.frame.typed.form == "edit" {
            true => self.frame.ticked("edit", "auto_start_dependents", "true"),
            false => self.view.item.auto_start_dependents,
        }
    }

    fn is_open(&self, form: &str) -> bool {
        self.frame.typed.form == form
    }

    /// The text of a document: a JSON string is shown as what it says, all else as it is.
    fn document(&self, value: &lockstep_types::JsonText) -> String {
        value.read::<String>().unwrap_or_else(|_| value.as_str().to_owned())
    }
}
