//! The board and its items.

use super::desk::{Again, Desk, filled, optional, parsed, with, word, words};
use super::form::{FormOf, done, refused};
use super::{Shown, Visit, rendered};
use crate::AppState;
use crate::extract::{PathOf, board_id};
use crate::problem::Problem;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use lockstep_pages::{BoardFilter, BoardPage, DeleteItemPage, ItemPage, Section, text};
use lockstep_ports::{BoardCommand, ItemView, RunQuery, StartItem};
use lockstep_types::ItemLevel;
use lockstep_types::board::{Item, ItemId, ItemPatch, Row};
use serde::Deserialize;
use std::sync::Arc;

/// Runs that are looked through for those of the items: a board shows what is under way, which is among the newest.
const RUNS_MAX: usize = 500;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/board", get(show).post(add))
        .route("/board/{item}", get(item).post(edit))
        .route("/board/{item}/start", post(start))
        .route("/board/{item}/cancel", post(cancel))
        .route("/board/{item}/merge", post(merge))
        .route("/board/{item}/move", post(put_elsewhere))
        .route("/board/{item}/archive", post(archive))
        .route("/board/{item}/dependencies", post(depend))
        .route("/board/{item}/delete", get(ask).post(delete))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    label: String,
    text: String,
    archived: String,
}

async fn show(State(state): State<AppState>, visit: Visit, Query(filter): Query<Filter>) -> Shown {
    let Filter { label, text, archived } = filter;
    let filter = BoardFilter { label, text, archived: archived == "true" };
    board(Desk::at(state, visit).await?, filter, None).await
}

async fn board(desk: Desk, filter: BoardFilter, again: Option<Again>) -> Shown {
    let (frame, status) = desk.frame(&desk.workspace.name, Section::Board, again).await;
    let all = async {
        let items = desk.state.board().items(desk.id()).await?;
        let query = RunQuery { limit: Some(RUNS_MAX), ..RunQuery::default() };
        let runs = desk.state.service().list(query).await?.runs;
        Ok::<_, Problem>((items, runs, desk.state.board().cards(Some(desk.id())).await?))
    };
    match all.await {
        Ok((items, runs, cards)) => {
            let page = BoardPage { frame, workspace: desk.workspace, items, runs, cards, filter };
            Ok(with(status, rendered(&page)))
        }
        Err(problem) => Err(super::Refusal(frame, problem)),
    }
}

/// The fields of an item as its forms send them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    level: String,
    parent: String,
    title: String,
    description: String,
    task_type: String,
    service_type: String,
    labels: String,
    responsible: String,
    pipeline: String,
    preset: String,
    repository: String,
    directory: String,
    base_branch: String,
    head_branch: String,
    module_name: String,
    auto_start_dependents: String,
}

impl Fields {
    /// What a new item is made of: what is not filled in is left to the board.
    fn of_new(&self) -> Result<ItemPatch, Problem> {
        Ok(ItemPatch {
            title: Some(self.title.trim().to_owned()),
            description: filled(&self.description),
            task_type: filled(&self.task_type).map(|text| word("kind", &text)).transpose()?,
            service_type: filled(&self.service_type).map(|text| word("kind", &text)).transpose()?,
            labels: Some(words(&self.labels)).filter(|labels| !labels.is_empty()),
            repository: filled(&self.repository).map(Some),
            base_branch: filled(&self.base_branch).map(Some),
            ..ItemPatch::default()
        })
    }

    /// What an item of this level becomes: what is empty is cleared.
    fn of(&self, level: ItemLevel) -> Result<ItemPatch, Problem> {
        let (is_task, is_service) = (level == ItemLevel::Task, level == ItemLevel::Service);
        Ok(ItemPatch {
            description: Some(self.description.clone()),
            labels: Some(words(&self.labels)),
            responsible: Some(filled(&self.responsible)),
            pipeline: Some(optional("pipeline", &self.pipeline)?),
            preset: Some(optional("preset", &self.preset)?),
            repository: Some(filled(&self.repository)),
            base_branch: Some(filled(&self.base_branch)),
            directory: is_service.then(|| filled(&self.directory)),
            head_branch: is_task.then(|| filled(&self.head_branch)),
            module_name: is_task.then(|| filled(&self.module_name)),
            auto_start_dependents: is_task.then_some(self.auto_start_dependents == "true"),
            ..self.of_new()?
        })
    }
}

async fn add(State(state): State<AppState>, visit: Visit, FormOf(fields, typed): FormOf<Fields>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let made = async {
        let level = word("level", &fields.level)?;
        let parent = optional("parent", &fields.parent)?;
        desk.command(BoardCommand::CreateItem { level, parent, item: fields.of_new()? }).await
    };
    match made.await {
        Ok(reply) => match reply.rows.first() {
            Some(Row::Item(item)) => Ok(done(
                &format!("/board/{}", item.id),
                &format!("Added: {}.", text::short(&item.title, 120)),
            )),
            _ => Ok(done("/board", "Added.")),
        },
        Err(problem) => board(desk, BoardFilter::default(), Some(Again(typed, problem))).await,
    }
}

/// An item that somebody looks at, and where.
struct At {
    desk: Desk,
    id: ItemId,
}

impl At {
    async fn new(state: AppState, visit: Visit, item: &str) -> Result<Self, super::Refusal> {
        let desk = Desk::at(state, visit).await?;
        match board_id(item) {
            Ok(id) => Ok(Self { desk, id }),
            Err(problem) => Err(desk.refusal("Board", Section::Board, problem).await),
        }
    }

    fn path(&self) -> String {
        format!("/board/{}", self.id)
    }

    async fn view(&self) -> Result<ItemView, super::Refusal> {
        match self.desk.state.board().item(self.desk.id(), &self.id).await {
            Ok(view) => Ok(view),
            Err(error) => Err(self.desk.refusal("Board", Section::Board, error).await),
        }
    }

    async fn page(&self, again: Option<Again>) -> Shown {
        let view = self.view().await?;
        let (frame, status) = self.desk.frame(&view.item.title, Section::Board, again).await;
        let board = self.desk.state.board();
        let all = async {
            let workspace = self.desk.id();
            let pipelines = board.pipelines(workspace).await?;
            Ok::<_, Problem>((board.items(workspace).await?, pipelines, board.presets(workspace).await?))
        };
        match all.await {
            Ok((items, pipelines, presets)) => {
                Ok(with(status, rendered(&ItemPage { frame, view, items, pipelines, presets })))
            }
            Err(problem) => Err(super::Refusal(frame, problem)),
        }
    }

    /// The page after a form in which something was typed.
    async fn after<T>(&self, result: Result<T, Problem>, words: &str, typed: lockstep_pages::Typed) -> Shown {
        match result {
            Ok(_) => Ok(done(&self.path(), words)),
            Err(problem) => self.page(Some(Again(typed, problem))).await,
        }
    }

    /// The page after a button.
    fn told<T>(&self, result: Result<T, Problem>, words: &str) -> Response {
        match result {
            Ok(_) => done(&self.path(), words),
            Err(problem) => refused(&self.path(), problem.detail()),
        }
    }
}

async fn item(State(state): State<AppState>, visit: Visit, PathOf(item): PathOf<String>) -> Shown {
    At::new(state, visit, &item).await?.page(None).await
}

async fn edit(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let level = at.view().await?.item.level;
    let edited = async {
        let item = fields.of(level)?;
        at.desk.command(BoardCommand::EditItem { id: at.id.clone(), item }).await
    };
    let edited = edited.await;
    at.after(edited, "Saved.", typed).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Start {
    pipeline: String,
    preset: String,
    branch: String,
    replace: String,
}

async fn start(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(form, typed): FormOf<Start>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let view = at.view().await?;
    match started(&at, &view.item, &form).await {
        Ok(run) => Ok(done(&at.path(), &format!("Started {}.", text::short(&run, 80)))),
        Err(problem) => at.page(Some(Again(typed, problem))).await,
    }
}

/// Starts a run with what was chosen. The preset is one of the item: runs have none of their own.
async fn started(at: &At, item: &Item, form: &Start) -> Result<String, Problem> {
    let preset = optional("preset", &form.preset)?;
    let request = StartItem {
        pipeline: optional("pipeline", &form.pipeline)?,
        branch: filled(&form.branch),
        replace: form.replace == "true",
        by: Some(at.desk.by()),
        ..StartItem::default()
    };
    if item.preset != preset {
        let item = ItemPatch { preset: Some(preset), ..ItemPatch::default() };
        at.desk.command(BoardCommand::EditItem { id: at.id.clone(), item }).await?;
    }
    let (board, workspace, id) = (Arc::clone(at.desk.state.board()), at.desk.id().clone(), at.id.clone());
    let run = async move { board.start_item(&workspace, &id, request).await };
    crate::routes::to_the_end(run).await.map(|run| run.pipeline)
}

#[derive(Deserialize)]
struct Nothing {}

async fn cancel(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let (board, workspace) = (Arc::clone(at.desk.state.board()), at.desk.id().clone());
    let (id, by) = (at.id.clone(), at.desk.by());
    let cancel = async move { board.cancel_item(&workspace, &id, &by).await };
    let cancelled = crate::routes::to_the_end(cancel).await;
    Ok(at.told(cancelled, "The run is cancelled."))
}

async fn merge(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let (board, workspace) = (Arc::clone(at.desk.state.board()), at.desk.id().clone());
    let (id, by) = (at.id.clone(), at.desk.by());
    let merge = async move { board.merge_item(&workspace, &id, &by).await };
    let merged = crate::routes::to_the_end(merge).await;
    Ok(at.told(merged, "The change is being merged."))
}

#[derive(Deserialize)]
struct Elsewhere {
    parent: String,
}

async fn put_elsewhere(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(form, typed): FormOf<Elsewhere>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let moved = async {
        let parent = optional("in", &form.parent)?;
        at.desk.command(BoardCommand::MoveItem { id: at.id.clone(), parent }).await
    };
    let moved = moved.await;
    at.after(moved, "Moved.", typed).await
}

#[derive(Deserialize)]
struct Archive {
    archived: bool,
}

async fn archive(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(Archive { archived }, _): FormOf<Archive>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let item = ItemPatch { archived: Some(archived), ..ItemPatch::default() };
    let edited = at.desk.command(BoardCommand::EditItem { id: at.id.clone(), item }).await;
    Ok(at.told(edited, if archived { "It is in the archive." } else { "It is back from the archive." }))
}

#[derive(Deserialize)]
struct Dependency {
    on: String,
    wanted: bool,
}

async fn depend(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(form, typed): FormOf<Dependency>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let set = async {
        let on: ItemId = parsed("task", &form.on)?;
        let _alone = at.desk.state.edits().lock().await;
        let item = at.desk.state.board().item(at.desk.id(), &at.id).await?.item;
        if item.depends_on.contains(&on) != form.wanted {
            at.desk.command(BoardCommand::ToggleDependency { id: at.id.clone(), on }).await?;
        }
        Ok::<_, Problem>(())
    };
    let set = set.await;
    at.after(set, if form.wanted { "It waits for that task." } else { "It no longer waits." }, typed).await
}

/// Everything below an item.
fn below(items: &[Item], id: &ItemId) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut seen = vec![id.clone()];
    while let Some(parent) = seen.pop() {
        for item in items.iter().filter(|item| item.parent.as_ref() == Some(&parent)) {
            seen.push(item.id.clone());
            found.push(item.clone());
        }
    }
    found
}

async fn ask(State(state): State<AppState>, visit: Visit, PathOf(item): PathOf<String>) -> Shown {
    let at = At::new(state, visit, &item).await?;
    let item = at.view().await?.item;
    let (mut frame, _) = at.desk.frame(&format!("Delete {}?", item.title), Section::Board, None).await;
    frame.live.clear();
    match at.desk.state.board().items(at.desk.id()).await {
        Ok(items) => Ok(rendered(&DeleteItemPage { frame, below: below(&items, &item.id), item })),
        Err(error) => Err(super::Refusal(frame, error.into())),
    }
}

async fn delete(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(item): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &item).await?;
    match at.desk.command(BoardCommand::DeleteItem { id: at.id.clone() }).await {
        Ok(_) => Ok(done("/board", "Deleted.")),
        Err(problem) => Ok(refused(&at.path(), problem.detail())),
    }
}
