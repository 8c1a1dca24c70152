//! Pipelines, and drafts that are tried before they are stored.

use super::desk::{Again, Desk, filled, with, word, words};
use super::form::{FormOf, done, refused};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::{PathOf, board_id};
use crate::problem::{self, Problem};
use crate::routes::library::{StepBody, one_pipeline};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use lockstep_pages::Section;
use lockstep_pages::library::{Checked, DeletePipelinePage, DraftPage, PipelinePage, PipelinesPage, Story};
use lockstep_ports::{BoardCommand, ServiceError};
use lockstep_types::board::{PipelineDef, PipelineId, PipelinePatch, PipelineStep, Row};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a draft begins with: the shortest pipeline that works on its own.
const BEGINNING: &str = r#"name = "change"

[checks.test]
command = ["cargo", "test"]

[jobs.coder]
command = ["claude", "-p", "--permission-mode", "acceptEdits"]

[[steps]]
name = "code"
kind = "agent"
role = "coder"

[[steps]]
name = "ci"
kind = "ci-gate"
"#;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/pipelines", get(list))
        .route("/pipelines/draft", get(draft).post(try_draft))
        .route("/pipelines/{pipeline}", get(show).post(edit))
        .route("/pipelines/{pipeline}/clone", post(clone))
        .route("/pipelines/{pipeline}/archive", post(archive))
        .route("/pipelines/{pipeline}/delete", get(ask).post(delete))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    label: String,
    archived: String,
}

async fn list(State(state): State<AppState>, visit: Visit, Query(filter): Query<Filter>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let (frame, _) = desk.frame("Pipelines", Section::Pipelines, None).await;
    match desk.state.board().pipelines(desk.id()).await {
        Ok(pipelines) => {
            let archived = filter.archived == "true";
            Ok(rendered(&PipelinesPage { frame, pipelines, label: filter.label, archived }))
        }
        Err(error) => Err(Refusal(frame, error.into())),
    }
}

/// The part of a pipeline file that a board keeps. Commands of checks and jobs are the repository's.
#[derive(Deserialize)]
struct File {
    name: Option<String>,
    description: Option<String>,
    pin: Option<String>,
    #[serde(default)]
    steps: Vec<StepBody>,
}

fn read(text: &str) -> Result<File, Problem> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        Problem::new(problem::INVALID, format!("line {line}: {message}"))
    })
}

fn steps_of(file: File) -> Result<Vec<PipelineStep>, Problem> {
    file.steps.into_iter().map(StepBody::into_step).collect()
}

/// Steps as a pipeline file has them. What TOML cannot say, it cannot have said before: an empty setting is left out.
fn written(steps: &[PipelineStep]) -> String {
    let steps = steps.iter().map(|step| {
        let mut table = match serde_json::to_value(step) {
            Ok(Value::Object(table)) => table,
            _ => Map::new(),
        };
        let config = without_nulls(step.config.value());
        match config.as_object().is_some_and(|config| !config.is_empty()) {
            true => table.insert("config".to_owned(), config),
            false => table.remove("config"),
        };
        table.retain(|name, value| match name.as_str() {
            "approval" => value == true,
            "enabled" => value == false,
            _ => true,
        });
        without_nulls(Value::Object(table))
    });
    let steps: Vec<Value> = steps.collect();
    toml::to_string(&serde_json::json!({ "steps": steps })).unwrap_or_default()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

struct At {
    desk: Desk,
    id: PipelineId,
    pipeline: PipelineDef,
}

impl At {
    async fn new(state: AppState, visit: Visit, text: &str) -> Result<Self, Refusal> {
        let desk = Desk::at(state, visit).await?;
        let found = async {
            let id: PipelineId = board_id(text)?;
            let pipeline = one_pipeline(desk.state.clone(), desk.id().clone(), id.clone()).await?;
            Ok::<_, Problem>((id, pipeline))
        };
        match found.await {
            Ok((id, pipeline)) => Ok(Self { desk, id, pipeline }),
            Err(problem) => Err(desk.refusal("Pipelines", Section::Pipelines, problem).await),
        }
    }

    fn path(&self) -> String {
        format!("/pipelines/{}", self.id)
    }

    async fn page(self, again: Option<Again>) -> Shown {
        let Self { desk, pipeline, .. } = self;
        let (frame, status) = desk.frame(&pipeline.name, Section::Pipelines, again).await;
        let text = written(&pipeline.steps);
        Ok(with(status, rendered(&PipelinePage { frame, pipeline, text })))
    }

    async fn edited(&self, pipeline: PipelinePatch) -> Result<(), Problem> {
        self.desk.command(BoardCommand::EditPipeline { id: self.id.clone(), pipeline }).await.map(drop)
    }
}

async fn show(State(state): State<AppState>, visit: Visit, PathOf(id): PathOf<String>) -> Shown {
    At::new(state, visit, &id).await?.page(None).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    name: Option<String>,
    description: Option<String>,
    pin: Option<String>,
    steps: Option<String>,
    labels: String,
}

impl Fields {
    /// What changes: a pipeline that came with the host takes labels alone, and its form has no more.
    fn patch(self, now: &PipelineDef) -> Result<PipelinePatch, Problem> {
        let is_new = |text: &String| *text != written(&now.steps);
        Ok(PipelinePatch {
            name: self.name.map(|name| name.trim().to_owned()),
            description: self.description,
            pin: self.pin.map(|pin| word("components are chosen", &pin)).transpose()?,
            steps: self.steps.filter(is_new).map(|text| read(&text).and_then(steps_of)).transpose()?,
            labels: Some(words(&self.labels)),
            archived: None,
        })
    }
}

async fn edit(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    let edited = async { at.edited(fields.patch(&at.pipeline)?).await };
    match edited.await {
        Ok(()) => Ok(done(&at.path(), "Saved.")),
        Err(problem) => at.page(Some(Again(typed, problem))).await,
    }
}

#[derive(Deserialize)]
struct Clone {
    #[serde(default)]
    name: String,
}

async fn clone(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(form, typed): FormOf<Clone>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    let command = BoardCommand::ClonePipeline { id: at.id.clone(), name: filled(&form.name) };
    match at.desk.command(command).await {
        Ok(reply) => Ok(done(&made(&reply.rows), "This is the clone.")),
        Err(problem) => at.page(Some(Again(typed, problem))).await,
    }
}

fn made(rows: &[Row]) -> String {
    let made = rows.iter().find_map(|row| match row {
        Row::Pipeline(pipeline) => Some(format!("/pipelines/{}", pipeline.id)),
        _ => None,
    });
    made.unwrap_or_else(|| "/pipelines".to_owned())
}

#[derive(Deserialize)]
struct Archive {
    archived: bool,
}

async fn archive(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(Archive { archived }, _): FormOf<Archive>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    match at.edited(PipelinePatch { archived: Some(archived), ..PipelinePatch::default() }).await {
        Ok(()) => Ok(done(
            &at.path(),
            if archived { "It is in the archive." } else { "It is back from the archive." },
        )),
        Err(problem) => Ok(refused(&at.path(), problem.detail())),
    }
}

async fn ask(State(state): State<AppState>, visit: Visit, PathOf(id): PathOf<String>) -> Shown {
    let At { desk, pipeline, .. } = At::new(state, visit, &id).await?;
    let (mut frame, _) = desk.frame(&format!("Delete {}?", pipeline.name), Section::Pipelines, None).await;
    frame.live.clear();
    Ok(rendered(&DeletePipelinePage { frame, pipeline }))
}

#[derive(Deserialize)]
struct Nothing {}

async fn delete(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    match at.desk.command(BoardCommand::DeletePipeline { id: at.id.clone() }).await {
        Ok(_) => Ok(done("/pipelines", "Deleted.")),
        Err(problem) => Ok(refused(&at.path(), problem.detail())),
    }
}

async fn draft(State(state): State<AppState>, visit: Visit) -> Shown {
    let desk = Desk::at(state, visit).await?;
    draft_page(&desk, BEGINNING.to_owned(), (Checked::Not, None), None).await
}

async fn draft_page(
    desk: &Desk,
    draft: String,
    (checked, story): (Checked, Option<Story>),
    again: Option<Again>,
) -> Shown {
    let (mut frame, status) = desk.frame("A pipeline to be", Section::Pipelines, again).await;
    frame.live.clear();
    let scenarios = desk.state.simulations().map(|simulations| simulations.scenarios()).unwrap_or_default();
    let scenarios = scenarios.into_iter().map(|one| (one.name, one.about)).collect();
    Ok(with(status, rendered(&DraftPage { frame, draft, checked, story, scenarios })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Draft {
    draft: String,
    act: String,
    scenario: String,
    name: String,
}

async fn try_draft(State(state): State<AppState>, visit: Visit, FormOf(form, typed): FormOf<Draft>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let outcome = match form.act.as_str() {
        "store" => return store(&desk, form, typed).await,
        "simulate" => simulated(&desk, &form).await,
        _ => match desk.state.service().check_pipeline(&form.draft, "draft").await {
            Ok(()) => Ok((Checked::Well, None)),
            Err(error) => wrong(error),
        },
    };
    match outcome {
        Ok(found) => {
            // The name and the scenario stand as they were chosen.
            let mut page = desk;
            page.visit.told.done.clear();
            let (mut frame, _) = page.frame("A pipeline to be", Section::Pipelines, None).await;
            frame.live.clear();
            frame.typed = typed;
            let scenarios = page.state.simulations().map(|all| all.scenarios()).unwrap_or_default();
            let scenarios = scenarios.into_iter().map(|one| (one.name, one.about)).collect();
            let (checked, story) = found;
            Ok(rendered(&DraftPage { frame, draft: form.draft, checked, story, scenarios }))
        }
        Err(problem) => {
            draft_page(&desk, form.draft, (Checked::Not, None), Some(Again(typed, problem))).await
        }
    }
}

fn wrong(error: ServiceError) -> Result<(Checked, Option<Story>), Problem> {
    match error {
        ServiceError::Invalid(lines) => {
            Ok((Checked::Wrong(lines.lines().map(str::to_owned).collect()), None))
        }
        error => Err(error.into()),
    }
}

async fn simulated(desk: &Desk, form: &Draft) -> Result<(Checked, Option<Story>), Problem> {
    let Some(simulations) = desk.state.simulations() else {
        return Err(Problem::new(problem::UNAVAILABLE, "this host simulates nothing"));
    };
    // A simulation keeps a processor busy, as a replay does.
    let permit = desk.state.replay_permit()?;
    let (simulations, scenario, draft) = (Arc::clone(simulations), form.scenario.clone(), form.draft.clone());
    let told = simulations.simulate(&scenario, &draft).await;
    drop(permit);
    match told {
        Ok(text) => Ok((Checked::Not, Some(Story { scenario, text }))),
        Err(error) => wrong(error),
    }
}

async fn store(desk: &Desk, form: Draft, typed: lockstep_pages::Typed) -> Shown {
    let stored = async {
        let mut file = read(&form.draft)?;
        let pin = file.pin.take().map(|pin| word("pin", &pin)).transpose()?;
        let patch = PipelinePatch {
            name: filled(&form.name).or_else(|| file.name.take()),
            description: file.description.take(),
            pin,
            steps: Some(steps_of(file)?),
            ..PipelinePatch::default()
        };
        desk.command(BoardCommand::CreatePipeline(patch)).await
    };
    match stored.await {
        Ok(reply) => Ok(done(&made(&reply.rows), "It is on the board.")),
        Err(problem) => draft_page(desk, form.draft, (Checked::Not, None), Some(Again(typed, problem))).await,
    }
}
