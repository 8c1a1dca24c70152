use super::actor;
use crate::args::{ActivateArgs, GateArgs, KindArgs};
use crate::commands::with_components;
use crate::context::Context;
use crate::render;
use lockstep_ports::{ActivateRequest, ComponentService, Gates, ServiceError};
use lockstep_types::Grant;

pub(super) async fn activate(context: &Context, args: ActivateArgs) -> anyhow::Result<()> {
    let activated = with_components(context, "component activate", async |service| {
        let grant = widened(&*service, &args).await?;
        let request = ActivateRequest {
            kind: args.kind,
            digest: args.digest,
            grant,
            skip_migration: args.skip_migration,
            gates: gates(&args.gates),
            by: Some(context.by.clone()),
            reason: args.reason,
        };
        Ok(service.activate(request).await?)
    });
    context
        .term
        .show(&activated.await?, |style, shown| context.with_commands(&render::activated(style, shown)))
}

pub(super) async fn rollback(context: &Context, args: KindArgs) -> anyhow::Result<()> {
    let KindArgs { kind, reason } = args;
    let actor = actor(context, reason);
    let back = with_components(context, "component rollback", async |service| {
        Ok(service.rollback(&kind, actor).await?)
    });
    context.term.show(&back.await?, |style, shown| context.with_commands(&render::rolled_back(style, shown)))
}

pub(super) fn gates(args: &GateArgs) -> Gates {
    let GateArgs { require_identical, max_changed, max_fuel_growth } = *args;
    Gates { require_identical, max_changed, max_fuel_growth }
}

/// What the kind is granted now and what the options add; none if they add nothing.
async fn widened(service: &dyn ComponentService, args: &ActivateArgs) -> anyhow::Result<Option<Grant>> {
    if [&args.grant_import, &args.grant_job, &args.grant_effect].iter().all(|added| added.is_empty()) {
        return Ok(None);
    }
    let mut grant = match service.kind(&args.kind).await {
        Ok(view) => view.grant,
        Err(ServiceError::NotFound(_)) => Grant::default(),
        Err(error) => return Err(error.into()),
    };
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
