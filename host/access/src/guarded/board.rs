use super::{Answer, Guarded, Who, as_asked, everywhere, role};
use crate::audit::{Came, Deed};
use async_trait::async_trait;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Row, Schedule, ScheduleId, ScheduleRun, Workspace, WorkspaceId,
};
use lockstep_types::{Role, RunId, RunSummary, StepAction};
use std::sync::Arc;

/// What a command is called, and what it is about.
fn deed(command: &BoardCommand) -> Deed {
    use BoardCommand as C;
    match command {
        C::CreateItem { .. } => Deed::new("item.create", ""),
        C::EditItem { id, .. } => Deed::new("item.edit", id),
        C::MoveItem { id, .. } => Deed::new("item.move", id),
        C::DeleteItem { id } => Deed::new("item.delete", id),
        C::ToggleDependency { id, on } => Deed::new("item.toggle-dependency", id).with(on.as_str()),
        C::CreatePreset(_) => Deed::new("preset.create", ""),
        C::EditPreset { id, .. } => Deed::new("preset.edit", id),
        C::DeletePreset { id } => Deed::new("preset.delete", id),
        C::CreatePipeline(_) => Deed::new("pipeline.create", ""),
        C::EditPipeline { id, .. } => Deed::new("pipeline.edit", id),
        C::ClonePipeline { id, .. } => Deed::new("pipeline.clone", id),
        C::DeletePipeline { id } => Deed::new("pipeline.delete", id),
        C::EditSettings(_) => Deed::new("settings.edit", ""),
        C::CreateSchedule { service, .. } => Deed::new("schedule.create", "").with(service.as_str()),
        C::EditSchedule { id, .. } => Deed::new("schedule.edit", id),
        C::DeleteSchedule { id } => Deed::new("schedule.delete", id),
        C::RunSchedule { id } => Deed::new("schedule.run", id),
    }
}

/// What was made is known by the first row of the answer.
fn made(reply: &BoardReply) -> Came {
    let subject = reply.rows.first().and_then(|row| match row {
        Row::Item(item) => Some(item.id.to_string()),
        Row::Preset(preset) => Some(preset.id.to_string()),
        Row::Pipeline(pipeline) => Some(pipeline.id.to_string()),
        Row::Schedule(schedule) => Some(schedule.id.to_string()),
        _ => None,
    });
    Came { subject, workspace: None }
}

fn begun(run: &RunSummary) -> Came {
    Came { subject: Some(format!("{} {}", run.item, run.id)), workspace: None }
}

#[async_trait]
impl BoardService for Guarded {
    async fn workspaces(&self) -> Answer<Vec<Workspace>> {
        let who = self.may(role(Role::Viewer))?;
        let mut workspaces = self.0.to.board.workspaces().await?;
        workspaces.retain(|workspace| who.sees(Some(&workspace.id)));
        Ok(workspaces)
    }

    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Answer<Workspace> {
        let (who, board, name) = (self.who()?, Arc::clone(&self.0.to.board), name.to_owned());
        let deed = Deed::new("workspace.create", &id).on(&id);
        let create = |_| async move { board.create_workspace(id, &name).await };
        self.changes(&who, everywhere(Role::Admin), deed, None, create, as_asked).await
    }

    async fn items(&self, workspace: &WorkspaceId) -> Answer<Vec<Item>> {
        self.reads(workspace)?;
        self.0.to.board.items(workspace).await
    }

    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Answer<ItemView> {
        self.reads(workspace)?;
        self.0.to.board.item(workspace, id).await
    }

    async fn presets(&self, workspace: &WorkspaceId) -> Answer<Vec<Preset>> {
        self.reads(workspace)?;
        self.0.to.board.presets(workspace).await
    }

    async fn pipelines(&self, workspace: &WorkspaceId) -> Answer<Vec<PipelineDef>> {
        self.reads(workspace)?;
        self.0.to.board.pipelines(workspace).await
    }

    async fn schedules(&self, workspace: &WorkspaceId) -> Answer<Vec<Schedule>> {
        self.reads(workspace)?;
        self.0.to.board.schedules(workspace).await
    }

    async fn schedule_runs(&self, workspace: &WorkspaceId, id: &ScheduleId) -> Answer<Vec<ScheduleRun>> {
        self.reads(workspace)?;
        self.0.to.board.schedule_runs(workspace, id).await
    }

    async fn spend(&self, workspace: &WorkspaceId, month: Option<Month>) -> Answer<SpendView> {
        self.reads(workspace)?;
        self.0.to.board.spend(workspace, month).await
    }

    async fn command(&self, workspace: &WorkspaceId, command: BoardCommand, by: &str) -> Answer<BoardReply> {
        let (who, board, workspace) = (self.who()?, Arc::clone(&self.0.to.board), workspace.clone());
        self.see_board(&who, &workspace)?;
        let deed = deed(&command).on(&workspace);
        let came = if deed.subject.is_empty() { made } else { as_asked };
        let carry_out = |by: String| async move { board.command(&workspace, command, &by).await };
        self.changes(&who, role(Role::Operator), deed, Some(by), carry_out, came).await
    }

    async fn start_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        mut request: StartItem,
    ) -> Answer<RunSummary> {
        let (who, board) = (self.who()?, Arc::clone(&self.0.to.board));
        self.see_board(&who, workspace)?;
        let (workspace, id, named) = (workspace.clone(), id.clone(), request.by.take());
        let deed = Deed::new("item.start", &id).on(&workspace);
        let start = |by| {
            request.by = Some(by);
            async move { board.start_item(&workspace, &id, request).await }
        };
        self.changes(&who, role(Role::Operator), deed, named.as_deref(), start, begun).await
    }

    async fn cancel_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        let (who, board) = (self.who()?, Arc::clone(&self.0.to.board));
        self.see_board(&who, workspace)?;
        let (workspace, id) = (workspace.clone(), id.clone());
        let deed = Deed::new("item.cancel", &id).on(&workspace);
        let cancel = |by: String| async move { board.cancel_item(&workspace, &id, &by).await };
        self.changes(&who, role(Role::Operator), deed, Some(by), cancel, as_asked).await
    }

    async fn merge_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        let (who, board) = (self.who()?, Arc::clone(&self.0.to.board));
        self.see_board(&who, workspace)?;
        let (workspace, id) = (workspace.clone(), id.clone());
        let deed = Deed::new("item.merge", &id).on(&workspace);
        let merge = |by: String| async move { board.merge_item(&workspace, &id, &by).await };
        self.changes(&who, role(Role::Operator), deed, Some(by), merge, as_asked).await
    }

    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Answer<ItemView> {
        let (who, board) = (self.who()?, Arc::clone(&self.0.to.board));
        self.see_board(&who, workspace)?;
        let (workspace, id, kind) = (workspace.clone(), id.clone(), kind.to_owned());
        let named = action.by.clone();
        let deed = Deed::new("item.review", &id).on(&workspace).with(format!("{kind} {}", action.name));
        let review = |by| {
            let action = StepAction { by, ..action };
            async move { board.review_item(&workspace, &id, &kind, action).await }
        };
        self.changes(&who, role(Role::Operator), deed, Some(&named), review, as_asked).await
    }

    async fn resume_paused(&self, workspace: &WorkspaceId, by: &str) -> Answer<Vec<RunSummary>> {
        let (who, board, workspace) = (self.who()?, Arc::clone(&self.0.to.board), workspace.clone());
        self.see_board(&who, &workspace)?;
        let deed = Deed::new("spend.resume", &workspace).on(&workspace);
        let resume = |by: String| async move { board.resume_paused(&workspace, &by).await };
        self.changes(&who, role(Role::Operator), deed, Some(by), resume, as_asked).await
    }

    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Answer<Vec<Card>> {
        let who = self.may(role(Role::Viewer))?;
        if let Some(workspace) = workspace {
            self.see_board(&who, workspace)?;
        }
        let mut cards = self.0.to.board.cards(workspace).await?;
        cards.retain(|card| who.sees(card.workspace.as_ref()));
        Ok(cards)
    }

    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Answer<Card> {
        let (who, board, id) = (self.who()?, Arc::clone(&self.0.to.board), id.to_owned());
        self.see_card(&who, &id).await?;
        let deed = Deed::new(
            match action {
                CardAction::Act => "notice.act",
                CardAction::Dismiss => "notice.dismiss",
            },
            &id,
        );
        let settle = |by: String| async move { board.settle_card(&id, action, &by).await };
        let came = |card: &Card| Came { subject: None, workspace: card.workspace.clone() };
        self.changes(&who, role(Role::Operator), deed, Some(by), settle, came).await
    }
}

impl Guarded {
    /// A card goes by its run, or by its item where it has none.
    async fn see_card(&self, who: &Who, id: &str) -> Answer<()> {
        if who.is_unlimited() {
            return Ok(());
        }
        let owner = id.rsplit_once(':').map_or(id, |(owner, _)| owner);
        let unknown = || ServiceError::NotFound(format!("there is no card {id:?}: see `lockstep notices`"));
        if let Ok(run) = owner.parse::<RunId>()
            && let Ok(place) = self.place_of(&run).await
        {
            return if who.sees(place.as_ref()) { Ok(()) } else { Err(unknown()) };
        }
        if let Ok(item) = owner.parse::<ItemId>() {
            for workspace in who.workspaces() {
                if self.0.to.board.item(workspace, &item).await.is_ok() {
                    return Ok(());
                }
            }
        }
        Err(unknown())
    }
}
