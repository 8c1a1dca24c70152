//! `lockstep component …`, one file per subject.

mod activate;
mod add;
mod backtest;
mod canary;
mod grant;
mod inspect;
mod pull;
mod push;
mod registry;
mod shipping;
mod signing;
mod trust;

pub(crate) use pull::PullReport;
pub(crate) use push::PushReport;

use super::with_components;
use crate::args::ComponentCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::Actor;

/// `lockstep component …`
pub(super) async fn component(context: &Context, command: ComponentCommand) -> anyhow::Result<Exit> {
    match command {
        ComponentCommand::List => {
            let list =
                with_components(context, "component list", async |service| Ok(service.components().await?));
            context.term.show(&list.await?, |style, list| render::components(style, list))?;
        }
        ComponentCommand::Add(args) => return add::add(context, args).await,
        ComponentCommand::Show { name } => inspect::show(context, &name).await?,
        ComponentCommand::Inspect { name } => inspect::inspect(context, &name).await?,
        ComponentCommand::Grant(args) => grant::grant(context, args).await?,
        ComponentCommand::Backtest(args) => return backtest::backtest(context, args).await,
        ComponentCommand::Push(args) => push::push(context, args).await?,
        ComponentCommand::Pull(args) => pull::pull(context, args).await?,
        ComponentCommand::Activate(args) => activate::activate(context, args).await?,
        ComponentCommand::Canary(args) => canary::canary(context, args).await?,
        ComponentCommand::Promote(args) => canary::promote(context, args).await?,
        ComponentCommand::Rollback(args) => activate::rollback(context, args).await?,
        ComponentCommand::StopDigest { digest, reason } => {
            registry::stop(context, &digest, reason).await?;
        }
        ComponentCommand::ResumeDigest { digest, reason } => {
            registry::resume(context, &digest, reason).await?;
        }
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
        ComponentCommand::Gc { dry_run } => registry::collect(context, dry_run).await?,
        ComponentCommand::Audit { last } => registry::audit(context, last).await?,
        ComponentCommand::Keygen { name } => signing::keygen(context, &name)?,
        ComponentCommand::Sign { name, key } => signing::sign(context, &name, &key).await?,
        ComponentCommand::Trust(command) => trust::trust(context, command).await?,
    }
    Ok(Exit::Done)
}

/// Who is at the terminal, and why.
fn actor(context: &Context, reason: Option<String>) -> Actor {
    Actor { by: Some(context.by.clone()), reason }
}
