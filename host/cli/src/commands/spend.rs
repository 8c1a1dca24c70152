use super::with_board;
use crate::args::{SpendArgs, SpendCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::render;

/// `lockstep spend …`
pub(super) async fn spend(context: &Context, args: SpendArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match args.command {
        None => {
            let view = with_board(context, "spend", async |board, _| {
                Ok(board.spend(&workspace, args.month).await?)
            });
            context
                .term
                .show(&view.await?, |style, view| render::spend(style, view, context, render::now()))?;
        }
        Some(SpendCommand::Resume) => {
            let runs = with_board(context, "spend resume", async |board, _| {
                Ok(board.resume_paused(&workspace, &context.by).await?)
            });
            context.term.show(&runs.await?, |style, runs| {
                if runs.is_empty() {
                    return "no run waits for a budget\n".to_owned();
                }
                format!("these go on:\n{}", render::runs(style, runs, render::now()))
            })?;
        }
    }
    Ok(Exit::Done)
}
