use crate::commands::read_component;
use crate::commands::with_components;
use crate::context::Context;
use crate::exit::Refused;
use crate::render;
use lockstep_ports::{ComponentDetail, ComponentService, KindView, ServiceError};
use serde::Serialize;
use std::path::Path;

/// What a name stands for.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Kind(Box<KindView>),
    Component(Box<ComponentDetail>),
}

pub(super) async fn show(context: &Context, name: &str) -> anyhow::Result<()> {
    let shown = with_components(context, "component show", async |service| {
        match service.kind(name).await {
            Ok(kind) => return Ok(Shown::Kind(Box::new(kind))),
            Err(ServiceError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        match service.component(name).await {
            Ok(detail) => Ok(Shown::Component(Box::new(detail))),
            Err(ServiceError::NotFound(_)) => Refused::because(format!(
                "{name:?} is neither a step kind nor a component: see `lockstep component list`"
            )),
            Err(error) => Err(error.into()),
        }
    });
    context.term.show(&shown.await?, |style, shown| match shown {
        Shown::Kind(kind) => context.with_commands(&render::kind(style, kind)),
        Shown::Component(detail) => context.with_commands(&render::component(style, detail)),
    })
}

pub(super) async fn inspect(context: &Context, name: &str) -> anyhow::Result<()> {
    let detail =
        with_components(context, "component inspect", async |service| detail(&*service, name).await).await?;
    context.term.show(&detail, |style, detail| context.with_commands(&render::component(style, detail)))
}

/// Everything about a file or a stored component.
pub(super) async fn detail(service: &dyn ComponentService, name: &str) -> anyhow::Result<ComponentDetail> {
    let file = Path::new(name);
    if file.exists() {
        let inspected = service.inspect_component(read_component(file)?).await;
        return inspected.map_err(|error| match error {
            ServiceError::Invalid(why) => Refused(format!("{name}: {why}")).into(),
            error => error.into(),
        });
    }
    match service.component(name).await {
        Err(ServiceError::NotFound(_)) => Refused::because(format!(
            "{name:?} is neither a file nor a stored component: see `lockstep component list`"
        )),
        found => Ok(found?),
    }
}
