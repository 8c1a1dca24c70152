use super::activate::gates;
use super::actor;
use crate::args::{CanaryArgs, KindArgs};
use crate::commands::{with_components, with_host};
use crate::context::Context;
use crate::host::Host;
use crate::render::{self, WatchedCanary};
use lockstep_ports::CanaryRequest;

/// Runs whose calls are compared, the newest: so many take a moment, and no person reads more.
const RUNS_COMPARED_MAX: usize = 100;

pub(super) async fn canary(context: &Context, args: CanaryArgs) -> anyhow::Result<()> {
    let gates = gates(&args.gates);
    let CanaryArgs { kind, digest, share, item, reason, .. } = args;
    let Some(digest) = digest else {
        let canary =
            with_host(context, "component canary", async |_, host| watched(context, host, &kind).await);
        return context.term.show(&canary.await?, render::canary);
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

/// A canary, with what it decided beside what the active component makes of the same calls.
async fn watched(context: &Context, host: &Host, kind: &str) -> anyhow::Result<WatchedCanary> {
    let components = host.components();
    let report = components.canary(kind).await?;
    let active = components.kind(kind).await?.active.map(|active| active.digest);
    let runs: Vec<_> = report.runs.iter().take(RUNS_COMPARED_MAX).map(|run| run.run.clone()).collect();
    let mut verdicts = None;
    if let (Some(active), false) = (active, runs.is_empty()) {
        match host.backtests().side_by_side(kind, runs, report.canary.digest, active).await {
            Ok(compared) => verdicts = Some(compared),
            Err(error) => context.term.note(&format!("the verdicts are not compared: {error}")),
        }
    }
    Ok(WatchedCanary { report, verdicts })
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
