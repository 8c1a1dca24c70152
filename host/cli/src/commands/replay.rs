use super::with_host;
use crate::context::Context;
use crate::exit::Exit;
use crate::{ids, render};

/// `lockstep replay`
pub(super) async fn replay(context: &Context, run: &str) -> anyhow::Result<Exit> {
    let report = with_host(context, "replay", async |service, _| {
        let id = ids::find(&*service, run).await?;
        Ok(service.replay(&id).await?)
    })
    .await?;
    context.term.show(&report, render::replay)?;
    Ok(if report.differences.is_empty() { Exit::Done } else { Exit::Failed })
}

/// `lockstep verify`
pub(super) async fn verify(context: &Context, run: &str) -> anyhow::Result<Exit> {
    let report = with_host(context, "verify", async |service, _| {
        let id = ids::find(&*service, run).await?;
        Ok(service.verify(&id).await?)
    })
    .await?;
    context.term.show(&report, render::verify)?;
    let is_whole = report.problems.is_empty() && report.replay.differences.is_empty();
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}
