use super::note;
use crate::args::StoreCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::host;
use crate::render;
use crate::wiring;
use anyhow::Context as _;
use lockstep_ports::DoneBeside;
use lockstep_store::tools::{self, ToolError};
use serde_json::json;
use std::path::Path;

/// `lockstep store …`. They work on the files of the data folder; only what changes it needs the folder for itself.
pub(super) async fn store(context: &Context, command: StoreCommand) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Verify => verify(context).await,
        StoreCommand::Repair => repair(context).await,
        StoreCommand::Backup { to } => {
            let report = off(context, move |data| tools::backup(data, &to)).await?;
            context.term.show(&report, |_, report| render::store::copied("backed up", report))?;
            Ok(Exit::Done)
        }
        StoreCommand::Restore { from } => {
            let shown = from.display().to_string();
            let report = off(context, move |data| tools::restore(&from, data)).await?;
            note(context, DoneBeside::StoreRestore, &shown).await;
            context.term.show(&report, |_, report| render::store::copied("restored", report))?;
            Ok(Exit::Done)
        }
        StoreCommand::Export { to } => {
            let report = off(context, move |data| tools::export(data, &to)).await?;
            context.term.show(&report, |_, report| render::store::exported("exported", report))?;
            Ok(Exit::Done)
        }
        StoreCommand::Import { from } => {
            let (lock, shown) = (host::lock(context, "store import").await?, from.display().to_string());
            let report = off(context, move |data| tools::import(&from, data)).await?;
            drop(lock);
            note(context, DoneBeside::StoreImport, &shown).await;
            context.term.show(&report, |_, report| render::store::exported("imported", report))?;
            Ok(Exit::Done)
        }
        StoreCommand::Compact => {
            there_is_one(context)?;
            let _lock = host::lock(context, "store compact").await?;
            let folder = context.folder.path().to_owned();
            let freed = tokio::task::spawn_blocking(move || wiring::compact_store(&folder)).await??;
            let document = json!({ "freed_bytes": freed });
            context.term.show(&document, |_, _| format!("{} came back\n", render::bytes(freed)))?;
            Ok(Exit::Done)
        }
    }
}

async fn verify(context: &Context) -> anyhow::Result<Exit> {
    let survey = off(context, tools::survey).await?;
    let repair = context.command("store repair");
    context.term.show(&survey, |style, survey| render::store::survey(style, survey, &repair))?;
    Ok(if survey.is_whole() { Exit::Done } else { Exit::Failed })
}

async fn repair(context: &Context) -> anyhow::Result<Exit> {
    there_is_one(context)?;
    let lock = host::lock(context, "store repair").await?;
    let report = off(context, tools::repair).await?;
    drop(lock);
    note(context, DoneBeside::StoreRepair, "").await;
    context.term.show(&report, |_, report| render::store::repaired(report))?;
    Ok(Exit::Done)
}

/// Nothing is made where there is no store: a folder may be misspelled.
fn there_is_one(context: &Context) -> anyhow::Result<()> {
    let folder = context.folder.path();
    if tools::has_store(folder) {
        return Ok(());
    }
    Refused::because(ToolError::NoStore { path: folder.display().to_string() }.to_string())
}

/// Does something to the data folder that takes its time.
async fn off<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&Path) -> Result<T, ToolError> + Send + 'static,
) -> anyhow::Result<T> {
    let folder = context.folder.path().to_owned();
    let done = tokio::task::spawn_blocking(move || work(&folder)).await.context("the work was cut off")?;
    match done {
        Ok(done) => Ok(done),
        Err(error @ (ToolError::NoStore { .. } | ToolError::Exists { .. })) => {
            Refused::because(error.to_string())
        }
        Err(error) => Err(error.into()),
    }
}
