//! What the pages of a workspace have in common.

use super::{Refusal, Visit};
use crate::AppState;
use crate::problem::{self, Problem};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lockstep_pages::{Frame, Section, Typed};
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{Workspace, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use std::sync::Arc;

/// The workspace that every host has.
const FIRST: &str = "default";

/// The cookie that names the workspace somebody looks at.
pub(super) const COOKIE: &str = "lockstep-workspace";

/// A form that was refused, for the page that is shown again.
pub(super) struct Again(pub(super) Typed, pub(super) Problem);

/// Whoever looks at a workspace, and that workspace.
pub(super) struct Desk {
    pub(super) state: AppState,
    pub(super) visit: Visit,
    pub(super) workspace: Workspace,
    pub(super) all: Vec<Workspace>,
}

impl Desk {
    /// The workspace that was chosen, else the first one: a choice may be older than the store.
    pub(super) async fn at(state: AppState, visit: Visit) -> Result<Self, Refusal> {
        let all = match state.board().workspaces().await {
            Ok(all) => all,
            Err(error) => return Err(Refusal(visit.frame(&state, "", Section::Board).await, error.into())),
        };
        let named = |id: &str| all.iter().find(|workspace| workspace.id.as_str() == id).cloned();
        let chosen = visit.workspace.as_deref().and_then(named);
        let workspace = chosen.or_else(|| named(FIRST)).or_else(|| all.first().cloned());
        match workspace {
            Some(workspace) => Ok(Self { state, visit, workspace, all }),
            None => {
                let problem =
                    Problem::new(problem::NOT_FOUND, "there is no workspace you may see: ask an admin");
                Err(Refusal(visit.frame(&state, "", Section::Board).await, problem))
            }
        }
    }

    pub(super) fn id(&self) -> &WorkspaceId {
        &self.workspace.id
    }

    /// Who acts.
    pub(super) fn by(&self) -> String {
        self.visit.identity.name.clone()
    }

    pub(super) async fn frame(
        &self,
        title: &str,
        section: Section,
        again: Option<Again>,
    ) -> (Frame, StatusCode) {
        let mut frame = self.visit.frame(&self.state, title, section).await;
        frame.workspace = Some(self.workspace.id.clone());
        match again {
            None => (frame, StatusCode::OK),
            Some(Again(typed, problem)) => {
                // What was typed must not be morphed away.
                frame.live.clear();
                problem.detail().clone_into(&mut frame.refused);
                frame.typed = typed;
                (frame, problem.status())
            }
        }
    }

    pub(super) async fn refusal(
        &self,
        title: &str,
        section: Section,
        problem: impl Into<Problem>,
    ) -> Refusal {
        Refusal(self.frame(title, section, None).await.0, problem.into())
    }

    /// Carries out a command of the board, even if the browser goes away.
    pub(super) async fn command(&self, command: BoardCommand) -> Result<BoardReply, Problem> {
        let (board, workspace, by) = (Arc::clone(self.state.board()), self.workspace.id.clone(), self.by());
        crate::routes::to_the_end(async move { board.command(&workspace, command, &by).await }).await
    }
}

/// A page with its status.
pub(super) fn with(status: StatusCode, page: Response) -> Response {
    (status, page).into_response()
}

/// Reads a word of a form, as it is written in JSON.
pub(super) fn word<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Problem> {
    let deserializer: StrDeserializer<'_, Error> = serde::de::IntoDeserializer::into_deserializer(text);
    T::deserialize(deserializer).map_err(|error| Problem::new(problem::INVALID, format!("{field}: {error}")))
}

/// Reads a number or an id of a form.
pub(super) fn parsed<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Problem> {
    let text = text.trim();
    text.parse().map_err(|_| Problem::new(problem::INVALID, format!("{field}: {text:?} is not taken")))
}

/// The same, or none where nothing was filled in.
pub(super) fn optional<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Problem> {
    if text.trim().is_empty() { Ok(None) } else { parsed(field, text).map(Some) }
}

/// A text, or none where nothing was filled in.
pub(super) fn filled(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Words with commas between them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(',').filter_map(filled).collect()
}
