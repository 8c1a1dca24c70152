//! Stands in for boards where the host has none: every call says so.

use async_trait::async_trait;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Schedule, ScheduleId, ScheduleRun, Workspace, WorkspaceId,
};
use lockstep_types::{RunSummary, StepAction};

type Answer<T> = Result<T, ServiceError>;

/// No boards.
pub(crate) struct NoBoard;

fn none<T>() -> Answer<T> {
    Err(ServiceError::Unavailable("this host has no boards: use one that has".to_owned()))
}

#[async_trait]
impl BoardService for NoBoard {
    async fn workspaces(&self) -> Answer<Vec<Workspace>> {
        none()
    }
    async fn create_workspace(&self, _: WorkspaceId, _: &str) -> Answer<Workspace> {
        none()
    }
    async fn items(&self, _: &WorkspaceId) -> Answer<Vec<Item>> {
        none()
    }
    async fn item(&self, _: &WorkspaceId, _: &ItemId) -> Answer<ItemView> {
        none()
    }
    async fn presets(&self, _: &WorkspaceId) -> Answer<Vec<Preset>> {
        none()
    }
    async fn pipelines(&self, _: &WorkspaceId) -> Answer<Vec<PipelineDef>> {
        none()
    }
    async fn schedules(&self, _: &WorkspaceId) -> Answer<Vec<Schedule>> {
        none()
    }
    async fn schedule_runs(&self, _: &WorkspaceId, _: &ScheduleId) -> Answer<Vec<ScheduleRun>> {
        none()
    }
    async fn spend(&self, _: &WorkspaceId, _: Option<Month>) -> Answer<SpendView> {
        none()
    }
    async fn command(&self, _: &WorkspaceId, _: BoardCommand, _: &str) -> Answer<BoardReply> {
        none()
    }
    async fn start_item(&self, _: &WorkspaceId, _: &ItemId, _: StartItem) -> Answer<RunSummary> {
        none()
    }
    async fn cancel_item(&self, _: &WorkspaceId, _: &ItemId, _: &str) -> Answer<Item> {
        none()
    }
    async fn merge_item(&self, _: &WorkspaceId, _: &ItemId, _: &str) -> Answer<Item> {
        none()
    }
    async fn review_item(&self, _: &WorkspaceId, _: &ItemId, _: &str, _: StepAction) -> Answer<ItemView> {
        none()
    }
    async fn resume_paused(&self, _: &WorkspaceId, _: &str) -> Answer<Vec<RunSummary>> {
        none()
    }
    async fn cards(&self, _: Option<&WorkspaceId>) -> Answer<Vec<Card>> {
        none()
    }
    async fn settle_card(&self, _: &str, _: CardAction, _: &str) -> Answer<Card> {
        none()
    }
}
