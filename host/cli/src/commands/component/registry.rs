use super::actor;
use crate::commands::with_components;
use crate::context::Context;
use crate::render;

pub(super) async fn stop(context: &Context, digest: &str, reason: String) -> anyhow::Result<()> {
    let actor = actor(context, Some(reason));
    let stopped = with_components(context, "component stop-digest", async |service| {
        Ok(service.stop_component(digest, actor).await?)
    });
    context.term.show(&stopped.await?, |style, shown| context.with_commands(&render::stopped(style, shown)))
}

pub(super) async fn resume(context: &Context, digest: &str, reason: Option<String>) -> anyhow::Result<()> {
    let actor = actor(context, reason);
    let resumed = with_components(context, "component resume-digest", async |service| {
        Ok(service.resume_component(digest, actor).await?)
    });
    context.term.show(&resumed.await?, |style, shown| context.with_commands(&render::stopped(style, shown)))
}

pub(super) async fn collect(context: &Context, dry_run: bool) -> anyhow::Result<()> {
    let by = Some(context.by.clone());
    let report = with_components(context, "component gc", async |service| {
        Ok(service.collect_components(dry_run, by).await?)
    });
    context.term.show(&report.await?, render::collected)
}

pub(super) async fn audit(context: &Context, last: usize) -> anyhow::Result<()> {
    let entries =
        with_components(context, "component audit", async |service| Ok(service.audit(last).await?));
    context.term.show(&entries.await?, |style, entries| render::audit(style, entries))
}
