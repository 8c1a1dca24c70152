//! Step kinds: what they point to and what they may do; whose signatures count; the audit log.

use super::components::named;
use super::{Answer, runs::SOMEBODY, to_the_end};
use crate::AppState;
use crate::extract::{DirBody, JsonBody, Late, OptionalJsonBody, PathOf, QueryOf};
use axum::Json;
use axum::extract::{FromRequest, State};
use axum::http::StatusCode;
use lockstep_ports::{
    Activated, Actor, CanaryBegun, CanaryReport, CanaryRequest, GrantRequest, KindView, RolledBack,
    TrustChange,
};
use lockstep_types::{AuditEntry, Digest, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Entries of the audit log that are read when nobody says how many.
const AUDIT_DEFAULT: usize = 50;

#[derive(Serialize, JsonSchema)]
pub(super) struct Kinds {
    kinds: Vec<KindView>,
}

pub(super) async fn list(State(state): State<AppState>) -> Answer<Json<Kinds>> {
    Ok(Json(Kinds { kinds: state.components().kinds().await? }))
}

pub(super) async fn show(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
) -> Answer<Json<KindView>> {
    Ok(Json(state.components().kind(&kind).await?))
}

pub(super) async fn grant(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
    JsonBody(mut request): JsonBody<GrantRequest>,
) -> Answer<Json<KindView>> {
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let service = Arc::clone(state.components());
    to_the_end(async move { service.grant(&kind, request).await }).await.map(Json)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Kept {
    digest: Digest,
}

/// Keeps a directory for grants. Takes a permit before it reads the body, as components do.
pub(super) async fn keep_dir(
    State(state): State<AppState>,
    Late { request, .. }: Late<DirBody>,
) -> Answer<(StatusCode, Json<Kept>)> {
    let permit = state.upload_permit()?;
    let DirBody(snapshot) = DirBody::from_request(request, &state).await?;
    let service = Arc::clone(state.components());
    let kept = to_the_end(async move {
        let kept = service.keep_dir(snapshot.into()).await;
        drop(permit);
        kept
    });
    Ok((StatusCode::CREATED, Json(Kept { digest: kept.await? })))
}

pub(super) async fn rollback(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
    OptionalJsonBody(actor): OptionalJsonBody<Actor>,
) -> Answer<Json<RolledBack>> {
    let service = Arc::clone(state.components());
    to_the_end(async move { service.rollback(&kind, named(actor)).await }).await.map(Json)
}

pub(super) async fn promote(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
    OptionalJsonBody(actor): OptionalJsonBody<Actor>,
) -> Answer<Json<Activated>> {
    let service = Arc::clone(state.components());
    to_the_end(async move { service.promote(&kind, named(actor)).await }).await.map(Json)
}

pub(super) async fn canary(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
) -> Answer<Json<CanaryReport>> {
    Ok(Json(state.components().canary(&kind).await?))
}

pub(super) async fn begin_canary(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
    JsonBody(mut request): JsonBody<CanaryRequest>,
) -> Answer<Json<CanaryBegun>> {
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let service = Arc::clone(state.components());
    to_the_end(async move { service.begin_canary(&kind, request).await }).await.map(Json)
}

pub(super) async fn trust(State(state): State<AppState>) -> Answer<Json<Trust>> {
    Ok(Json(state.components().trust().await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedTrust {
    change: TrustChange,
    by: Option<String>,
    reason: Option<String>,
}

pub(super) async fn change_trust(
    State(state): State<AppState>,
    JsonBody(ChangedTrust { change, by, reason }): JsonBody<ChangedTrust>,
) -> Answer<Json<Trust>> {
    let service = Arc::clone(state.components());
    let actor = named(Actor { by, reason });
    to_the_end(async move { service.change_trust(change, actor).await }).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Last {
    /// How many of the newest entries.
    last: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Audit {
    entries: Vec<AuditEntry>,
}

pub(super) async fn audit(
    State(state): State<AppState>,
    QueryOf(Last { last }): QueryOf<Last>,
) -> Answer<Json<Audit>> {
    Ok(Json(Audit { entries: state.components().audit(last.unwrap_or(AUDIT_DEFAULT)).await? }))
}
