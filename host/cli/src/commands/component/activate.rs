use crate::args::ActivateArgs;
use crate::commands::with_components;
use crate::context::Context;
use crate::render;
use lockstep_ports::{ActivateRequest, ComponentService};
use lockstep_types::Grant;

pub(super) async fn activate(context: &Context, args: ActivateArgs) -> anyhow::Result<()> {
    let activation = with_components(context, "component activate", async |service| {
        let grant = widened(&*service, &args).await?;
        let request = ActivateRequest {
            kind: args.kind,
            digest: args.digest,
            grant,
            skip_migration: args.skip_migration,
            by: Some(context.by.clone()),
            reason: args.reason,
        };
        Ok(service.activate(request).await?)
    });
    context.term.show(&activation.await?, render::activated)
}

/// What the kind is granted now and what the options add; none if they add nothing.
async fn widened(service: &dyn ComponentService, args: &ActivateArgs) -> anyhow::Result<Option<Grant>> {
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
