use super::{board, with_board};
use crate::args::{PresetFields, PresetsCommand};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::BoardCommand;
use lockstep_types::board::PresetPatch;

/// `lockstep presets …`
pub(super) async fn presets(context: &Context, command: PresetsCommand) -> anyhow::Result<Exit> {
    let (workspace, by) = (context.workspace()?, &context.by);
    match command {
        PresetsCommand::List => {
            let list =
                with_board(context, "presets list", async |board, _| Ok(board.presets(&workspace).await?));
            context.term.show(&list.await?, |style, list| render::presets(style, list))?;
            Ok(Exit::Done)
        }
        PresetsCommand::Add { name, fields } => {
            let command = BoardCommand::CreatePreset(patch(Some(name), &fields)?);
            let reply = with_board(context, "presets add", async |board, _| {
                Ok(board.command(&workspace, command, by).await?)
            });
            board::told(context, "added", &reply.await?)
        }
        PresetsCommand::Edit { preset, name, fields } => {
            let patch = patch(name, &fields)?;
            if patch == PresetPatch::default() {
                return Refused::because(
                    "nothing to change: give a field, see `lockstep presets edit --help`",
                );
            }
            let reply = with_board(context, "presets edit", async |board, _| {
                let id = board::preset(&*board, &workspace, &preset).await?;
                Ok(board.command(&workspace, BoardCommand::EditPreset { id, preset: patch }, by).await?)
            });
            board::told(context, "changed", &reply.await?)
        }
        PresetsCommand::Rm { preset } => {
            let reply = with_board(context, "presets rm", async |board, _| {
                let id = board::preset(&*board, &workspace, &preset).await?;
                Ok(board.command(&workspace, BoardCommand::DeletePreset { id }, by).await?)
            });
            context
                .term
                .show(&reply.await?, |_, _| format!("removed preset {}\n", render::clean(&preset)))?;
            Ok(Exit::Done)
        }
    }
}

fn patch(name: Option<String>, fields: &PresetFields) -> anyhow::Result<PresetPatch> {
    Ok(PresetPatch {
        name,
        is_default: fields.default.then_some(true),
        max_complexity: fields.max_complexity,
        max_risk: fields.max_risk,
        max_impact: fields.max_impact,
        ci_max_attempts: fields.ci_max_attempts,
        max_review_iterations: fields.max_review_iterations,
        tolerated_severity: board::maybe_word(fields.tolerated_severity.as_deref())?,
        release_watch_minutes: fields.release_watch_minutes,
        release_max_attempts: fields.release_max_attempts,
    })
}
