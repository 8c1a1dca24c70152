//! Boards as a part of the host: what is stored with what, what survives, and what is refused before anything changes.

mod cards;
mod errands;
mod items;
mod money;
mod outside;
mod schedules;

use crate::host::Host;
use lockstep_ports::{BoardCommand, BoardReply, BoardService, Card, ItemView, ServiceError, StartItem};
use lockstep_types::board::{
    Item, ItemId, ItemPatch, PipelineId, PipelinePatch, PipelineStep, Row, Workspace, WorkspaceId,
};
use lockstep_types::{ItemLevel, ItemStatus, JsonText, RunId, RunSummary};

pub(crate) fn workspace() -> WorkspaceId {
    "default".parse().unwrap()
}

impl Host {
    pub(crate) fn command(&self, command: BoardCommand) -> Result<BoardReply, ServiceError> {
        let reply = self.run(self.runtime.command(&workspace(), command, "ann"));
        self.settle();
        reply
    }

    fn make(&self, level: ItemLevel, parent: Option<&ItemId>, item: ItemPatch) -> ItemId {
        let command = BoardCommand::CreateItem { level, parent: parent.cloned(), item };
        match self.command(command).unwrap().rows.swap_remove(0) {
            Row::Item(item) => item.id,
            row => panic!("{row:?}"),
        }
    }

    pub(crate) fn service(&self) -> ItemId {
        self.service_at("/repository")
    }

    pub(crate) fn service_at(&self, repository: &str) -> ItemId {
        let repository = Some(Some(repository.to_owned()));
        self.make(ItemLevel::Service, None, ItemPatch { repository, ..ItemPatch::default() })
    }

    pub(crate) fn task(&self, service: &ItemId) -> ItemId {
        self.task_of(service, ItemPatch::default())
    }

    pub(crate) fn task_of(&self, service: &ItemId, patch: ItemPatch) -> ItemId {
        let title = patch.title.clone().or_else(|| Some("a task".to_owned()));
        self.make(ItemLevel::Task, Some(service), ItemPatch { title, ..patch })
    }

    /// A stored pipeline whose steps are a chain of kind `writer`.
    pub(crate) fn pipeline(&self, steps: &[&str]) -> PipelineId {
        let step = |name: &&str| PipelineStep {
            name: (*name).to_owned(),
            kind: crate::host::kind(name).to_owned(),
            role: Some((*name).to_owned()),
            needs: None,
            approval: false,
            enabled: true,
            gating: None,
            config: JsonText::null(),
        };
        let patch = PipelinePatch {
            name: Some("p".to_owned()),
            steps: Some(steps.iter().map(step).collect()),
            ..PipelinePatch::default()
        };
        match self.command(BoardCommand::CreatePipeline(patch)).unwrap().rows.swap_remove(0) {
            Row::Pipeline(pipeline) => pipeline.id,
            row => panic!("{row:?}"),
        }
    }

    pub(crate) fn try_start(&self, item: &ItemId, request: StartItem) -> Result<RunSummary, ServiceError> {
        let started = self.run(self.runtime.start_item(&workspace(), item, request));
        self.settle();
        started
    }

    pub(crate) fn start_item(&self, item: &ItemId, pipeline: &PipelineId) -> RunId {
        self.try_start(item, of(pipeline)).unwrap().id
    }

    pub(crate) fn view(&self, item: &ItemId) -> ItemView {
        self.run(self.runtime.item(&workspace(), item)).unwrap()
    }

    pub(crate) fn item(&self, item: &ItemId) -> Item {
        self.view(item).item
    }

    pub(crate) fn item_status(&self, item: &ItemId) -> ItemStatus {
        self.item(item).status
    }

    /// Open cards: id, kind and what acting on it does.
    pub(crate) fn cards(&self) -> Vec<Card> {
        self.run(self.runtime.cards(None)).unwrap()
    }

    pub(crate) fn workspaces(&self) -> Vec<Workspace> {
        self.run(self.runtime.workspaces()).unwrap()
    }
}

pub(crate) fn of(pipeline: &PipelineId) -> StartItem {
    StartItem { pipeline: Some(pipeline.clone()), ..StartItem::default() }
}
