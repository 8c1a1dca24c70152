//! Step components: all of them, one of them, and a new one.

use super::form::{self, FormOf, done, refused};
use super::{Refusal, Shown, Visit, rendered};
use crate::AppState;
use crate::extract::PathOf;
use crate::identity::Role;
use crate::problem::{self, Problem};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use lockstep_pages::Section;
use lockstep_pages::registry::{ComponentPage, ComponentsPage};
use lockstep_ports::{Actor, AddRequest};
use serde::Deserialize;
use std::sync::Arc;

/// Largest upload: a component of 64 MiB, as `/v1` takes it, with its form around it.
const UPLOAD_MAX: usize = (64 << 20) + (1 << 16);

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/components", get(list).post(add).layer(DefaultBodyLimit::max(UPLOAD_MAX)))
        .route("/components/{digest}", get(show))
        .route("/components/{digest}/stop", post(stop))
}

async fn list(State(state): State<AppState>, visit: Visit) -> Shown {
    let frame = visit.frame(&state, "Components", Section::Components).await;
    let read = async {
        Ok::<_, Problem>((state.components().kinds().await?, state.components().components().await?))
    };
    match read.await {
        Ok((kinds, components)) => Ok(rendered(&ComponentsPage { frame, kinds, components })),
        Err(problem) => Err(Refusal(frame, problem)),
    }
}

async fn show(State(state): State<AppState>, visit: Visit, PathOf(digest): PathOf<String>) -> Shown {
    let mut frame = visit.frame(&state, "Component", Section::Components).await;
    match state.components().component(&digest).await {
        Ok(detail) => {
            let info = &detail.view.info;
            frame.title = format!("{} {}", info.descriptor.kind, info.descriptor.version);
            let report = state.components().collect_components(true, None).await;
            let needed_by = report.ok().map(|report| {
                let mut kept = report.kept.into_iter();
                kept.find(|entry| entry.digest == info.digest)
                    .map(|entry| entry.needed_by)
                    .unwrap_or_default()
            });
            Ok(rendered(&ComponentPage { frame, detail, needed_by }))
        }
        Err(error) => Err(Refusal(frame, error.into())),
    }
}

/// Lets only an admin do something.
pub(super) fn administers(visit: &Visit) -> Result<(), Problem> {
    if visit.identity.role >= Role::Admin {
        return Ok(());
    }
    Err(Problem::new(problem::FORBIDDEN, "changing what the host runs takes an admin: ask one"))
}

/// Who does it, and why.
pub(super) fn actor(visit: &Visit, reason: &str) -> Actor {
    Actor { by: Some(visit.identity.name.clone()), reason: super::desk::filled(reason) }
}

/// Adds a component. Takes a permit before it reads the body: each may be 64 MiB in memory.
async fn add(State(state): State<AppState>, visit: Visit, request: Request) -> Response {
    match added(&state, &visit, request).await {
        Ok(digest) => done(&format!("/components/{digest}"), "Added. Nothing uses it until it is activated."),
        Err(problem) => refused("/components", problem.detail()),
    }
}

async fn added(state: &AppState, visit: &Visit, request: Request) -> Result<String, Problem> {
    administers(visit)?;
    let permit = state.upload_permit()?;
    let wrong = |text: String| Problem::new(problem::INVALID, format!("the upload cannot be read: {text}"));
    let mut fields =
        Multipart::from_request(request, state).await.map_err(|error| wrong(error.body_text()))?;
    let (mut csrf, mut add) =
        (String::new(), AddRequest { by: Some(visit.identity.name.clone()), ..AddRequest::default() });
    while let Some(field) = fields.next_field().await.map_err(|error| wrong(error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        // The first field of the form says whether it is of a page of its sender; before that nothing large is read.
        if name != "csrf" {
            form::check(&csrf, &visit.identity.csrf)?;
        }
        let bytes = field.bytes().await.map_err(|error| wrong(error.body_text()))?;
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        match name.as_str() {
            "csrf" => csrf = text(),
            "component" => add.bytes = bytes.to_vec(),
            "signature" => add.signature = super::desk::filled(&text()),
            "reason" => add.reason = super::desk::filled(&text()),
            _ => {}
        }
    }
    form::check(&csrf, &visit.identity.csrf)?;
    if add.bytes.is_empty() {
        return Err(Problem::new(problem::INVALID, "no component was sent: choose a .wasm file"));
    }
    let service = Arc::clone(state.components());
    let added = crate::routes::to_the_end(async move {
        let added = service.add_component(add).await;
        drop(permit);
        added
    });
    added.await.map(|view| view.info.digest.to_string())
}

#[derive(Deserialize)]
struct Stop {
    act: String,
    reason: String,
}

async fn stop(
    State(state): State<AppState>,
    visit: Visit,
    PathOf(digest): PathOf<String>,
    FormOf(Stop { act, reason }, _): FormOf<Stop>,
) -> Response {
    let is_stop = act == "stop";
    let stopped = async {
        administers(&visit)?;
        let (service, actor, digest) =
            (Arc::clone(state.components()), actor(&visit, &reason), digest.clone());
        crate::routes::to_the_end(async move {
            match is_stop {
                true => service.stop_component(&digest, actor).await,
                false => service.resume_component(&digest, actor).await,
            }
        })
        .await
    };
    match stopped.await {
        Ok(view) => {
            let path = format!("/components/{}", view.digest);
            done(&path, if is_stop { "It is stopped: no run calls it." } else { "It may be called again." })
        }
        Err(problem) => {
            refused(&format!("/components/{}", lockstep_pages::text::segment(&digest)), problem.detail())
        }
    }
}
