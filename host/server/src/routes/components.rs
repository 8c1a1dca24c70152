use super::{Answer, runs::SOMEBODY, to_the_end};
use crate::AppState;
use crate::extract::{ComponentBody, JsonBody, PathOf};
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use lockstep_ports::{ActivateRequest, ComponentView};
use lockstep_types::Activation;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct Components {
    components: Vec<ComponentView>,
}

pub(super) async fn list(State(state): State<AppState>) -> Answer<Json<Components>> {
    Ok(Json(Components { components: state.components().components().await? }))
}

/// Takes a permit before it reads the body, because the bodies are what has to be few.
pub(super) async fn add(
    State(state): State<AppState>,
    request: Request,
) -> Answer<(StatusCode, Json<ComponentView>)> {
    let permit = state.upload_permit()?;
    let ComponentBody(bytes) = ComponentBody::from_request(request, &state).await?;
    let service = Arc::clone(state.components());
    let added = to_the_end(async move {
        let added = service.add_component(bytes.into()).await;
        drop(permit);
        added
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

pub(super) async fn activate(
    State(state): State<AppState>,
    JsonBody(mut request): JsonBody<ActivateRequest>,
) -> Answer<Json<Activation>> {
    request.by.get_or_insert_with(|| SOMEBODY.to_owned());
    let service = Arc::clone(state.components());
    to_the_end(async move { service.activate(request).await }).await.map(Json)
}

#[derive(Serialize)]
pub(super) struct History {
    activations: Vec<Activation>,
}

pub(super) async fn history(
    State(state): State<AppState>,
    PathOf(kind): PathOf<String>,
) -> Answer<Json<History>> {
    Ok(Json(History { activations: state.components().activations(&kind).await? }))
}
