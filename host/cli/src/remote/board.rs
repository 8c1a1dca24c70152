//! The boards behind a server.

use super::{ANSWER_TIME, Answer, Page, RemoteService, WORK_TIME, encoded};
use async_trait::async_trait;
use hyper::Method;
use lockstep_ports::{
    BoardCommand, BoardReply, BoardService, Card, CardAction, ItemView, ServiceError, SpendView, StartItem,
};
use lockstep_types::board::{
    Item, ItemId, Month, PipelineDef, Preset, Schedule, ScheduleId, ScheduleRun, Workspace, WorkspaceId,
};
use lockstep_types::{RunSummary, StepAction};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

fn on(workspace: &WorkspaceId, rest: &str) -> String {
    format!("/v1/workspaces/{workspace}/{rest}")
}

/// `fields` as a body that says who sends it. What a patch leaves out is `null` or missing, which is the same to the
/// server unless it clears.
fn body(fields: &impl Serialize, by: &str) -> Answer<Value> {
    let mut body = serde_json::to_value(fields).map_err(|error| ServiceError::Internal(error.to_string()))?;
    body["by"] = json!(by);
    Ok(body)
}

fn with(mut body: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        body[*name] = value.clone();
    }
    body
}

/// The request that carries a command out.
fn request(command: BoardCommand, by: &str) -> Answer<(Method, String, Option<Value>)> {
    use BoardCommand as C;
    let gone = format!("?by={}", encoded(by));
    let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
    let who = json!({ "by": by });
    Ok(match command {
        C::CreateItem { level, parent, item } => {
            let more = [("level", json!(level)), ("parent", json!(parent))];
            (post, "items".to_owned(), Some(with(body(&item, by)?, &more)))
        }
        C::EditItem { id, item } => (patch, format!("items/{id}"), Some(body(&item, by)?)),
        C::MoveItem { id, parent } => {
            (post, format!("items/{id}/move"), Some(with(who, &[("parent", json!(parent))])))
        }
        C::DeleteItem { id } => (delete, format!("items/{id}{gone}"), None),
        C::ToggleDependency { id, on } => (Method::PUT, format!("items/{id}/dependencies/{on}{gone}"), None),
        C::CreatePreset(preset) => (post, "presets".to_owned(), Some(body(&preset, by)?)),
        C::EditPreset { id, preset } => (patch, format!("presets/{id}"), Some(body(&preset, by)?)),
        C::DeletePreset { id } => (delete, format!("presets/{id}{gone}"), None),
        C::CreatePipeline(pipeline) => (post, "pipelines".to_owned(), Some(body(&pipeline, by)?)),
        C::EditPipeline { id, pipeline } => (patch, format!("pipelines/{id}"), Some(body(&pipeline, by)?)),
        C::ClonePipeline { id, name } => {
            (post, format!("pipelines/{id}/clone"), Some(with(who, &[("name", json!(name))])))
        }
        C::DeletePipeline { id } => (delete, format!("pipelines/{id}{gone}"), None),
        C::EditSettings(settings) => (patch, "settings".to_owned(), Some(body(&settings, by)?)),
        C::CreateSchedule { service, template, schedule } => {
            let more = [("service", json!(service)), ("template", json!(template))];
            (post, "schedules".to_owned(), Some(with(body(&schedule, by)?, &more)))
        }
        C::EditSchedule { id, schedule } => (patch, format!("schedules/{id}"), Some(body(&schedule, by)?)),
        C::DeleteSchedule { id } => (delete, format!("schedules/{id}{gone}"), None),
        C::RunSchedule { id } => (post, format!("schedules/{id}/run"), Some(who)),
    })
}

impl RemoteService {
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Answer<T> {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.read(self.send(method, path, body, ANSWER_TIME).await?)
    }
}

#[async_trait]
impl BoardService for RemoteService {
    async fn workspaces(&self) -> Answer<Vec<Workspace>> {
        self.list_of("/v1/workspaces").await
    }

    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Answer<Workspace> {
        self.post("/v1/workspaces", &json!({ "id": id, "name": name }), ANSWER_TIME).await
    }

    async fn items(&self, workspace: &WorkspaceId) -> Answer<Vec<Item>> {
        self.list_of(&on(workspace, "items")).await
    }

    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Answer<ItemView> {
        self.get(&on(workspace, &format!("items/{id}"))).await
    }

    async fn presets(&self, workspace: &WorkspaceId) -> Answer<Vec<Preset>> {
        self.list_of(&on(workspace, "presets")).await
    }

    async fn pipelines(&self, workspace: &WorkspaceId) -> Answer<Vec<PipelineDef>> {
        self.list_of(&on(workspace, "pipelines")).await
    }

    async fn schedules(&self, workspace: &WorkspaceId) -> Answer<Vec<Schedule>> {
        self.list_of(&on(workspace, "schedules")).await
    }

    async fn schedule_runs(&self, workspace: &WorkspaceId, id: &ScheduleId) -> Answer<Vec<ScheduleRun>> {
        self.list_of(&on(workspace, &format!("schedules/{id}/runs"))).await
    }

    async fn spend(&self, workspace: &WorkspaceId, month: Option<Month>) -> Answer<SpendView> {
        let query = month.map(|month| format!("?month={month}")).unwrap_or_default();
        self.get(&on(workspace, &format!("spend{query}"))).await
    }

    async fn command(&self, workspace: &WorkspaceId, command: BoardCommand, by: &str) -> Answer<BoardReply> {
        let toggled = match &command {
            BoardCommand::ToggleDependency { id, on } => Some((id, on)),
            _ => None,
        };
        // The server sets a dependency or takes it away; which of the two a toggle is, the item says.
        let is_there = match toggled {
            Some((id, on)) => self.item(workspace, id).await?.item.depends_on.contains(on),
            None => false,
        };
        let (method, path, body) = request(command, by)?;
        self.ask(if is_there { Method::DELETE } else { method }, &on(workspace, &path), body).await
    }

    async fn start_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        request: StartItem,
    ) -> Answer<RunSummary> {
        self.post(&on(workspace, &format!("items/{id}/start")), &request, ANSWER_TIME).await
    }

    async fn cancel_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        let path = on(workspace, &format!("items/{id}/cancel"));
        self.post(&path, &json!({ "by": by }), ANSWER_TIME).await
    }

    async fn merge_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Answer<Item> {
        let path = on(workspace, &format!("items/{id}/merge"));
        self.post(&path, &json!({ "by": by }), WORK_TIME).await
    }

    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Answer<ItemView> {
        let StepAction { name, input, by } = action;
        let body = json!({ "action": name, "input": input.value(), "by": by });
        let path = on(workspace, &format!("items/{id}/reviews/{}/actions", encoded(kind)));
        self.post(&path, &body, WORK_TIME).await
    }

    async fn resume_paused(&self, workspace: &WorkspaceId, by: &str) -> Answer<Vec<RunSummary>> {
        let path = on(workspace, "spend/resume");
        Ok(self.post::<Page<RunSummary>>(&path, &json!({ "by": by }), ANSWER_TIME).await?.rows)
    }

    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Answer<Vec<Card>> {
        let query = workspace.map(|id| format!("?workspace={id}")).unwrap_or_default();
        self.list_of(&format!("/v1/notices{query}")).await
    }

    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Answer<Card> {
        let word = match action {
            CardAction::Act => "act",
            CardAction::Dismiss => "dismiss",
        };
        let path = format!("/v1/notices/{}/{word}", encoded(id));
        self.post(&path, &json!({ "by": by }), WORK_TIME).await
    }
}
