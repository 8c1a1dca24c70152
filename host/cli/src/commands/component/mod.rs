//! `lockstep component …`, one file per subject.

mod activate;
mod add;

use super::with_components;
use crate::args::ComponentCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;

/// `lockstep component …`
pub(super) async fn component(context: &Context, command: ComponentCommand) -> anyhow::Result<Exit> {
    match command {
        ComponentCommand::List => {
            let list =
                with_components(context, "component list", async |service| Ok(service.components().await?));
            context.term.show(&list.await?, |style, list| render::components(style, list))?;
        }
        ComponentCommand::Add { file } => add::add(context, &file).await?,
        ComponentCommand::Activate(args) => activate::activate(context, args).await?,
        ComponentCommand::History { kind } => {
            let list = with_components(context, "component history", async |service| {
                let activations = service.activations(&kind).await?;
                if activations.is_empty() {
                    let list = "`lockstep component list`";
                    return Refused::because(format!(
                        "no component was ever active for {kind:?}: see {list}"
                    ));
                }
                Ok(activations)
            });
            context.term.show(&list.await?, |style, list| render::history(style, list))?;
        }
    }
    Ok(Exit::Done)
}
