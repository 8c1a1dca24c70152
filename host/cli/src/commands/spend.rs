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
                let runs = board.resume_paused(&workspace, &context.by).await?;
                Ok((runs, board.spend(&workspace, None).await?.over_budget))
            });
            let (runs, is_spent) = runs.await?;
            context.term.show(&runs, |style, runs| {
                if runs.is_empty() {
                    return "no run waits for a budget\n".to_owned();
                }
                let table = render::runs(style, runs, render::now());
                if is_spent {
                    let raise = context.board_command("settings set --monthly-limit AMOUNT");
                    return format!("still nothing may be spent, so these soon wait again:\n{table}\nraise the limit: {raise}\n");
                }
                format!("these go on:\n{table}")
            })?;
        }
    }
    Ok(Exit::Done)
}
