//! What holds for a workspace, and which one is looked at.

use super::desk::{self, Again, Desk, optional, parsed, with, word};
use super::form::{FormOf, done};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::{PathOf, board_id};
use crate::problem::{self, Problem};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use lockstep_pages::library::SettingsPage;
use lockstep_pages::{Section, Typed};
use lockstep_ports::BoardCommand;
use lockstep_types::board::{
    Money, PresetPatch, Price, Pricing, SettingsPatch, SpendLimit, TaskLimit, TaskType, WorkspaceId,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Prices of single models.
const PRICES_MAX: usize = 200;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/workspace", post(choose))
        .route("/settings/workspaces", post(make_workspace))
        .route("/settings/limits", post(limits))
        .route("/settings/budget", post(budget))
        .route("/settings/presets", post(make_preset))
        .route("/settings/presets/{preset}", post(edit_preset))
}

async fn show(State(state): State<AppState>, visit: Visit) -> Shown {
    page(Desk::at(state, visit).await?, None).await
}

async fn page(desk: Desk, again: Option<Again>) -> Shown {
    let (mut frame, status) = desk.frame("Settings", Section::Settings, again).await;
    // Settings change seldom, and nobody wants a form to change while it is filled in.
    frame.live.clear();
    let read = async {
        let settings = desk.state.board().spend(desk.id(), None).await?.settings;
        Ok::<_, Problem>((settings, desk.state.board().presets(desk.id()).await?))
    };
    match read.await {
        Ok((settings, presets)) => {
            let Desk { workspace, all: workspaces, .. } = desk;
            let page = SettingsPage { frame, workspace, workspaces, settings, presets };
            Ok(with(status, rendered(&page)))
        }
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

async fn after<T>(desk: Desk, result: Result<T, Problem>, typed: Typed, words: &str) -> Shown {
    match result {
        Ok(_) => Ok(done("/settings", words)),
        Err(problem) => page(desk, Some(Again(typed, problem))).await,
    }
}

#[derive(Deserialize)]
struct Chosen {
    workspace: String,
}

async fn choose(State(state): State<AppState>, visit: Visit, FormOf(form, typed): FormOf<Chosen>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let Some(chosen) = desk.all.iter().find(|one| one.id.as_str() == form.workspace) else {
        let detail = format!("there is no workspace {:?} that you may see", form.workspace);
        return page(desk, Some(Again(typed, Problem::new(problem::NOT_FOUND, detail)))).await;
    };
    let mut response = done("/settings", &format!("You look at {} now.", chosen.name));
    let cookie =
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000", desk::COOKIE, chosen.id);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct NewWorkspace {
    id: String,
    name: String,
}

async fn make_workspace(
    State(state): State<AppState>,
    visit: Visit,
    FormOf(form, typed): FormOf<NewWorkspace>,
) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let made = async {
        if desk.visit.identity.role < crate::identity::Role::Admin {
            return Err(Problem::new(problem::FORBIDDEN, "making a workspace takes an admin: ask one"));
        }
        let id: WorkspaceId =
            board_id(form.id.trim()).map_err(|problem| Problem::new(problem::INVALID, problem.detail()))?;
        let (board, name) = (Arc::clone(desk.state.board()), form.name.trim().to_owned());
        crate::routes::to_the_end(async move { board.create_workspace(id, &name).await }).await
    };
    let made = made.await;
    after(desk, made, typed, "The workspace is made. Choose it to look at it.").await
}

type Fields = BTreeMap<String, String>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn task_limit(fields: &Fields) -> Result<TaskLimit, Problem> {
    match field(fields, "mode") {
        "shared" => Ok(TaskLimit::Shared { limit: parsed("so many in all", field(fields, "shared"))? }),
        "per-type" => {
            let mut limits = BTreeMap::new();
            for of in [TaskType::Feature, TaskType::Bug, TaskType::Document, TaskType::Spike] {
                if let Some(limit) = optional(of.word(), field(fields, &format!("limit-{}", of.word())))? {
                    limits.insert(of, limit);
                }
            }
            Ok(TaskLimit::PerType { limits })
        }
        _ => Ok(TaskLimit::Off),
    }
}

async fn limits(State(state): State<AppState>, visit: Visit, FormOf(fields, typed): FormOf<Fields>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let edited = async {
        let patch = SettingsPatch {
            task_limit: Some(task_limit(&fields)?),
            waiting_escalation_minutes: Some(parsed("minutes", field(&fields, "escalation"))?),
            pricing: None,
        };
        desk.command(BoardCommand::EditSettings(patch)).await
    };
    let edited = edited.await;
    after(desk, edited, typed, "The limits are saved.").await
}

fn money(what: &str, text: &str) -> Result<Money, Problem> {
    let units: f64 = parsed(what, text)?;
    Money::from_units(units).ok_or_else(|| {
        Problem::new(problem::INVALID, format!("{what}: an amount is a number from 0 to a thousand million"))
    })
}

fn prices(text: &str) -> Result<BTreeMap<String, Price>, Problem> {
    let mut prices = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || {
            let number = index + 1;
            Problem::new(
                problem::INVALID,
                format!("prices, line {number}: a model and two amounts, like openai:gpt-5 1.25 10"),
            )
        };
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [model, input, output] = parts[..] else { return Err(wrong()) };
        let price = Price {
            input_per_million: money("prices", input).map_err(|_| wrong())?,
            output_per_million: money("prices", output).map_err(|_| wrong())?,
        };
        prices.insert(model.to_owned(), price);
    }
    if prices.len() > PRICES_MAX {
        return Err(Problem::new(
            problem::INVALID,
            format!("prices: at most {PRICES_MAX} models have their own"),
        ));
    }
    Ok(prices)
}

async fn budget(State(state): State<AppState>, visit: Visit, FormOf(fields, typed): FormOf<Fields>) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let edited = async {
        let monthly_limit = match field(&fields, "monthly_limit").trim() {
            "none" | "" => SpendLimit::None,
            amount => SpendLimit::Amount(money("limit of a month", amount)?),
        };
        let pricing = Pricing {
            currency: field(&fields, "currency").trim().to_owned(),
            monthly_limit,
            prices: prices(field(&fields, "prices"))?,
            default_price: Price {
                input_per_million: money("tokens read", field(&fields, "default_input"))?,
                output_per_million: money("tokens written", field(&fields, "default_output"))?,
            },
        };
        desk.command(BoardCommand::EditSettings(SettingsPatch {
            pricing: Some(pricing),
            ..SettingsPatch::default()
        }))
        .await
    };
    let edited = edited.await;
    after(desk, edited, typed, "The budget is saved.").await
}

fn preset(fields: &Fields) -> Result<PresetPatch, Problem> {
    let of = |name| field(fields, name);
    Ok(PresetPatch {
        name: Some(of("name").trim().to_owned()),
        is_default: (of("act") == "default").then_some(true),
        max_complexity: optional("complexity", of("max_complexity"))?,
        max_risk: optional("risk", of("max_risk"))?,
        max_impact: optional("impact", of("max_impact"))?,
        ci_max_attempts: optional("repairs", of("ci_max_attempts"))?,
        max_review_iterations: optional("reviews", of("max_review_iterations"))?,
        tolerated_severity: Some(word("worst finding", of("tolerated_severity"))?),
        release_watch_minutes: optional("minutes", of("release_watch_minutes"))?,
        release_max_attempts: optional("investigations", of("release_max_attempts"))?,
    })
}

async fn make_preset(
    State(state): State<AppState>,
    visit: Visit,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let made = async { desk.command(BoardCommand::CreatePreset(preset(&fields)?)).await };
    let made = made.await;
    after(desk, made, typed, "The preset is made.").await
}

async fn edit_preset(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(id): PathOf<String>,
    FormOf(fields, typed): FormOf<Fields>,
) -> Shown {
    let desk = Desk::at(state, visit).await?;
    let is_deletion = field(&fields, "act") == "delete";
    let edited = async {
        let id = board_id(&id)?;
        let command = match is_deletion {
            true => BoardCommand::DeletePreset { id },
            false => BoardCommand::EditPreset { id, preset: preset(&fields)? },
        };
        desk.command(command).await
    };
    let edited = edited.await;
    after(desk, edited, typed, if is_deletion { "The preset is gone." } else { "The preset is saved." }).await
}
