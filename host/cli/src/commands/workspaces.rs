use super::with_board;
use crate::args::WorkspacesCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::render;

/// `lockstep workspaces …`
pub(super) async fn workspaces(context: &Context, command: WorkspacesCommand) -> anyhow::Result<Exit> {
    match command {
        WorkspacesCommand::List => {
            let list =
                with_board(context, "workspaces list", async |board, _| Ok(board.workspaces().await?));
            context.term.show(&list.await?, |style, list| render::workspaces(style, list))?;
        }
        WorkspacesCommand::Add { id, name } => {
            let name = name.unwrap_or_else(|| id.to_string());
            let made = with_board(context, "workspaces add", async |board, _| {
                Ok(board.create_workspace(id, &name).await?)
            });
            context.term.show(&made.await?, |_, made| {
                format!("added workspace {}: use it with --workspace {}\n", made.id, made.id)
            })?;
        }
    }
    Ok(Exit::Done)
}
