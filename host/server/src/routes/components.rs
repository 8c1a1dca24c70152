use super::{Answer, runs::SOMEBODY, to_the_end};
use crate::AppState;
use crate::api::{Operation, Output, Schemas};
use crate::extract::{ComponentBody, JsonBody, Late, OptionalJsonBody, PathOf, QueryOf};
use crate::paging::Paging;
use axum::Json;
use axum::extract::{FromRequest, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, ComponentDetail, ComponentView, GcReport, StopView,
};
use lockstep_types::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

#[derive(Serialize, JsonSchema)]
pub(super) struct Components {
    components: Vec<ComponentView>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<Components>> {
    let components = state.components().components().await?;
    let (components, next) = paging.cut(components, |view| view.info.digest.to_string())?;
    Ok(Json(Components { components, next }))
}

/// What comes with the bytes of a component.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    /// A signature of the component, as `lockstep component sign` writes it.
    signature: Option<String>,
    /// Who adds it.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Takes a permit before it reads the body, because the bodies are what has to be few.
pub(super) async fn add(
    State(state): State<AppState>,
    QueryOf(Added { signature, by, reason }): QueryOf<Added>,
    Late { request, .. }: Late<ComponentBody>,
) -> Answer<(StatusCode, Json<ComponentView>)> {
    let permit = state.upload_permit()?;
    let ComponentBody(bytes) = ComponentBody::from_request(request, &state).await?;
    let service = Arc::clone(state.components());
    let by = Some(by.unwrap_or_else(|| SOMEBODY.to_owned()));
    let added = to_the_end(async move {
        let added = service.add_component(AddRequest { bytes: bytes.into(), signature, by, reason }).await;
        drop(permit);
        added
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

pub(super) async fn bytes(State(state): State<AppState>, PathOf(digest): PathOf<String>) -> Answer<Wasm> {
    Ok(Wasm(state.components().component_bytes(&digest).await?))
}

/// The bytes of a component as an answer.
pub(super) struct Wasm(Vec<u8>);

impl IntoResponse for Wasm {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/wasm")], self.0).into_response()
    }
}

impl Output for Wasm {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.answers(StatusCode::OK, "application/wasm", json!({}));
    }
}

/// The same for bytes that are only looked at.
pub(super) async fn inspect(
    State(state): State<AppState>,
    Late { request, .. }: Late<ComponentBody>,
) -> Answer<Json<ComponentDetail>> {
    let permit = state.upload_permit()?;
    let ComponentBody(bytes) = ComponentBody::from_request(request, &state).await?;
    let inspected = state.components().inspect_component(bytes.into()).await;
    drop(permit);
    Ok(Json(inspected?))
}

pub(super) async fn show(
    State(state): State<AppState>,
    PathOf(digest): PathOf<String>,
) -> Answer<Json<ComponentDetail>> {
    Ok(Json(state.components().component(&digest).await?))
}

pub(super) async fn activate(
    State(state): State<AppState>,
    JsonBody(mut request): JsonBody<ActivateRequest>,
) -> Answer<Json<Activated>> {
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let service = Arc::clone(state.components());
    to_the_end(async move { service.activate(request).await }).await.map(Json)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct History {
    activations: Vec<Activation>,
    /// Give it as `after` to go on; none: these were the last.
    next: Option<String>,
}

pub(super) async fn history(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
    QueryOf(paging): QueryOf<Paging>,
) -> Answer<Json<History>> {
    let activations = state.components().activations(&kind).await?;
    let (activations, next) =
        paging.cut(activations, |activation| format!("{} {}", activation.at.0, activation.digest))?;
    Ok(Json(History { activations, next }))
}

/// With a name for whoever did not give one.
pub(super) fn named(actor: Actor) -> Actor {
    Actor { by: Some(actor.by.unwrap_or_else(|| SOMEBODY.to_owned())), ..actor }
}

pub(super) async fn stop(
    State(state): State<AppState>,
    PathOf(digest): PathOf<String>,
    OptionalJsonBody(actor): OptionalJsonBody<Actor>,
) -> Answer<Json<StopView>> {
    let service = Arc::clone(state.components());
    to_the_end(async move { service.stop_component(&digest, named(actor)).await }).await.map(Json)
}

pub(super) async fn resume(
    State(state): State<AppState>,
    PathOf(digest): PathOf<String>,
    OptionalJsonBody(actor): OptionalJsonBody<Actor>,
) -> Answer<Json<StopView>> {
    let service = Arc::clone(state.components());
    to_the_end(async move { service.resume_component(&digest, named(actor)).await }).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    signature: String,
    by: Option<String>,
    reason: Option<String>,
}

pub(super) async fn sign(
    State(state): State<AppState>,
    PathOf(digest): PathOf<String>,
    JsonBody(Signed { signature, by, reason }): JsonBody<Signed>,
) -> Answer<Json<ComponentDetail>> {
    let service = Arc::clone(state.components());
    let actor = named(Actor { by, reason });
    to_the_end(async move { service.sign_component(&digest, &signature, actor).await }).await.map(Json)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Collect {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    by: Option<String>,
}

pub(super) async fn collect(
    State(state): State<AppState>,
    OptionalJsonBody(Collect { dry_run, by }): OptionalJsonBody<Collect>,
) -> Answer<Json<GcReport>> {
    let service = Arc::clone(state.components());
    let by = Some(by.unwrap_or_else(|| SOMEBODY.to_owned()));
    to_the_end(async move { service.collect_components(dry_run, by).await }).await.map(Json)
}
