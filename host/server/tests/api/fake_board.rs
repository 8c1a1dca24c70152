use crate::fake::{FakeService, summary};
use async_trait::async_trait;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Row, Schedule, ScheduleId, ScheduleRun, Settings, SpendMonth,
    Workspace, WorkspaceId,
};
use lockstep_types::{RunSummary, StepAction, Timestamp};
use serde_json::{Value, from_value, json};

type Answer<T> = Result<T, ServiceError>;

fn workspace(id: &str, name: &str) -> Workspace {
    from_value(json!({ "id": id, "name": name, "last_number": 4, "created_at": 1 })).unwrap()
}

/// The task `shop-3`, which waits for `shop-2`.
fn item(workspace: &str, id: &str) -> Item {
    let item = json!({ "id": id, "workspace": workspace, "title": "A task", "level": "task", "parent": "shop-1",
        "status": "planned", "depends_on": ["shop-2"], "created_at": 1, "updated_at": 2 });
    from_value(item).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(rows: Value) -> Answer<Vec<T>> {
    Ok(from_value(rows).unwrap())
}

fn card(id: &str) -> Card {
    let notice = json!({ "id": 1, "kind": "merge_review", "severity": "normal", "title": "Merge it?", "body": "",
        "state": "open", "raised_at": 3 });
    Card {
        id: id.to_owned(),
        workspace: Some("shop".parse().unwrap()),
        item: "shop-3".to_owned(),
        notice: from_value(notice).unwrap(),
        act: "merge".to_owned(),
    }
}

/// Boards whose id says what is to go wrong with them.
#[async_trait]
impl BoardService for FakeService {
    async fn workspaces(&self) -> Answer<Vec<Workspace>> {
        Ok(vec![workspace("shop", "The shop")])
    }
    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Answer<Workspace> {
        self.called(format!("workspace {id} {name:?}"));
        Self::is_well("workspace", id.as_str())?;
        Ok(workspace(id.as_str(), name))
    }
    async fn items(&self, workspace: &WorkspaceId) -> Answer<Vec<Item>> {
        Self::is_well("workspace", workspace.as_str())?;
        Ok(vec![item(workspace.as_str(), "shop-3")])
    }
    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Answer<ItemView> {
        Self::is_well("workspace", workspace.as_str())?;
        Self::is_well("item", id.as_str())?;
        Ok(ItemView { item: item(workspace.as_str(), id.as_str()), run: None, cards: Vec::new() })
    }
    async fn presets(&self, workspace: &WorkspaceId) -> Answer<Vec<Preset>> {
        Self::is_well("workspace", workspace.as_str())?;
        list(json!([{ "id": "preset-1", "name": "Balanced", "is_default": true, "max_complexity": 0.5,
            "max_risk": 0.4, "max_impact": 0.5, "ci_max_attempts": 10, "max_review_iterations": 6,
            "tolerated_severity": "none", "release_watch_minutes": 30, "release_max_attempts": 1 }]))
    }
    async fn pipelines(&self, _: &WorkspaceId) -> Answer<Vec<PipelineDef>> {
        list(json!([{ "id": "pipeline-1", "name": "Quick", "steps": [{ "name": "code", "kind": "agent",
            "config": "{\"a\":1}" }], "created_at": 1, "updated_at": 1 }]))
    }
    async fn schedules(&self, _: &WorkspaceId) -> Answer<Vec<Schedule>> {
        list(json!([{ "id": "schedule-1", "name": "Weekly", "pipeline": "pipeline-1", "task": "shop-4",
            "recurrence": { "interval_hours": 168, "timezone": "UTC" }, "next_run": 9, "created_at": 1 }]))
    }
    async fn schedule_runs(&self, _: &WorkspaceId, id: &ScheduleId) -> Answer<Vec<ScheduleRun>> {
        Self::is_well("schedule", id.as_str())?;
        list(json!([{ "schedule": id, "number": 1, "state": "skipped", "started_at": 1 }]))
    }
    async fn spend(&self, _: &WorkspaceId, month: Option<Month>) -> Answer<SpendView> {
        let month = month.unwrap_or_else(|| Timestamp(1_769_904_000_000).into());
        let spent = SpendMonth { month, cost: Default::default(), input_tokens: 7, output_tokens: 8 };
        Ok(SpendView { spent, settings: Settings::default(), over_budget: false, paused: Vec::new() })
    }
    async fn command(&self, workspace: &WorkspaceId, command: BoardCommand, by: &str) -> Answer<BoardReply> {
        self.called(format!("{workspace} by {by}: {command:?}"));
        Self::is_well("workspace", workspace.as_str())?;
        Ok(BoardReply { rows: vec![Row::Item(item(workspace.as_str(), "shop-5"))], run: None })
    }
    async fn start_item(&self, _: &WorkspaceId, id: &ItemId, request: StartItem) -> Answer<RunSummary> {
        self.called(format!("start {id} {request:?}"));
        Self::is_well("item", id.as_str())?;
        Ok(summary("run-1"))
    }
    async fn cancel_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        self.called(format!("cancel {id} by {by}"));
        Self::is_well("item", id.as_str())?;
        Ok(item(workspace.as_str(), id.as_str()))
    }
    async fn merge_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        self.called(format!("merge {id} by {by}"));
        assert_ne!(id.as_str(), "panic", "asked to");
        Ok(item(workspace.as_str(), id.as_str()))
    }
    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Answer<ItemView> {
        self.called(format!("{kind} of {id}: {action:?}"));
        self.item(workspace, id).await
    }
    async fn resume_paused(&self, _: &WorkspaceId, by: &str) -> Answer<Vec<RunSummary>> {
        self.called(format!("resume by {by}"));
        Ok(Vec::new())
    }
    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Answer<Vec<Card>> {
        self.called(format!("cards of {workspace:?}"));
        Ok(vec![card("run-1:n1")])
    }
    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Answer<Card> {
        self.called(format!("{action:?} {id} by {by}"));
        Self::is_well("card", id)?;
        Ok(card(id))
    }
}
