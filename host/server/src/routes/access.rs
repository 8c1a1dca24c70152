//! Who may speak to the host, and what was asked of it.

use super::{Answer, to_the_end};
use crate::AppState;
use crate::extract::{JsonBody, OptionalJsonBody, PathOf, QueryOf, SecretAnswer};
use crate::identity::{Identity, Role};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lockstep_ports::{AuditPage, AuditQuery, DoneBeside, IssuedToken, NewToken, TokenView};
use lockstep_types::board::WorkspaceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest name somebody signs in under by a link.
const NAME_MAX: usize = 64;

#[derive(Serialize, JsonSchema)]
pub(super) struct Tokens {
    tokens: Vec<TokenView>,
}

pub(super) async fn tokens(State(state): State<AppState>) -> Answer<Json<Tokens>> {
    Ok(Json(Tokens { tokens: state.tokens().tokens().await? }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// What whoever sends it is called: 1 to 64 letters, digits, `-`, `_`, `.` or `@`.
    name: String,
    role: Role,
    /// Workspaces it is for; none: all.
    #[serde(default)]
    workspaces: Vec<WorkspaceId>,
    /// Days until it ends to be accepted; none: it is accepted until it is revoked.
    expires_days: Option<u32>,
    /// Who asks; taken from the user of the data folder alone.
    by: Option<String>,
}

pub(super) async fn add(
    State(state): State<AppState>,
    identity: Identity,
    SecretAnswer: SecretAnswer,
    JsonBody(Asked { name, role, workspaces, expires_days, by }): JsonBody<Asked>,
) -> Answer<(StatusCode, Json<IssuedToken>)> {
    let token = NewToken { name, role, workspaces, expires_days };
    let (tokens, by) = (Arc::clone(state.tokens()), by.unwrap_or_else(|| identity.name.clone()));
    let issued = to_the_end(async move { tokens.add_token(token, &by).await }).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct By {
    /// Who asks; taken from the user of the data folder alone.
    by: Option<String>,
}

pub(super) async fn revoke(
    State(state): State<AppState>,
    identity: Identity,
    PathOf(name): PathOf<String>,
    QueryOf(By { by }): QueryOf<By>,
) -> Answer<Json<TokenView>> {
    let (tokens, by) = (Arc::clone(state.tokens()), by.unwrap_or_else(|| identity.name.clone()));
    to_the_end(async move { tokens.revoke_token(&name, &by).await }).await.map(Json)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Link {
    /// Below the address of the server; good once, for two minutes.
    path: String,
}

/// For the user of the data folder alone: the link is worth as much as its token.
pub(super) async fn link(
    State(state): State<AppState>,
    identity: Identity,
    SecretAnswer: SecretAnswer,
    OptionalJsonBody(By { by }): OptionalJsonBody<By>,
) -> Answer<(StatusCode, Json<Link>)> {
    if identity.via != "local" {
        let detail = "only the token of the data folder makes log-in links: sign in with your own token";
        return Err(Problem::new(problem::FORBIDDEN, detail));
    }
    let name = by.unwrap_or_else(|| identity.name.clone());
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        let detail = format!("`by` must be 1 to {NAME_MAX} bytes without control characters");
        return Err(Problem::new(problem::INVALID, detail));
    }
    let code = state.access().new_link(&name)?;
    Ok((StatusCode::CREATED, Json(Link { path: format!("/login?once={code}") })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Beside {
    operation: DoneBeside,
    /// To what: a name, a path.
    subject: String,
    /// Who did it.
    by: Option<String>,
}

/// What was written down.
#[derive(Serialize, JsonSchema)]
pub(super) struct Noted {
    operation: DoneBeside,
}

pub(super) async fn note(
    State(state): State<AppState>,
    identity: Identity,
    JsonBody(Beside { operation, subject, by }): JsonBody<Beside>,
) -> Answer<(StatusCode, Json<Noted>)> {
    let by = by.unwrap_or_else(|| identity.name.clone());
    state.tokens().note(operation, &subject, &by).await?;
    Ok((StatusCode::CREATED, Json(Noted { operation })))
}

pub(super) async fn audit(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Answer<Json<AuditPage>> {
    Ok(Json(state.tokens().audit_page(query).await?))
}
