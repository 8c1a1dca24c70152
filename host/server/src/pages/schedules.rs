//! Schedules with what they started.

use super::desk::{Again, Desk, filled, optional, parsed, with, word};
use super::form::{FormOf, done, refused};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::{PathOf, board_id};
use crate::problem::Problem;
use crate::routes::schedules::one_schedule;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use lockstep_pages::Section;
use lockstep_pages::library::{DeleteSchedulePage, SchedulePage, SchedulesPage};
use lockstep_ports::BoardCommand;
use lockstep_types::board::{Recurrence, Row, Schedule, ScheduleId, SchedulePatch};
use serde::Deserialize;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/schedules", get(list).post(make))
        .route("/schedules/{schedule}", get(show).post(edit))
        .route("/schedules/{schedule}/run", post(run))
        .route("/schedules/{schedule}/enabled", post(enable))
        .route("/schedules/{schedule}/delete", get(ask).post(delete))
}

async fn list(State(state): State<AppState>, visit: Visit) -> Shown {
    all(Desk::at(state, visit).await?, None).await
}

async fn all(desk: Desk, again: Option<Again>) -> Shown {
    let (frame, status) = desk.frame("Schedules", Section::Schedules, again).await;
    let board = desk.state.board();
    let read = async {
        let (schedules, items) = (board.schedules(desk.id()).await?, board.items(desk.id()).await?);
        Ok::<_, Problem>((schedules, items, board.pipelines(desk.id()).await?))
    };
    match read.await {
        Ok((schedules, items, pipelines)) => {
            Ok(with(status, rendered(&SchedulesPage { frame, schedules, items, pipelines })))
        }
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    name: String,
    service: String,
    template: String,
    description: String,
    pipeline: String,
    interval_hours: String,
    weekday: Vec<String>,
    window_start_hour: String,
    window_end_hour: String,
    timezone: String,
}

impl Fields {
    fn patch(&self) -> Result<SchedulePatch, Problem> {
        let weekdays = self.weekday.iter().map(|day| word("day", day)).collect::<Result<_, _>>()?;
        let recurrence = Recurrence {
            interval_hours: parsed("hours from one time to the next", &self.interval_hours)?,
            weekdays,
            window_start_hour: optional("first hour", &self.window_start_hour)?,
            window_end_hour: optional("last hour", &self.window_end_hour)?,
            timezone: self.timezone.trim().to_owned(),
        };
        Ok(SchedulePatch {
            name: Some(self.name.trim().to_owned()),
            description: filled(&self.description),
            recurrence: Some(recurrence),
            pipeline: optional("pipeline", &self.pipeline)?,
            enabled: None,
        })
    }
}

async fn make(State(state): State<AppState>, visit: Visit, FormOf(fields, typed): FormOf<Fields>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let made = async {
        let service = parsed("service", &fields.service)?;
        let template = word("what it is for", &fields.template)?;
        let schedule = fields.patch()?;
        desk.command(BoardCommand::CreateSchedule { service, template, schedule }).await
    };
    match made.await {
        Ok(reply) => {
            let made = reply.rows.iter().find_map(|row| match row {
                Row::Schedule(schedule) => Some(format!("/schedules/{}", schedule.id)),
                _ => None,
            });
            Ok(done(made.as_deref().unwrap_or("/schedules"), "The schedule is made."))
        }
        Err(problem) => all(desk, Some(Again(typed, problem))).await,
    }
}

struct At {
    desk: Desk,
    id: ScheduleId,
    schedule: Schedule,
}

impl At {
    async fn new(state: AppState, visit: Visit, text: &str) -> Result<Self, Refusal> {
        let desk = Desk::at(state, visit).await?;
        let found = async {
            let id: ScheduleId = board_id(text)?;
            let schedule = one_schedule(desk.state.clone(), desk.id().clone(), id.clone()).await?;
            Ok::<_, Problem>((id, schedule))
        };
        match found.await {
            Ok((id, schedule)) => Ok(Self { desk, id, schedule }),
            Err(problem) => Err(desk.refusal("Schedules", Section::Schedules, problem).await),
        }
    }

    fn path(&self) -> String {
        format!("/schedules/{}", self.id)
    }

    fn told<T>(&self, result: Result<T, Problem>, words: &str) -> Response {
        match result {
            Ok(_) => done(&self.path(), words),
            Err(problem) => refused(&self.path(), problem.detail()),
        }
    }

    async fn page(self, again: Option<Again>) -> Shown {
        let Self { desk, id, schedule } = self;
        let (frame, status) = desk.frame(&schedule.name, Section::Schedules, again).await;
        let board = desk.state.board();
        let read = async {
            let runs = board.schedule_runs(desk.id(), &id).await?;
            let task = board.item(desk.id(), &schedule.task).await?;
            Ok::<_, Problem>((runs, task.item.description, board.pipelines(desk.id()).await?))
        };
        match read.await {
            Ok((runs, description, pipelines)) => {
                let page = SchedulePage { frame, schedule, description, runs, pipelines };
                Ok(with(status, rendered(&page)))
            }
            Err(problem) => Err(Refusal(frame, problem)),
        }
    }
}

async fn show(State(state): State<AppState>, visit: Visit, PathOf(id): PathOf<String>) -> Shown {
    At::new(state, visit, &id).await?.page(None).await
}

async fn edit(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    let edited = async {
        let mut schedule = fields.patch()?;
        // The next time is counted anew from a recurrence that is given.
        schedule.recurrence = schedule.recurrence.filter(|given| *given != at.schedule.recurrence);
        at.desk.command(BoardCommand::EditSchedule { id: at.id.clone(), schedule }).await
    };
    match edited.await {
        Ok(_) => Ok(done(&at.path(), "Saved.")),
        Err(problem) => at.page(Some(Again(typed, problem))).await,
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn run(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    let run = at.desk.command(BoardCommand::RunSchedule { id: at.id.clone() }).await;
    Ok(at.told(run, "It runs now."))
}

#[derive(Deserialize)]
struct Enable {
    enabled: bool,
}

async fn enable(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(Enable { enabled }, _): FormOf<Enable>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    let schedule = SchedulePatch { enabled: Some(enabled), ..SchedulePatch::default() };
    let edited = at.desk.command(BoardCommand::EditSchedule { id: at.id.clone(), schedule }).await;
    Ok(at.told(edited, if enabled { "It goes on." } else { "It is paused." }))
}

async fn ask(State(state): State<AppState>, visit: Visit, PathOf(id): PathOf<String>) -> Shown {
    let At { desk, schedule, .. } = At::new(state, visit, &id).await?;
    let (mut frame, _) = desk.frame(&format!("Delete {}?", schedule.name), Section::Schedules, None).await;
    frame.live.clear();
    Ok(rendered(&DeleteSchedulePage { frame, schedule }))
}

async fn delete(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(Nothing {}, _): FormOf<Nothing>,
) -> Shown {
    let at = At::new(state, visit, &id).await?;
    match at.desk.command(BoardCommand::DeleteSchedule { id: at.id.clone() }).await {
        Ok(_) => Ok(done("/schedules", "Deleted.")),
        Err(problem) => Ok(refused(&at.path(), problem.detail())),
    }
}
