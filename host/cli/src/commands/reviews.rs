use super::{board, with_board, with_working_board};
use crate::args::{ReviewArg, ReviewsCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::render;
use lockstep_ports::{BoardService, ItemView};
use lockstep_types::board::{ItemId, WorkspaceId};
use lockstep_types::{JsonText, StepAction};
use serde_json::{Value, json};

/// The reviews there are; each is kept on the item as a document of this name.
const KINDS: [&str; 2] = ["requirements", "clarity"];

/// `lockstep reviews …`
pub(super) async fn reviews(context: &Context, command: ReviewsCommand) -> anyhow::Result<Exit> {
    let plain = |review, name: &str| (review, name.to_owned(), JsonText::of(&json!({})));
    let (review, name, input) = match command {
        ReviewsCommand::Show(review) => return show(context, &review).await,
        ReviewsCommand::Review(review) => plain(review, "review"),
        ReviewsCommand::ExtraRound(review) => plain(review, "extra-round"),
        ReviewsCommand::ReReview(review) => plain(review, "re-review"),
        ReviewsCommand::Reply { review, finding, text } => {
            let input = json!({ "item": named(&finding), "text": text });
            (review, "reply".to_owned(), JsonText::of(&input))
        }
        ReviewsCommand::SetStatus { review, finding, status } => {
            let input = json!({ "item": named(&finding), "status": status });
            (review, "set-status".to_owned(), JsonText::of(&input))
        }
        ReviewsCommand::Incorporate { review, feedback } => {
            let input = feedback.map_or_else(|| json!({}), |feedback| json!({ "feedback": feedback }));
            (review, "incorporate".to_owned(), JsonText::of(&input))
        }
        ReviewsCommand::Proceed { review, force } => {
            let input = if force { json!({ "force": true }) } else { json!({}) };
            (review, "proceed".to_owned(), JsonText::of(&input))
        }
        ReviewsCommand::Act { review, action, input } => (review, action, board::input(&input)?),
    };
    act(context, &review, name, input).await
}

/// A finding by its number, from 0, or its id.
fn named(finding: &str) -> Value {
    finding.parse::<u32>().map_or_else(|_| json!(finding), |number| json!(number))
}

async fn show(context: &Context, review: &ReviewArg) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let id = board::item(&workspace, &review.item)?;
    let shown = with_board(context, "reviews show", async |board, _| {
        let kind = kind(&*board, &workspace, &id, review.kind.as_deref()).await?;
        Ok((board.item(&workspace, &id).await?, kind))
    });
    let (view, kind) = shown.await?;
    show_review(context, &view, kind)
}

/// The step kind that carries a review out.
fn step_kind(review: &str) -> String {
    format!("{review}-review")
}

/// The review that is meant: the one that is named, else the one the item has, else the first.
async fn kind(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    id: &ItemId,
    given: Option<&str>,
) -> anyhow::Result<&'static str> {
    if let Some(kind) = KINDS.into_iter().find(|kind| Some(*kind) == given) {
        return Ok(kind);
    }
    let item = board.item(workspace, id).await?.item;
    Ok(KINDS.into_iter().find(|kind| item.document(kind).is_some()).unwrap_or(KINDS[0]))
}

async fn act(context: &Context, review: &ReviewArg, name: String, input: JsonText) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let id = board::item(&workspace, &review.item)?;
    let action = StepAction { name, input, by: context.by.clone() };
    let acted = with_working_board(context, "reviews", async |board, _| {
        let kind = kind(&*board, &workspace, &id, review.kind.as_deref()).await?;
        Ok((board.review_item(&workspace, &id, &step_kind(kind), action).await?, kind))
    });
    let (view, kind) = acted.await?;
    show_review(context, &view, kind)
}

fn show_review(context: &Context, view: &ItemView, kind: &str) -> anyhow::Result<Exit> {
    let row = view.item.document(kind).map_or(Value::Null, |document| document.value.value());
    context.term.show(&row, |style, row| render::review(style, &view.item, kind, row, context))?;
    Ok(Exit::Done)
}
