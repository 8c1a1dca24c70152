use super::{board, read_text, with_board, with_host};
use crate::args::PipelinesCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::{render, standard};
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_runtime::pipeline_file::{Stored, stored_steps};
use lockstep_types::board::{PipelineDef, PipelineId, PipelinePatch, WorkspaceId};
use serde_json::json;
use std::path::Path;

/// Largest pipeline file: a request with it must stay below the largest body the server takes.
const PIPELINE_MAX: u64 = 512 * 1024;

/// The text of a pipeline file.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    read_text(file, PIPELINE_MAX)
}

/// `lockstep pipelines …`
pub(super) async fn pipelines(context: &Context, command: PipelinesCommand) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match command {
        PipelinesCommand::Check { file } => check(context, &file).await,
        PipelinesCommand::List { label, all } => list(context, &workspace, label.as_deref(), all).await,
        PipelinesCommand::Show { pipeline } => {
            let shown = with_board(context, "pipelines show", async |board, _| {
                let id = board::pipeline(&*board, &workspace, &pipeline).await?;
                let found = board.pipelines(&workspace).await?.into_iter().find(|row| row.id == id);
                found.map_or_else(|| Refused::because(format!("pipeline {id} was just removed")), Ok)
            });
            context.term.show(&shown.await?, render::pipeline)?;
            Ok(Exit::Done)
        }
        PipelinesCommand::Add { file, name, description, labels } => {
            let Stored { name: named, pin, steps } = stored(context, &file).await?;
            let labels = (!labels.is_empty()).then_some(labels);
            let name = Some(name.unwrap_or(named));
            let patch = PipelinePatch {
                name,
                description,
                labels,
                archived: None,
                pin: Some(pin),
                steps: Some(steps),
            };
            let reply = with_board(context, "pipelines add", async |board, _| {
                Ok(board.command(&workspace, BoardCommand::CreatePipeline(patch), &context.by).await?)
            });
            board::told(context, "added", &reply.await?)
        }
        PipelinesCommand::Edit { pipeline, name, description, file } => {
            let (pin, steps) = match &file {
                Some(file) => {
                    let stored = stored(context, file).await?;
                    (Some(stored.pin), Some(stored.steps))
                }
                None => (None, None),
            };
            let patch = PipelinePatch { name, description, labels: None, archived: None, pin, steps };
            if patch == PipelinePatch::default() {
                return Refused::because(
                    "nothing to change: give a field, see `lockstep pipelines edit --help`",
                );
            }
            edit(context, &workspace, &pipeline, patch).await
        }
        PipelinesCommand::Clone { pipeline, name } => {
            let clone = |id| BoardCommand::ClonePipeline { id, name };
            board::told(context, "added", &on(context, &workspace, &pipeline, clone).await?)
        }
        PipelinesCommand::Rm { pipeline } => {
            let reply = on(context, &workspace, &pipeline, |id| BoardCommand::DeletePipeline { id }).await?;
            context.term.show(&reply, |_, _| format!("removed pipeline {}\n", render::clean(&pipeline)))?;
            Ok(Exit::Done)
        }
        PipelinesCommand::Label { pipeline, labels } => {
            let patch = PipelinePatch { labels: Some(labels), ..PipelinePatch::default() };
            edit(context, &workspace, &pipeline, patch).await
        }
        PipelinesCommand::Archive { pipeline, undo } => {
            let patch = PipelinePatch { archived: Some(!undo), ..PipelinePatch::default() };
            edit(context, &workspace, &pipeline, patch).await
        }
    }
}

/// Carries out what `command` makes of the pipeline that is meant.
async fn on(
    context: &Context,
    workspace: &WorkspaceId,
    given: &str,
    command: impl FnOnce(PipelineId) -> BoardCommand,
) -> anyhow::Result<BoardReply> {
    with_board(context, "pipelines", async |board, _| {
        let id = board::pipeline(&*board, workspace, given).await?;
        Ok(board.command(workspace, command(id), &context.by).await?)
    })
    .await
}

async fn edit(
    context: &Context,
    workspace: &WorkspaceId,
    given: &str,
    patch: PipelinePatch,
) -> anyhow::Result<Exit> {
    let edit = |id| BoardCommand::EditPipeline { id, pipeline: patch };
    board::told(context, "changed", &on(context, workspace, given, edit).await?)
}

/// The steps of a file that has nothing wrong with it.
async fn stored(context: &Context, file: &Path) -> anyhow::Result<Stored> {
    let text = checked(context, file).await?;
    match stored_steps(&text, &file.to_string_lossy()) {
        Ok(stored) => Ok(stored),
        Err(errors) => Refused::because(errors.to_string()),
    }
}

async fn checked(context: &Context, file: &Path) -> anyhow::Result<String> {
    let (text, name) = (read(file)?, file.to_string_lossy());
    let checked = with_host(context, "pipelines check", async |service, host| {
        standard::require(&*host.components()).await?;
        Ok(service.check_pipeline(&text, &name).await?)
    });
    checked.await?;
    Ok(text)
}

async fn check(context: &Context, file: &Path) -> anyhow::Result<Exit> {
    checked(context, file).await?;
    let name = file.to_string_lossy();
    let document = json!({ "file": name, "valid": true });
    context.term.show(&document, |_, _| format!("{name}: nothing is wrong with it\n"))?;
    Ok(Exit::Done)
}

async fn list(
    context: &Context,
    workspace: &WorkspaceId,
    label: Option<&str>,
    all: bool,
) -> anyhow::Result<Exit> {
    let list =
        with_board(context, "pipelines list", async |board, _| Ok(board.pipelines(workspace).await?)).await?;
    let has_label = |row: &PipelineDef| label.is_none_or(|label| row.labels.iter().any(|has| has == label));
    let list: Vec<_> = list.into_iter().filter(|row| (all || !row.archived) && has_label(row)).collect();
    context.term.show(&list, |style, list| render::pipelines(style, list))?;
    Ok(Exit::Done)
}
