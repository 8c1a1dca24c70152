//! Boards as their drivers see them.

use super::Desk;
use super::start::Starting;
use crate::runtime::Runtime;
use crate::service::{chain, journal, rejected};
use async_trait::async_trait;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Schedule, ScheduleId, ScheduleRun, Workspace, WorkspaceId,
};
use lockstep_types::{RunSummary, StepAction};
use std::sync::Arc;

#[async_trait]
impl BoardService for Runtime {
    async fn workspaces(&self) -> Result<Vec<Workspace>, ServiceError> {
        let workspace = |desk: &Arc<Desk>| desk.read(|board| board.workspace().clone());
        Ok(self.shared.boards.all().iter().map(workspace).collect())
    }

    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Result<Workspace, ServiceError> {
        let name = name.to_owned();
        self.apart(|runtime| async move { Ok(runtime.make_workspace(id, &name).await?) }).await
    }

    async fn items(&self, workspace: &WorkspaceId) -> Result<Vec<Item>, ServiceError> {
        Ok(self.desk(workspace)?.read(|board| board.items().cloned().collect()))
    }

    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<ItemView, ServiceError> {
        let desk = self.desk(workspace)?;
        let item = desk.read(|board| board.item(id).cloned()).map_err(rejected)?;
        let run = match &item.current_run {
            Some(run) => self.shared.outside.journal.row(run).await.map_err(|error| journal(&error))?,
            None => None,
        };
        let cards = self.open_cards(Some(workspace), Some(id));
        Ok(ItemView { item, run: run.map(|row| row.summary), cards })
    }

    async fn presets(&self, workspace: &WorkspaceId) -> Result<Vec<Preset>, ServiceError> {
        let mut presets: Vec<Preset> = self.desk(workspace)?.read(|board| board.presets().cloned().collect());
        presets.sort_by_key(|preset| !preset.is_default);
        Ok(presets)
    }

    async fn pipelines(&self, workspace: &WorkspaceId) -> Result<Vec<PipelineDef>, ServiceError> {
        Ok(self.desk(workspace)?.read(|board| board.pipelines().cloned().collect()))
    }

    async fn schedules(&self, workspace: &WorkspaceId) -> Result<Vec<Schedule>, ServiceError> {
        Ok(self.desk(workspace)?.read(|board| board.schedules().cloned().collect()))
    }

    async fn schedule_runs(
        &self,
        workspace: &WorkspaceId,
        id: &ScheduleId,
    ) -> Result<Vec<ScheduleRun>, ServiceError> {
        let runs = self.desk(workspace)?.read(|board| {
            board.schedule(id)?;
            Ok(board.schedule_runs(id).rev().cloned().collect())
        });
        runs.map_err(rejected)
    }

    async fn spend(&self, workspace: &WorkspaceId, month: Option<Month>) -> Result<SpendView, ServiceError> {
        let desk = self.desk(workspace)?;
        let now = self.shared.outside.clock.now();
        let paused = self.paused_runs(&desk).await?;
        Ok(desk.read(|board| SpendView {
            spent: board.spent(month.unwrap_or_else(|| now.into())),
            settings: board.settings().clone(),
            over_budget: board.is_over_budget(now),
            paused,
        }))
    }

    async fn command(
        &self,
        workspace: &WorkspaceId,
        command: BoardCommand,
        by: &str,
    ) -> Result<BoardReply, ServiceError> {
        let (desk, by) = (self.desk(workspace)?, by.to_owned());
        self.apart(|runtime| async move { runtime.carry_out(&desk, command, &by).await }).await
    }

    async fn start_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        request: StartItem,
    ) -> Result<RunSummary, ServiceError> {
        let desk = self.desk(workspace)?;
        let starting = Starting { item: id.clone(), asked: request, fired: None };
        self.apart(|runtime| async move { runtime.start_on_board(desk, starting).await }).await
    }

    async fn cancel_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        by: &str,
    ) -> Result<Item, ServiceError> {
        let (desk, item, by) = (self.desk(workspace)?, id.clone(), by.to_owned());
        self.apart(|runtime| async move { runtime.cancel(&desk, &item, &by).await }).await?;
        self.item_row(workspace, id)
    }

    async fn merge_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Result<Item, ServiceError> {
        let (desk, item, by) = (self.desk(workspace)?, id.clone(), by.to_owned());
        self.apart(|runtime| async move { runtime.merge_on_board(&desk, &item, &by).await }).await?;
        self.item_row(workspace, id)
    }

    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Result<ItemView, ServiceError> {
        let (desk, item, kind) = (self.desk(workspace)?, id.clone(), kind.to_owned());
        self.apart(|runtime| async move { runtime.review(&desk, &item, &kind, action).await }).await?;
        self.item(workspace, id).await
    }

    async fn resume_paused(
        &self,
        workspace: &WorkspaceId,
        by: &str,
    ) -> Result<Vec<RunSummary>, ServiceError> {
        let desk = self.desk(workspace)?;
        self.resume_all(&desk, by).await
    }

    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Card>, ServiceError> {
        if let Some(workspace) = workspace {
            self.desk(workspace)?;
        }
        Ok(self.open_cards(workspace, None))
    }

    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Result<Card, ServiceError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        self.apart(|runtime| async move { runtime.settle(&id, action, &by).await }).await
    }
}

impl Runtime {
    /// Does something that has to come to its end once it has begun, even if whoever asked goes away: what is durable
    /// must also become true in memory.
    async fn apart<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, ServiceError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    {
        let done = tokio::spawn(work(self.clone())).await;
        done.unwrap_or_else(|error| Err(ServiceError::Internal(chain(&error))))
    }

    fn desk(&self, workspace: &WorkspaceId) -> Result<Arc<Desk>, ServiceError> {
        self.shared.boards.desk(workspace).ok_or_else(|| {
            ServiceError::NotFound(format!("there is no workspace {workspace}: list them, or create it"))
        })
    }

    fn item_row(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<Item, ServiceError> {
        self.desk(workspace)?.read(|board| board.item(id).cloned()).map_err(rejected)
    }
}
