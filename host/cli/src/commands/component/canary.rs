use super::activate::gates;
use super::actor;
use crate::args::{CanaryArgs, KindArgs};
use crate::commands::with_components;
use crate::context::Context;
use crate::render;
use lockstep_ports::CanaryRequest;

pub(super) async fn canary(context: &Context, args: CanaryArgs) -> anyhow::Result<()> {
    let gates = gates(&args.gates);
    let CanaryArgs { kind, digest, share, item, reason, .. } = args;
    let Some(digest) = digest else {
        let report =
            with_components(context, "component canary", async |service| Ok(service.canary(&kind).await?));
        return context.term.show(&report.await?, render::canary);
    };
    // The number at the end of an id stands for it, as elsewhere.
    let workspace = context.workspace()?;
    let whole = |item: String| {
        let is_number = !item.is_empty() && item.bytes().all(|b| b.is_ascii_digit());
        if is_number { format!("{workspace}-{item}") } else { item }
    };
    let items = item.into_iter().map(whole).collect();
    let by = Some(context.by.clone());
    let request = CanaryRequest { digest, share, items, gates, by, reason };
    let begun = with_components(context, "component canary", async |service| {
        Ok(service.begin_canary(&kind, request).await?)
    });
    context
        .term
        .show(&begun.await?, |style, shown| context.with_commands(&render::canary_begun(style, shown)))
}

pub(super) async fn promote(context: &Context, args: KindArgs) -> anyhow::Result<()> {
    let KindArgs { kind, reason } = args;
    let actor = actor(context, reason);
    let activated = with_components(context, "component promote", async |service| {
        Ok(service.promote(&kind, actor).await?)
    });
    context
        .term
        .show(&activated.await?, |style, shown| context.with_commands(&render::activated(style, shown)))
}
