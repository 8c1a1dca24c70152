use super::{read_file, with_host};
use crate::args::{ActivateArgs, ComponentCommand};
use crate::context::{Context, quoted};
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::{ActivateRequest, RunService};
use lockstep_types::Grant;
use std::path::Path;

/// Largest component; the server takes no larger one either.
const COMPONENT_MAX: u64 = 64 * 1024 * 1024;

/// `lockstep component …`
pub(super) async fn component(context: &Context, command: ComponentCommand) -> anyhow::Result<Exit> {
    match command {
        ComponentCommand::List => {
            let list =
                with_host(context, "component list", async |service, _| Ok(service.components().await?));
            context.term.show(&list.await?, |style, list| render::components(style, list))?;
        }
        ComponentCommand::Add { file } => add(context, &file).await?,
        ComponentCommand::Activate(args) => activate(context, args).await?,
        ComponentCommand::History { kind } => {
            let list = with_host(context, "component history", async |service, _| {
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

async fn add(context: &Context, file: &Path) -> anyhow::Result<()> {
    let bytes = read_file(file, COMPONENT_MAX)?;
    let added =
        with_host(context, "component add", async |service, _| Ok(service.add_component(bytes).await?));
    context.term.show(&added.await?, |style, added| {
        let kind = quoted(&render::clean(&added.info.descriptor.kind));
        let command = context.command(&format!("component activate {kind} {}", added.info.digest.short()));
        render::component_added(style, added, &command)
    })
}

async fn activate(context: &Context, args: ActivateArgs) -> anyhow::Result<()> {
    let activation = with_host(context, "component activate", async |service, _| {
        let grant = widened(&*service, &args).await?;
        let request = ActivateRequest {
            kind: args.kind,
            digest: args.digest,
            grant,
            by: Some(context.by.clone()),
            reason: args.reason,
        };
        Ok(service.activate(request).await?)
    });
    context.term.show(&activation.await?, render::activated)
}

/// What the kind is granted now and what the options add; none if they add nothing.
async fn widened(service: &dyn RunService, args: &ActivateArgs) -> anyhow::Result<Option<Grant>> {
    if [&args.grant_import, &args.grant_job, &args.grant_effect].iter().all(|added| added.is_empty()) {
        return Ok(None);
    }
    let mut grant = service.activations(&args.kind).await?.pop().map(|last| last.grant).unwrap_or_default();
    extend(&mut grant.imports, &args.grant_import);
    extend(&mut grant.jobs, &args.grant_job);
    extend(&mut grant.effects, &args.grant_effect);
    Ok(Some(grant))
}

fn extend(granted: &mut Vec<String>, added: &[String]) {
    for name in added {
        if !granted.contains(name) {
            granted.push(name.clone());
        }
    }
}
