use super::{with_board, with_working_board};
use crate::args::{NoticesArgs, NoticesCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::render;
use lockstep_ports::CardAction;

/// `lockstep notices …`
pub(super) async fn notices(context: &Context, args: NoticesArgs) -> anyhow::Result<Exit> {
    match args.command.unwrap_or(NoticesCommand::List) {
        NoticesCommand::List => {
            let workspace = context.named_workspace.as_ref();
            let cards = with_board(context, "notices", async |board, _| Ok(board.cards(workspace).await?));
            context
                .term
                .show(&cards.await?, |style, cards| render::cards(style, cards, context, render::now()))?;
        }
        NoticesCommand::Act { id } => settle(context, "acted on", &id, CardAction::Act).await?,
        NoticesCommand::Dismiss { id } => settle(context, "dismissed", &id, CardAction::Dismiss).await?,
    }
    Ok(Exit::Done)
}

async fn settle(context: &Context, what: &str, id: &str, action: CardAction) -> anyhow::Result<()> {
    let card = with_working_board(context, "notices", async |board, _| {
        Ok(board.settle_card(id, action, &context.by).await?)
    });
    context
        .term
        .show(&card.await?, |_, card| format!("{what} {}: {}\n", card.id, render::clean(&card.notice.title)))
}
