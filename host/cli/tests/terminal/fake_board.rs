use crate::fake::FakeService;
use async_trait::async_trait;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Row, Schedule, ScheduleId, ScheduleRun, Workspace, WorkspaceId,
};
use lockstep_types::{RunSummary, StepAction, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};

type Answer<T> = Result<T, ServiceError>;

const NOON: u64 = 1_767_614_400_000;

/// Not yet, so that its age is always 0.
const LATER: u64 = 4_102_488_000_000;

fn read<T: DeserializeOwned>(value: Value) -> Answer<T> {
    Ok(from_value(value).unwrap())
}

/// A service with a module and two tasks, one of which waits for the other; a task has a review.
fn items() -> Vec<Item> {
    let item = |number: u64, level: &str, parent: Option<u64>, title: &str, more: Value| {
        let mut item = json!({ "id": format!("default-{number}"), "workspace": "default", "title": title,
            "level": level, "parent": parent.map(|parent| format!("default-{parent}")), "status": "planned",
            "created_at": NOON, "updated_at": NOON });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        from_value(item).unwrap()
    };
    let findings = json!([
        { "id": "f1", "category": "gap", "severity": "high", "title": "Which currency?", "detail": "It says none.",
          "status": "answered", "reply": "euros", "createdAt": 0, "updatedAt": 0 },
        { "id": "f2", "category": "risk", "severity": "low", "title": "Who pays?", "detail": "", "status": "open",
          "reply": null, "createdAt": 0, "updatedAt": 0 } ]);
    let review = json!({ "id": "r", "status": "ready", "iteration": 1, "max": 6, "findings": findings,
        "document": null, "createdAt": 0, "updatedAt": 0 });
    vec![
        item(1, "service", None, "Shop", json!({ "repository": "/repo" })),
        item(2, "module", Some(1), "Till", json!({})),
        item(
            3,
            "task",
            Some(2),
            "Sum in euros",
            json!({ "status": "blocked", "description": "Sum it up.", "labels": ["money"],
                "documents": [{ "name": "requirements", "value": review.to_string() }] }),
        ),
        item(4, "task", Some(1), "Print it", json!({ "task_type": "bug", "depends_on": ["default-3"] })),
        item(5, "task", Some(1), "Old", json!({ "archived": true, "status": "done" })),
    ]
}

fn card(id: &str) -> Card {
    let notice = json!({ "id": 1, "kind": "merge_review", "severity": "urgent", "title": "Merge it?", "body": "",
        "state": "open", "raised_at": LATER });
    let item = "default-3".to_owned();
    Card {
        id: id.to_owned(),
        workspace: None,
        item,
        notice: from_value(notice).unwrap(),
        act: "merge".to_owned(),
    }
}

fn known(workspace: &WorkspaceId) -> Answer<()> {
    match workspace.as_str() {
        "default" => Ok(()),
        other => Err(ServiceError::NotFound(format!(
            "there is no workspace {other}: make it with `lockstep workspaces add {other}`"
        ))),
    }
}

#[async_trait]
impl BoardService for FakeService {
    async fn workspaces(&self) -> Answer<Vec<Workspace>> {
        read(json!([{ "id": "default", "name": "Default", "last_number": 20, "created_at": NOON }]))
    }
    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Answer<Workspace> {
        self.called(format!("workspace {id} {name:?}"));
        read(json!({ "id": id, "name": name, "created_at": NOON }))
    }
    async fn items(&self, workspace: &WorkspaceId) -> Answer<Vec<Item>> {
        known(workspace)?;
        Ok(items())
    }
    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Answer<ItemView> {
        known(workspace)?;
        let item = items().into_iter().find(|item| item.id == *id);
        let missing = || ServiceError::NotFound(format!("there is no item {id}: see `lockstep items list`"));
        let item = item.ok_or_else(missing)?;
        let is_parked = item.document("requirements").is_some();
        let run = is_parked.then(|| self.view().summary);
        let cards = if is_parked { vec![card("run-1:n1")] } else { Vec::new() };
        Ok(ItemView { item, run, cards })
    }
    async fn presets(&self, _: &WorkspaceId) -> Answer<Vec<Preset>> {
        let preset = |id: &str, name: &str, is_default: bool| {
            json!({ "id": id, "name": name, "is_default": is_default, "max_complexity": 0.5, "max_risk": 0.4,
            "max_impact": 0.5, "ci_max_attempts": 10, "max_review_iterations": 6, "tolerated_severity": "low",
            "release_watch_minutes": 30, "release_max_attempts": 1 })
        };
        read(json!([preset("preset-1", "Balanced", true), preset("preset-16", "Careful", false)]))
    }
    async fn pipelines(&self, _: &WorkspaceId) -> Answer<Vec<PipelineDef>> {
        let steps = json!([
            { "name": "coder", "kind": "agent", "role": "coder", "config": "{}" },
            { "name": "ci", "kind": "ci-gate", "needs": ["coder"], "approval": true, "config": "{\"max_attempts\":3}" },
            { "name": "try", "kind": "human-test", "enabled": false } ]);
        let quick = json!({ "id": "pipeline-2", "name": "Quick", "description": "A small change.", "builtin": true,
            "steps": steps, "labels": ["small"], "created_at": NOON, "updated_at": NOON });
        let old = json!({ "id": "pipeline-17", "name": "Old", "archived": true, "steps": steps, "created_at": NOON,
            "updated_at": NOON });
        read(json!([quick, old]))
    }
    async fn schedules(&self, _: &WorkspaceId) -> Answer<Vec<Schedule>> {
        let recurrence = json!({ "interval_hours": 168, "weekdays": ["sunday"], "window_start_hour": 3,
            "window_end_hour": 4, "timezone": "Europe/Berlin" });
        read(
            json!([{ "id": "schedule-18", "name": "Weekly", "template": "dep-update", "pipeline": "pipeline-2",
            "task": "default-19", "recurrence": recurrence, "next_run": NOON, "created_at": NOON }]),
        )
    }
    async fn schedule_runs(&self, _: &WorkspaceId, id: &ScheduleId) -> Answer<Vec<ScheduleRun>> {
        read(json!([
            { "schedule": id, "number": 2, "state": "skipped", "outcome": "the run before is live", "started_at": NOON },
            { "schedule": id, "number": 1, "run": "run-019b8d1a2b30000000000001", "forced": true, "state": "done",
              "started_at": NOON, "finished_at": NOON + 90_000 } ]))
    }
    async fn spend(&self, workspace: &WorkspaceId, month: Option<Month>) -> Answer<SpendView> {
        known(workspace)?;
        let month = month.unwrap_or(Month { year: 2026, month: 1 });
        let price = json!({ "input_per_million": 1.1, "output_per_million": 8.8 });
        let pricing = json!({ "currency": "EUR", "monthly_limit": 100, "prices": { "openai:gpt-5": price } });
        let mut waits = self.view().summary;
        waits.updated_at = Timestamp(LATER);
        let settings =
            json!({ "task_limit": { "mode": "per-type", "limits": { "bug": 2 } }, "pricing": pricing });
        read(json!({ "year": month.year, "month": month.month, "cost": 100.25, "input_tokens": 1_234_567,
            "output_tokens": 89, "settings": settings, "over_budget": true, "paused": [waits] }))
    }
    async fn command(&self, workspace: &WorkspaceId, command: BoardCommand, by: &str) -> Answer<BoardReply> {
        known(workspace)?;
        let row = match &command {
            BoardCommand::CreatePreset(_) => Row::Preset(self.presets(workspace).await?.remove(1)),
            BoardCommand::CreatePipeline(_) | BoardCommand::EditPipeline { .. } => {
                Row::Pipeline(self.pipelines(workspace).await?.remove(0))
            }
            BoardCommand::EditSettings(_) => Row::Settings(self.spend(workspace, None).await?.settings),
            BoardCommand::CreateSchedule { .. } => Row::Schedule(self.schedules(workspace).await?.remove(0)),
            _ => Row::Item(items().remove(2)),
        };
        let is_started = matches!(command, BoardCommand::RunSchedule { .. });
        self.called(format!("{} by {by}", without_nothing(&format!("{command:?}"))));
        Ok(BoardReply { rows: vec![row], run: is_started.then(|| self.view().summary) })
    }
    async fn start_item(&self, _: &WorkspaceId, id: &ItemId, request: StartItem) -> Answer<RunSummary> {
        let token = if request.token.is_some() { "once" } else { "no token" };
        let request = StartItem { token: None, ..request };
        self.called(format!("start {id} {}, {token}", without_nothing(&format!("{request:?}"))));
        Ok(self.view().summary)
    }
    async fn cancel_item(&self, _: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        self.called(format!("cancel {id} by {by}"));
        Ok(items().remove(3))
    }
    async fn merge_item(&self, _: &WorkspaceId, id: &ItemId, _: &str) -> Answer<Item> {
        Err(ServiceError::Conflict(format!(
            "{id} has no change that awaits a merge: see `lockstep why {id}`"
        )))
    }
    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Answer<ItemView> {
        self.called(format!("{kind} of {id}: {} {} by {}", action.name, action.input.as_str(), action.by));
        self.item(workspace, id).await
    }
    async fn resume_paused(&self, _: &WorkspaceId, by: &str) -> Answer<Vec<RunSummary>> {
        self.called(format!("resume by {by}"));
        Ok(Vec::new())
    }
    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Answer<Vec<Card>> {
        self.called(format!("cards of {:?}", workspace.map(WorkspaceId::as_str)));
        Ok(if workspace.is_some() { Vec::new() } else { vec![card("run-1:n1")] })
    }
    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Answer<Card> {
        self.called(format!("{action:?} {id} by {by}"));
        Ok(card(id))
    }
}

/// A patch without the fields it does not set.
fn without_nothing(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find(": None") {
        let start = text[..at].rfind([',', '{']).map_or(0, |start| start + 1);
        let end = at + ": None".len();
        let is_first = text.as_bytes()[start - 1] == b'{';
        let end = if is_first && text[end..].starts_with(',') { end + 1 } else { end };
        text.replace_range(if is_first { start } else { start - 1 }..end, "");
    }
    text
}
